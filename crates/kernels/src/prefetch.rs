//! Asking for memory before it is read or written.

/// Numbers of a line of the cache.
const LINE: usize = 16;

/// Begins to bring numbers into the first-level cache, and returns at once. Where a processor has no such instruction
/// nothing happens.
#[inline]
pub fn prefetch(numbers: &[f32]) {
    prefetch_from(numbers.as_ptr(), numbers.len());
}

/// The same of `len` numbers at a place, which need not be there.
#[inline(always)]
pub(crate) fn prefetch_from(numbers: *const f32, len: usize) {
    for line in (0..len).step_by(LINE) {
        prefetch_line(numbers.wrapping_add(line));
    }
}

/// The same of the line that holds this number, which need not be there.
#[inline(always)]
pub(crate) fn prefetch_line(number: *const f32) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 processor has the instruction, which changes nothing but the caches.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(number.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = number;
}
