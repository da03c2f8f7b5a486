//! Products of a few tiles at a time, over their operands: where channels are few, transformed numbers need not leave the
//! first-level cache on their way from pixels to pixels.

use super::pass::Span;
use super::places::{Field, packed_place};
use crate::Isa;
use crate::conv2d::pack::width;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::prefetch::{Ahead, prefetch_from};
use crate::tile::{self, Runs, Steps};

/// The tiles that are multiplied at once: their sums at two places, or of two vectors, fit the registers.
pub(super) fn at_once(isa: Isa) -> usize {
    isa.lanes() / 2
}

/// Whether products of one field to the other can be taken so: all outputs of a tile are computed before any is written.
pub(super) fn suits(isa: Isa, from: Field, to: Field) -> bool {
    to.channels <= 2 * isa.lanes() && from.pitch == to.pitch
}

/// Multiplies [`at_once`] tiles. Whoever makes it has seen that both fields have room for so many at each of an even number of
/// `places`, and the weights theirs.
pub(super) struct MultiplyFew<'a, 'b> {
    pub places: usize,
    /// What is multiplied, and where the results go, which may be the same place.
    pub fields: [Field; 2],
    pub weights: *const f32,
    /// What is read or written next, and fetched meanwhile.
    pub next: Span,
    /// What others will touch, fetched meanwhile as well.
    pub ahead: &'a mut Ahead<'b>,
}

impl Kernel for MultiplyFew<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let are_vectors = self.fields.iter().all(|field| (field.channels, field.pitch) == (L::N, L::N));
        match (L::N, self.fields[1].channels <= L::N) {
            (16, true) if are_vectors => self.multiply_vectors::<L, 8>(),
            (16, true) => self.multiply::<L, 8, 1>(),
            (16, false) => self.multiply::<L, 8, 2>(),
            (_, true) => self.multiply::<L, 4, 1>(),
            (_, false) => self.multiply::<L, 4, 2>(),
        }
    }
}

impl MultiplyFew<'_, '_> {
    /// Products of `P` tiles with `V` vectors of outputs, at all places.
    #[inline(always)]
    fn multiply<L: Lanes, const P: usize, const V: usize>(&mut self) {
        let [from, to] = self.fields;
        let (steps, runs, width) = (Steps::of(from.pitch), Runs::one(from.channels), width(to.channels));
        let share = self.next.len.div_ceil(self.places);
        for place in 0..self.places {
            self.fetch(share);
            let mut acc = [[L::splat(0.0); V]; P];
            // SAFETY: fields and weights have room, as their maker has seen.
            unsafe {
                let weights = self.weights_at(place);
                tile::multiply_asking(&mut acc, from.at(place, 0), &steps, &runs, weights, width, self.ahead);
                store(&acc, to.at(place, 0), to.pitch);
            }
        }
    }

    /// Products of `P` tiles of exactly one vector by one, at two places at once.
    #[inline(always)]
    fn multiply_vectors<L: Lanes, const P: usize>(&mut self) {
        let [from, to] = self.fields;
        let share = self.next.len.div_ceil(self.places / 2);
        for place in (0..self.places).step_by(2) {
            self.fetch(share);
            let mut acc = [[[L::splat(0.0)]; P]; 2];
            // SAFETY: as above.
            unsafe {
                let weights = [place, place + 1].map(|place| self.weights_at(place));
                let x = [place, place + 1].map(|place| from.at(place, 0).cast_const());
                tile::multiply_vectors(&mut acc, x, weights, self.ahead);
                store(&acc[0], to.at(place, 0), L::N);
                store(&acc[1], to.at(place + 1, 0), L::N);
            }
        }
    }

    /// Fetches a share of what comes next.
    #[inline(always)]
    fn fetch(&mut self, share: usize) {
        let next = self.next.take(share);
        prefetch_from(next.start, next.len);
    }

    #[inline(always)]
    fn weights_at(&self, place: usize) -> *const f32 {
        let [from, to] = self.fields;
        self.weights.wrapping_add(place * packed_place(to.channels, from.channels))
    }
}

/// Writes the sums of tiles that lie `pitch` numbers apart.
///
/// # Safety
/// `V` vectors of `P` tiles can be written at `to`.
#[inline(always)]
unsafe fn store<L: Lanes, const P: usize, const V: usize>(acc: &[[L; V]; P], to: *mut f32, pitch: usize) {
    for (p, acc) in acc.iter().enumerate() {
        for (v, acc) in acc.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { acc.store(to.add(p * pitch + v * L::N)) };
        }
    }
}
