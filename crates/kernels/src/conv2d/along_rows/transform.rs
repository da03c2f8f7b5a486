//! A row of the input, transformed for all tiles: `[tile][place][channel]`.

use super::PITCH;
use crate::conv2d::winograd::Transform;
use crate::isa::Kernel;
use crate::lanes::Lanes;

/// Transforms the pixels that `width` outputs of a row read.
pub(super) struct TransformRow<'a, F, const M: usize, const T: usize> {
    pub x: &'a [f32],
    pub channels: usize,
    pub width: usize,
    pub to: &'a mut [f32],
    pub transform: F,
}

impl<F: Transform<M, T>, const M: usize, const T: usize> Kernel for TransformRow<'_, F, M, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let TransformRow { x, channels, width, to, transform } = self;
        assert!(L::N == PITCH && channels <= PITCH && width >= M && x.len() >= (width + 2) * channels);
        for (tile, to) in to.chunks_exact_mut(T * PITCH).enumerate() {
            // The last tile reaches back over outputs that are done.
            let first = (tile * M).min(width - M) * channels;
            let mut pixels = [L::splat(0.0); T];
            for (column, pixel) in pixels.iter_mut().enumerate() {
                let at = first + column * channels;
                // SAFETY: all columns of a tile lie in the row; a whole vector is read only where it does, too. What lies
                // behind a pixel's channels is not multiplied.
                unsafe {
                    let from = x.as_ptr().add(at);
                    *pixel = if at + PITCH <= x.len() { L::load(from) } else { L::load_first(from, channels) };
                }
            }
            for (place, value) in transform.input(pixels).into_iter().enumerate() {
                // SAFETY: the chunk holds a vector for every place.
                unsafe { value.store(to.as_mut_ptr().add(place * PITCH)) };
            }
        }
    }
}
