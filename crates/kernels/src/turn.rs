//! Lines of numbers brought together for tiles: as they are, or turned, so that samples lie across the lanes.

use std::ops::Range;

use crate::channels::load;
use crate::lanes::Lanes;

/// Most numbers in a vector.
pub(crate) const MOST_LANES: usize = 16;

/// A square that a register file turns.
#[repr(align(64))]
struct Square([f32; MOST_LANES * MOST_LANES]);

/// Fills a line of whole vectors, with zeros behind the numbers.
#[inline(always)]
pub(crate) fn copy_line<L: Lanes>(from: &[f32], to: &mut [f32]) {
    for (first, to) in (0..).step_by(L::N).zip(to.chunks_exact_mut(L::N)) {
        let count = from.len().saturating_sub(first).min(L::N);
        // SAFETY: `count` numbers lie behind `first`; the chunk is a vector.
        unsafe { load::<L>(from.as_ptr().wrapping_add(first), count).store(to.as_mut_ptr()) };
    }
}

/// Writes `to[c · pitch + s] = row(s)[columns.start + c]` for `n` rows; lanes behind the last row up to the next whole
/// vector become zeros.
#[inline(always)]
pub(crate) fn turn<'a, L: Lanes>(
    row: impl Fn(usize) -> &'a [f32],
    n: usize,
    columns: Range<usize>,
    to: &mut [f32],
    pitch: usize,
) {
    assert!(n.next_multiple_of(L::N) <= pitch && to.len() >= columns.len() * pitch);
    let mut square = Square([0.0; MOST_LANES * MOST_LANES]);
    let mut turned = Square([0.0; MOST_LANES * MOST_LANES]);
    for first in (0..n).step_by(L::N) {
        for column in columns.clone().step_by(L::N) {
            let count = L::N.min(columns.end - column);
            for lane in 0..L::N {
                let at = square.0[lane * L::N..][..L::N].as_mut_ptr();
                // SAFETY: `count` numbers of the row are sliced; a line of the square has `N`.
                unsafe {
                    let line = if first + lane < n {
                        load::<L>(row(first + lane)[column..][..count].as_ptr(), count)
                    } else {
                        L::splat(0.0)
                    };
                    line.store(at);
                }
            }
            let place = (column - columns.start) * pitch + first;
            if count == L::N {
                // SAFETY: `N` lines of `to` from this column on have `N` places from `first` on, as asserted.
                unsafe { L::transpose(square.0.as_ptr(), L::N, to[place..].as_mut_ptr(), pitch) };
                continue;
            }
            // SAFETY: both squares have `N` lines of `N`.
            unsafe { L::transpose(square.0.as_ptr(), L::N, turned.0.as_mut_ptr(), L::N) };
            for (line, numbers) in turned.0.chunks_exact(L::N).enumerate().take(count) {
                to[place + line * pitch..][..L::N].copy_from_slice(numbers);
            }
        }
    }
}
