//! Forward: rows of the kernel are broadcast, samples lie across the lanes.

use super::Dense;
use super::living::{self, Begin, LivingRows};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::tile::{self, Runs, Steps, for_tile};
use crate::turn::turn;

/// Samples that are turned together; with them a row of the kernel passes once.
const SAMPLES: usize = 64;

pub(super) fn scratch_len(dense: &Dense) -> usize {
    SAMPLES * dense.features
}

pub(super) struct Forward<'a> {
    pub dense: Dense,
    pub n: usize,
    pub x: &'a [f32],
    pub kernel: &'a [f32],
    pub bias: Option<&'a [f32]>,
    pub relu: bool,
    pub y: &'a mut [f32],
    pub scratch: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let Dense { features, units } = self.dense;
        if living::suits::<L>(self.x, self.n, units) {
            let begin = self.bias.map_or(Begin::Zero, Begin::Bias);
            let lines = living::Columns { numbers: self.kernel, pitch: features };
            let living = LivingRows {
                left: self.x,
                pitch: features,
                depth: features,
                rows: self.n,
                lines,
                begin,
                relu: self.relu,
                to: self.y,
                columns: units,
                panel: self.scratch,
            };
            return living.multiply::<L>();
        }
        for first in (0..self.n).step_by(SAMPLES) {
            let n = SAMPLES.min(self.n - first);
            for strip in strips::<L>(n) {
                let row = |s: usize| &self.x[(first + strip.first + s) * features..][..features];
                let panel = &mut self.scratch[strip.first * features..];
                turn::<L>(row, strip.samples, 0..features, panel, strip.vectors * L::N);
            }
            for vectors in [1, 2] {
                let rows = tile::best::<L>(units, vectors);
                for unit in (0..units).step_by(rows) {
                    for strip in strips::<L>(n).filter(|strip| strip.vectors == vectors) {
                        // The last tile reaches back over units that are done: they get the same values again.
                        let unit = unit.min(units - rows);
                        // SAFETY: `rows` units from here on are in the kernel; the strip's panel has been filled.
                        unsafe { for_tile!(rows, vectors, tile_of::<L>(&mut self, first, &strip, unit)) };
                    }
                }
            }
        }
    }
}

/// Samples that fill one or two vectors.
struct Strip {
    first: usize,
    samples: usize,
    vectors: usize,
}

fn strips<L: Lanes>(n: usize) -> impl Iterator<Item = Strip> {
    (0..n).step_by(2 * L::N).map(move |first| {
        let samples = (n - first).min(2 * L::N);
        Strip { first, samples, vectors: samples.div_ceil(L::N) }
    })
}

/// `P` units of the samples of a strip, which begins at sample `first` and has its panel in the scratch.
///
/// # Safety
/// The kernel has `P` rows from `unit` on.
#[inline(always)]
unsafe fn tile_of<L: Lanes, const P: usize, const V: usize>(
    forward: &mut Forward<'_>,
    first: usize,
    strip: &Strip,
    unit: usize,
) {
    let Dense { features, units } = forward.dense;
    let panel = forward.scratch[strip.first * features..][..features * V * L::N].as_ptr();
    let mut acc = [[L::splat(0.0); V]; P];
    if let Some(bias) = forward.bias {
        let bias = &bias[unit..][..P];
        for p in 0..P {
            acc[p] = [L::splat(bias[p]); V];
        }
    }
    let kernel = forward.kernel[unit * features..].as_ptr();
    let (steps, runs) = (Steps::of(features), Runs::one(features));
    // SAFETY: the kernel has these rows of `features` numbers, and the panel as many lines.
    unsafe { tile::multiply_apart::<L, P, V>(&mut acc, kernel, &steps, &runs, panel, V * L::N, ()) };
    let mut numbers = [0.0; _];
    tile::copy::<L, P, V>(&acc, &mut numbers);
    let rows = forward.y[(first + strip.first) * units..].chunks_exact_mut(units).take(strip.samples);
    for (sample, y) in rows.enumerate() {
        for (p, y) in y[unit..][..P].iter_mut().enumerate() {
            let sum = numbers[p * V * L::N + sample];
            // What is not a number stays.
            *y = if forward.relu && sum < 0.0 { 0.0 } else { sum };
        }
    }
}
