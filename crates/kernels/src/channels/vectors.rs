//! Sums of a vector or two of channels over the pixels of a block: few enough to stay in registers.

use super::{Block, ChannelSums, load_all, store};
use crate::View;
use crate::lanes::Lanes;

/// How many of these channels are summed two vectors at a time: those of whole pairs, where there are registers for their sums.
#[inline(always)]
pub(super) fn pairs<L: Lanes>(channels: usize) -> usize {
    if L::N == 16 { channels / (2 * L::N) * 2 * L::N } else { 0 }
}

/// A block's pixels, from one of their channels on.
pub(super) struct Vectors<'a, const A: usize> {
    pub block: &'a Block,
    pub operands: [(&'a View, *const f32); A],
    /// Where values are stored, if they are.
    pub to: (&'a View, *mut f32),
    /// Numbers to what is asked for.
    pub ahead: usize,
    pub channel: usize,
    /// How many channels of a vector there are.
    pub count: usize,
}

impl<const A: usize> Vectors<'_, A> {
    /// The sums of `V` vectors over all pixels, four pixels in turn, so that additions need not wait for each other.
    ///
    /// # Safety
    /// All pixels can be read, and with `STORES` written: all lanes if `FULL`, else `count`.
    #[inline(always)]
    pub unsafe fn sums<
        L: Lanes,
        const S: usize,
        const V: usize,
        F: ChannelSums<A, S>,
        const STORES: bool,
        const FULL: bool,
    >(
        &self,
        coefficients: &[F::Coefficients<L>; V],
    ) -> [[L; S]; V] {
        let block = self.block;
        let pitch = self.operands[0].0.channels;
        let mut acc = [[[L::splat(0.0); S]; V]; 4];
        for row in block.row..block.row + block.rows {
            let start = |view: &View| view.at(block.image, row, block.column) + self.channel;
            let line = Line::<A> {
                from: self.operands.map(|(view, x)| x.wrapping_add(start(view))),
                to: self.to.1.wrapping_add(start(self.to.0)),
                ahead: self.ahead,
                count: self.count,
            };
            // SAFETY: the caller's promise.
            unsafe {
                let mut at = 0;
                for _ in 0..block.columns / 4 {
                    for turn in 0..4 {
                        line.add::<L, S, V, F, STORES, FULL>(coefficients, at, &mut acc[turn]);
                        at += pitch;
                        if A > 1 {
                            // Else every operand would have a place of its own for each turn.
                            at = std::hint::black_box(at);
                        }
                    }
                }
                // Each turn by itself: in a loop over some of them the sums would lie in memory.
                for turn in 0..3 {
                    if turn < block.columns % 4 {
                        line.add::<L, S, V, F, STORES, FULL>(coefficients, at + turn * pitch, &mut acc[turn]);
                    }
                }
            }
        }
        std::array::from_fn(|v| {
            std::array::from_fn(|s| acc[0][v][s].add(acc[2][v][s]).add(acc[1][v][s].add(acc[3][v][s])))
        })
    }
}

/// Vectors of a row's pixels.
struct Line<const A: usize> {
    from: [*const f32; A],
    to: *mut f32,
    ahead: usize,
    count: usize,
}

impl<const A: usize> Line<A> {
    /// Adds the vectors that lie `at` numbers behind the first, and stores what is stored of them.
    ///
    /// # Safety
    /// They can be read, and with `STORES` written: all lanes if `FULL`, else `count`.
    #[inline(always)]
    unsafe fn add<
        L: Lanes,
        const S: usize,
        const V: usize,
        F: ChannelSums<A, S>,
        const STORES: bool,
        const FULL: bool,
    >(
        &self,
        coefficients: &[F::Coefficients<L>; V],
        at: usize,
        acc: &mut [[L; S]; V],
    ) {
        let count = if FULL { L::N } else { self.count };
        for v in 0..V {
            let at = at + v * L::N;
            // SAFETY: the caller's promise.
            let x = unsafe { load_all::<L, A>(&self.from, at, self.ahead, count) };
            if STORES {
                // SAFETY: the caller's promise.
                unsafe { store(F::value(x), self.to.wrapping_add(at), count) };
            }
            F::add(coefficients[v], x, &mut acc[v]);
        }
    }
}
