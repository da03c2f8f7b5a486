//! Functions of each channel, straight on.

use super::{DISTANCE, MOST_CHANNELS, check, load_all, rows, store};
use crate::isa::Kernel;
use crate::lanes::{LEAST_LANES, Lanes};
use crate::{Isa, View};

/// A function of `A` images with coefficients by channel.
pub(crate) trait ChannelFunction<const A: usize>: Copy {
    type Coefficients<L: Lanes>: Copy;

    /// The coefficients of `count <= N` channels from `channel` on.
    fn coefficients<L: Lanes>(self, channel: usize, count: usize) -> Self::Coefficients<L>;

    fn of<L: Lanes>(coefficients: Self::Coefficients<L>, x: [L; A]) -> L;
}

/// `y = function(operands)`; the border of `y` is left alone.
pub(crate) fn map<const A: usize, F: ChannelFunction<A>>(
    isa: Isa,
    function: F,
    n: usize,
    operands: [(&View, &[f32]); A],
    (view, y): (&View, &mut [f32]),
) {
    let plain = operands.iter().fold(true, |plain, (operand, _)| check(&[view, operand]) && plain);
    assert!(operands.iter().all(|(view, x)| x.len() >= view.len(n)) && y.len() >= view.len(n));
    let operands = operands.map(|(view, x)| (view, x.as_ptr()));
    isa.run(Map { function, n, plain, operands, view, y: y.as_mut_ptr() });
}

/// `y = function(y)`; the border of `y` is left alone.
pub(crate) fn map_in_place<F: ChannelFunction<1>>(isa: Isa, function: F, n: usize, view: &View, y: &mut [f32]) {
    assert!(y.len() >= view.len(n));
    let y = y.as_mut_ptr();
    isa.run(Map { function, n, plain: view.is_plain(), operands: [(view, y.cast_const())], view, y });
}

/// Only the functions above make it: all views have the same size, `n` images can be read at each operand, which may be
/// `y` itself, and written at `y`.
struct Map<'a, F, const A: usize> {
    function: F,
    n: usize,
    plain: bool,
    operands: [(&'a View, *const f32); A],
    view: &'a View,
    y: *mut f32,
}

impl<const A: usize, F: ChannelFunction<A>> Kernel for Map<'_, F, A> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let channels = self.view.channels;
        let [n, height, width] = rows(self.view, self.plain, self.n);
        for first in (0..channels).step_by(MOST_CHANNELS) {
            let here = MOST_CHANNELS.min(channels - first);
            let vectors = here.div_ceil(L::N);
            let mut coefficients =
                [self.function.coefficients::<L>(first, L::N.min(here)); MOST_CHANNELS / LEAST_LANES];
            for (vector, coefficients) in coefficients.iter_mut().enumerate().take(vectors).skip(1) {
                let at = vector * L::N;
                *coefficients = self.function.coefficients(first + at, L::N.min(here - at));
            }
            for (image, row) in (0..n).flat_map(|image| (0..height).map(move |row| (image, row))) {
                let start = |view: &View| view.at(image, row, 0) + first;
                let line = Line {
                    from: self.operands.map(|(view, x)| x.wrapping_add(start(view))),
                    to: self.y.wrapping_add(start(self.view)),
                    pixels: width,
                    pitch: channels,
                };
                // SAFETY: every pixel lies inside its images, whose lengths are asserted.
                unsafe {
                    match if channels == vectors * L::N { vectors } else { 0 } {
                        1 => line.whole::<L, F, 1>(&coefficients),
                        2 => line.whole::<L, F, 2>(&coefficients),
                        4 => line.whole::<L, F, 4>(&coefficients),
                        _ => line.any::<L, F>(&coefficients, here),
                    }
                }
            }
        }
    }
}

/// Pixels of a row, with numbers from one to the next.
struct Line<const A: usize> {
    from: [*const f32; A],
    to: *mut f32,
    pixels: usize,
    pitch: usize,
}

impl<const A: usize> Line<A> {
    /// Pixels of exactly `V` vectors.
    ///
    /// # Safety
    /// All pixels can be read and written.
    #[inline(always)]
    unsafe fn whole<L: Lanes, F: ChannelFunction<A>, const V: usize>(&self, coefficients: &[F::Coefficients<L>]) {
        let coefficients: [_; V] = std::array::from_fn(|v| coefficients[v]);
        for at in (0..self.pixels * V * L::N).step_by(V * L::N) {
            for v in 0..V {
                // SAFETY: the caller's promise.
                unsafe { self.vector::<L, F>(coefficients[v], at + v * L::N, L::N) };
            }
        }
    }

    /// The first `channels` numbers of each pixel.
    ///
    /// # Safety
    /// All pixels can be read and written.
    #[inline(always)]
    unsafe fn any<L: Lanes, F: ChannelFunction<A>>(&self, coefficients: &[F::Coefficients<L>], channels: usize) {
        let (full, left) = (channels / L::N, channels % L::N);
        for pixel in 0..self.pixels {
            let at = pixel * self.pitch;
            // SAFETY: the caller's promise.
            unsafe {
                for (vector, coefficients) in coefficients.iter().enumerate().take(full) {
                    self.vector::<L, F>(*coefficients, at + vector * L::N, L::N);
                }
                if left > 0 {
                    self.vector::<L, F>(coefficients[full], at + full * L::N, left);
                }
            }
        }
    }

    /// # Safety
    /// `count` numbers can be read and written `at` numbers behind the first pixel.
    #[inline(always)]
    unsafe fn vector<L: Lanes, F: ChannelFunction<A>>(
        &self,
        coefficients: F::Coefficients<L>,
        at: usize,
        count: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let x = load_all::<L, A>(&self.from, at, DISTANCE, count);
            store(F::of(coefficients, x), self.to.add(at), count);
        }
    }
}
