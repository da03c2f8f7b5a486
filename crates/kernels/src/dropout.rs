//! Inverted dropout: zero with probability `rate`, else divided by `1 - rate`.
//!
//! Element i of a sample is kept iff word `i % 4` of block `i / 4` of the random stream of (seed, stream, epoch, sample)
//! is at least `rate * 2^32`, rounded.

use crate::random::Stream;
use crate::{Isa, View};

/// What decides which elements are dropped, besides the sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    pub rate: f32,
    pub stream: u64,
    pub seed: u64,
    pub epoch: u64,
}

/// Drops elements of `y`, one of `samples` after the other.
///
/// # Panics
/// If a slice is too short.
pub fn dropout(_isa: Isa, dropout: &Dropout, samples: &[u32], view: &View, y: &mut [f32]) {
    let threshold = (f64::from(dropout.rate) * 4_294_967_296.0).round() as u64;
    let factor = (1.0 / (1.0 - f64::from(dropout.rate))) as f32;
    let mut rows = view.rows(samples.len());
    for sample in samples {
        let mut draws = Stream::new(dropout.seed, dropout.stream, dropout.epoch, u64::from(*sample)).draws();
        for row in rows.by_ref().take(view.height) {
            for y in &mut y[row] {
                *y *= if u64::from(draws.next_u32()) >= threshold { factor } else { 0.0 };
            }
        }
    }
}
