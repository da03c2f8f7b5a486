//! Products of transformed numbers, place by place: matrices of tiles by channels.

use std::ops::Range;

use super::pass::Span;
use crate::conv2d::Walk;
use crate::conv2d::kernel_gradient::{self, tile_of as gradient_tile};
use crate::conv2d::pack::width;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::prefetch::Ahead;
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

    /// Whether tiles are exactly one vector each.
    #[inline(always)]
    pub fn is_vectors<L: Lanes>(&self) -> bool {
        (self.channels, self.pitch) == (L::N, L::N)
    }

    /// The channels of a tile at a place.
    #[inline(always)]
    pub fn at(&self, place: usize, tile: usize) -> *mut f32 {
        self.start.wrapping_add(place * self.place + tile * self.pitch)
    }
}

/// How many strips `channels` output channels have: of two vectors, and of one, which is the last. Each strip lies in one
/// block of a packed kernel.
fn strips<L: Lanes>(channels: usize) -> [usize; 2] {
    let vectors = channels.div_ceil(L::N);
    [vectors / 2, vectors % 2]
}

/// `to[place][tile] = from[place][tile] · weights[place]`, with weights packed in blocks of outputs. Whoever makes it has
/// seen that both fields hold `tiles` tiles at each of `places` places, and the weights theirs.
#[derive(Clone, Copy)]
pub(super) struct Products {
    pub places: usize,
    pub tiles: usize,
    pub from: Field,
    pub weights: *const f32,
    pub to: Field,
}

/// Computes products.
pub(super) struct Multiply<'a, 'b> {
    pub products: Products,
    /// What is read or written next, and fetched meanwhile.
    pub next: Span,
    /// What others will touch, fetched meanwhile as well.
    pub ahead: &'a mut Ahead<'b>,
}

impl Kernel for Multiply<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Multiply { products, mut next, ahead } = self;
        let [pairs, single] = strips::<L>(products.to.channels);
        // What tiles take is chosen here, since a place is soon done.
        let pixels = |vectors| tile::best::<L>(products.tiles, vectors);
        if pairs > 0 {
            for_tile!(pixels(2), 2, multiply::<L>(&products, 0..pairs, next, ahead));
            // It is fetched with the first strips.
            next.len = 0;
        }
        if single > 0 {
            for_tile!(pixels(1), 1, multiply::<L>(&products, pairs..pairs + 1, next, ahead));
        }
    }
}

/// The products of some strips of `V` vectors, `P` tiles at a time, at all places.
#[inline(always)]
fn multiply<L: Lanes, const P: usize, const V: usize>(
    products: &Products,
    strips: Range<usize>,
    mut next: Span,
    ahead: &mut Ahead<'_>,
) {
    let Products { places, tiles, from, weights, to } = *products;
    let share = next.len.div_ceil(places);
    let width = width(to.channels);
    let place_len = packed_place(to.channels, from.channels);
    let (steps, runs) = (Steps::of(from.pitch), Runs::one(from.channels));
    for place in 0..places {
        next.fetch(share);
        for strip in strips.clone() {
            let first = strip * 2 * L::N;
            let block = first / width * width * from.channels + first % width;
            let weights = weights.wrapping_add(place * place_len + block);
            let mut done = 0;
            while done < tiles {
                // The last tiles reach back over some that are done: they get the same values again.
                done = done.min(tiles - P);
                let x = from.at(place, done).cast_const();
                let mut acc = [[L::splat(0.0); V]; P];
                // SAFETY: fields and weights have room, as their maker has seen; a strip's vectors end where the pitch does at the latest.
                unsafe {
                    tile::multiply_asking(&mut acc, x, &steps, &runs, weights, width, ahead);
                    store(&acc, to.at(place, done).wrapping_add(first), to.pitch);
                }
                done += P;
            }
        }
    }
}

/// Writes the sums of tiles that lie `pitch` numbers apart.
///
/// # Safety
/// `V` vectors of `P` tiles can be written at `to`.
#[inline(always)]
pub(super) unsafe fn store<L: Lanes, const P: usize, const V: usize>(acc: &[[L; V]; P], to: *mut f32, pitch: usize) {
    for (p, acc) in acc.iter().enumerate() {
        for (v, acc) in acc.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { acc.store(to.add(p * pitch + v * L::N)) };
        }
    }
}

/// `gradient[place][input][output] += sum over tiles of x[place][tile] · dy[place][tile]`, packed. Whoever makes it has
/// seen that both fields hold `tiles` tiles at each of `places` places, and the gradient its blocks.
#[derive(Clone, Copy)]
pub(super) struct OuterProducts {
    pub places: usize,
    pub tiles: usize,
    pub x: Field,
    pub dy: Field,
    /// Whether what is there is overwritten.
    pub begin: bool,
    pub gradient: *mut f32,
}

/// Adds outer products.
pub(super) struct AddOuter<'a, 'b> {
    pub products: OuterProducts,
    /// What others will touch, fetched meanwhile.
    pub ahead: &'a mut Ahead<'b>,
}

impl Kernel for AddOuter<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let AddOuter { products, ahead } = self;
        let inputs = products.x.channels;
        let [pairs, single] = strips::<L>(products.dy.channels);
        // What tiles take is chosen here, since a place is soon done.
        for (strips, vectors) in [(0..pairs, 2), (pairs..pairs + single, 1)] {
            let most = kernel_gradient::most_rows::<L>(vectors);
            let whole = inputs / most * most;
            for (rows, inputs) in [(most, 0..whole), (inputs - whole, whole..inputs)] {
                if !strips.is_empty() && !inputs.is_empty() {
                    for_tile!(rows, vectors, add_outer::<L>(&products, strips.clone(), inputs, ahead));
                }
            }
        }
    }
}

/// The products of some strips of `V` vectors and some inputs, `K` at a time, at all places.
#[inline(always)]
fn add_outer<L: Lanes, const K: usize, const V: usize>(
    products: &OuterProducts,
    strips: Range<usize>,
    inputs: Range<usize>,
    ahead: &mut Ahead<'_>,
) {
    let OuterProducts { places, tiles, x, dy, begin, gradient } = *products;
    let width = width(dy.channels);
    let place_len = packed_place(dy.channels, x.channels);
    let walk = Walk { n: 1, rows: 1, columns: tiles, input: [0, 0, 0, x.pitch], output: [0, 0, 0, dy.pitch] };
    for place in 0..places {
        for strip in strips.clone() {
            let first = strip * 2 * L::N;
            let block = first / width * width * x.channels + first % width;
            let operands = kernel_gradient::Strip {
                walk: &walk,
                x: x.at(place, 0),
                dy: dy.at(place, 0).wrapping_add(first),
                pitch: width,
                channels: (dy.channels - first).min(V * L::N),
                begin,
            };
            for input in inputs.clone().step_by(K) {
                let beside = ahead.during(tiles, K * V);
                let to = gradient.wrapping_add(place * place_len + block + input * width);
                // SAFETY: fields and gradient have room, as their maker has seen: for inputs `input..input + K` and the strip's outputs.
                unsafe { gradient_tile::<L, K, V>(&operands, input, to, beside) };
            }
        }
    }
}
