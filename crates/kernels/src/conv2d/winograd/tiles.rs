//! From pixels to transformed numbers and back: tiles gathered from images, and stored or added to them.

use super::places::Field;
use super::transform::{Transform, both};
use crate::channels::load;
use crate::conv2d::Conv2d;
use crate::isa::Kernel;
use crate::lanes::Lanes;

/// What is transformed, from or to images whose lengths the passes have asserted.
#[derive(Clone, Copy)]
pub(super) enum Side<'a> {
    /// x to the field of inputs.
    Inputs(*const f32),
    /// dy to the field of outputs.
    Gradients(*const f32),
    /// The field of outputs to y.
    Outputs { bias: Option<&'a [f32]>, relu: bool, y: *mut f32 },
    /// The field of inputs, added to dx.
    AddToInputs(*mut f32),
}

/// Tiles of images and their transformed numbers.
#[derive(Clone, Copy)]
pub(super) struct Chunk<'a> {
    pub conv: &'a Conv2d,
    pub first: usize,
    pub tiles: usize,
    pub inputs: Field,
    pub outputs: Field,
    pub side: Side<'a>,
}

/// Where a tile's outputs begin, and how many rows and columns of them earlier tiles have had.
#[derive(Clone, Copy)]
struct Tile {
    image: usize,
    y: usize,
    x: usize,
    done: [usize; 2],
}

impl Tile {
    /// The tile of this number, images one after the other.
    fn of<const M: usize>(conv: &Conv2d, number: usize) -> Tile {
        let (rows, columns) = (conv.output.height.div_ceil(M), conv.output.width.div_ceil(M));
        let (row, column) = (number / columns % rows * M, number % columns * M);
        let (y, x) = (row.min(conv.output.height - M), column.min(conv.output.width - M));
        Tile { image: number / columns / rows, y, x, done: [row - y, column - x] }
    }
}

/// A chunk and its transform.
pub(super) struct Transformed<'a, F, const M: usize, const T: usize> {
    pub chunk: Chunk<'a>,
    pub transform: F,
}

impl<F: Transform<M, T>, const M: usize, const T: usize> Kernel for Transformed<'_, F, M, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Transformed { chunk, transform } = self;
        // SAFETY: the chunk's tiles lie inside images whose lengths are asserted, and its fields have room for them.
        unsafe {
            match chunk.side {
                Side::Inputs(x) => transform_inputs::<L, F, M, T>(&chunk, transform, x),
                Side::Gradients(dy) => transform_gradients::<L, F, M, T>(&chunk, transform, dy),
                Side::Outputs { bias, relu, y } => store_outputs::<L, F, M, T>(&chunk, transform, (bias, relu, y)),
                Side::AddToInputs(dx) => add_inputs::<L, F, M, T>(&chunk, transform, dx),
            }
        }
    }
}

/// `Bᵀ d B` of the inputs of tiles.
///
/// # Safety
/// The tiles' inputs can be read, borders included, and the field of inputs has room.
#[inline(always)]
unsafe fn transform_inputs<L: Lanes, F: Transform<M, T>, const M: usize, const T: usize>(
    chunk: &Chunk<'_>,
    transform: F,
    x: *const f32,
) {
    let (input, [top, left, ..]) = (&chunk.conv.input, chunk.conv.window.padding);
    for index in 0..chunk.tiles {
        let tile = Tile::of::<M>(chunk.conv, chunk.first + index);
        let start = input.at(tile.image, tile.y, tile.x) - top * input.row_pitch - left * input.channels;
        for channel in (0..input.channels).step_by(L::N) {
            let count = L::N.min(input.channels - channel);
            // SAFETY: the caller's promise.
            unsafe {
                let (x, v) = (x.add(start + channel), chunk.inputs.at(0, index).add(channel));
                both!(
                    transform.input,
                    T,
                    T,
                    |i, j| load::<L>(x.add(i * input.row_pitch + j * input.channels), count),
                    |i, j, value| value.store(v.add((i * T + j) * chunk.inputs.place))
                );
            }
        }
    }
}

