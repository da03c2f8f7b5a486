//! Pools: the maximum or the mean of each channel under a sliding window, and their gradients.
//!
//! x: images in `input`, y: images in `output`. Padding never wins a maximum and does not count in a mean. Of equal numbers
//! the first in row order is the maximum and takes the whole gradient; the place is found again from x, so that nothing
//! is kept. What is not a number is the maximum of its window.

use std::ops::Range;

use crate::channels::{load, store};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::{Isa, View, Window};

mod average;
mod winners;
pub use average::{average_pool, average_pool_gradient};
pub use winners::{NO_WINNER, max_pool_with_winners};
pub(crate) use winners::{largest_of_four, place_of_four};

/// A pool's geometry. There is no dilation, and less padding than kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pool {
    pub input: View,
    pub output: View,
    pub window: Window,
}

impl Pool {
    /// The pool of some rows of the output, which lie at `output`; there is no padding.
    pub fn band(&self, rows: Range<usize>, output: View) -> Pool {
        assert_eq!(self.window.padding, [0; 4], "only windows without padding are alike in all rows");
        let seen = (rows.len() - 1) * self.window.stride[0] + self.window.kernel[0];
        let first = rows.start * self.window.stride[0];
        Pool { input: self.input.band(first..first + seen), output, ..*self }
    }

    fn check(&self, n: usize, x: usize, y: usize) {
        let window = &self.window;
        assert_eq!(self.input.channels, self.output.channels);
        assert_eq!(window.dilation, [1, 1], "a pool has no dilation");
        assert!(x >= self.input.len(n) && y >= self.output.len(n));
        for (axis, (size, places)) in
            [(self.input.height, self.output.height), (self.input.width, self.output.width)].into_iter().enumerate()
        {
            assert!(places == 0 || !window.taps(axis, places - 1, size).0.is_empty(), "every window holds a pixel");
            assert!(window.padding[axis] < window.kernel[axis], "less padding than kernel");
        }
    }

    /// Whether windows lie side by side from the first pixel on, so that each pixel is in at most one.
    fn is_tiling(&self) -> bool {
        self.window.kernel == self.window.stride && self.window.padding[..2] == [0, 0]
    }

    /// Whether no pixel is in two windows.
    fn is_apart(&self) -> bool {
        let Window { kernel, stride, .. } = self.window;
        kernel[0] <= stride[0] && kernel[1] <= stride[1]
    }

    /// Calls `visit(first number of the window in x, number of y, taps down, taps right)` for every pixel of y.
    #[inline(always)]
    fn each_window(&self, n: usize, mut visit: impl FnMut(usize, usize, usize, usize)) {
        // As values of this function they need not be read again after every write to y.
        let Pool { input, output, window } = *self;
        for image in 0..n {
            for row in 0..output.height {
                let (down, top) = window.taps(0, row, input.height);
                let first_row = input.at(image, (top + down.start as isize) as usize, 0);
                let mut to = output.at(image, row, 0);
                for column in 0..output.width {
                    let (right, left) = window.taps(1, column, input.width);
                    let first_column = (left + right.start as isize) as usize;
                    visit(first_row + first_column * input.channels, to, down.len(), right.len());
                    to += output.channels;
                }
            }
        }
    }
}

/// The maximum under each window; the border of `y` is left alone.
///
/// # Panics
/// If a slice is too short for `n` images, or the window does not suit.
pub fn max_pool(isa: Isa, pool: &Pool, n: usize, x: &[f32], y: &mut [f32]) {
    pool.check(n, x.len(), y.len());
    isa.run(MaxPool { pool, n, x, y });
}

/// `dx` from `dy`, where `x` lies as `dx` does; the border of `dx` is left alone.
///
/// # Panics
/// If a slice is too short for `n` images, or the window does not suit.
pub fn max_pool_gradient(isa: Isa, pool: &Pool, n: usize, x: &[f32], dy: &[f32], dx: &mut [f32]) {
    pool.check(n, x.len().min(dx.len()), dy.len());
    clear(pool, n, dx);
    isa.run(MaxPoolGradient { pool, n, x, dy, dx });
}

