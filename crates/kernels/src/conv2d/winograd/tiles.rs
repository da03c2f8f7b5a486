//! From pixels to transformed numbers and back: tiles gathered from images, and stored or added to them.

use super::MOST_TILES;
use super::few::AT_ONCE;
use super::places::Field;
use super::transform::{Transform, both};
use crate::channels;
use crate::conv2d::{Conv2d, Epilogue};
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
    Outputs { epilogue: Epilogue<'a>, y: *mut f32 },
    /// The field of inputs, added to dx.
    AddToInputs(*mut f32),
}

/// Tiles of images and their transformed numbers, of inputs or of outputs.
#[derive(Clone, Copy)]
pub(super) struct Chunk<'a> {
    pub conv: &'a Conv2d,
    pub first: Position,
    pub tiles: usize,
    pub field: Field,
    pub side: Side<'a>,
}

impl<'a> Chunk<'a> {
    fn runs<const M: usize>(&self) -> Runs<'a, M> {
        Runs { conv: self.conv, position: self.first, done: 0, tiles: self.tiles }
    }
}

/// The runs that a chunk's tiles make, each behind the number of its first tile; then where the next chunk begins.
struct Runs<'a, const M: usize> {
    conv: &'a Conv2d,
    position: Position,
    done: usize,
    tiles: usize,
}

impl<const M: usize> Iterator for Runs<'_, M> {
    type Item = (usize, Run);

    #[inline(always)]
    fn next(&mut self) -> Option<(usize, Run)> {
        if self.done == self.tiles {
            return None;
        }
        let run = self.position.take::<M>(self.conv, self.tiles - self.done);
        let first = self.done;
        self.done += run.tiles;
        Some((first, run))
    }
}

/// Where a tile lies among those of images: its image, and the row and column where its outputs would begin if none reached
/// back.
#[derive(Clone, Copy)]
pub(super) struct Position {
    image: usize,
    row: usize,
    column: usize,
}

/// Tiles side by side: where the outputs of the first begin, and how many rows and columns of them earlier tiles have had.
#[derive(Clone, Copy)]
struct Run {
    image: usize,
    y: usize,
    x: usize,
    done: [usize; 2],
    tiles: usize,
}

impl Position {
    /// Of the tile of this number, images one after the other.
    pub fn of(conv: &Conv2d, outputs: usize, number: usize) -> Position {
        let [rows, columns] = [conv.output.height, conv.output.width].map(|size| size.div_ceil(outputs));
        let (row, column) = (number / columns % rows * outputs, number % columns * outputs);
        Position { image: number / columns / rows, row, column }
    }

    /// The tiles from here on that lie side by side, at most so many; moves on to the next. One that reaches back is alone.
    #[inline(always)]
    fn take<const M: usize>(&mut self, conv: &Conv2d, most: usize) -> Run {
        let Position { image, row, column } = *self;
        let (y, x) = (row.min(conv.output.height - M), column.min(conv.output.width - M));
        let tiles = ((conv.output.width - x) / M).clamp(1, most);
        self.column += tiles * M;
        if self.column >= conv.output.width {
            (self.column, self.row) = (0, row + M);
        }
        if self.row >= conv.output.height {
            (self.row, self.image) = (0, image + 1);
        }
        Run { image, y, x, done: [row - y, column - x], tiles }
    }
}

/// A chunk and its transform.
pub(super) struct Transformed<'a, F, const M: usize, const T: usize> {
    pub chunk: Chunk<'a>,
    pub transform: F,
}

