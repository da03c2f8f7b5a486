//! A pointer that the compiler knows nothing of, at no cost.

/// The same pointer. Nothing can be computed from how it came about, and no access to memory is moved over it: so that
/// addresses of long unrolled loops are not all computed, or their operands all loaded, at the beginning.
/// (`std::hint::black_box` takes a pointer through memory.)
#[inline(always)]
pub(crate) fn opaque<T>(pointer: *const T) -> *const T {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        let mut pointer = pointer;
        // SAFETY: there is no instruction, only a comment.
        unsafe { std::arch::asm!("/* {0} */", inout(reg) pointer, options(nostack, preserves_flags)) };
        pointer
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    std::hint::black_box(pointer)
}
