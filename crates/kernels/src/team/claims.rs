//! What of a loop nobody has begun: its numbers in blocks, claimed by one bit each.

use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers below a count in up to 64 blocks, each for who claims it first.
pub(super) struct Claims {
    count: usize,
    blocks: usize,
    /// A bit for each block.
    taken: AtomicU64,
}

impl Claims {
    pub fn new(count: usize) -> Claims {
        Claims { count, blocks: count.min(u64::BITS as usize), taken: AtomicU64::new(0) }
    }

    /// Does what nobody has claimed yet, beginning where this one of so many members does, and round.
    pub fn take_from(&self, member: usize, members: usize, work: &impl Fn(usize)) {
        let first = member * self.blocks / members;
        for block in (first..self.blocks).chain(0..first) {
            let bit = 1 << block;
            let is_free = || self.taken.load(Ordering::Relaxed) & bit == 0;
            if is_free() && self.taken.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
                (block * self.count / self.blocks..(block + 1) * self.count / self.blocks).for_each(work);
            }
        }
    }
}
