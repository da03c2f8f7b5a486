//! Numbers below 1.2e-38 as zero: processors may be a hundred times slower on them.

/// From now on the calling thread treats denormal operands and results as zero.
#[cfg(target_arch = "x86_64")]
pub fn flush_denormals() {
    // Bit 15 flushes results, bit 6 operands (Intel SDM vol. 1, 10.2.3).
    const FLUSH: u32 = 1 << 15 | 1 << 6;
    let mut control = 0u32;
    // SAFETY: stores and loads the control register through a local; SSE is part of x86-64. Only rounding towards zero of
    // denormals changes, which no code of ours relies on.
    unsafe {
        std::arch::asm!("stmxcsr [{0}]", in(reg) &mut control, options(nostack));
        control |= FLUSH;
        std::arch::asm!("ldmxcsr [{0}]", in(reg) &control, options(nostack, readonly));
    }
}

/// From now on the calling thread treats denormal operands and results as zero.
#[cfg(target_arch = "aarch64")]
pub fn flush_denormals() {
    const FLUSH: u64 = 1 << 24;
    // SAFETY: sets the flush-to-zero bit of the floating-point control register of this thread.
    unsafe {
        let mut control: u64;
        std::arch::asm!("mrs {0}, fpcr", out(reg) control, options(nomem, nostack));
        control |= FLUSH;
        std::arch::asm!("msr fpcr, {0}", in(reg) control, options(nomem, nostack));
    }
}

/// Nothing to set on this architecture.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub fn flush_denormals() {}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    #[test]
    fn denormals_become_zero_on_this_thread_only() {
        let halved = || std::hint::black_box(f32::MIN_POSITIVE) * std::hint::black_box(0.5);
        let flushed = std::thread::spawn(move || {
            super::flush_denormals();
            halved()
        });
        assert_eq!(flushed.join().unwrap(), 0.0);
        assert!(halved() > 0.0);
    }
}