impl<F: Transform<M, T>, const M: usize, const T: usize> Kernel for Transformed<'_, F, M, T> {
    /// Where the tiles behind it begin.
    type Output = Position;

    #[inline(always)]
    fn run<L: Lanes>(self) -> Position {
        let Transformed { chunk, transform } = self;
        // SAFETY: the chunk's tiles lie inside images whose lengths are asserted, and its fields have room for them.
        unsafe {
            match chunk.side {
                Side::Inputs(x) => transform_inputs::<L, F, M, T>(&chunk, transform, x),
                Side::Gradients(dy) => transform_gradients::<L, F, M, T>(&chunk, transform, dy),
                Side::Outputs { epilogue, y } => store_outputs::<L, F, M, T>(&chunk, transform, epilogue, y),
                Side::AddToInputs(dx) => add_inputs::<L, F, M, T>(&chunk, transform, dx),
            }
        }
    }
}

/// Pixels of an image from a tile's first on: numbers from a row and a column to the next, and how many channels of a
/// vector there are.
#[derive(Clone, Copy)]
struct Pixels {
    row: usize,
    column: usize,
    count: usize,
}

/// The first `count` numbers; all of a vector where it is known to be `FULL`, without a branch.
///
/// # Safety
/// So many can be read.
#[inline(always)]
unsafe fn load<L: Lanes, const FULL: bool>(from: *const f32, count: usize) -> L {
    // SAFETY: the caller's promise.
    unsafe { if FULL { L::load(from) } else { L::load_first(from, count) } }
}

/// Writes the first `count` numbers; all of a vector where it is known to be `FULL`.
///
/// # Safety
/// So many can be written.
#[inline(always)]
unsafe fn store<L: Lanes, const FULL: bool>(value: L, to: *mut f32, count: usize) {
    // SAFETY: the caller's promise.
    unsafe { if FULL { value.store(to) } else { value.store_first(to, count) } }
}

/// Tiles, and the first channel of each of their vectors.
#[inline(always)]
fn vectors<L: Lanes>(tiles: usize, channels: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..tiles).flat_map(move |tile| (0..channels).step_by(L::N).map(move |channel| (tile, channel)))
}

/// Tiles of a field of exactly one vector whose places are known when this is compiled: 36 places of a few tiles would be as
/// much work as the tiles. Those that are multiplied at once, and those of a chunk.
const FEW: usize = AT_ONCE;
const MANY: usize = MOST_TILES;

/// Which of these a chunk's field has, 0 if another number or other channels. Asked for every vector: known before a loop over
/// them, it makes that loop slower.
#[inline(always)]
fn known_tiles<L: Lanes>(field: &Field) -> usize {
    let has = |tiles| field.place == Field::place(L::N, tiles);
    match field.is_vectors::<L>() {
        true if has(FEW) => FEW,
        true if has(MANY) => MANY,
        _ => 0,
    }
}

/// Numbers from a place to the next and from a pixel to the next, where `TILES` says that they are known.
#[inline(always)]
fn known<L: Lanes, const TILES: usize>(place: usize, pixels: Pixels) -> (usize, Pixels) {
    if TILES == 0 { (place, pixels) } else { (Field::place(L::N, TILES), Pixels { column: L::N, ..pixels }) }
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

/// `A dy Aᵀ` of the gradients of the tiles' outputs.
///
/// # Safety
/// The tiles' outputs can be read, and the field of outputs has room.
#[inline(always)]
unsafe fn transform_gradients<L: Lanes, F: Transform<M, T>, const M: usize, const T: usize>(
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

/// `Aᵀ m A` and what follows: the outputs of tiles.
///
/// # Safety
/// The field of outputs holds the tiles, whose outputs can be written, and what is added to them read.
#[inline(always)]
unsafe fn store_outputs<L: Lanes, F: Transform<M, T>, const M: usize, const T: usize>(
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

/// Adds `B v Bᵀ` to the gradients of the tiles' inputs, where they lie inside the image. What no earlier tile has reached is
/// written: together the tiles of an image reach all of it, unless [`reach_all`] says otherwise.
///
/// # Safety
/// The field of inputs holds the tiles, whose inputs can be written.
#[inline(always)]
unsafe fn add_inputs<L: Lanes, F: Transform<M, T>, const M: usize, const T: usize>(
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
pub(super) fn reach_all(conv: &Conv2d) -> bool {
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
