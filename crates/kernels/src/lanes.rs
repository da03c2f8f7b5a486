//! Vectors of f32: the few operations that kernels are written in, for each instruction set.
//!
//! All methods are `#[inline(always)]`, so that they are compiled inside functions with the right features. Memory is
//! touched through raw pointers only here and in the kernels' inner loops, whose callers have asserted all lengths.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
pub(crate) use portable::Portable;

/// Numbers in the longest vectors.
pub(crate) const MOST_LANES: usize = 16;

/// Numbers in the shortest.
pub(crate) const LEAST_LANES: usize = 8;

/// A vector of `N` numbers. A comparison gives a `Mask`, which `select` reads.
pub(crate) trait Lanes: Copy {
    const N: usize;
    type Mask: Copy;

    fn splat(x: f32) -> Self;

    /// # Safety
    /// `N` numbers can be read at `from`; any alignment.
    unsafe fn load(from: *const f32) -> Self;

    /// # Safety
    /// `N` numbers can be written at `to`; any alignment.
    unsafe fn store(self, to: *mut f32);

    /// The first `count` numbers, zeros behind them.
    ///
    /// # Safety
    /// `count <= N` numbers can be read at `from`.
    unsafe fn load_first(from: *const f32, count: usize) -> Self;

    /// Writes the first `count` numbers.
    ///
    /// # Safety
    /// `count <= N` numbers can be written at `to`.
    unsafe fn store_first(self, to: *mut f32, count: usize);

    /// `N` bytes as numbers.
    ///
    /// # Safety
    /// `N` bytes can be read at `from`.
    unsafe fn load_bytes(from: *const u8) -> Self;

    /// The first `count` numbers, whole ones in 0..=255, as bytes.
    ///
    /// # Safety
    /// `count <= N` bytes can be written at `to`.
    unsafe fn store_bytes(self, to: *mut u8, count: usize);

    /// Writes the lanes whose mask is set one after the other, and returns how many there are.
    ///
    /// # Safety
    /// `N` numbers can be written at `to`, whatever the mask: what lies behind those that are kept is lost.
    unsafe fn store_selected(self, mask: Self::Mask, to: *mut f32) -> usize;

    /// Writes the transpose of `N` rows of `N` numbers, so far apart at `from` and at `to`.
    ///
    /// # Safety
    /// The rows can be read at `from` and written at `to`, which do not overlap.
    unsafe fn transpose(from: *const f32, from_pitch: usize, to: *mut f32, to_pitch: usize);

    /// Four numbers again and again.
    ///
    /// # Safety
    /// Four numbers can be read at `from`.
    unsafe fn load_four(from: *const f32) -> Self;

    /// Of the first four numbers the one that the lowest two bits of each lane of `which` name; the others are the same
    /// four again, as [`Lanes::load_four`] gives them.
    fn pick(self, which: Self) -> Self;

    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    /// The smaller; `other` where either is not a number.
    fn min(self, other: Self) -> Self;
    /// The larger; `other` where either is not a number.
    fn max(self, other: Self) -> Self;
    fn sqrt(self) -> Self;
    /// `self * factor + addend`, rounded once.
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// What rounding took from its square, which is `square`.
    fn square_rest(self, square: Self) -> Self;
    /// The nearest whole number, halves to even, of numbers below 2^22.
    fn round(self) -> Self;
    /// Whole numbers in 0..2^24 as the bits of `u32`, which may be moved and stored, not computed with.
    fn to_bits(self) -> Self;
    /// `self * 2^exponent` for whole exponents in -126..=127.
    fn scale(self, exponent: Self) -> Self;
    fn greater(self, other: Self) -> Self::Mask;
    /// Set where this is neither zero nor minus zero.
    fn is_not_zero(self) -> Self::Mask;
    /// Set where either is not a number.
    fn is_unordered(self, other: Self) -> Self::Mask;
    /// A bit for each lane, that of the first the lowest: one where the mask is set.
    fn bits(mask: Self::Mask) -> u32;
    /// `yes` where the mask is set.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// The sum of all, as a tree of halves.
    fn sum(self) -> f32;
    /// The largest of all.
    fn largest(self) -> f32;
}
