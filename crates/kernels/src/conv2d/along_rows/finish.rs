//! What becomes of the outputs of a tile: they are stored, or pooled.

use crate::View;
use crate::channels::{load, store};
use crate::conv2d::Epilogue;
use crate::lanes::Lanes;
use crate::pool::{largest_of_four, place_of_four};
use crate::tile::lanes_of;

/// Where the first output of a tile lies, and which of a pixel's channels are computed.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub image: usize,
    pub row: usize,
    pub column: usize,
    pub channel: usize,
    pub channels: usize,
}

/// What follows a tile's sums. Whoever makes one has seen that all outputs have room.
pub(super) trait Finish: Copy {
    /// The bias, `[out channels]`.
    fn bias(&self) -> Option<&[f32]>;

    /// Outputs of `R` rows, `M` columns and `V` vectors, all of whose lanes are channels if they are `FULL`.
    ///
    /// # Safety
    /// The images have these outputs.
    unsafe fn finish<L: Lanes, const R: usize, const M: usize, const V: usize, const FULL: bool>(
        &self,
        place: Place,
        outputs: [[[L; V]; M]; R],
    );
}

/// They are stored in images of this layout.
#[derive(Clone, Copy)]
pub(super) struct Store<'a> {
    pub output: &'a View,
    pub epilogue: Epilogue<'a>,
    pub y: *mut f32,
}

/// Calls a macro for all rows and columns of the largest tile: a loop over them would keep its numbers in memory.
macro_rules! for_all {
    ($one:ident) => {
        $one!((0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3));
        $one!((2, 0), (2, 1), (2, 2), (2, 3), (3, 0), (3, 1), (3, 2), (3, 3));
    };
}

impl Finish for Store<'_> {
    #[inline(always)]
    fn bias(&self) -> Option<&[f32]> {
        self.epilogue.bias
    }

    #[inline(always)]
    unsafe fn finish<L: Lanes, const R: usize, const M: usize, const V: usize, const FULL: bool>(
        &self,
        place: Place,
        mut outputs: [[[L; V]; M]; R],
    ) {
        if let Some((view, added)) = self.epilogue.added {
            let first = view.at(place.image, place.row, place.column) + place.channel;
            for (r, row) in outputs.iter_mut().enumerate() {
                for (m, pixel) in row.iter_mut().enumerate() {
                    for (v, value) in pixel.iter_mut().enumerate() {
                        let at = first + r * view.row_pitch + m * view.channels + v * L::N;
                        let count = if FULL { L::N } else { lanes_of::<L>(place.channels, v) };
                        // SAFETY: what is added is as large as the outputs.
                        *value = value.add(unsafe { load(added.as_ptr().add(at), count) });
                    }
                }
            }
        }
        if self.epilogue.relu {
            // What is not a number stays: `max` gives its second operand.
            let relu = |value: &mut L| *value = L::splat(0.0).max(*value);
            outputs.iter_mut().flatten().flatten().for_each(relu);
        }
        let output = self.output;
        let first = self.y.wrapping_add(output.at(place.image, place.row, place.column) + place.channel);
        macro_rules! store_all {
            ($(($r:literal, $m:literal)),*) => { $(
                if $r < R && $m < M {
                    for v in 0..V {
                        let count = if FULL { L::N } else { lanes_of::<L>(place.channels, v) };
                        let to = first.wrapping_add($r * output.row_pitch + $m * output.channels + v * L::N);
                        // SAFETY: the caller's promise.
                        unsafe { store(outputs[$r][$m][v], to, count) };
                    }
                }
            )* };
        }
        for_all!(store_all);
    }
}

/// Of each 2×2 the largest is stored, and which one it was.
#[derive(Clone, Copy)]
pub(super) struct Pool<'a> {
    /// Layout of the pool's results.
    pub output: &'a View,
    pub bias: Option<&'a [f32]>,
    pub y: *mut f32,
    pub winners: Option<*mut u8>,
    /// Bytes from the winners of an image to those of the next.
    pub pitch: usize,
}

impl Finish for Pool<'_> {
    #[inline(always)]
    fn bias(&self) -> Option<&[f32]> {
        self.bias
    }

    #[inline(always)]
    unsafe fn finish<L: Lanes, const R: usize, const M: usize, const V: usize, const FULL: bool>(
        &self,
        place: Place,
        outputs: [[[L; V]; M]; R],
    ) {
        let (output, row, column) = (self.output, place.row / 2, place.column / 2);
        let y = self.y.wrapping_add(output.at(place.image, row, column) + place.channel);
        let from = place.image * self.pitch + (row * output.width + column) * output.channels + place.channel;
        macro_rules! pool_all {
            ($(($r:literal, $m:literal)),*) => { $(
                if 2 * $r + 1 < R && 2 * $m + 1 < M {
                    for v in 0..V {
                        let [above, below] = [&outputs[2 * $r], &outputs[2 * $r + 1]];
                        let four = [above[2 * $m][v], above[2 * $m + 1][v], below[2 * $m][v], below[2 * $m + 1][v]];
                        let count = if FULL { L::N } else { lanes_of::<L>(place.channels, v) };
                        let at = $m * output.channels + v * L::N;
                        // SAFETY: the caller's promise.
                        unsafe {
                            store(largest_of_four(four), y.wrapping_add($r * output.row_pitch + at), count);
                            if let Some(winners) = self.winners {
                                let at = from + $r * output.width * output.channels + at;
                                place_of_four::<L>(four).store_bytes(winners.wrapping_add(at), count);
                            }
                        }
                    }
                }
            )* };
        }
        for_all!(pool_all);
    }
}
