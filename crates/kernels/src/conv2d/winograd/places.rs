//! Products of transformed numbers, place by place: matrices of tiles by channels.

use super::Span;
use crate::conv2d::Walk;
use crate::conv2d::kernel_gradient::{self, tile_of as gradient_tile};
use crate::conv2d::pack::width;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::prefetch::{Ahead, prefetch_from};
use crate::tile::{self, Runs, Steps, for_tile};

/// Transformed numbers of some tiles, `[place][tile][pitch]`.
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub start: *mut f32,
    pub channels: usize,
    pub pitch: usize,
    /// Numbers from a place to the next.
    pub place: usize,
}

/// Numbers between places, so that what lies alike at all places does not fall into the same lines of the first-level cache.
const GAP: usize = 16;

/// Numbers from a place of a packed kernel to the next, of `rows` rows of so many lanes.
pub(super) fn packed_place(lanes: usize, rows: usize) -> usize {
    Field::pitch(lanes) * rows + GAP
}

impl Field {
    /// Numbers from a tile to the next: whole vectors of every instruction set.
    pub fn pitch(channels: usize) -> usize {
        channels.next_multiple_of(width(channels))
    }

    /// Numbers of a place with `tiles` tiles.
    pub fn place(channels: usize, tiles: usize) -> usize {
        tiles * Field::pitch(channels) + GAP
    }

    /// The channels of a tile at a place.
    #[inline(always)]
    pub fn at(&self, place: usize, tile: usize) -> *mut f32 {
        self.start.wrapping_add(place * self.place + tile * self.pitch)
    }
}

/// A vector or two of output channels.
struct Strip {
    first: usize,
    vectors: usize,
    channels: usize,
}

/// The strips of `outputs` channels: each lies in one block of a packed kernel.
#[inline(always)]
fn strips<L: Lanes>(outputs: usize) -> impl Iterator<Item = Strip> {
    let width = width(outputs);
    (0..outputs).step_by(2 * L::N).map(move |first| {
        let left = outputs - first;
        let vectors = if left > L::N && width > first % width + L::N { 2 } else { 1 };
        Strip { first, vectors, channels: left.min(vectors * L::N) }
    })
}

/// `to[place][tile] = from[place][tile] · weights[place]`, with weights packed in blocks of outputs. Whoever makes it has
/// seen that both fields hold `tiles` tiles at each of `places` places, and the weights theirs.
pub(super) struct Multiply<'a, 'b> {
    pub places: usize,
    pub tiles: usize,
    pub from: Field,
    pub weights: *const f32,
    pub to: Field,
    /// What is read or written next, and fetched meanwhile.
    pub next: Span,
    /// What others will touch, fetched meanwhile as well.
    pub ahead: &'a mut Ahead<'b>,
}

impl Kernel for Multiply<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Multiply { places, tiles, from, weights, to, next, ahead } = self;
        let share = next.len.div_ceil(places);
        let width = width(to.channels);
        let place_len = packed_place(to.channels, from.channels);
        let pixels = [1, 2].map(|vectors| tile::best::<L>(tiles, vectors));
        for place in 0..places {
            let fetched = (place * share).min(next.len);
            prefetch_from(next.start.wrapping_add(fetched), share.min(next.len - fetched));
            for strip in strips::<L>(to.channels) {
                let block = strip.first / width * width * from.channels + strip.first % width;
                let matrix = Matrix {
                    from: from.at(place, 0),
                    from_pitch: from.pitch,
                    inputs: from.channels,
                    weights: weights.wrapping_add(place * place_len + block),
                    width,
                    to: to.at(place, 0).wrapping_add(strip.first),
                    to_pitch: to.pitch,
                    tiles,
                };
                // SAFETY: fields and weights have room, as their maker has seen; a strip's vectors end where the pitch does at the latest.
                unsafe { for_tile!(pixels[strip.vectors - 1], strip.vectors, rows::<L>(&matrix, ahead)) }
            }
        }
    }
}

/// The product of one strip at one place.
struct Matrix {
    from: *const f32,
    from_pitch: usize,
    inputs: usize,
    weights: *const f32,
    width: usize,
    to: *mut f32,
    to_pitch: usize,
    tiles: usize,
}

/// # Safety
/// At least `P` tiles can be read, and written with `V` vectors; so can the weights.
#[inline(always)]
unsafe fn rows<L: Lanes, const P: usize, const V: usize>(matrix: &Matrix, ahead: &mut Ahead<'_>) {
    let (steps, runs) = (Steps::of(matrix.from_pitch), Runs::one(matrix.inputs));
    let mut done = 0;
    while done < matrix.tiles {
        // The last tiles reach back over some that are done: they get the same values again.
        done = done.min(matrix.tiles - P);
        let first = matrix.from.wrapping_add(done * matrix.from_pitch);
        let mut acc = [[L::splat(0.0); V]; P];
        // SAFETY: the caller's promise, for tiles `done..done + P`.
        unsafe {
            let (weights, width) = (matrix.weights, matrix.width);
            tile::multiply_asking::<L, P, V>(&mut acc, first, &steps, &runs, weights, width, ahead);
            for p in 0..P {
                for v in 0..V {
                    acc[p][v].store(matrix.to.add((done + p) * matrix.to_pitch + v * L::N));
                }
            }
        }
        done += P;
    }
}

/// `gradient[place][input][output] += sum over tiles of x[place][tile] · dy[place][tile]`, packed. Whoever makes it has
/// seen that both fields hold `tiles` tiles at each of `places` places, and the gradient its blocks.
pub(super) struct AddOuter<'a, 'b> {
    pub places: usize,
    pub tiles: usize,
    pub x: Field,
    pub dy: Field,
    /// Whether what is there is overwritten.
    pub begin: bool,
    pub gradient: *mut f32,
    /// What others will touch, fetched meanwhile.
    pub ahead: &'a mut Ahead<'b>,
}

impl Kernel for AddOuter<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let AddOuter { places, tiles, x, dy, begin, gradient, ahead } = self;
        let width = width(dy.channels);
        let place_len = packed_place(dy.channels, x.channels);
        let walk = Walk { n: 1, rows: 1, columns: tiles, input: [0, 0, 0, x.pitch], output: [0, 0, 0, dy.pitch] };
        for place in 0..places {
            for strip in strips::<L>(dy.channels) {
                let block = strip.first / width * width * x.channels + strip.first % width;
                let operands = kernel_gradient::Strip {
                    walk: &walk,
                    x: x.at(place, 0),
                    dy: dy.at(place, 0).wrapping_add(strip.first),
                    pitch: width,
                    channels: strip.channels,
                    begin,
                };
                let most = kernel_gradient::most_rows::<L>(strip.vectors);
                for first in (0..x.channels).step_by(most) {
                    let rows = most.min(x.channels - first);
                    let beside = ahead.during(tiles, rows * strip.vectors);
                    let to = gradient.wrapping_add(place * place_len + block + first * width);
                    // SAFETY: fields and gradient have room, as their maker has seen: for inputs `first..first + rows` and the strip's outputs.
                    unsafe { for_tile!(rows, strip.vectors, gradient_tile::<L>(&operands, first, to, beside)) };
                }
            }
        }
    }
}
