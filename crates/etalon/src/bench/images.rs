//! Random images in which the class can be seen, so that training on them learns something and its loss can be compared.

use kernels::random::{Draws, Stream, purpose};

/// Most images that are made, and most bytes of them.
const MOST: usize = 6400;
const MOST_BYTES: usize = 64 << 20;

/// Patches of a class's picture along each axis.
const PATCHES: usize = 4;

/// Images with their classes, in batches of one size.
pub struct Images {
    size: usize,
    batch: usize,
    pixels: Vec<u8>,
    labels: Vec<u32>,
    samples: Vec<u32>,
}

impl Images {
    /// Whole batches of images `[height, width, channels]`, as many as fit, at least one. A pixel is one part noise and
    /// three parts a picture of its class, which is [`PATCHES`] times as many random patches; the peers in `benches/`
    /// draw theirs in the same way.
    pub fn new(shape: [usize; 3], n_classes: usize, batch: usize) -> Images {
        let size: usize = shape.iter().product();
        let count = (MOST.min(MOST_BYTES / size) / batch).max(1) * batch;
        let mut draws = Stream::new(1, purpose("bench"), 0, 0).draws();
        let pictures: Vec<Vec<u8>> = (0..n_classes).map(|_| picture(shape, &mut draws)).collect();
        let labels: Vec<u32> = (0..count).map(|_| draws.below(n_classes as u64) as u32).collect();
        let mut pixels = Vec::with_capacity(count * size);
        for &label in &labels {
            let picture = &pictures[label as usize];
            pixels.extend(picture.iter().map(|&of_class| of_class / 4 * 3 + draws.next_u32() as u8 / 4));
        }
        Images { size, batch, pixels, labels, samples: (0..count as u32).collect() }
    }

    /// How many batches there are.
    pub fn n_batches(&self) -> usize {
        self.labels.len() / self.batch
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Batch `number`, counted on from the first again behind the last.
    pub fn batch(&self, number: usize) -> trainer::Batch<'_> {
        let first = number % self.n_batches() * self.batch;
        trainer::Batch {
            samples: &self.samples[first..][..self.batch],
            image: &self.pixels[first * self.size..][..self.batch * self.size],
            labels: &self.labels[first..][..self.batch],
        }
    }
}

fn picture([height, width, channels]: [usize; 3], draws: &mut Draws) -> Vec<u8> {
    let patches: Vec<u8> = (0..PATCHES * PATCHES * channels).map(|_| draws.next_u32() as u8).collect();
    let mut pixels = Vec::with_capacity(height * width * channels);
    for row in 0..height {
        for column in 0..width {
            let patch = row * PATCHES / height * PATCHES + column * PATCHES / width;
            pixels.extend_from_slice(&patches[patch * channels..][..channels]);
        }
    }
    pixels
}
