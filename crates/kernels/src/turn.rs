//! Lines of numbers brought together for tiles: as they are, or turned, so that samples lie across the lanes.

use std::ops::Range;

use crate::Isa;
use crate::channels::load;
use crate::isa::Kernel;
use crate::lanes::{Lanes, MOST_LANES};

/// A square that a register file turns.
#[repr(align(64))]
struct Square([f32; MOST_LANES * MOST_LANES]);

/// Fills a line of whole vectors, with zeros behind the numbers.
#[inline(always)]
fn copy_line<L: Lanes>(from: &[f32], to: &mut [f32]) {
    for (first, to) in (0..).step_by(L::N).zip(to.chunks_exact_mut(L::N)) {
        let count = from.len().saturating_sub(first).min(L::N);
        // SAFETY: `count` numbers lie behind `first`; the chunk is a vector.
        unsafe { load::<L>(from.as_ptr().wrapping_add(first), count).store(to.as_mut_ptr()) };
    }
}

/// Fills lines that are so far apart with [`copy_line`].
#[inline(always)]
pub(crate) fn copy_lines<'a, L: Lanes>(lines: impl Iterator<Item = &'a [f32]>, to: &mut [f32], pitch: usize) {
    for (line, to) in lines.zip(to.chunks_exact_mut(pitch)) {
        copy_line::<L>(line, &mut to[..line.len().next_multiple_of(L::N)]);
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

/// Writes `to[c · to_pitch + r] = from[r · from_pitch + c]` for so many rows and columns; what lies between is left alone.
pub(crate) fn transpose(
    isa: Isa,
    (from, from_pitch): (&[f32], usize),
    [rows, columns]: [usize; 2],
    (to, to_pitch): (&mut [f32], usize),
) {
    isa.run(Transpose { from, from_pitch, rows, columns, to, to_pitch });
}

/// [`transpose`] within a kernel.
pub(crate) struct Transpose<'a> {
    pub from: &'a [f32],
    pub from_pitch: usize,
    pub rows: usize,
    pub columns: usize,
    pub to: &'a mut [f32],
    pub to_pitch: usize,
}

impl Kernel for Transpose<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Transpose { from, from_pitch, rows, columns, to, to_pitch } = self;
        if rows == 0 || columns == 0 {
            return;
        }
        assert!(columns <= from_pitch && rows <= to_pitch);
        assert!(from.len() >= (rows - 1) * from_pitch + columns && to.len() >= (columns - 1) * to_pitch + rows);
        for row in (0..rows).step_by(L::N) {
            for column in (0..columns).step_by(L::N) {
                if row + L::N <= rows && column + L::N <= columns {
                    let from = from[row * from_pitch + column..].as_ptr();
                    let to = to[column * to_pitch + row..].as_mut_ptr();
                    // SAFETY: `N` rows of `N` numbers lie on both sides.
                    unsafe { L::transpose(from, from_pitch, to, to_pitch) };
                    continue;
                }
                for row in row..rows.min(row + L::N) {
                    for column in column..columns.min(column + L::N) {
                        to[column * to_pitch + row] = from[row * from_pitch + column];
                    }
                }
            }
        }
    }
}
