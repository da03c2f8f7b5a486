//! Forward for few samples: the kernel passes once, features lie across the lanes.

use super::Dense;
use crate::channels::load;
use crate::isa::Kernel;
use crate::lanes::Lanes;

/// Rows of the kernel that pass together.
const ROWS: usize = 8;

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
        let units = self.dense.units;
        let whole = units / ROWS * ROWS;
        for unit in (0..whole).step_by(ROWS) {
            self.rows::<L, ROWS>(unit);
        }
        for unit in whole..units {
            self.rows::<L, 1>(unit);
        }
    }
}

impl Few<'_> {
    /// The sums of `R` units from `unit` on.
    #[inline(always)]
    fn rows<L: Lanes, const R: usize>(&mut self, unit: usize) {
        let Dense { features, units } = self.dense;
        if features == 0 {
            return;
        }
        for (x, y) in self.x.chunks_exact(features).zip(self.y.chunks_exact_mut(units)) {
            let rows = &self.kernel[unit * features..][..R * features];
            let mut acc = [L::splat(0.0); R];
            for first in (0..features).step_by(L::N) {
                let count = L::N.min(features - first);
                // SAFETY: `count` numbers of the sample and of each row lie behind `first`.
                unsafe {
                    let x = load::<L>(x[first..].as_ptr(), count);
                    let rows = rows[first..].as_ptr();
                    for row in 0..R {
                        acc[row] = load::<L>(rows.add(row * features), count).mul_add(x, acc[row]);
                    }
                }
            }
            for (row, acc) in acc.iter().enumerate() {
                let sum = acc.sum() + self.bias.map_or(0.0, |bias| bias[unit + row]);
                // What is not a number stays.
                y[unit + row] = if self.relu && sum < 0.0 { 0.0 } else { sum };
            }
        }
    }
}
