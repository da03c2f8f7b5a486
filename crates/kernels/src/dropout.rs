//! Dropout: an element is zero with probability `rate`, else it is divided by `1 - rate`.
//!
//! Which elements stay is a function of (seed, stream, epoch, sample, index) by [`crate::random::keeps`]; nothing is kept, and
//! the same call on dy is the gradient. What is not a number stays so, dropped or not.

use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::random::{Stream, dropout_threshold};
use crate::{Isa, View};

/// What decides which elements are dropped, besides sample and index.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// In `[0, 1)`.
    pub rate: f32,
    /// The dropout layer's own number.
    pub stream: u64,
    pub seed: u64,
    pub epoch: u64,
}

/// Drops elements of `y`, whose images are of these samples.
///
/// # Panics
/// If the slice is too short.
pub fn dropout(isa: Isa, dropout: &Dropout, samples: &[u32], view: &View, y: &mut [f32]) {
    assert!((0.0..1.0).contains(&dropout.rate));
    if dropout.rate == 0.0 || view.height == 0 {
        return;
    }
    // Where there is no border a sample is one row.
    let (per_sample, len) =
        if view.is_plain() { (1, view.image_pitch) } else { (view.height, view.width * view.channels) };
    for (index, &sample) in samples.iter().enumerate() {
        let stream = Stream::new(dropout.seed, dropout.stream, dropout.epoch, u64::from(sample));
        for row in 0..per_sample {
            let y = &mut y[view.at(index, row, 0)..][..len];
            isa.run(Drop { stream: &stream, rate: dropout.rate, first: row * len, y });
        }
    }
}

/// Blocks of random words that are drawn at a time.
const BLOCKS: usize = 16;

struct Drop<'a> {
    stream: &'a Stream,
    rate: f32,
    /// Index in the sample of the first element of y.
    first: usize,
    y: &'a mut [f32],
}

impl Kernel for Drop<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let threshold = dropout_threshold(self.rate);
        let kept = (1.0 / (1.0 - f64::from(self.rate))) as f32;
        // Elements of the first block that come before.
        let mut before = self.first % 4;
        let (mut block, mut rest) = ((self.first / 4) as u64, self.y);
        while !rest.is_empty() {
            let (y, behind) = rest.split_at_mut(rest.len().min(4 * BLOCKS - before));
            let words = self.stream.blocks::<BLOCKS>(block);
            let mut factors = [0.0; 4 * BLOCKS];
            for lane in 0..BLOCKS {
                for word in 0..4 {
                    factors[4 * lane + word] = if words[word][lane] >= threshold { kept } else { 0.0 };
                }
            }
            for (y, factor) in y.iter_mut().zip(&factors[before..]) {
                *y *= factor;
            }
            (before, block, rest) = (0, block + BLOCKS as u64, behind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::keeps;
    use crate::truth::{LENGTHS, assert_close, images};

    #[test]
    fn elements_stay_as_the_streams_say() {
        let samples = [7, 0, 4_000_000_000];
        let views = LENGTHS.map(View::vectors).into_iter().chain([
            View::plain(3, 5, 7),
            View::bordered(3, 5, 7, [1, 0, 2, 1]),
            View::bordered(2, 33, 3, [0, 1, 0, 0]),
        ]);
        for (rate, view) in views.flat_map(|view| [0.0, 0.2, 0.5, 0.999].map(|rate| (rate, view))) {
            let rule = Dropout { rate, stream: 1 << 40, seed: 3, epoch: 2 };
            let x = images(1, &view, samples.len());
            let mut expected: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
            let length = view.height * view.width * view.channels;
            for (index, at) in view.rows(samples.len()).flatten().enumerate() {
                let stream = Stream::new(3, 1 << 40, 2, u64::from(samples[index / length]));
                let kept = if keeps(&stream, index % length, rate) { 1.0 } else { 0.0 };
                expected[at] *= kept / (1.0 - f64::from(rate));
            }
            for isa in Isa::available() {
                let mut y = x.clone();
                dropout(isa, &rule, &samples, &view, &mut y);
                assert_close(isa.name(), &y, &expected, 1.2e-7, 0.0);
            }
        }
    }
}
