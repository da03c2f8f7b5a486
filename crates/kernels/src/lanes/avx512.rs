//! AVX-512: sixteen numbers in a register.

use std::arch::x86_64::*;

use super::Lanes;

#[derive(Clone, Copy)]
pub(crate) struct Avx512(__m512);

/// The mask of the first `count` lanes.
#[inline(always)]
fn first(count: usize) -> __mmask16 {
    debug_assert!(count <= 16);
    ((1u32 << count) - 1) as __mmask16
}

impl Lanes for Avx512 {
    const N: usize = 16;
    type Mask = __mmask16;

    #[inline(always)]
    fn splat(x: f32) -> Avx512 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx512(_mm512_set1_ps(x)) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Avx512 {
        // SAFETY: the caller promises `N` readable numbers.
        unsafe { Avx512(_mm512_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises `N` writable numbers.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Avx512 {
        // SAFETY: the caller promises `count` readable numbers; masked lanes are not touched.
        unsafe { Avx512(_mm512_maskz_loadu_ps(first(count), from)) }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        // SAFETY: the caller promises `count` writable numbers; masked lanes are not touched.
        unsafe { _mm512_mask_storeu_ps(to, first(count), self.0) }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Avx512 {
        // SAFETY: the caller promises `N` readable bytes.
        unsafe { Avx512(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast())))) }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8, count: usize) {
        // SAFETY: the caller promises `count` writable bytes; masked lanes are not touched.
        unsafe { _mm512_mask_cvtusepi32_storeu_epi8(to.cast(), first(count), _mm512_cvtps_epi32(self.0)) }
    }

    #[inline(always)]
    unsafe fn store_selected(self, mask: __mmask16, to: *mut f32) -> usize {
        // SAFETY: the caller promises `N` writable numbers. (Compressing into memory is slow on some processors.)
        unsafe { _mm512_storeu_ps(to, _mm512_maskz_compress_ps(mask, self.0)) };
        mask.count_ones() as usize
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_pitch: usize, to: *mut f32, to_pitch: usize) {
        for (row, column) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
            // SAFETY: the caller promises sixteen rows of sixteen numbers on both sides: four squares of eight.
            unsafe {
                let (from, to) = (from.add(row * from_pitch + column), to.add(column * to_pitch + row));
                super::avx2::transpose(from, from_pitch, to, to_pitch);
            }
        }
    }

    #[inline(always)]
    unsafe fn load_four(from: *const f32) -> Avx512 {
        // SAFETY: the caller promises four readable numbers.
        unsafe { Avx512(_mm512_broadcast_f32x4(_mm_loadu_ps(from))) }
    }

    #[inline(always)]
    fn pick(self, which: Avx512) -> Avx512 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx512(_mm512_permutevar_ps(self.0, _mm512_castps_si512(which.0))) }
    }

    #[inline(always)]
    fn add(self, other: Avx512) -> Avx512 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx512(_mm512_add_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn sub(self, other: Avx512) -> Avx512 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx512(_mm512_sub_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn mul(self, other: Avx512) -> Avx512 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx512(_mm512_mul_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn div(self, other: Avx512) -> Avx512 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx512(_mm512_div_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn min(self, other: Avx512) -> Avx512 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx512(_mm512_min_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn max(self, other: Avx512) -> Avx512 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx512(_mm512_max_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn sqrt(self) -> Avx512 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx512(_mm512_sqrt_ps(self.0)) }
    }

    #[inline(always)]
    fn mul_add(self, factor: Avx512, addend: Avx512) -> Avx512 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx512(_mm512_fmadd_ps(self.0, factor.0, addend.0)) }
    }

    #[inline(always)]
    fn square_rest(self, square: Avx512) -> Avx512 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx512(_mm512_fmsub_ps(self.0, self.0, square.0)) }
    }

    #[inline(always)]
    fn round(self) -> Avx512 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx512(_mm512_roundscale_ps::<0>(self.0)) }
    }

    #[inline(always)]
    fn to_bits(self) -> Avx512 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx512(_mm512_castsi512_ps(_mm512_cvtps_epi32(self.0))) }
    }

    #[inline(always)]
    fn scale(self, exponent: Avx512) -> Avx512 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx512(_mm512_scalef_ps(self.0, exponent.0)) }
    }

    #[inline(always)]
    fn greater(self, other: Avx512) -> __mmask16 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(self.0, other.0) }
    }

    #[inline(always)]
    fn is_not_zero(self) -> __mmask16 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(self.0, _mm512_setzero_ps()) }
    }

    #[inline(always)]
    fn is_unordered(self, other: Avx512) -> __mmask16 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(self.0, other.0) }
    }

    #[inline(always)]
    fn bits(mask: __mmask16) -> u32 {
        mask.into()
    }

    #[inline(always)]
    fn select(mask: __mmask16, yes: Avx512, no: Avx512) -> Avx512 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx512(_mm512_mask_blend_ps(mask, no.0, yes.0)) }
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { _mm512_reduce_add_ps(self.0) }
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { _mm512_reduce_max_ps(self.0) }
    }
}
