//! NEON: eight numbers in two registers of four, so that a tile for AVX2's sixteen registers fits the thirty-two here.

use std::arch::aarch64::*;

use super::Lanes;

#[derive(Clone, Copy)]
pub(crate) struct Neon(float32x4_t, float32x4_t);

/// For every mask of four lanes, the bytes of those that are set, in order.
static SELECTED: [[u8; 16]; 16] = {
    let mut table = [[0; 16]; 16];
    let mut mask = 0;
    while mask < 16 {
        let (mut lane, mut count) = (0, 0);
        while lane < 4 {
            if mask >> lane & 1 == 1 {
                let mut byte = 0;
                while byte < 4 {
                    table[mask][4 * count + byte] = (4 * lane + byte) as u8;
                    byte += 1;
                }
                count += 1;
            }
            lane += 1;
        }
        mask += 1;
    }
    table
};

/// A bit for each of four lanes.
///
/// # Safety
/// The processor must have NEON.
#[inline(always)]
unsafe fn bits_of_four(mask: uint32x4_t) -> u32 {
    // SAFETY: the caller's promise.
    unsafe { vaddvq_u32(vandq_u32(mask, vld1q_u32([1, 2, 4, 8].as_ptr()))) }
}

/// Writes those of four lanes whose mask is set one after the other, and returns how many there are.
///
/// # Safety
/// The processor must have NEON; four numbers can be written at `to`.
#[inline(always)]
unsafe fn store_selected_four(four: float32x4_t, mask: uint32x4_t, to: *mut f32) -> usize {
    // SAFETY: the caller's promise; a bit for each of four lanes makes no more than 15.
    unsafe {
        let bits = bits_of_four(mask) as usize;
        let order = vld1q_u8(SELECTED[bits].as_ptr());
        vst1q_f32(to, vreinterpretq_f32_u8(vqtbl1q_u8(vreinterpretq_u8_f32(four), order)));
        bits.count_ones() as usize
    }
}

/// Writes the transpose of four rows of four numbers.
///
/// # Safety
/// The processor must have NEON; the rows can be read at `from` and written at `to`.
#[inline(always)]
unsafe fn transpose_four(from: *const f32, from_pitch: usize, to: *mut f32, to_pitch: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let (a, b) = (vld1q_f32(from), vld1q_f32(from.add(from_pitch)));
        let (c, d) = (vld1q_f32(from.add(2 * from_pitch)), vld1q_f32(from.add(3 * from_pitch)));
        // Of two rows, the numbers of even columns side by side, and those of odd ones.
        let (even, odd) = (vreinterpretq_f64_f32(vtrn1q_f32(a, b)), vreinterpretq_f64_f32(vtrn2q_f32(a, b)));
        let (next_even, next_odd) = (vreinterpretq_f64_f32(vtrn1q_f32(c, d)), vreinterpretq_f64_f32(vtrn2q_f32(c, d)));
        vst1q_f32(to, vreinterpretq_f32_f64(vtrn1q_f64(even, next_even)));
        vst1q_f32(to.add(to_pitch), vreinterpretq_f32_f64(vtrn1q_f64(odd, next_odd)));
        vst1q_f32(to.add(2 * to_pitch), vreinterpretq_f32_f64(vtrn2q_f64(even, next_even)));
        vst1q_f32(to.add(3 * to_pitch), vreinterpretq_f32_f64(vtrn2q_f64(odd, next_odd)));
    }
}

/// The bytes of four lanes of a vector that the lowest two bits of each lane of `which` name.
///
/// # Safety
/// The processor must have NEON.
#[inline(always)]
unsafe fn bytes_of(which: float32x4_t) -> uint8x16_t {
    // SAFETY: the caller promises NEON.
    unsafe {
        let lane = vandq_u32(vreinterpretq_u32_f32(which), vdupq_n_u32(3));
        vreinterpretq_u8_u32(vmlaq_u32(vdupq_n_u32(0x0302_0100), lane, vdupq_n_u32(0x0404_0404)))
    }
}

impl Lanes for Neon {
    const N: usize = 8;
    type Mask = (uint32x4_t, uint32x4_t);