/// Zeros where the gradient is added to, or where no window comes.
fn clear(pool: &Pool, n: usize, dx: &mut [f32]) {
    let (input, output, [down, right]) = (&pool.input, &pool.output, pool.window.stride);
    for (index, row) in input.rows(n).enumerate() {
        let covered = pool.is_tiling() && index % input.height < output.height * down;
        // The last windows may reach beyond the image.
        let first = if covered { (output.width * right).min(input.width) * input.channels } else { 0 };
        dx[row][first..].fill(0.0);
    }
}

/// The maximum of a window, at `x`.
///
/// # Safety
/// `count <= N` numbers can be read at each of the `down` by `right` pixels.
#[inline(always)]
unsafe fn maximum<L: Lanes>(x: *const f32, steps: [usize; 2], down: usize, right: usize, count: usize) -> L {
    // SAFETY: the caller's promise.
    let load = |at: usize| unsafe { load::<L>(x.add(at), count) };
    let mut largest = load(0);
    for i in 0..down {
        for j in 0..right {
            let next = load(i * steps[0] + j * steps[1]);
            // What is not a number stays: of `largest` by the mask, of `next` since `max` gives its second operand.
            largest = L::select(largest.is_unordered(largest), largest, largest.max(next));
        }
    }
    largest
}

struct MaxPool<'a> {
    pool: &'a Pool,
    n: usize,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for MaxPool<'_> {
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
                    let largest = match (down, right) {
                        (2, 2) => maximum::<L>(from, steps, 2, 2, count),
                        _ => maximum::<L>(from, steps, down, right, count),
                    };
                    store(largest, to, count);
                }
            }
        });
    }
}

struct MaxPoolGradient<'a> {
    pool: &'a Pool,
    n: usize,
    x: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for MaxPoolGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let steps = [self.pool.input.row_pitch, self.pool.input.channels];
        let (channels, apart) = (self.pool.input.channels, self.pool.is_apart());
        let (x, dy, dx) = (self.x.as_ptr(), self.dy.as_ptr(), self.dx.as_mut_ptr());
        self.pool.each_window(self.n, |at, from, down, right| {
            for channel in (0..channels).step_by(L::N) {
                let count = L::N.min(channels - channel);
                // SAFETY: all taps lie inside the image and the pixel inside dy, whose lengths are asserted.
                unsafe {
                    let (x, dx) = (x.add(at + channel), dx.add(at + channel));
                    let dy = load::<L>(dy.add(from + channel), count);
                    match (apart, down, right) {
                        (true, 1, 1) => route::<L, true>(x, dx, dy, steps, 1, 1, count),
                        (true, 2, 2) => route::<L, true>(x, dx, dy, steps, 2, 2, count),
                        (true, ..) => route::<L, true>(x, dx, dy, steps, down, right, count),
                        (false, ..) => route::<L, false>(x, dx, dy, steps, down, right, count),
                    }
                }
            }
        });
    }
}

/// Hands `dy` to the first maximum of a window: written where no pixel is in two windows (`ONCE`), else added.
///
/// # Safety
/// `count <= N` numbers can be read and written at each of the `down` by `right` pixels.
#[inline(always)]
unsafe fn route<L: Lanes, const ONCE: bool>(
    x: *const f32,
    dx: *mut f32,
    dy: L,
    steps: [usize; 2],
    down: usize,
    right: usize,
    count: usize,
) {
    let zero = L::splat(0.0);
    // SAFETY: the caller's promise.
    unsafe {
        let largest = maximum::<L>(x, steps, down, right, count);
        let mut left = dy;
        for i in 0..down {
            for j in 0..right {
                let at = i * steps[0] + j * steps[1];
                let smaller = largest.greater(load::<L>(x.add(at), count));
                let mut value = L::select(smaller, zero, left);
                left = L::select(smaller, left, zero);
                if !ONCE {
                    value = load::<L>(dx.add(at), count).add(value);
                }
                store(value, dx.add(at), count);
            }
        }
    }
}

#[cfg(test)]
mod tests;
