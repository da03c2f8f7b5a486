//! Products of a few tiles at a time, over their operands: where channels are few, transformed numbers need not leave the
//! first-level cache on their way from pixels to pixels.

use super::pass::Span;
use super::places::{Field, packed_place, store};
use crate::Isa;
use crate::conv2d::pack::width;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::prefetch::Ahead;
use crate::tile::{self, Runs, Steps};

/// The tiles that are multiplied at once: their sums at two places, or of two vectors, fill half of 32 registers.
pub(super) const AT_ONCE: usize = 8;

/// Whether products of one field to the other can be taken so: all outputs of a tile are computed before any is written. With
/// the 16 registers of shorter vectors fewer tiles would share what is loaded, and the way through the second-level cache costs less.
pub(super) fn suits(isa: Isa, from: Field, to: Field) -> bool {
    isa.lanes() == 16 && to.channels <= 2 * isa.lanes() && from.pitch == to.pitch
}

/// Multiplies [`AT_ONCE`] tiles. Whoever makes it has seen that both fields have room for so many at each of an even number of
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
        if self.fields.iter().all(Field::is_vectors::<L>) {
            self.multiply_vectors::<L>();
        } else if self.fields[1].channels <= L::N {
            self.multiply::<L, 1>();
        } else {
            self.multiply::<L, 2>();
        }
    }
}

impl MultiplyFew<'_, '_> {
    /// Products with `V` vectors of outputs, at all places.
    #[inline(always)]
    fn multiply<L: Lanes, const V: usize>(&mut self) {
        let [from, to] = self.fields;
        let (steps, runs, width) = (Steps::of(from.pitch), Runs::one(from.channels), width(to.channels));
        let share = self.next.len.div_ceil(self.places);
        for place in 0..self.places {
            self.next.fetch(share);
            let mut acc = [[L::splat(0.0); V]; AT_ONCE];
            // SAFETY: fields and weights have room, as their maker has seen.
            unsafe {
                let weights = self.weights_at(place);
                tile::multiply_asking(&mut acc, from.at(place, 0), &steps, &runs, weights, width, self.ahead);
                store(&acc, to.at(place, 0), to.pitch);
            }
        }
    }

    /// Products of exactly one vector by one, at two places at once.
    #[inline(always)]
    fn multiply_vectors<L: Lanes>(&mut self) {
        let [from, to] = self.fields;
        let share = self.next.len.div_ceil(self.places / 2);
        for place in (0..self.places).step_by(2) {
            self.next.fetch(share);
            let mut acc = [[[L::splat(0.0)]; AT_ONCE]; 2];
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

    #[inline(always)]
    fn weights_at(&self, place: usize) -> *const f32 {
        let [from, to] = self.fields;
        self.weights.wrapping_add(place * packed_place(to.channels, from.channels))
    }
}
