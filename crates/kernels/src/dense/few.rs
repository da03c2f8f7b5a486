//! Forward for fewer samples than fill a vector: features lie across the lanes, and nothing is turned.

use super::Dense;
use crate::channels::load;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::tile;

pub(super) struct Few<'a> {
    pub dense: Dense,
    pub x: &'a [f32],
    pub kernel: &'a [f32],
    pub bias: Option<&'a [f32]>,
    pub relu: bool,
    pub y: &'a mut [f32],
}

impl Kernel for Few<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let Dense { features, units } = self.dense;
        if features == 0 || units == 0 {
            return;
        }
        let n = self.x.len() / features;
        let mut sample = 0;
        while sample < n {
            // As many sums as registers hold beside their operands.
            sample += match n - sample {
                8.. if L::N == 16 => self.samples::<L, 2, 8>(sample),
                4.. => self.samples::<L, 2, 4>(sample),
                _ => self.samples::<L, 8, 1>(sample),
            };
        }
    }
}

impl Few<'_> {
    /// All units of `S` samples, `R` at a time; returns how many samples these are.
    #[inline(always)]
    fn samples<L: Lanes, const R: usize, const S: usize>(&mut self, sample: usize) -> usize {
        let units = self.dense.units;
        let whole = units / R * R;
        for unit in (0..whole).step_by(R) {
            self.tile::<L, R, S>(unit, sample);
        }
        for unit in whole..units {
            self.tile::<L, 1, S>(unit, sample);
        }
        S
    }

    /// The sums of `R` units from `unit` on, of `S` samples.
    #[inline(always)]
    fn tile<L: Lanes, const R: usize, const S: usize>(&mut self, unit: usize, sample: usize) {
        let Dense { features, units } = self.dense;
        let rows = self.kernel[unit * features..][..R * features].as_ptr();
        let x = self.x[sample * features..][..S * features].as_ptr();
        let mut acc = [[L::splat(0.0); S]; R];
        let whole = features / L::N * L::N;
        for first in (0..whole).step_by(L::N) {
            // SAFETY: a vector of each row and of each sample lies behind `first`.
            unsafe { add_products::<L, R, S>(&mut acc, rows.add(first), x.add(first), features, L::N) };
        }
        if whole < features {
            // SAFETY: as many numbers of each are left.
            unsafe { add_products::<L, R, S>(&mut acc, rows.add(whole), x.add(whole), features, features - whole) };
        }
        let mut numbers = [0.0; _];
        tile::copy::<L, R, S>(&acc, &mut numbers);
        let vectors = numbers.chunks_exact(L::N).take(R * S);
        for (at, vector) in vectors.enumerate() {
            let (row, sample) = (at / S, sample + at % S);
            // SAFETY: it has as many numbers as a vector.
            let sum = unsafe { L::load(vector.as_ptr()) }.sum() + self.bias.map_or(0.0, |bias| bias[unit + row]);
            // What is not a number stays.
            self.y[sample * units + unit + row] = if self.relu && sum < 0.0 { 0.0 } else { sum };
        }
    }
}

/// The products of the first `count` numbers of `R` rows and `S` samples, which are `features` apart.
///
/// # Safety
/// So many of each can be read.
#[inline(always)]
unsafe fn add_products<L: Lanes, const R: usize, const S: usize>(
    acc: &mut [[L; S]; R],
    rows: *const f32,
    x: *const f32,
    features: usize,
    count: usize,
) {
    let mut row = [L::splat(0.0); R];
    for (r, row) in row.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *row = unsafe { load(rows.add(r * features), count) };
    }
    for s in 0..S {
        // SAFETY: the caller's promise.
        let x = unsafe { load::<L>(x.add(s * features), count) };
        for r in 0..R {
            acc[r][s] = row[r].mul_add(x, acc[r][s]);
        }
    }
}
