//! The gradient of the samples: features lie across the lanes, gradients are broadcast.

use super::living::{self, Begin, LivingRows};
use super::{Dense, WIDTH};
use crate::channels::store;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::tile::{self, Runs, Steps, for_tile, lanes_of};
use crate::turn::copy_lines;

/// Units whose rows are brought together before all samples pass.
const UNITS: usize = 512;

/// Tiles of samples from which on a panel is worth copying.
const TILES: usize = 2;

pub(super) fn scratch_len(dense: &Dense) -> usize {
    UNITS.min(dense.units) * WIDTH
}

pub(super) struct InputGradient<'a> {
    pub dense: Dense,
    pub n: usize,
    pub dy: &'a [f32],
    pub kernel: &'a [f32],
    pub dx: &'a mut [f32],
    pub scratch: &'a mut [f32],
}

impl Kernel for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let Dense { features, units } = self.dense;
        if units == 0 {
            return self.dx.fill(0.0);
        }
        if living::suits::<L>(self.dy, self.n, features) {
            let living = LivingRows {
                left: self.dy,
                pitch: units,
                depth: units,
                rows: self.n,
                lines: living::Rows { numbers: self.kernel, pitch: features },
                begin: Begin::Zero,
                relu: false,
                to: self.dx,
                columns: features,
                panel: self.scratch,
            };
            return living.multiply::<L>();
        }
        let tiles = [1, 2].map(|vectors| tile::best::<L>(self.n, vectors));
        for first_unit in (0..units).step_by(UNITS) {
            let n_units = UNITS.min(units - first_unit);
            for first in (0..features).step_by(2 * L::N) {
                let count = (features - first).min(2 * L::N);
                let vectors = count.div_ceil(L::N);
                let samples = tiles[vectors - 1];
                let width = vectors * L::N;
                let from = &self.kernel[first_unit * features + first..];
                let is_copied = count < width || self.n >= TILES * samples;
                let (panel, pitch) = if is_copied {
                    let lines = from.chunks(features).take(n_units).map(|line| &line[..count]);
                    copy_lines::<L>(lines, self.scratch, width);
                    (self.scratch.as_ptr(), width)
                } else {
                    (from.as_ptr(), features)
                };
                let strip = Strip { first, count, first_unit, n_units, panel, pitch };
                let mut done = 0;
                while done < self.n {
                    let samples = samples.min(self.n - done);
                    // SAFETY: the samples are there, and the panel has `n_units` lines of the strip's vectors.
                    unsafe { for_tile!(samples, vectors, tile_of::<L>(&mut self, &strip, done)) };
                    done += samples;
                }
            }
        }
    }
}

/// Features that fill one or two vectors, and the units that are summed.
struct Strip {
    first: usize,
    count: usize,
    first_unit: usize,
    n_units: usize,
    panel: *const f32,
    pitch: usize,
}

/// `P` samples of a strip from `sample` on.
///
/// # Safety
/// There are so many samples; the panel has a line of `V * N` numbers for each of the strip's units.
#[inline(always)]
unsafe fn tile_of<L: Lanes, const P: usize, const V: usize>(
    gradient: &mut InputGradient<'_>,
    strip: &Strip,
    sample: usize,
) {
    let Dense { features, units } = gradient.dense;
    let dy = gradient.dy[sample * units + strip.first_unit..].as_ptr();
    let dx = gradient.dx[sample * features + strip.first..].as_mut_ptr();
    let (steps, runs) = (Steps::of(units), Runs::one(strip.n_units));
    let mut acc = [[L::splat(0.0); V]; P];
    // SAFETY: rows and panel as the caller promises; `count` numbers of each sample from `first` on are in `dx`, and a
    // whole vector only where they fill it.
    unsafe {
        if strip.first_unit > 0 {
            tile::load_rows(&mut acc, dx, features, strip.count);
        }
        tile::multiply_apart::<L, P, V>(&mut acc, dy, &steps, &runs, strip.panel, strip.pitch, ());
        for (p, acc) in acc.iter().enumerate() {
            for (v, value) in acc.iter().enumerate() {
                let to = dx.add(p * features + v * L::N);
                store(*value, to, lanes_of::<L>(strip.count, v))
            }
        }
    }
}
