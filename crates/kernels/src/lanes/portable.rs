//! Eight numbers in an array, for processors without a kernel of their own; compilers turn it into what they have.

use super::Lanes;

#[derive(Clone, Copy)]
pub(crate) struct Portable([f32; 8]);

/// `1.5 * 2^23`: where it is added, the lowest bit counts ones and the low bits hold the whole number.
const SHIFT: f32 = 12_582_912.0;

impl Portable {
    #[inline(always)]
    fn zip(self, other: Portable, f: impl Fn(f32, f32) -> f32) -> Portable {
        Portable(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }

    #[inline(always)]
    fn map(self, f: impl Fn(f32) -> f32) -> Portable {
        Portable(self.0.map(f))
    }
}

impl Lanes for Portable {
    const N: usize = 8;
    type Mask = [bool; 8];

    #[inline(always)]
    fn splat(x: f32) -> Portable {
        Portable([x; 8])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Portable {
        // SAFETY: the caller promises `N` readable numbers.
        unsafe { Portable(from.cast::<[f32; 8]>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises `N` writable numbers.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Portable {
        // SAFETY: the caller promises `count` readable numbers.
        Portable(std::array::from_fn(|i| if i < count { unsafe { *from.add(i) } } else { 0.0 }))
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        for (i, x) in self.0.into_iter().enumerate().take(count) {
            // SAFETY: the caller promises `count` writable numbers.
            unsafe { *to.add(i) = x }
        }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Portable {
        // SAFETY: the caller promises `N` readable bytes.
        Portable(unsafe { from.cast::<[u8; 8]>().read_unaligned() }.map(f32::from))
    }

    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8, count: usize) {
        let bytes = self.0.map(|x| x as u8);
        // SAFETY: the caller promises `count` writable bytes.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, count) }
    }

    #[inline(always)]
    unsafe fn store_selected(self, mask: [bool; 8], to: *mut f32) -> usize {
        let mut count = 0;
        for (x, kept) in self.0.into_iter().zip(mask) {
            // SAFETY: the caller promises `N` writable numbers, and fewer have been kept before this one.
            unsafe { *to.add(count) = x };
            count += usize::from(kept);
        }
        count
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_pitch: usize, to: *mut f32, to_pitch: usize) {
        for row in 0..Portable::N {
            for column in 0..Portable::N {
                // SAFETY: the caller promises `N` rows of `N` numbers on both sides.
                unsafe { *to.add(column * to_pitch + row) = *from.add(row * from_pitch + column) };
            }
        }
    }

    #[inline(always)]
    unsafe fn load_four(from: *const f32) -> Portable {
        // SAFETY: the caller promises four readable numbers.
        Portable(std::array::from_fn(|lane| unsafe { *from.add(lane % 4) }))
    }

    #[inline(always)]
    fn pick(self, which: Portable) -> Portable {
        which.map(|which| self.0[(which.to_bits() & 3) as usize])
    }

    #[inline(always)]
    fn add(self, other: Portable) -> Portable {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Portable) -> Portable {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, other: Portable) -> Portable {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, other: Portable) -> Portable {
        self.zip(other, |a, b| a / b)
    }

    #[inline(always)]
    fn min(self, other: Portable) -> Portable {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn max(self, other: Portable) -> Portable {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn sqrt(self) -> Portable {
        self.map(f32::sqrt)
    }

    /// Rounded twice: a fused multiply-add without the instruction is a slow library call.
    #[inline(always)]
    fn mul_add(self, factor: Portable, addend: Portable) -> Portable {
        Portable(std::array::from_fn(|i| self.0[i] * factor.0[i] + addend.0[i]))
    }

    #[inline(always)]
    fn square_rest(self, square: Portable) -> Portable {
        self.zip(square, |x, square| (f64::from(x) * f64::from(x) - f64::from(square)) as f32)
    }

    #[inline(always)]
    fn round(self) -> Portable {
        self.map(|x| (x + SHIFT) - SHIFT)
    }

    #[inline(always)]
    fn to_bits(self) -> Portable {
        self.map(|x| f32::from_bits(x as u32))
    }

    #[inline(always)]
    fn scale(self, exponent: Portable) -> Portable {
        self.mul(exponent.map(|x| f32::from_bits((x + SHIFT).to_bits().wrapping_add(127) << 23)))
    }

    #[inline(always)]
    fn greater(self, other: Portable) -> [bool; 8] {
        std::array::from_fn(|i| self.0[i] > other.0[i])
    }

    #[inline(always)]
    fn is_not_zero(self) -> [bool; 8] {
        self.0.map(|x| x != 0.0)
    }

    #[inline(always)]
    fn is_unordered(self, other: Portable) -> [bool; 8] {
        std::array::from_fn(|i| self.0[i].is_nan() || other.0[i].is_nan())
    }

    #[inline(always)]
    fn bits(mask: [bool; 8]) -> u32 {
        mask.into_iter().rev().fold(0, |bits, is_set| 2 * bits + u32::from(is_set))
    }

    #[inline(always)]
    fn select(mask: [bool; 8], yes: Portable, no: Portable) -> Portable {
        Portable(std::array::from_fn(|i| if mask[i] { yes.0[i] } else { no.0[i] }))
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        let [a, b, c, d, e, f, g, h] = self.0;
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        self.0.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
}
