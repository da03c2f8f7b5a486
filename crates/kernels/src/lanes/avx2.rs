//! AVX2 with FMA: eight numbers in a register.

use std::arch::x86_64::*;

use super::Lanes;

#[derive(Clone, Copy)]
pub(crate) struct Avx2(__m256);

/// The mask of the first `count` lanes: all bits set in each.
///
/// # Safety
/// The processor must have AVX2.
#[inline(always)]
unsafe fn first(count: usize) -> __m256i {
    debug_assert!(count <= 8);
    // SAFETY: the caller promises AVX2.
    unsafe { _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)) }
}

/// For every mask of eight lanes, those that are set, in order.
static SELECTED: [[u32; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut lane, mut count) = (0, 0);
        while lane < 8 {
            if mask >> lane & 1 == 1 {
                table[mask][count] = lane;
                count += 1;
            }
            lane += 1;
        }
        mask += 1;
    }
    table
};

/// Writes the transpose of eight rows of eight numbers, so far apart at `from` and at `to`.
///
/// # Safety
/// The processor must have AVX2; the rows can be read at `from` and written at `to`.
#[inline(always)]
pub(super) unsafe fn transpose(from: *const f32, from_pitch: usize, to: *mut f32, to_pitch: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        // Of four rows, each in the low and the high half, the numbers of a column side by side.
        let mut fours = [[_mm256_setzero_ps(); 4]; 2];
        for (four, columns) in fours.iter_mut().enumerate() {
            let from = from.add(4 * four * from_pitch);
            let a = _mm256_loadu_ps(from);
            let b = _mm256_loadu_ps(from.add(from_pitch));
            let c = _mm256_loadu_ps(from.add(2 * from_pitch));
            let d = _mm256_loadu_ps(from.add(3 * from_pitch));
            let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let (next_low, next_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
            columns[0] = _mm256_shuffle_ps::<0x44>(low, next_low);
            columns[1] = _mm256_shuffle_ps::<0xee>(low, next_low);
            columns[2] = _mm256_shuffle_ps::<0x44>(high, next_high);
            columns[3] = _mm256_shuffle_ps::<0xee>(high, next_high);
        }
        for column in 0..4 {
            let (above, below) = (fours[0][column], fours[1][column]);
            _mm256_storeu_ps(to.add(column * to_pitch), _mm256_permute2f128_ps::<0x20>(above, below));
            _mm256_storeu_ps(to.add((column + 4) * to_pitch), _mm256_permute2f128_ps::<0x31>(above, below));
        }
    }
}

impl Lanes for Avx2 {
    const N: usize = 8;
    type Mask = __m256;

