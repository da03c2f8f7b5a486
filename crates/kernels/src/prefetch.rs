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
#[inline]
pub(crate) fn prefetch_from(numbers: *const f32, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..len).step_by(LINE) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 processor has the instruction, which changes nothing but the caches.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(numbers.wrapping_add(line).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (numbers, len, LINE);
}
