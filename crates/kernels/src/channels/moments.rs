//! Mean and variance of each channel.

use super::pixels::{self, Pixels};
use super::{ChannelSums, FEW_CHANNELS, MOST_CHANNELS, Plain, blocks, load, numbers};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::prefetch::prefetch_line;
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
        let mut moments = Joined::new(self.moments);
        for (block, ahead) in blocks(self.view, self.view.is_plain(), self.n) {
            let pixels = block.rows * block.columns;
            for channel in (0..channels).step_by(L::N) {
                let count = L::N.min(channels - channel);
                let start = |row: usize| self.view.at(block.image, row, block.column) + channel;
                let rows = block.row..block.row + block.rows;
                let lines = || rows.clone().map(|row| self.x[start(row)..].as_ptr());
                // SAFETY: every pixel of the block lies inside its images, whose length is asserted.
                let pixel = |line: *const f32, column: usize| unsafe { load::<L>(line.add(column * channels), count) };
                let mut acc = [L::splat(0.0); 4];
                for line in lines() {
                    for column in (0..block.columns).step_by(4) {
                        for (turn, acc) in acc.iter_mut().enumerate().take(block.columns - column) {
                            *acc = acc.add(pixel(line, column + turn));
                            prefetch_line(line.wrapping_add((column + turn) * channels + ahead));
                        }
                    }
                }
                let centre = acc[0].add(acc[2]).add(acc[1].add(acc[3])).mul(L::splat(1.0 / pixels as f32));
                let mut acc = [[L::splat(0.0); 2]; 4];
                for line in lines() {
                    for column in (0..block.columns).step_by(4) {
                        for (turn, [sum, square]) in acc.iter_mut().enumerate().take(block.columns - column) {
                            let difference = pixel(line, column + turn).sub(centre);
                            *sum = sum.add(difference);
                            *square = difference.mul_add(difference, *square);
                        }
                    }
                }
                let total = |s: usize| acc[0][s].add(acc[2][s]).add(acc[1][s].add(acc[3][s]));
                moments.join(channel, count, pixels, centre, [total(0), total(1)]);
            }
            moments.before += pixels;
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
