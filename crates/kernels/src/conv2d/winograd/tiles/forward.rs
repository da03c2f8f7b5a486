//! The way forward: inputs of tiles to their transformed numbers, and sums of products to outputs.

use super::super::transform::{Transform, both};
use super::{Chunk, FEW, MANY, Pixels, Position, known, known_tiles, load, store, vectors};
use crate::channels;
use crate::conv2d::Epilogue;
use crate::lanes::Lanes;

/// `Bᵀ d B` of the inputs of tiles.
///
/// # Safety
/// The tiles' inputs can be read, borders included, and the field of inputs has room.
#[inline(always)]
pub(super) unsafe fn transform_inputs<L: Lanes, F: Transform<M, T>, const M: usize, const T: usize>(
    chunk: &Chunk<'_>,
    transform: F,
    x: *const f32,
) -> Position {
    let (input, [top, left, ..]) = (&chunk.conv.input, chunk.conv.window.padding);
    let place = chunk.field.place;
    let mut runs = chunk.runs::<M>();
    for (index, run) in &mut runs {
        let start = input.at(run.image, run.y, run.x) - top * input.row_pitch - left * input.channels;
        for (tile, channel) in vectors::<L>(run.tiles, input.channels) {
            let count = L::N.min(input.channels - channel);
            let pixels = Pixels { row: input.row_pitch, column: input.channels, count };
            // SAFETY: the caller's promise.
            unsafe {
                let x = x.add(start + tile * M * input.channels + channel);
                let v = chunk.field.at(0, index + tile).add(channel);
                match (count == L::N, known_tiles::<L>(&chunk.field)) {
                    (true, FEW) => transform_input::<L, F, M, T, true, FEW>(transform, x, pixels, v, place),
                    (true, MANY) => transform_input::<L, F, M, T, true, MANY>(transform, x, pixels, v, place),
                    (true, _) => transform_input::<L, F, M, T, true, 0>(transform, x, pixels, v, place),
                    (false, _) => transform_input::<L, F, M, T, false, 0>(transform, x, pixels, v, place),
                }
            }
        }
    }
    runs.position
}

/// # Safety
/// The tile's inputs can be read at `x`; `T * T` vectors, `place` apart, can be written at `v`.
#[inline(always)]
unsafe fn transform_input<
    L: Lanes,
    F: Transform<M, T>,
    const M: usize,
    const T: usize,
    const FULL: bool,
    const TILES: usize,
>(
    transform: F,
    x: *const f32,
    pixels: Pixels,
    v: *mut f32,
    place: usize,
) {
    let (place, pixels) = known::<L, TILES>(place, pixels);
    // SAFETY: the caller's promise.
    unsafe {
        both!(
            transform.input,
            T,
            T,
            |row| row * F::parts::<L>() / T,
            |i, j| load::<L, FULL>(x.add(i * pixels.row + j * pixels.column), pixels.count),
            |i, j, value| value.store(v.add((i * T + j) * place))
        );
    }
}

/// `Aᵀ m A` and what follows: the outputs of tiles.
///
/// # Safety
/// The field of outputs holds the tiles, whose outputs can be written, and what is added to them read.
#[inline(always)]
pub(super) unsafe fn store_outputs<L: Lanes, F: Transform<M, T>, const M: usize, const T: usize>(
    chunk: &Chunk<'_>,
    transform: F,
    Epilogue { bias, added, relu, .. }: Epilogue<'_>,
    y: *mut f32,
) -> Position {
    let (output, place) = (&chunk.conv.output, chunk.field.place);
    let mut runs = chunk.runs::<M>();
    for (index, run) in &mut runs {
        let start = output.at(run.image, run.y, run.x);
        for (tile, channel) in vectors::<L>(run.tiles, output.channels) {
            let count = L::N.min(output.channels - channel);
            let pixels = Pixels { row: output.row_pitch, column: output.channels, count };
            // SAFETY: the caller's promise; the bias has as many numbers as there are channels.
            unsafe {
                let bias = match bias {
                    Some(bias) => channels::load(bias[channel..].as_ptr(), count),
                    None => L::splat(0.0),
                };
                let at = tile * M * output.channels + channel;
                let (m, y) = (chunk.field.at(0, index + tile).add(channel), y.add(start + at));
                let added = added.map(|(view, added)| {
                    let start = view.at(run.image, run.y, run.x) + at;
                    (added.as_ptr().add(start), Pixels { row: view.row_pitch, ..pixels })
                });
                match (count == L::N, known_tiles::<L>(&chunk.field)) {
                    (true, FEW) => {
                        store_output::<L, F, M, T, true, FEW>(transform, m, place, (bias, added, relu), y, pixels)
                    }
                    (true, _) => {
                        store_output::<L, F, M, T, true, 0>(transform, m, place, (bias, added, relu), y, pixels)
                    }
                    (false, _) => {
                        store_output::<L, F, M, T, false, 0>(transform, m, place, (bias, added, relu), y, pixels)
                    }
                }
            }
        }
    }
    runs.position
}

/// # Safety
/// `T * T` vectors, `place` apart, can be read at `m`; the tile's outputs can be written at `y`, and what is added read.
#[inline(always)]
unsafe fn store_output<
    L: Lanes,
    F: Transform<M, T>,
    const M: usize,
    const T: usize,
    const FULL: bool,
    const TILES: usize,
>(
    transform: F,
    m: *const f32,
    place: usize,
    (bias, added, relu): (L, Option<(*const f32, Pixels)>, bool),
    y: *mut f32,
    pixels: Pixels,
) {
    let zero = L::splat(0.0);
    let (place, pixels) = known::<L, TILES>(place, pixels);
    // SAFETY: the caller's promise.
    unsafe {
        both!(
            transform.output,
            T,
            M,
            |row| row % F::parts::<L>(),
            |i, j| L::load(m.add((i * T + j) * place)),
            |i, j, value| {
                let mut value = value.add(bias);
                if let Some((added, at)) = added {
                    value = value.add(load::<L, FULL>(added.add(i * at.row + j * at.column), at.count));
                }
                // What is not a number stays: `max` gives its second operand.
                let value = if relu { zero.max(value) } else { value };
                store::<L, FULL>(value, y.add(i * pixels.row + j * pixels.column), pixels.count)
            }
        );
    }
}