/// `A dy Aᵀ` of the gradients of the tiles' outputs.
///
/// # Safety
/// The tiles' outputs can be read, and the field of outputs has room.
#[inline(always)]
unsafe fn transform_gradients<L: Lanes, F: Transform<M, T>, const M: usize, const T: usize>(
    chunk: &Chunk<'_>,
    transform: F,
    dy: *const f32,
) {
    let output = &chunk.conv.output;
    for index in 0..chunk.tiles {
        let tile = Tile::of::<M>(chunk.conv, chunk.first + index);
        let start = output.at(tile.image, tile.y, tile.x);
        for channel in (0..output.channels).step_by(L::N) {
            let count = L::N.min(output.channels - channel);
            // SAFETY: the caller's promise.
            unsafe {
                let (dy, m) = (dy.add(start + channel), chunk.outputs.at(0, index).add(channel));
                both!(
                    transform.output_back,
                    M,
                    T,
                    |i, j| match i >= tile.done[0] && j >= tile.done[1] {
                        true => load::<L>(dy.add(i * output.row_pitch + j * output.channels), count),
                        false => L::splat(0.0),
                    },
                    |i, j, value| value.store(m.add((i * T + j) * chunk.outputs.place))
                );
            }
        }
    }
}

/// `Aᵀ m A` with bias and relu: the outputs of tiles.
///
/// # Safety
/// The field of outputs holds the tiles, whose outputs can be written.
#[inline(always)]
unsafe fn store_outputs<L: Lanes, F: Transform<M, T>, const M: usize, const T: usize>(
    chunk: &Chunk<'_>,
    transform: F,
    (bias, relu, y): (Option<&[f32]>, bool, *mut f32),
) {
    let (output, zero) = (&chunk.conv.output, L::splat(0.0));
    for index in 0..chunk.tiles {
        let tile = Tile::of::<M>(chunk.conv, chunk.first + index);
        let start = output.at(tile.image, tile.y, tile.x);
        for channel in (0..output.channels).step_by(L::N) {
            let count = L::N.min(output.channels - channel);
            // SAFETY: the caller's promise; the bias has as many numbers as there are channels.
            unsafe {
                let bias = match bias {
                    Some(bias) => load(bias[channel..].as_ptr(), count),
                    None => zero,
                };
                let (m, y) = (chunk.outputs.at(0, index).add(channel), y.add(start + channel));
                both!(
                    transform.output,
                    T,
                    M,
                    |i, j| L::load(m.add((i * T + j) * chunk.outputs.place)),
                    |i, j, value| {
                        let value = value.add(bias);
                        let value = if relu { zero.max(value) } else { value };
                        let to = y.add(i * output.row_pitch + j * output.channels);
                        if count == L::N { value.store(to) } else { value.store_first(to, count) }
                    }
                );
            }
        }
    }
}

/// Adds `B v Bᵀ` to the gradients of the tiles' inputs, where they lie inside the image.
///
/// # Safety
/// The field of inputs holds the tiles, whose inputs can be written.
#[inline(always)]
unsafe fn add_inputs<L: Lanes, F: Transform<M, T>, const M: usize, const T: usize>(
    chunk: &Chunk<'_>,
    transform: F,
    dx: *mut f32,
) {
    let (input, [top, left, ..]) = (&chunk.conv.input, chunk.conv.window.padding);
    for index in 0..chunk.tiles {
        let tile = Tile::of::<M>(chunk.conv, chunk.first + index);
        // Rows and columns of the tile that are no padding.
        let inside = |start: usize, padding: usize, size: usize| {
            padding.saturating_sub(start)..(size + padding).saturating_sub(start).min(T)
        };
        let (rows, columns) = (inside(tile.y, top, input.height), inside(tile.x, left, input.width));
        for channel in (0..input.channels).step_by(L::N) {
            let count = L::N.min(input.channels - channel);
            // SAFETY: the caller's promise.
            unsafe {
                let v = chunk.inputs.at(0, index).add(channel);
                both!(
                    transform.input_back,
                    T,
                    T,
                    |i, j| L::load(v.add((i * T + j) * chunk.inputs.place)),
                    |i, j, value| {
                        if rows.contains(&i) && columns.contains(&j) {
                            let pixel =
                                input.at(tile.image, tile.y + i - top, 0) + (tile.x + j - left) * input.channels;
                            let to = dx.add(pixel + channel);
                            let sum = load::<L>(to, count).add(value);
                            if count == L::N { sum.store(to) } else { sum.store_first(to, count) }
                        }
                    }
                );
            }
        }
    }
}
