//! Sums of each channel, and functions of each number that are computed with them.

use super::pixels::{self, Pixels};
use super::vectors::{Vectors, pairs};
use super::{Block, FEW_CHANNELS, MOST_CHANNELS, blocks, check, numbers};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::{Isa, View};

/// `S` functions of `A` images that are summed over all pixels.
pub(crate) trait ChannelSums<const A: usize, const S: usize>: Copy {
    type Coefficients<L: Lanes>: Copy;

    /// The coefficients of `count <= N` channels from `channel` on.
    fn coefficients<L: Lanes>(self, channel: usize, count: usize) -> Self::Coefficients<L>;

    fn of<L: Lanes>(coefficients: Self::Coefficients<L>, x: [L; A]) -> [L; S];

    /// Adds them to the sums.
    #[inline(always)]
    fn add<L: Lanes>(coefficients: Self::Coefficients<L>, x: [L; A], sums: &mut [L; S]) {
        for (sum, value) in sums.iter_mut().zip(Self::of(coefficients, x)) {
            *sum = sum.add(value);
        }
    }

    /// What is stored besides, where anything is.
    fn value<L: Lanes>(x: [L; A]) -> L {
        x[0]
    }
}

/// The numbers themselves.
#[derive(Clone, Copy)]
pub(crate) struct Plain;

impl ChannelSums<1, 1> for Plain {
    type Coefficients<L: Lanes> = ();

    #[inline(always)]
    fn coefficients<L: Lanes>(self, _: usize, _: usize) {}

    #[inline(always)]
    fn of<L: Lanes>((): (), x: [L; 1]) -> [L; 1] {
        x
    }
}

/// Adds to `sums`, `[S][channels]`, those of the pixels of `n` images.
pub(crate) fn sums<const A: usize, const S: usize, F: ChannelSums<A, S>>(
    isa: Isa,
    function: F,
    n: usize,
    operands: [(&View, &[f32]); A],
    sums: &mut [f64],
) {
    let plain = check(operands.map(|(view, _)| view).as_slice());
    assert!(operands.iter().all(|(view, x)| x.len() >= view.len(n)));
    assert_eq!(sums.len(), S * operands[0].0.channels);
    let operands = operands.map(|(view, x)| (view, x.as_ptr()));
    let to = (operands[0].0, std::ptr::null_mut());
    isa.run(Sums::<_, A, S, false> { function, n, plain, operands, to, sums });
}

/// The same with `y = value(operands)`, of which those without numbers are `y` itself; the border of `y` is left alone.
pub(crate) fn map_and_sum<const A: usize, const S: usize, F: ChannelSums<A, S>>(
    isa: Isa,
    function: F,
    n: usize,
    operands: [(&View, Option<&[f32]>); A],
    (view, y): (&View, &mut [f32]),
    sums: &mut [f64],
) {
    let len = y.len();
    assert!(operands.iter().all(|(from, x)| x.map_or(len, <[f32]>::len) >= from.len(n)) && len >= view.len(n));
    assert!(operands.iter().all(|(from, x)| x.is_some() || *from == view));
    assert_eq!(sums.len(), S * view.channels);
    let plain = operands.iter().fold(true, |plain, (operand, _)| check(&[view, operand]) && plain);
    let y = y.as_mut_ptr();
    let operands = operands.map(|(view, x)| (view, x.map_or(y.cast_const(), <[f32]>::as_ptr)));
    isa.run(Sums::<_, A, S, true> { function, n, plain, operands, to: (view, y), sums });
}

/// Only the functions above make it: all views have the same size, `n` images can be read at each operand, and with
/// `STORES` written at `to`, which may be an operand.
struct Sums<'a, F, const A: usize, const S: usize, const STORES: bool> {
    function: F,
    n: usize,
    plain: bool,
    operands: [(&'a View, *const f32); A],
    to: (&'a View, *mut f32),
    sums: &'a mut [f64],
}

impl<const A: usize, const S: usize, const STORES: bool, F: ChannelSums<A, S>> Kernel for Sums<'_, F, A, S, STORES> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let channels = self.operands[0].0.channels;
        if channels > FEW_CHANNELS {
            return self.add_by_pixels::<L>();
        }
        let pairs = pairs::<L>(channels);
        let whole = channels / L::N * L::N;
        for (block, ahead) in blocks(self.operands[0].0, self.plain, self.n) {
            for channel in (0..pairs).step_by(2 * L::N) {
                self.add::<L, 2, true>(&block, ahead, channel);
            }
            for channel in (pairs..whole).step_by(L::N) {
                self.add::<L, 1, true>(&block, ahead, channel);
            }
            if whole < channels {
                self.add::<L, 1, false>(&block, ahead, whole);
            }
        }
    }
}

impl<const A: usize, const S: usize, const STORES: bool, F: ChannelSums<A, S>> Sums<'_, F, A, S, STORES> {
    /// Adds `V` vectors of channels of a block, all of their lanes if `FULL`, else what is left of the last one.
    #[inline(always)]
    fn add<L: Lanes, const V: usize, const FULL: bool>(&mut self, block: &Block, ahead: usize, channel: usize) {
        let count = if FULL { L::N } else { self.operands[0].0.channels - channel };
        let coefficients = std::array::from_fn(|v| self.function.coefficients::<L>(channel + v * L::N, count));
        let vectors = Vectors { block, operands: self.operands, to: self.to, ahead, channel, count };
        // SAFETY: every pixel of the block lies inside its images, whose lengths are asserted.
        let totals = unsafe { vectors.sums::<L, S, V, F, STORES, FULL>(&coefficients) };
        for (v, totals) in totals.iter().enumerate() {
            for (s, total) in totals.iter().enumerate() {
                self.add_total(s, channel + v * L::N, count, *total);
            }
        }
    }

    /// Many channels.
    #[inline(always)]
    fn add_by_pixels<L: Lanes>(&mut self) {
        let channels = self.operands[0].0.channels;
        for first in (0..channels).step_by(MOST_CHANNELS) {
            let here = MOST_CHANNELS.min(channels - first);
            let coefficients = pixels::coefficients::<L, A, S, F>(self.function, first, here);
            for (block, _) in blocks(self.operands[0].0, self.plain, self.n) {
                let mut totals = pixels::zeros::<L, S>();
                let pixels = Pixels { block: &block, operands: self.operands, to: self.to, first, channels: here };
                // SAFETY: every pixel of the block lies inside its images, whose lengths are asserted.
                unsafe { pixels.add::<L, S, F, STORES>(&coefficients, &mut totals) };
                for (vector, totals) in totals.iter().enumerate().take(here.div_ceil(L::N)) {
                    let at = vector * L::N;
                    for (s, total) in totals.iter().enumerate() {
                        self.add_total(s, first + at, L::N.min(here - at), *total);
                    }
                }
            }
        }
    }

    /// Adds a block's sums of `count` channels from `channel` on.
    #[inline(always)]
    fn add_total<L: Lanes>(&mut self, s: usize, channel: usize, count: usize, total: L) {
        let sums = &mut self.sums[s * self.operands[0].0.channels + channel..][..count];
        for (sum, part) in sums.iter_mut().zip(numbers(total)) {
            *sum += f64::from(part);
        }
    }
}
