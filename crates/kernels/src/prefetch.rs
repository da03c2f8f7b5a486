//! Asking for memory before it is read.

/// Numbers of a line of the cache.
const LINE: usize = 16;

/// Begins to bring numbers into the first-level cache, and returns at once. Where a processor has no such instruction
/// nothing happens.
#[inline]
pub fn prefetch(numbers: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in numbers.chunks(LINE) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 processor has the instruction, which changes nothing but the caches.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (numbers, LINE);
}
