//! The way back: gradients of outputs to transformed numbers, and sums of products added to gradients of inputs.

use super::super::transform::{Transform, both};
use super::{Chunk, FEW, MANY, Pixels, Position, known, known_tiles, load, store, vectors};
use crate::conv2d::Conv2d;
use crate::lanes::Lanes;

/// `A dy Aᵀ` of the gradients of the tiles' outputs.
///
/// # Safety
/// The tiles' outputs can be read, and the field of outputs has room.
#[inline(always)]
pub(super) unsafe fn transform_gradients<L: Lanes, F: Transform<M, T>, const M: usize, const T: usize>(
    chunk: &Chunk<'_>,
    transform: F,
    dy: *const f32,
) -> Position {
    let (output, place) = (&chunk.conv.output, chunk.field.place);
    let mut runs = chunk.runs::<M>();
    for (index, run) in &mut runs {
        let start = output.at(run.image, run.y, run.x);
        for (tile, channel) in vectors::<L>(run.tiles, output.channels) {
            let count = L::N.min(output.channels - channel);
            let pixels = Pixels { row: output.row_pitch, column: output.channels, count };
            // SAFETY: the caller's promise.
            unsafe {
                let dy = dy.add(start + tile * M * output.channels + channel);
                let m = chunk.field.at(0, index + tile).add(channel);
                match (count == L::N && run.done == [0; 2], known_tiles::<L>(&chunk.field)) {
                    (true, FEW) => transform_gradient::<L, F, M, T, true, FEW>(transform, dy, pixels, [0; 2], m, place),
                    (true, MANY) => {
                        transform_gradient::<L, F, M, T, true, MANY>(transform, dy, pixels, [0; 2], m, place)
                    }
                    (true, _) => transform_gradient::<L, F, M, T, true, 0>(transform, dy, pixels, [0; 2], m, place),
                    (false, _) => transform_gradient::<L, F, M, T, false, 0>(transform, dy, pixels, run.done, m, place),
                }
            }
        }
    }
    runs.position
}

/// `FULL` also says that nothing of the tile is done.
///
/// # Safety
/// The tile's outputs can be read at `dy`; `T * T` vectors, `place` apart, can be written at `m`.
#[inline(always)]
unsafe fn transform_gradient<
    L: Lanes,
    F: Transform<M, T>,
    const M: usize,
    const T: usize,
    const FULL: bool,
    const TILES: usize,
>(
    transform: F,
    dy: *const f32,
    pixels: Pixels,
    done: [usize; 2],
    m: *mut f32,
    place: usize,
) {
    let (place, pixels) = known::<L, TILES>(place, pixels);
    // SAFETY: the caller's promise.
    unsafe {
        both!(
            transform.output_back,
            M,
            T,
            |row| row * F::parts::<L>() / T,
            |i, j| match FULL || (i >= done[0] && j >= done[1]) {
                true => load::<L, FULL>(dy.add(i * pixels.row + j * pixels.column), pixels.count),
                false => L::splat(0.0),
            },
            |i, j, value| value.store(m.add((i * T + j) * place))
        );
    }
}

/// Adds `B v Bᵀ` to the gradients of the tiles' inputs, where they lie inside the image. What no earlier tile has reached is
/// written: together the tiles of an image reach all of it, unless [`reach_all`] says otherwise.
///
/// # Safety
/// The field of inputs holds the tiles, whose inputs can be written.
#[inline(always)]
pub(super) unsafe fn add_inputs<L: Lanes, F: Transform<M, T>, const M: usize, const T: usize>(
    chunk: &Chunk<'_>,
    transform: F,
    dx: *mut f32,
) -> Position {
    let (input, [top, left, ..]) = (&chunk.conv.input, chunk.conv.window.padding);
    let place = chunk.field.place;
    let mut runs = chunk.runs::<M>();
    for (index, run) in &mut runs {
        // Rows and columns of a tile that are no padding; those before the middle one have been reached.
        let inside = |axis: usize, start: usize, padding: usize, size: usize| {
            let reached = if start == 0 { 0 } else { T - M + run.done[axis] };
            [padding.saturating_sub(start), reached, (size + padding).saturating_sub(start).min(T)]
        };
        let rows = inside(0, run.y, top, input.height);
        // The place of the first number, which may lie in a border that is not there.
        let start =
            (input.at(run.image, run.y, run.x)).wrapping_sub(top * input.row_pitch).wrapping_sub(left * input.channels);
        for (tile, channel) in vectors::<L>(run.tiles, input.channels) {
            let columns = inside(1, run.x + tile * M, left, input.width);
            let is_inner = [rows, columns] == [[0, T - M, T]; 2];
            let count = L::N.min(input.channels - channel);
            let pixels = Pixels { row: input.row_pitch, column: input.channels, count };
            // SAFETY: the caller's promise.
            unsafe {
                let v = chunk.field.at(0, index + tile).add(channel);
                let dx = dx.wrapping_add(start).wrapping_add(tile * M * input.channels + channel);
                let at = [rows, columns];
                match (count == L::N, is_inner, known_tiles::<L>(&chunk.field)) {
                    (true, true, FEW) => add_input::<L, F, M, T, true, true, FEW>(transform, v, place, dx, pixels, at),
                    (true, true, _) => add_input::<L, F, M, T, true, true, 0>(transform, v, place, dx, pixels, at),
                    (true, false, FEW) => {
                        add_input::<L, F, M, T, true, false, FEW>(transform, v, place, dx, pixels, at)
                    }
                    (true, false, _) => add_input::<L, F, M, T, true, false, 0>(transform, v, place, dx, pixels, at),
                    (false, ..) => add_input::<L, F, M, T, false, false, 0>(transform, v, place, dx, pixels, at),
                }
            }
        }
    }
    runs.position
}

/// Whether the tiles of an image reach all of its input: they do not where outputs at the end are left out.
pub(in super::super) fn reach_all(conv: &Conv2d) -> bool {
    let [top, left, ..] = conv.window.padding;
    let [rows, columns] = [conv.output.height + 2, conv.output.width + 2];
    rows >= conv.input.height + top && columns >= conv.input.width + left
}

/// `INNER` says that all of the tile lies inside the image, and that tiles above and on the left have been there.
///
/// # Safety
/// `T * T` vectors, `place` apart, can be read at `v`; what lies in `rows` and `columns` (first, first that is new, end) can
/// be read and written at `dx`.
#[inline(always)]
unsafe fn add_input<
    L: Lanes,
    F: Transform<M, T>,
    const M: usize,
    const T: usize,
    const FULL: bool,
    const INNER: bool,
    const TILES: usize,
>(
    transform: F,
    v: *const f32,
    place: usize,
    dx: *mut f32,
    pixels: Pixels,
    [rows, columns]: [[usize; 3]; 2],
) {
    let (place, pixels) = known::<L, TILES>(place, pixels);
    let [rows, columns] = if INNER { [[0, T - M, T]; 2] } else { [rows, columns] };
    // SAFETY: the caller's promise.
    unsafe {
        both!(
            transform.input_back,
            T,
            T,
            |row| row % F::parts::<L>(),
            |i, j| L::load(v.add((i * T + j) * place)),
            |i, j, value| {
                if (rows[0]..rows[2]).contains(&i) && (columns[0]..columns[2]).contains(&j) {
                    let to = dx.wrapping_add(i * pixels.row + j * pixels.column);
                    let is_new = i >= rows[1] && j >= columns[1];
                    let value = if is_new { value } else { load::<L, FULL>(to, pixels.count).add(value) };
                    store::<L, FULL>(value, to, pixels.count)
                }
            }
        );
    }
}
