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

/// The mean of a window, at `x`: row by row, so that the sum over a large image is one of sums.
///
/// # Safety
/// `count <= N` numbers can be read at each of the `down` by `right` pixels.
#[inline(always)]
unsafe fn mean<L: Lanes>(x: *const f32, steps: [usize; 2], down: usize, right: usize, count: usize) -> L {
    let mut total = L::splat(0.0);
    for i in 0..down {
        let mut sum = L::splat(0.0);
        for j in 0..right {
            // SAFETY: the caller's promise.
            sum = sum.add(unsafe { load::<L>(x.add(i * steps[0] + j * steps[1]), count) });
        }
        total = total.add(sum);
    }
    total.mul(L::splat(1.0 / (down * right) as f32))
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
        let steps = [self.pool.input.row_pitch, self.pool.input.channels];
        let channels = self.pool.input.channels;
        let (x, y) = (self.x.as_ptr(), self.y.as_mut_ptr());
        self.pool.each_window(self.n, |from, to, down, right| {
            for channel in (0..channels).step_by(L::N) {
                let count = L::N.min(channels - channel);
                // SAFETY: all taps lie inside the image and the pixel inside y, whose lengths are asserted.
                unsafe {
                    let (from, to) = (x.add(from + channel), y.add(to + channel));
                    // The usual window, without loops.
                    let mean = match (down, right) {
                        (2, 2) => mean::<L>(from, steps, 2, 2, count),
                        _ => mean::<L>(from, steps, down, right, count),
                    };
                    store(mean, to, count);
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
        let steps = [self.pool.input.row_pitch, self.pool.input.channels];
        let (channels, apart) = (self.pool.input.channels, self.pool.is_apart());
        let (dy, dx) = (self.dy.as_ptr(), self.dx.as_mut_ptr());
        self.pool.each_window(self.n, |at, from, down, right| {
            let share = L::splat(1.0 / (down * right) as f32);
            for channel in (0..channels).step_by(L::N) {
                let count = L::N.min(channels - channel);
                // SAFETY: all taps lie inside the image and the pixel inside dy, whose lengths are asserted.
                unsafe {
                    let part = load::<L>(dy.add(from + channel), count).mul(share);
                    let to = dx.add(at + channel);
                    match (apart, down, right) {
                        (true, 2, 2) => spread::<L, true>(part, to, steps, 2, 2, count),
                        (true, ..) => spread::<L, true>(part, to, steps, down, right, count),
                        (false, ..) => spread::<L, false>(part, to, steps, down, right, count),
                    }
                }
            }
        });
    }
}

/// Hands the same to all pixels of a window: written where no pixel is in two windows (`ONCE`), else added.
///
/// # Safety
/// `count <= N` numbers can be read and written at each of the `down` by `right` pixels.
#[inline(always)]
unsafe fn spread<L: Lanes, const ONCE: bool>(
    part: L,
    dx: *mut f32,
    steps: [usize; 2],
    down: usize,
    right: usize,
    count: usize,
) {
    for i in 0..down {
        for j in 0..right {
            let to = dx.wrapping_add(i * steps[0] + j * steps[1]);
            // SAFETY: the caller's promise.
            unsafe { store(if ONCE { part } else { load::<L>(to, count).add(part) }, to, count) };
        }
    }
}