    #[inline(always)]
    fn splat(x: f32) -> Avx2 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx2(_mm256_set1_ps(x)) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Avx2 {
        // SAFETY: the caller promises `N` readable numbers.
        unsafe { Avx2(_mm256_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises `N` writable numbers.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Avx2 {
        // SAFETY: the caller promises `count` readable numbers; masked lanes are not touched.
        unsafe { Avx2(_mm256_maskload_ps(from, first(count))) }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        // By halves, since some processors take many cycles for a store with a mask.
        // SAFETY: the caller promises `count` writable numbers; the parts together are as many.
        unsafe {
            if count == Avx2::N {
                return self.store(to);
            }
            let (mut rest, mut to) = (_mm256_castps256_ps128(self.0), to);
            if count & 4 != 0 {
                _mm_storeu_ps(to, rest);
                (rest, to) = (_mm256_extractf128_ps::<1>(self.0), to.add(4));
            }
            if count & 2 != 0 {
                _mm_storel_pd(to.cast(), _mm_castps_pd(rest));
                (rest, to) = (_mm_movehl_ps(rest, rest), to.add(2));
            }
            if count & 1 != 0 {
                _mm_store_ss(to, rest);
            }
        }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Avx2 {
        // SAFETY: the caller promises `N` readable bytes.
        unsafe { Avx2(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast())))) }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8, count: usize) {
        // SAFETY: the caller promises `count` writable bytes.
        unsafe {
            let whole = _mm256_cvtps_epi32(self.0);
            let halves = _mm_packus_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256::<1>(whole));
            let bytes = _mm_packus_epi16(halves, halves);
            if count == 8 {
                return _mm_storel_epi64(to.cast(), bytes);
            }
            let bytes = _mm_cvtsi128_si64(bytes).to_le_bytes();
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, count);
        }
    }

    #[inline(always)]
    unsafe fn store_selected(self, mask: __m256, to: *mut f32) -> usize {
        // SAFETY: the caller promises `N` writable numbers.
        unsafe {
            let bits = Avx2::bits(mask) as usize;
            let order = _mm256_loadu_si256(SELECTED[bits].as_ptr().cast());
            _mm256_storeu_ps(to, _mm256_permutevar8x32_ps(self.0, order));
            bits.count_ones() as usize
        }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_pitch: usize, to: *mut f32, to_pitch: usize) {
        // SAFETY: the caller promises eight rows of eight numbers on both sides.
        unsafe { transpose(from, from_pitch, to, to_pitch) }
    }

    #[inline(always)]
    unsafe fn load_four(from: *const f32) -> Avx2 {
        // SAFETY: the caller promises four readable numbers.
        unsafe {
            let four = _mm_loadu_ps(from);
            Avx2(_mm256_set_m128(four, four))
        }
    }

    #[inline(always)]
    fn pick(self, which: Avx2) -> Avx2 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx2(_mm256_permutevar_ps(self.0, _mm256_castps_si256(which.0))) }
    }

    #[inline(always)]
    fn add(self, other: Avx2) -> Avx2 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx2(_mm256_add_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn sub(self, other: Avx2) -> Avx2 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx2(_mm256_sub_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn mul(self, other: Avx2) -> Avx2 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx2(_mm256_mul_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn div(self, other: Avx2) -> Avx2 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx2(_mm256_div_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn min(self, other: Avx2) -> Avx2 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx2(_mm256_min_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn max(self, other: Avx2) -> Avx2 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx2(_mm256_max_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn sqrt(self) -> Avx2 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx2(_mm256_sqrt_ps(self.0)) }
    }

    #[inline(always)]
    fn mul_add(self, factor: Avx2, addend: Avx2) -> Avx2 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx2(_mm256_fmadd_ps(self.0, factor.0, addend.0)) }
    }

    #[inline(always)]
    fn square_rest(self, square: Avx2) -> Avx2 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx2(_mm256_fmsub_ps(self.0, self.0, square.0)) }
    }

    #[inline(always)]
    fn round(self) -> Avx2 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx2(_mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0)) }
    }

    #[inline(always)]
    fn to_bits(self) -> Avx2 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx2(_mm256_castsi256_ps(_mm256_cvtps_epi32(self.0))) }
    }

    #[inline(always)]
    fn scale(self, exponent: Avx2) -> Avx2 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe {
            let power = _mm256_add_epi32(_mm256_cvtps_epi32(exponent.0), _mm256_set1_epi32(127));
            self.mul(Avx2(_mm256_castsi256_ps(_mm256_slli_epi32::<23>(power))))
        }
    }

    #[inline(always)]
    fn greater(self, other: Avx2) -> __m256 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { _mm256_cmp_ps::<_CMP_GT_OQ>(self.0, other.0) }
    }

    #[inline(always)]
    fn is_not_zero(self) -> __m256 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { _mm256_cmp_ps::<_CMP_NEQ_UQ>(self.0, _mm256_setzero_ps()) }
    }

    #[inline(always)]
    fn is_unordered(self, other: Avx2) -> __m256 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { _mm256_cmp_ps::<_CMP_UNORD_Q>(self.0, other.0) }
    }

    #[inline(always)]
    fn bits(mask: __m256) -> u32 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { _mm256_movemask_ps(mask) as u32 }
    }

    #[inline(always)]
    fn select(mask: __m256, yes: Avx2, no: Avx2) -> Avx2 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe { Avx2(_mm256_blendv_ps(no.0, yes.0, mask)) }
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe {
            let quarter = _mm_add_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
            let pair = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
            _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps::<1>(pair, pair)))
        }
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        // SAFETY: only functions compiled with these features use this type.
        unsafe {
            let quarter = _mm_max_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
            let pair = _mm_max_ps(quarter, _mm_movehl_ps(quarter, quarter));
            _mm_cvtss_f32(_mm_max_ss(pair, _mm_shuffle_ps::<1>(pair, pair)))
        }
    }
}
