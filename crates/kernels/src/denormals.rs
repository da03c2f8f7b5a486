//! Numbers below 1.2e-38 as zero: processors may be a hundred times slower on them.

use std::marker::PhantomData;

/// While it is there, the thread that made it treats denormal operands and results as zero.
#[derive(Debug)]
#[must_use = "denormals are flushed until it is dropped"]
pub struct Flushing {
    /// What the control register held before.
    before: Control,
    /// The register is the thread's.
    of_thread: PhantomData<*const ()>,
}

/// From now on the calling thread treats denormal operands and results as zero, until what this returns is dropped. Only
/// that changes, which no code of ours relies on.
pub fn flush_denormals() -> Flushing {
    let before = control();
    set_control(before | FLUSH);
    Flushing { before, of_thread: PhantomData }
}

impl Drop for Flushing {
    fn drop(&mut self) {
        set_control(self.before);
    }
}

#[cfg(target_arch = "x86_64")]
type Control = u32;

/// Bit 15 flushes results, bit 6 operands (Intel SDM vol. 1, 10.2.3).
#[cfg(target_arch = "x86_64")]
const FLUSH: Control = 1 << 15 | 1 << 6;

#[cfg(target_arch = "x86_64")]
fn control() -> Control {
    let mut control = 0;
    // SAFETY: stores the control register of this thread in a local; SSE is part of x86-64.
    unsafe { std::arch::asm!("stmxcsr [{0}]", in(reg) &mut control, options(nostack)) };
    control
}

#[cfg(target_arch = "x86_64")]
fn set_control(control: Control) {
    // SAFETY: what is loaded was stored from the same register, but for bits that it has.
    unsafe { std::arch::asm!("ldmxcsr [{0}]", in(reg) &control, options(nostack, readonly)) };
}

#[cfg(target_arch = "aarch64")]
type Control = u64;

/// Flush to zero (Arm ARM, FPCR.FZ).
#[cfg(target_arch = "aarch64")]
const FLUSH: Control = 1 << 24;

#[cfg(target_arch = "aarch64")]
fn control() -> Control {
    let control;
    // SAFETY: reads the floating-point control register of this thread.
    unsafe { std::arch::asm!("mrs {0}, fpcr", out(reg) control, options(nomem, nostack)) };
    control
}

#[cfg(target_arch = "aarch64")]
fn set_control(control: Control) {
    // SAFETY: what is loaded was read from the same register, but for a bit that it has.
    unsafe { std::arch::asm!("msr fpcr, {0}", in(reg) control, options(nomem, nostack)) };
}

/// Nothing to set on this architecture.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Control = u32;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const FLUSH: Control = 0;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn control() -> Control {
    0
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn set_control(_: Control) {}

#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    #[test]
    fn denormals_are_zero_for_a_while() {
        let halved = || std::hint::black_box(f32::MIN_POSITIVE) * std::hint::black_box(0.5);
        let flushing = super::flush_denormals();
        assert_eq!(halved(), 0.0);
        drop(flushing);
        assert!(halved() > 0.0);
    }
}
