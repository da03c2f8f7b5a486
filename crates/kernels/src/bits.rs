//! What is alive as bits: one for each of up to 64 numbers, the first the lowest, set where a number is not zero.

use crate::channels::load;
use crate::lanes::Lanes;

/// The bits of at most 64 numbers. What is not a number is alive.
#[inline(always)]
pub(crate) fn alive<L: Lanes>(numbers: &[f32]) -> u64 {
    let mut bits = 0;
    for (vector, numbers) in numbers.chunks(L::N).enumerate() {
        // SAFETY: the chunk is as long as it says.
        let is_alive = unsafe { load::<L>(numbers.as_ptr(), numbers.len()) }.is_not_zero();
        bits |= u64::from(L::bits(is_alive)) << (vector * L::N);
    }
    bits
}

/// The places of bits that are set, from the lowest on.
pub(crate) struct Places(pub u64);

impl Iterator for Places {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let place = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(place)
    }
}
