//! `y = exp(x) / sum of exp(x)` over the channels, and its gradient.

use crate::Isa;
use crate::exponential::exp;

/// Softmax of every row of `channels` numbers.
///
/// # Panics
/// If the lengths differ.
pub fn softmax(isa: Isa, channels: usize, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len());
    isa.vectorize(
        #[inline(always)]
        || {
            for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact_mut(channels)) {
                // Taking the largest off changes nothing but keeps the exponentials finite; what is no number stays.
                let largest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let mut total = 0.0;
                for (y, x) in y.iter_mut().zip(x) {
                    *y = exp(x - largest);
                    total += *y;
                }
                let factor = 1.0 / total;
                for y in y {
                    *y *= factor;
                }
            }
        },
    );
}

/// `dx = y * (dy - sum of y * dy)` for every row of `channels` numbers.
///
/// # Panics
/// If the lengths differ.
pub fn softmax_gradient(isa: Isa, channels: usize, y: &[f32], dy: &[f32], dx: &mut [f32]) {
    assert_eq!((y.len(), dy.len()), (dx.len(), dx.len()));
    isa.vectorize(
        #[inline(always)]
        || {
            let rows = y.chunks_exact(channels).zip(dy.chunks_exact(channels)).zip(dx.chunks_exact_mut(channels));
            for ((y, dy), dx) in rows {
                let mut inner = 0.0;
                for (y, dy) in y.iter().zip(dy) {
                    inner += y * dy;
                }
                for ((dx, y), dy) in dx.iter_mut().zip(y).zip(dy) {
                    *dx = y * (dy - inner);
                }
            }
        },
    );
}