    #[inline(always)]
    fn splat(x: f32) -> Neon {
        // SAFETY: only functions compiled with this feature use this type.
        unsafe { Neon(vdupq_n_f32(x), vdupq_n_f32(x)) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Neon {
        // SAFETY: the caller promises `N` readable numbers.
        unsafe { Neon(vld1q_f32(from), vld1q_f32(from.add(4))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises `N` writable numbers.
        unsafe {
            vst1q_f32(to, self.0);
            vst1q_f32(to.add(4), self.1);
        }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Neon {
        // SAFETY: the caller promises `count` readable numbers; the parts together are as many.
        unsafe {
            if count == Neon::N {
                return Neon::load(from);
            }
            let zero = vdupq_n_f32(0.0);
            let behind = from.add(count & 4);
            let rest = match count & 3 {
                0 => zero,
                1 => vld1q_lane_f32::<0>(behind, zero),
                2 => vcombine_f32(vld1_f32(behind), vget_low_f32(zero)),
                _ => vld1q_lane_f32::<2>(behind.add(2), vcombine_f32(vld1_f32(behind), vget_low_f32(zero))),
            };
            if count & 4 != 0 { Neon(vld1q_f32(from), rest) } else { Neon(rest, zero) }
        }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        // SAFETY: the caller promises `count` writable numbers; the parts together are as many.
        unsafe {
            if count == Neon::N {
                return self.store(to);
            }
            let (mut rest, mut to) = (self.0, to);
            if count & 4 != 0 {
                vst1q_f32(to, rest);
                (rest, to) = (self.1, to.add(4));
            }
            let mut pair = vget_low_f32(rest);
            if count & 2 != 0 {
                vst1_f32(to, pair);
                (pair, to) = (vget_high_f32(rest), to.add(2));
            }
            if count & 1 != 0 {
                vst1_lane_f32::<0>(to, pair);
            }
        }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Neon {
        // SAFETY: the caller promises `N` readable bytes.
        unsafe {
            let wide = vmovl_u8(vld1_u8(from));
            Neon(vcvtq_f32_u32(vmovl_u16(vget_low_u16(wide))), vcvtq_f32_u32(vmovl_high_u16(wide)))
        }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8, count: usize) {
        // SAFETY: the caller promises `count` writable bytes.
        unsafe {
            let (low, high) = (vqmovn_u32(vcvtnq_u32_f32(self.0)), vqmovn_u32(vcvtnq_u32_f32(self.1)));
            let bytes = vqmovn_u16(vcombine_u16(low, high));
            if count == Neon::N {
                return vst1_u8(to, bytes);
            }
            let mut all = [0; Neon::N];
            vst1_u8(all.as_mut_ptr(), bytes);
            std::ptr::copy_nonoverlapping(all.as_ptr(), to, count);
        }
    }

    #[inline(always)]
    unsafe fn store_selected(self, mask: Self::Mask, to: *mut f32) -> usize {
        // SAFETY: the caller promises `N` writable numbers; at most four are kept before the second half.
        unsafe {
            let count = store_selected_four(self.0, mask.0, to);
            count + store_selected_four(self.1, mask.1, to.add(count))
        }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_pitch: usize, to: *mut f32, to_pitch: usize) {
        for (row, column) in [(0, 0), (0, 4), (4, 0), (4, 4)] {
            // SAFETY: the caller promises eight rows of eight numbers on both sides.
            unsafe {
                let from = from.add(row * from_pitch + column);
                transpose_four(from, from_pitch, to.add(column * to_pitch + row), to_pitch);
            }
        }
    }

    #[inline(always)]
    unsafe fn load_four(from: *const f32) -> Neon {
        // SAFETY: the caller promises four readable numbers.
        let four = unsafe { vld1q_f32(from) };
        Neon(four, four)
    }

    #[inline(always)]
    fn pick(self, which: Neon) -> Neon {
        // SAFETY: only functions compiled with this feature use this type.
        unsafe {
            let four = vreinterpretq_u8_f32(self.0);
            let pick = |which| vreinterpretq_f32_u8(vqtbl1q_u8(four, bytes_of(which)));
            Neon(pick(which.0), pick(which.1))
        }
    }

    #[inline(always)]
    fn add(self, other: Neon) -> Neon {
        // SAFETY: only functions compiled with this feature use this type.
        unsafe { Neon(vaddq_f32(self.0, other.0), vaddq_f32(self.1, other.1)) }
    }

    #[inline(always)]
    fn sub(self, other: Neon) -> Neon {
        // SAFETY: only functions compiled with this feature use this type.
        unsafe { Neon(vsubq_f32(self.0, other.0), vsubq_f32(self.1, other.1)) }
    }

    #[inline(always)]
    fn mul(self, other: Neon) -> Neon {
        // SAFETY: only functions compiled with this feature use this type.
        unsafe { Neon(vmulq_f32(self.0, other.0), vmulq_f32(self.1, other.1)) }
    }

    #[inline(always)]
    fn div(self, other: Neon) -> Neon {
        // SAFETY: only functions compiled with this feature use this type.
        unsafe { Neon(vdivq_f32(self.0, other.0), vdivq_f32(self.1, other.1)) }
    }

    /// By a comparison, since NEON's own minimum of what is not a number is not a number.
    #[inline(always)]
    fn min(self, other: Neon) -> Neon {
        Neon::select(other.greater(self), self, other)
    }

    #[inline(always)]
    fn max(self, other: Neon) -> Neon {
        Neon::select(self.greater(other), self, other)
    }

    #[inline(always)]
    fn sqrt(self) -> Neon {
        // SAFETY: only functions compiled with this feature use this type.
        unsafe { Neon(vsqrtq_f32(self.0), vsqrtq_f32(self.1)) }
    }

    #[inline(always)]
    fn mul_add(self, factor: Neon, addend: Neon) -> Neon {
        // SAFETY: only functions compiled with this feature use this type.
        unsafe { Neon(vfmaq_f32(addend.0, self.0, factor.0), vfmaq_f32(addend.1, self.1, factor.1)) }
    }

    #[inline(always)]
    fn square_rest(self, square: Neon) -> Neon {
        // SAFETY: only functions compiled with this feature use this type.
        unsafe {
            let rest = |x, square| vfmaq_f32(vnegq_f32(square), x, x);
            Neon(rest(self.0, square.0), rest(self.1, square.1))
        }
    }

    #[inline(always)]
    fn round(self) -> Neon {
        // SAFETY: only functions compiled with this feature use this type.
        unsafe { Neon(vrndnq_f32(self.0), vrndnq_f32(self.1)) }
    }

    #[inline(always)]
    fn to_bits(self) -> Neon {
        // SAFETY: only functions compiled with this feature use this type.
        unsafe {
            let bits = |x| vreinterpretq_f32_u32(vcvtnq_u32_f32(x));
            Neon(bits(self.0), bits(self.1))
        }
    }

    #[inline(always)]
    fn scale(self, exponent: Neon) -> Neon {
        // SAFETY: only functions compiled with this feature use this type.
        unsafe {
            let power = |x| vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(vcvtnq_s32_f32(x), vdupq_n_s32(127))));
            self.mul(Neon(power(exponent.0), power(exponent.1)))
        }
    }

    #[inline(always)]
    fn greater(self, other: Neon) -> Self::Mask {
        // SAFETY: only functions compiled with this feature use this type.
        unsafe { (vcgtq_f32(self.0, other.0), vcgtq_f32(self.1, other.1)) }
    }

    #[inline(always)]
    fn is_not_zero(self) -> Self::Mask {
        // SAFETY: only functions compiled with this feature use this type.
        unsafe { (vmvnq_u32(vceqzq_f32(self.0)), vmvnq_u32(vceqzq_f32(self.1))) }
    }

    #[inline(always)]
    fn is_unordered(self, other: Neon) -> Self::Mask {
        // SAFETY: only functions compiled with this feature use this type.
        unsafe {
            let unordered = |a, b| vmvnq_u32(vandq_u32(vceqq_f32(a, a), vceqq_f32(b, b)));
            (unordered(self.0, other.0), unordered(self.1, other.1))
        }
    }

    #[inline(always)]
    fn bits(mask: Self::Mask) -> u32 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { bits_of_four(mask.0) | bits_of_four(mask.1) << 4 }
    }

    #[inline(always)]
    fn select(mask: Self::Mask, yes: Neon, no: Neon) -> Neon {
        // SAFETY: only functions compiled with this feature use this type.
        unsafe { Neon(vbslq_f32(mask.0, yes.0, no.0), vbslq_f32(mask.1, yes.1, no.1)) }
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: only functions compiled with this feature use this type.
        unsafe {
            let quarter = vaddq_f32(self.0, self.1);
            vpadds_f32(vadd_f32(vget_low_f32(quarter), vget_high_f32(quarter)))
        }
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        // SAFETY: only functions compiled with this feature use this type.
        unsafe { vmaxnmvq_f32(vmaxnmq_f32(self.0, self.1)) }
    }
}
