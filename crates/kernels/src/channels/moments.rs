//! Mean and variance of each channel.

use super::pixels::{self, Pixels};
use super::vectors::{Vectors, pairs};
use super::{ChannelSums, FEW_CHANNELS, MOST_CHANNELS, Plain, blocks, load, numbers};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::{Isa, View};

/// The mean and the sum of squared differences from it, `[2][channels]`, of the pixels of `n` images.
///
/// Blocks are centred on a mean of their own and joined by the update of Chan, Golub and LeVeque (1983), so that nothing
/// cancels however far the numbers are from zero.
pub(crate) fn moments(isa: Isa, view: &View, n: usize, x: &[f32], moments: &mut [f64]) {
    assert!(x.len() >= view.len(n));
    assert_eq!(moments.len(), 2 * view.channels);
    moments.fill(0.0);
    isa.run(Moments { view, n, x, moments });
}

struct Moments<'a> {
    view: &'a View,
    n: usize,
    x: &'a [f32],
    moments: &'a mut [f64],
}

impl Kernel for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let channels = self.view.channels;
        if channels > FEW_CHANNELS {
            return self.by_pixels::<L>();
        }
        let (pairs, whole) = (pairs::<L>(channels), channels / L::N * L::N);
        let mut moments = Joined::new(self.moments);
        for (block, ahead) in blocks(self.view, self.view.is_plain(), self.n) {
            let of = |channel, count| Vectors {
                block: &block,
                operands: [(self.view, self.x.as_ptr())],
                to: (self.view, std::ptr::null_mut()),
                ahead,
                channel,
                count,
            };
            for channel in (0..pairs).step_by(2 * L::N) {
                moments.add::<L, 2, true>(of(channel, L::N));
            }
            for channel in (pairs..whole).step_by(L::N) {
                moments.add::<L, 1, true>(of(channel, L::N));
            }
            if whole < channels {
                moments.add::<L, 1, false>(of(whole, channels - whole));
            }
            moments.before += block.rows * block.columns;
        }
    }
}

impl Moments<'_> {
    /// Many channels.
    #[inline(always)]
    fn by_pixels<L: Lanes>(self) {
        let (channels, operands) = (self.view.channels, [(self.view, self.x.as_ptr())]);
        let mut moments = Joined::new(self.moments);
        for (block, _) in blocks(self.view, self.view.is_plain(), self.n) {
            let n_pixels = block.rows * block.columns;
            for first in (0..channels).step_by(MOST_CHANNELS) {
                let here = MOST_CHANNELS.min(channels - first);
                let to = (self.view, std::ptr::null_mut());
                let pixels = Pixels { block: &block, operands, to, first, channels: here };
                let coefficients = pixels::coefficients::<L, 1, 1, _>(Plain, first, here);
                let mut totals = pixels::zeros::<L, 1>();
                // SAFETY: every pixel of the block lies inside its images, whose length is asserted.
                unsafe { pixels.add::<L, 1, Plain, false>(&coefficients, &mut totals) };
                let mut centres = [0.0; MOST_CHANNELS];
                for ([total], centres) in totals.iter().zip(centres.chunks_exact_mut(L::N)) {
                    centres.copy_from_slice(&numbers(total.mul(L::splat(1.0 / n_pixels as f32)))[..L::N]);
                }
                let coefficients = pixels::coefficients::<L, 1, 2, _>(FromCentre(&centres), 0, here);
                let mut totals = pixels::zeros::<L, 2>();
                // SAFETY: as above.
                unsafe { pixels.add::<L, 2, FromCentre<'_>, false>(&coefficients, &mut totals) };
                for (vector, totals) in totals.iter().enumerate().take(here.div_ceil(L::N)) {
                    let at = vector * L::N;
                    moments.join(first + at, L::N.min(here - at), n_pixels, coefficients[vector], *totals);
                }
            }
            moments.before += n_pixels;
        }
    }
}

/// Differences from a number of each channel, and their squares.
#[derive(Clone, Copy)]
struct FromCentre<'a>(&'a [f32]);

impl ChannelSums<1, 2> for FromCentre<'_> {
    type Coefficients<L: Lanes> = L;

    #[inline(always)]
    fn coefficients<L: Lanes>(self, channel: usize, count: usize) -> L {
        // SAFETY: the slice has so many numbers.
        unsafe { load(self.0[channel..][..count].as_ptr(), count) }
    }

    #[inline(always)]
    fn of<L: Lanes>(centre: L, [x]: [L; 1]) -> [L; 2] {
        let difference = x.sub(centre);
        [difference, difference.mul(difference)]
    }

    #[inline(always)]
    fn add<L: Lanes>(centre: L, [x]: [L; 1], [sum, square]: &mut [L; 2]) {
        let difference = x.sub(centre);
        (*sum, *square) = (sum.add(difference), difference.mul_add(difference, *square));
    }
}

/// What blocks have given so far.
struct Joined<'a> {
    means: &'a mut [f64],
    squares: &'a mut [f64],
    /// Pixels so far.
    before: usize,
}

impl<'a> Joined<'a> {
    fn new(moments: &'a mut [f64]) -> Joined<'a> {
        let (means, squares) = moments.split_at_mut(moments.len() / 2);
        Joined { means, squares, before: 0 }
    }

    /// Joins `V` vectors of channels of a block, all of their lanes if `FULL`, else as many as there are.
    #[inline(always)]
    fn add<L: Lanes, const V: usize, const FULL: bool>(&mut self, vectors: Vectors<'_, 1>) {
        let (block, count) = (vectors.block, vectors.count);
        let pixels = block.rows * block.columns;
        // SAFETY: every pixel of the block lies inside its images, whose length is asserted.
        unsafe {
            let totals = vectors.sums::<L, 1, V, Plain, false, FULL>(&[(); V]);
            let centres = totals.map(|[total]| total.mul(L::splat(1.0 / pixels as f32)));
            // The block is in the first-level cache by now.
            let vectors = Vectors { ahead: 0, ..vectors };
            let totals = vectors.sums::<L, 2, V, FromCentre<'_>, false, FULL>(&centres);
            for (v, (centre, totals)) in centres.into_iter().zip(totals).enumerate() {
                self.join(vectors.channel + v * L::N, count, pixels, centre, totals);
            }
        }
    }

    /// Joins `count` channels from `channel` on of a block of so many pixels: sums of differences from a centre, and of
    /// their squares.
    #[inline(always)]
    fn join<L: Lanes>(&mut self, channel: usize, count: usize, pixels: usize, centre: L, sums: [L; 2]) {
        let (centres, [sums, squares]) = (numbers(centre), sums.map(numbers));
        for lane in 0..count {
            let rest = f64::from(sums[lane]) / pixels as f64;
            let mean = f64::from(centres[lane]) + rest;
            let square = f64::from(squares[lane]) - rest * rest * pixels as f64;
            let to = (&mut self.means[channel + lane], &mut self.squares[channel + lane]);
            join(to, self.before, (mean, square), pixels);
        }
    }
}

/// Mean and squares of `before` numbers, made those of these and `more` numbers.
pub(crate) fn join((mean, squares): (&mut f64, &mut f64), before: usize, of: (f64, f64), more: usize) {
    if more == 0 {
        return;
    }
    let share = more as f64 / (before + more) as f64;
    let difference = of.0 - *mean;
    *mean += difference * share;
    *squares += of.1 + difference * difference * before as f64 * share;
}
