//! Sums of many channels over the pixels of a block, straight on: four pixels of a row at a time, whose sum is added to what
//! the channels have so far.

use super::{Block, ChannelSums, DISTANCE, MOST_CHANNELS, load_all, store};
use crate::View;
use crate::lanes::{LEAST_LANES, Lanes};

/// A vector of each sum for all channels that are summed at a time.
pub(super) type Totals<L, const S: usize> = [[L; S]; MOST_CHANNELS / LEAST_LANES];

/// No pixel is added yet.
#[inline(always)]
pub(super) fn zeros<L: Lanes, const S: usize>() -> Totals<L, S> {
    [[L::splat(0.0); S]; MOST_CHANNELS / LEAST_LANES]
}

/// The coefficients of `channels` channels from `first` on.
#[inline(always)]
pub(super) fn coefficients<L: Lanes, const A: usize, const S: usize, F: ChannelSums<A, S>>(
    function: F,
    first: usize,
    channels: usize,
) -> [F::Coefficients<L>; MOST_CHANNELS / LEAST_LANES] {
    let mut all = [function.coefficients::<L>(first, L::N.min(channels)); MOST_CHANNELS / LEAST_LANES];
    for (vector, coefficients) in all.iter_mut().enumerate().take(channels.div_ceil(L::N)).skip(1) {
        let at = vector * L::N;
        *coefficients = function.coefficients(first + at, L::N.min(channels - at));
    }
    all
}

/// `channels` channels from `first` on of a block's pixels.
pub(super) struct Pixels<'a, const A: usize> {
    pub block: &'a Block,
    pub operands: [(&'a View, *const f32); A],
    /// Where values are stored, if they are.
    pub to: (&'a View, *mut f32),
    pub first: usize,
    pub channels: usize,
}

impl<const A: usize> Pixels<'_, A> {
    /// Adds all pixels to the totals.
    ///
    /// # Safety
    /// They can be read, and with `STORES` written.
    #[inline(always)]
    pub unsafe fn add<L: Lanes, const S: usize, F: ChannelSums<A, S>, const STORES: bool>(
        &self,
        coefficients: &[F::Coefficients<L>],
        totals: &mut [[L; S]],
    ) {
        let block = self.block;
        for row in block.row..block.row + block.rows {
            let start = |view: &View| view.at(block.image, row, block.column) + self.first;
            let mut line = Line {
                from: self.operands.map(|(view, x)| x.wrapping_add(start(view))),
                to: self.to.1.wrapping_add(start(self.to.0)),
                pitch: self.operands[0].0.channels,
                channels: self.channels,
            };
            for _ in 0..block.columns / 4 {
                // SAFETY: the caller's promise.
                unsafe { line.add::<L, S, F, STORES, 4>(coefficients, totals) };
                line.go_on(4);
            }
            for _ in 0..block.columns % 4 {
                // SAFETY: the caller's promise.
                unsafe { line.add::<L, S, F, STORES, 1>(coefficients, totals) };
                line.go_on(1);
            }
        }
    }
}

/// The pixels of a row that are left.
struct Line<const A: usize> {
    from: [*const f32; A],
    to: *mut f32,
    /// Numbers from one pixel to the next.
    pitch: usize,
    channels: usize,
}

impl<const A: usize> Line<A> {
    #[inline(always)]
    fn go_on(&mut self, pixels: usize) {
        self.from = self.from.map(|from| from.wrapping_add(pixels * self.pitch));
        self.to = self.to.wrapping_add(pixels * self.pitch);
    }

    /// Adds the next `P` pixels.
    ///
    /// # Safety
    /// They can be read, and with `STORES` written.
    #[inline(always)]
    unsafe fn add<L: Lanes, const S: usize, F: ChannelSums<A, S>, const STORES: bool, const P: usize>(
        &self,
        coefficients: &[F::Coefficients<L>],
        totals: &mut [[L; S]],
    ) {
        let (full, left) = (self.channels / L::N, self.channels % L::N);
        // SAFETY: the caller's promise.
        unsafe {
            for (vector, (coefficients, totals)) in coefficients.iter().zip(&mut *totals).enumerate().take(full) {
                self.vector::<L, S, F, STORES, P>(*coefficients, vector * L::N, L::N, totals);
            }
            if left > 0 {
                self.vector::<L, S, F, STORES, P>(coefficients[full], full * L::N, left, &mut totals[full]);
            }
        }
    }

    /// Adds `count` channels of the next `P` pixels.
    ///
    /// # Safety
    /// They can be read, and with `STORES` written.
    #[inline(always)]
    unsafe fn vector<L: Lanes, const S: usize, F: ChannelSums<A, S>, const STORES: bool, const P: usize>(
        &self,
        coefficients: F::Coefficients<L>,
        channel: usize,
        count: usize,
        totals: &mut [L; S],
    ) {
        let mut parts = [[L::splat(0.0); S]; P];
        for (pixel, parts) in parts.iter_mut().enumerate() {
            let at = pixel * self.pitch + channel;
            // SAFETY: the caller's promise.
            let x = unsafe { load_all::<L, A>(&self.from, at, DISTANCE, count) };
            if STORES {
                // SAFETY: the caller's promise.
                unsafe { store(F::value(x), self.to.wrapping_add(at), count) };
            }
            *parts = F::of(coefficients, x);
        }
        for (s, total) in totals.iter_mut().enumerate() {
            let mut part = parts[0][s];
            for parts in &parts[1..] {
                part = part.add(parts[s]);
            }
            *total = total.add(part);
        }
    }
}
