//! The mean of each channel under a sliding window.

use super::{Pool, clear, load, store};
use crate::Isa;
use crate::isa::Kernel;
use crate::lanes::Lanes;

/// The mean of the pixels under each window, padding not counted; the border of `y` is left alone.
///
/// # Panics
/// If a slice is too short for `n` images, or the window does not suit.
pub fn average_pool(isa: Isa, pool: &Pool, n: usize, x: &[f32], y: &mut [f32]) {
    pool.check(n, x.len(), y.len());
    isa.run(AveragePool { pool, n, x, y });
}

/// `dx` from `dy`; the border of `dx` is left alone.
///
/// # Panics
/// If a slice is too short for `n` images, or the window does not suit.
pub fn average_pool_gradient(isa: Isa, pool: &Pool, n: usize, dy: &[f32], dx: &mut [f32]) {
    pool.check(n, dx.len(), dy.len());
    clear(pool, n, dx);
    isa.run(AveragePoolGradient { pool, n, dy, dx });
}

struct AveragePool<'a> {
    pool: &'a Pool,
    n: usize,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for AveragePool<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (row_step, channels) = (self.pool.input.row_pitch, self.pool.input.channels);
        let (x, y) = (self.x.as_ptr(), self.y.as_mut_ptr());
        self.pool.each_window(self.n, |from, to, down, right| {
            let share = L::splat(1.0 / (down * right) as f32);
            for channel in (0..channels).step_by(L::N) {
                let count = L::N.min(channels - channel);
                // SAFETY: all taps lie inside the image and the pixel inside y, whose lengths are asserted.
                unsafe {
                    // Row by row, so that the sum over a large image is one of sums.
                    let mut total = L::splat(0.0);
                    for i in 0..down {
                        let mut sum = L::splat(0.0);
                        for j in 0..right {
                            sum = sum.add(load::<L>(x.add(from + channel + i * row_step + j * channels), count));
                        }
                        total = total.add(sum);
                    }
                    store(total.mul(share), y.add(to + channel), count);
                }
            }
        });
    }
}

struct AveragePoolGradient<'a> {
    pool: &'a Pool,
    n: usize,
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for AveragePoolGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (row_step, channels) = (self.pool.input.row_pitch, self.pool.input.channels);
        let (dy, dx, is_tiling) = (self.dy.as_ptr(), self.dx.as_mut_ptr(), self.pool.is_tiling());
        self.pool.each_window(self.n, |at, from, down, right| {
            let share = L::splat(1.0 / (down * right) as f32);
            for channel in (0..channels).step_by(L::N) {
                let count = L::N.min(channels - channel);
                // SAFETY: all taps lie inside the image and the pixel inside dy, whose lengths are asserted.
                unsafe {
                    let part = load::<L>(dy.add(from + channel), count).mul(share);
                    for i in 0..down {
                        for j in 0..right {
                            let to = dx.add(at + channel + i * row_step + j * channels);
                            let sum = if is_tiling { part } else { load::<L>(to, count).add(part) };
                            store(sum, to, count);
                        }
                    }
                }
            }
        });
    }
}
