//! Tiles of images: in which order they are taken, what they have of earlier ones, and which side is transformed. `forward`
//! gathers inputs and stores outputs, `backward` gathers gradients and adds them to those of the inputs.

mod backward;
mod forward;

use super::MOST_TILES;
use super::few::AT_ONCE;
use super::places::Field;
use super::transform::Transform;
use crate::conv2d::{Conv2d, Epilogue};
use crate::isa::Kernel;
use crate::lanes::Lanes;
pub(super) use backward::reach_all;

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
                Side::Inputs(x) => forward::transform_inputs::<L, F, M, T>(&chunk, transform, x),
                Side::Gradients(dy) => backward::transform_gradients::<L, F, M, T>(&chunk, transform, dy),
                Side::Outputs { epilogue, y } => forward::store_outputs::<L, F, M, T>(&chunk, transform, epilogue, y),
                Side::AddToInputs(dx) => backward::add_inputs::<L, F, M, T>(&chunk, transform, dx),
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
