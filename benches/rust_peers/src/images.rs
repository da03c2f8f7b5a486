//! Random images `[n, 3, 32, 32]` as unit numbers, and their classes.

const SIZE: usize = 3 * 32 * 32;

/// Whole batches in memory.
pub struct Images {
    pub batch: usize,
    pixels: Vec<f32>,
    labels: Vec<i64>,
}

impl Images {
    /// At most 6,400 images in whole batches.
    pub fn new(batch: usize) -> Images {
        let count = (6400 / batch).max(1) * batch;
        let mut state = 1u64;
        // Knuth's MMIX generator; the high bits are good enough for noise.
        let mut below = |n: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % n
        };
        let patches: Vec<u64> = (0..10 * 3 * 16).map(|_| below(256)).collect();
        let labels: Vec<i64> = (0..count).map(|_| below(10) as i64).collect();
        let mut pixels = Vec::with_capacity(count * SIZE);
        for &label in &labels {
            for place in 0..SIZE {
                let (channel, row, column) = (place / 1024, place / 32 % 32, place % 32);
                let patch = patches[(label as usize * 3 + channel) * 16 + row / 8 * 4 + column / 8];
                pixels.push((patch / 4 * 3 + below(256) / 4) as f32 / 255.0);
            }
        }
        Images { batch, pixels, labels }
    }

    /// Pixels and classes of a batch; behind the last the first follows.
    pub fn batch(&self, number: usize) -> (&[f32], &[i64]) {
        let first = number % (self.labels.len() / self.batch) * self.batch;
        (&self.pixels[first * SIZE..][..self.batch * SIZE], &self.labels[first..][..self.batch])
    }
}
