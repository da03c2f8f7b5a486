//! The gradient of the input, a patch at a time: the windows of a 3×3 kernel that a 2×2 pool may have chosen overlap in 4×4
//! pixels, whose sums of a vector of channels stay in registers for the lists of all four taps.

use super::lists::{Lists, Placed};
use crate::Isa;
use crate::buffer::Buffer;
use crate::conv2d::Pooled;
use crate::isa::Kernel;
use crate::lanes::Lanes;

/// Pixels of a patch along each axis, and of a window.
const PATCH: usize = 4;
const WINDOW: usize = 3;

/// Numbers of a vector: shorter ones have too few registers for a patch.
const LANES: usize = 16;

/// Kernels with what a patch's vector reads side by side, `[filter][vector of channels][tap][lane]`: a filter begins where it
/// does in the canonical layout.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed(Buffer);

impl Packed {
    /// Memory for this geometry or smaller ones.
    pub fn reserve(&mut self, pooled: &Pooled) {
        if has_patches(pooled) {
            let len = pooled.product.conv.kernel_len();
            if self.0.len() < len {
                self.0 = Buffer::zeros(len);
            }
        }
    }

    /// Packs a canonical kernel.
    ///
    /// # Panics
    /// If less has been reserved.
    pub fn pack(&mut self, pooled: &Pooled, kernel: &[f32]) {
        assert!(kernel.len() <= self.0.len());
        let channels = pooled.product.conv.input.channels;
        let filters = kernel.chunks_exact(WINDOW * WINDOW * channels);
        for (filter, packed) in filters.zip(self.0.chunks_exact_mut(WINDOW * WINDOW * channels)) {
            for (vector, packed) in packed.chunks_exact_mut(WINDOW * WINDOW * LANES).enumerate() {
                for (tap, packed) in packed.chunks_exact_mut(LANES).enumerate() {
                    packed.copy_from_slice(&filter[tap * channels + vector * LANES..][..LANES]);
                }
            }
        }
    }
}

/// Whether a geometry has such patches, of whole vectors.
fn has_patches(pooled: &Pooled) -> bool {
    let (conv, pool) = (&pooled.product.conv, &pooled.pool.window);
    let windows = (conv.window.kernel, conv.window.stride, conv.window.dilation, pool.kernel);
    windows == ([WINDOW; 2], [1; 2], [1; 2], [PATCH - WINDOW + 1; 2]) && conv.input.channels.is_multiple_of(LANES)
}

/// Whether [`add_patches`] can be called.
pub(super) fn suits(isa: Isa, pooled: &Pooled) -> bool {
    isa.lanes() == LANES && has_patches(pooled)
}

/// Adds the products of the first `places` places' lists, one for each tap of the pool, to the gradient of x, whose first
/// window of the band lies at `dx`; `filter` is the first of the block.
///
/// # Safety
/// [`suits`] has said so, `packed` holds the kernel, entries hold places of its filters from that one on, and from the place
/// of every first list on a patch can be read and written.
pub(super) unsafe fn add_patches(
    isa: Isa,
    pooled: &Pooled,
    lists: &Placed<'_>,
    places: usize,
    packed: &Packed,
    filter: usize,
    dx: *mut f32,
) {
    let conv = &pooled.product.conv;
    let kernel = packed.0[filter * conv.kernel_rows()..].as_ptr();
    isa.run(AddPatches { lists, places, channels: conv.input.channels, row: conv.input.row_pitch, kernel, dx });
}

/// Only [`add_patches`] makes it, whose caller promises that what lists point to can be read and written.
struct AddPatches<'a> {
    lists: &'a Placed<'a>,
    places: usize,
    channels: usize,
    /// Numbers from a row of dx to the next.
    row: usize,
    kernel: *const f32,
    dx: *mut f32,
}

impl Kernel for AddPatches<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        const TAPS: usize = (PATCH - WINDOW + 1) * (PATCH - WINDOW + 1);
        // Vector by vector, so that half of the kernels or less stay in the first-level cache.
        for vector in 0..self.channels / LANES {
            let kernel = self.kernel.wrapping_add(vector * WINDOW * WINDOW * LANES);
            for place in 0..self.places {
                let first = place * TAPS;
                let to = self.dx.wrapping_add(self.lists.to(first) + vector * LANES);
                // SAFETY: the promise to `add_patches`.
                unsafe {
                    let mut sums = [[L::splat(0.0); PATCH]; PATCH];
                    add_list::<L, 0, 0>(self.lists.list(first), kernel, &mut sums);
                    add_list::<L, 0, 1>(self.lists.list(first + 1), kernel, &mut sums);
                    add_list::<L, 1, 0>(self.lists.list(first + 2), kernel, &mut sums);
                    add_list::<L, 1, 1>(self.lists.list(first + 3), kernel, &mut sums);
                    for (row, sums) in sums.iter().enumerate() {
                        for (column, sum) in sums.iter().enumerate() {
                            let to = to.add(row * self.row + column * self.channels);
                            L::load(to).add(*sum).store(to);
                        }
                    }
                }
            }
        }
    }
}

/// The products of the list of a tap, whose window begins at this row and column of the patch.
///
/// # Safety
/// The vectors of a window can be read from the place of every entry on.
#[inline(always)]
unsafe fn add_list<L: Lanes, const ROW: usize, const COLUMN: usize>(
    list: impl Iterator<Item = (usize, f32)>,
    kernel: *const f32,
    sums: &mut [[L; PATCH]; PATCH],
) {
    for (from, value) in list {
        let value = L::splat(value);
        let kernel = kernel.wrapping_add(from);
        for i in 0..WINDOW {
            for j in 0..WINDOW {
                let sum = &mut sums[ROW + i][COLUMN + j];
                // SAFETY: the caller's promise.
                let weights = unsafe { L::load(kernel.add((i * WINDOW + j) * LANES)) };
                *sum = value.mul_add(weights, *sum);
            }
        }
    }
}
