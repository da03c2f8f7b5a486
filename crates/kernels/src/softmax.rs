//! Softmax over the channels of each row, `y = exp(x - max) / sum`, and its gradient `dx = y * (dy - sum of y * dy)`.
//!
//! x, y: rows of `channels` numbers. The largest is taken away first, so that no exponential is infinite. Where one number
//! of a row is none, the whole row is none.

use crate::Isa;
use crate::exponential::exp;
use crate::isa::Kernel;
use crate::lanes::Lanes;

/// y from x, row by row.
///
/// # Panics
/// If the slices are not whole rows of the same number.
pub fn softmax(isa: Isa, channels: usize, x: &[f32], y: &mut [f32]) {
    assert!(x.len() == y.len() && x.len().is_multiple_of(channels));
    isa.run(Softmax { channels, x, y });
}

/// dx from y and dy, row by row.
///
/// # Panics
/// If the slices are not whole rows of the same number.
pub fn softmax_gradient(isa: Isa, channels: usize, y: &[f32], dy: &[f32], dx: &mut [f32]) {
    assert!(y.len() == dx.len() && dy.len() == dx.len() && y.len().is_multiple_of(channels));
    isa.run(SoftmaxGradient { channels, y, dy, dx });
}

struct Softmax<'a> {
    channels: usize,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        for (x, y) in self.x.chunks_exact(self.channels).zip(self.y.chunks_exact_mut(self.channels)) {
            let (_, total) = exponentials::<L>(x, y);
            let share = L::splat(1.0 / total);
            for y in y.chunks_mut(L::N) {
                // SAFETY: as many numbers as the slice has, at most `N`.
                unsafe { load::<L>(y).mul(share).store_first(y.as_mut_ptr(), y.len()) }
            }
        }
    }
}

/// `y = exp(x - max)`; the maximum and the sum of y.
#[inline(always)]
pub(crate) fn exponentials<L: Lanes>(x: &[f32], y: &mut [f32]) -> (f32, f32) {
    let largest = largest::<L>(x);
    (largest, exponentials_from::<L>(x, largest, y))
}

/// `y = exp(x - shift)`; the sum of y.
#[inline(always)]
pub(crate) fn exponentials_from<L: Lanes>(x: &[f32], shift: f32, y: &mut [f32]) -> f32 {
    assert_eq!(x.len(), y.len());
    let shift = L::splat(shift);
    let mut sum = L::splat(0.0);
    for (x, y) in x.chunks(L::N).zip(y.chunks_mut(L::N)) {
        // SAFETY: as many numbers as the slices have, at most `N`. Lanes behind them become zero as they are read again.
        unsafe {
            exp(load::<L>(x).sub(shift)).store_first(y.as_mut_ptr(), y.len());
            sum = sum.add(load::<L>(y));
        }
    }
    sum.sum()
}

/// The largest number, which may be any where one is none.
#[inline(always)]
pub(crate) fn largest<L: Lanes>(x: &[f32]) -> f32 {
    let mut chunks = x.chunks_exact(L::N);
    let mut largest = L::splat(f32::NEG_INFINITY);
    for x in &mut chunks {
        // SAFETY: `N` numbers.
        largest = largest.max(unsafe { L::load(x.as_ptr()) });
    }
    chunks.remainder().iter().fold(largest.largest(), |a, &b| a.max(b))
}

/// At most `N` numbers, zeros behind them.
#[inline(always)]
pub(crate) fn load<L: Lanes>(from: &[f32]) -> L {
    assert!(from.len() <= L::N);
    // SAFETY: as many numbers as the slice has, at most `N`.
    unsafe { L::load_first(from.as_ptr(), from.len()) }
}

struct SoftmaxGradient<'a> {
    channels: usize,
    y: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for SoftmaxGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let rows = self.y.chunks_exact(self.channels).zip(self.dy.chunks_exact(self.channels));
        for ((y, dy), dx) in rows.zip(self.dx.chunks_exact_mut(self.channels)) {
            let mut inner = L::splat(0.0);
            for (y, dy) in y.chunks(L::N).zip(dy.chunks(L::N)) {
                inner = load::<L>(y).mul_add(load(dy), inner);
            }
            let inner = L::splat(inner.sum());
            for ((y, dy), dx) in y.chunks(L::N).zip(dy.chunks(L::N)).zip(dx.chunks_mut(L::N)) {
                let value = load::<L>(y).mul(load::<L>(dy).sub(inner));
                // SAFETY: as many numbers as the slice has, at most `N`.
                unsafe { value.store_first(dx.as_mut_ptr(), dx.len()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::{assert_close, numbers};

    #[test]
    fn rows_agree_with_f64() {
        for (n, channels) in [(1, 1), (3, 10), (2, 16), (5, 17), (1, 33), (2, 1000)] {
            let (x, dy) = (numbers(1, n * channels, -9.0, 9.0), numbers(2, n * channels, -1.0, 1.0));
            let expected: Vec<f64> = (x.chunks(channels))
                .flat_map(|row| {
                    let total: f64 = row.iter().map(|&x| f64::from(x).exp()).sum();
                    row.iter().map(move |&x| f64::from(x).exp() / total)
                })
                .collect();
            for isa in Isa::available() {
                let (mut y, mut dx) = (vec![9.0; x.len()], vec![9.0; x.len()]);
                softmax(isa, channels, &x, &mut y);
                assert_close(isa.name(), &y, &expected, 2e-6, 0.0);
                softmax_gradient(isa, channels, &y, &dy, &mut dx);
                let of_row = |(y, dy): (&[f32], &[f32])| {
                    let pairs: Vec<_> = y.iter().zip(dy).map(|(&y, &dy)| (f64::from(y), f64::from(dy))).collect();
                    let inner: f64 = pairs.iter().map(|(y, dy)| y * dy).sum();
                    pairs.into_iter().map(move |(y, dy)| y * (dy - inner))
                };
                let expected: Vec<f64> = y.chunks(channels).zip(dy.chunks(channels)).flat_map(of_row).collect();
                assert_close(isa.name(), &dx, &expected, 1e-6, 1e-7);
            }
        }
    }

    #[test]
    fn large_scores_stay_finite_and_what_is_no_number_shows() {
        for isa in Isa::available() {
            let mut y = [9.0; 3];
            softmax(isa, 3, &[3e38, 3e38, -3e38], &mut y);
            assert_eq!(y, [0.5, 0.5, 0.0]);
            for place in 0..3 {
                let mut x = [1.0; 3];
                x[place] = f32::NAN;
                softmax(isa, 3, &x, &mut y);
                assert!(y.iter().all(|y| y.is_nan()));
            }
        }
    }
}
