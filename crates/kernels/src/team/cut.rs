//! A slice in parts that threads may write at the same time.

use std::marker::PhantomData;

/// A slice to be cut into parts for several threads.
pub(super) struct Cut<'a, T> {
    start: *mut T,
    len: usize,
    part: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: all it gives are parts of the slice, each to one thread.
unsafe impl<T: Send> Sync for Cut<'_, T> {}

impl<'a, T> Cut<'a, T> {
    pub fn new(slice: &'a mut [T], part: usize) -> Cut<'a, T> {
        Cut { start: slice.as_mut_ptr(), len: slice.len(), part, slice: PhantomData }
    }

    /// The number of parts that are not empty.
    pub fn count(&self) -> usize {
        if self.len == 0 { 0 } else { self.len.div_ceil(self.part) }
    }

    /// # Safety
    /// No part is asked for twice.
    #[expect(clippy::mut_from_ref, reason = "every part is another")]
    pub unsafe fn part(&self, number: usize) -> &mut [T] {
        let first = (number * self.part).min(self.len);
        let len = self.part.min(self.len - first);
        // SAFETY: within the slice, and by the caller's promise nobody else's.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(first), len) }
    }
}
