//! The gradient of the kernel over the whole batch, for a range of units.

use std::ops::Range;

use super::living::{self, Begin, LivingRows};
use super::{Dense, WIDTH};
use crate::channels::store;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::tile::{self, Runs, Steps, for_tile, lanes_of};
use crate::turn::{copy_lines, turn};

/// Samples that are summed before the sums are stored.
const SAMPLES: usize = 256;

/// Places of a unit's gradients, turned.
fn pitch(n: usize) -> usize {
    SAMPLES.min(n.next_multiple_of(16))
}

pub(super) fn scratch_len(units: usize, n: usize) -> usize {
    units * pitch(n) + (WIDTH * pitch(n)).max(living::PANEL)
}

/// Samples by their number: a function of its own for every caller would be compiled in the caller's crate, perhaps without
/// being optimized.
type Samples<'a, 's> = &'a dyn Fn(usize) -> &'s [f32];

pub(super) struct KernelGradient<'a, 's> {
    pub dense: Dense,
    pub n: usize,
    pub x: Samples<'a, 's>,
    pub dy: Samples<'a, 's>,
    pub units: Range<usize>,
    pub gradient: &'a mut [f32],
    pub scratch: &'a mut [f32],
}

impl Kernel for KernelGradient<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (features, units, pitch) = (self.dense.features, self.units.len(), pitch(self.n));
        let tiles = [1, 2].map(|vectors| tile::best::<L>(units, vectors));
        let (turned, panel) = self.scratch.split_at_mut(units * pitch);
        for first_sample in (0..self.n).step_by(SAMPLES) {
            let n = SAMPLES.min(self.n - first_sample);
            let (mut x, mut dy) = ([&[][..]; SAMPLES], [&[][..]; SAMPLES]);
            for s in 0..n {
                (x[s], dy[s]) = ((self.x)(first_sample + s), (self.dy)(first_sample + s));
            }
            turn::<L>(|s| dy[s], n, self.units.clone(), turned, pitch);
            if living::suits::<L>(turned, units, features) {
                let living = LivingRows {
                    left: turned,
                    pitch,
                    depth: n,
                    rows: units,
                    lines: &x[..n],
                    begin: if first_sample == 0 { Begin::Zero } else { Begin::Before },
                    relu: false,
                    to: self.gradient,
                    columns: features,
                    panel,
                };
                living.multiply::<L>();
                continue;
            }
            for first in (0..features).step_by(2 * L::N) {
                let count = (features - first).min(2 * L::N);
                let vectors = count.div_ceil(L::N);
                copy_lines::<L>(x[..n].iter().map(|row| &row[first..][..count]), panel, vectors * L::N);
                let gradient = &mut self.gradient[first..];
                let mut strip = Strip { turned, pitch, panel, n, gradient, features, count, begin: first_sample == 0 };
                let rows = tiles[vectors - 1];
                let mut done = 0;
                while done < units {
                    let rows = rows.min(units - done);
                    // SAFETY: the units are there, and the panel has a line of the strip's vectors for each sample.
                    unsafe { for_tile!(rows, vectors, tile_of::<L>(&mut strip, done)) };
                    done += rows;
                }
            }
        }
    }
}

/// Features that fill one or two vectors, with the samples that are summed.
struct Strip<'a> {
    turned: &'a [f32],
    pitch: usize,
    panel: &'a [f32],
    n: usize,
    /// From the strip's first feature on.
    gradient: &'a mut [f32],
    features: usize,
    count: usize,
    begin: bool,
}

/// `P` units of a strip from `unit` on.
///
/// # Safety
/// There are so many units; the panel has `n` lines of `V * N` numbers.
#[inline(always)]
unsafe fn tile_of<L: Lanes, const P: usize, const V: usize>(strip: &mut Strip<'_>, unit: usize) {
    let dy = strip.turned[unit * strip.pitch..].as_ptr();
    let steps = Steps::of(strip.pitch);
    let runs = Runs::one(strip.n);
    let to = strip.gradient[unit * strip.features..].as_mut_ptr();
    let mut acc = [[L::splat(0.0); V]; P];
    // SAFETY: rows and panel as the caller promises; `count` numbers of each unit are in the gradient.
    unsafe {
        if !strip.begin {
            tile::load_rows(&mut acc, to, strip.features, strip.count);
        }
        tile::multiply_apart::<L, P, V>(&mut acc, dy, &steps, &runs, strip.panel.as_ptr(), V * L::N, ());
    }
    let mut numbers = [0.0; _];
    tile::copy::<L, P, V>(&acc, &mut numbers);
    for p in 0..P {
        for v in 0..V {
            let count = lanes_of::<L>(strip.count, v);
            // SAFETY: `count` numbers of each unit are in the gradient, and a whole vector only where they fill it.
            unsafe {
                let to = to.add(p * strip.features + v * L::N);
                store(L::load(numbers.as_ptr().add((p * V + v) * L::N)), to, count)
            }
        }
    }
}
