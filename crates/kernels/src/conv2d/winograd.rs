//! Convolutions of 3×3 kernels by fewer multiplications: Winograd's minimal filtering, forward and both gradients.
//!
//! Images are cut into tiles of `M × M` outputs. The `T × T` inputs of a tile, `T = M + 2`, are transformed, multiplied
//! place by place with the transformed kernel, and transformed back (Lavin and Gray 2015). The gradients are the exact
//! adjoints: what flows back goes through the transposed matrices, so that all three passes save the same. Tiles are
//! taken in chunks whose transformed numbers stay in the second-level cache. Where `M` does not divide an image the last
//! tiles reach back over outputs that are done: forward they compute them again, back these gradients count as zero.

mod pack;
mod places;
mod tiles;
mod transform;

use std::ops::Range;

use super::{BothGradients, Conv2d, Epilogue};
use crate::prefetch::Ahead;
use crate::{Isa, View};
pub(super) use pack::Reader;
use pack::{Pack, Unpack};
use places::{AddOuter, Field, Multiply, OuterProducts, Products};
use tiles::{Chunk, Side, Transformed};
use transform::{Four, Two};

/// Outputs of a tile along each axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Size {
    /// F(2×2, 3×3).
    Two,
    /// F(4×4, 3×3).
    Four,
}

/// Numbers of a chunk's two fields together: half a second-level cache of 512 KiB.
const CHUNK: usize = 1 << 16;

/// Tiles below which a chunk would wait for its weights: all are read once a chunk.
const LEAST_TILES: usize = 16;

/// Channels that are few, so that weights are read soon.
const FEW: usize = 16;

/// Tiles above which a chunk saves nothing any more.
const MOST_TILES: usize = 96;

impl Size {
    /// Outputs of a tile along each axis.
    pub(super) fn outputs(self) -> usize {
        match self {
            Size::Two => 2,
            Size::Four => 4,
        }
    }

    fn places(self) -> usize {
        (self.outputs() + 2) * (self.outputs() + 2)
    }

    /// Whether a convolution can be computed so.
    pub fn suits(self, conv: &Conv2d) -> bool {
        let window = &conv.window;
        let moves = (window.kernel, window.stride, window.dilation, conv.groups);
        moves == ([3; 2], [1; 2], [1; 2], 1) && conv.output.height.min(conv.output.width) >= self.outputs()
    }

    /// Multiplications an image, of one channel by one filter.
    pub(super) fn products(self, conv: &Conv2d) -> usize {
        let tiles = |size: usize| size.div_ceil(self.outputs());
        tiles(conv.output.height) * tiles(conv.output.width) * self.places()
    }

    /// The most tiles of a chunk.
    fn chunk(self, conv: &Conv2d) -> usize {
        let channels = Field::pitch(conv.input.channels) + Field::pitch(conv.output.channels);
        (CHUNK / (self.places() * channels)).clamp(LEAST_TILES, MOST_TILES)
    }

    /// The tiles of each chunk of so many. Chunks are alike: a small one at the end would read all weights for a few tiles. Of
    /// few channels weights are few, and a product takes [`LEAST_TILES`] at a time.
    fn alike(self, conv: &Conv2d, total: usize) -> usize {
        let most = self.chunk(conv);
        let alike = total.div_ceil(total.div_ceil(most).max(1));
        let few = conv.input.channels.max(conv.output.channels) <= FEW;
        if few { alike.next_multiple_of(LEAST_TILES).min(most / LEAST_TILES * LEAST_TILES) } else { alike }
    }

    /// Numbers that a pass needs to work in.
    pub(super) fn scratch_len(self, conv: &Conv2d) -> usize {
        let tiles = self.chunk(conv);
        self.places() * (Field::place(conv.input.channels, tiles) + Field::place(conv.output.channels, tiles))
    }

    /// Length of [`Size::pack`]'s result.
    pub(super) fn packed_len(self, conv: &Conv2d, reader: Reader) -> usize {
        pack::packed_len(conv, self.places(), reader)
    }

    /// The kernel, canonical, transformed.
    pub(super) fn pack(self, isa: Isa, conv: &Conv2d, kernel: &[f32], reader: Reader, packed: &mut [f32]) {
        match self {
            Size::Two => isa.run(Pack::<_, 2, 4> { conv, kernel, reader, packed, transform: Two }),
            Size::Four => isa.run(Pack::<_, 4, 6> { conv, kernel, reader, packed, transform: Four }),
        }
    }

    /// What [`Size::kernel_gradient`] has summed, in canonical layout.
    pub(super) fn unpack(self, isa: Isa, conv: &Conv2d, packed: &[f32], kernel: &mut [f32]) {
        match self {
            Size::Two => isa.run(Unpack::<_, 2, 4> { conv, packed, kernel, transform: Two }),
            Size::Four => isa.run(Unpack::<_, 4, 6> { conv, packed, kernel, transform: Four }),
        }
    }

    /// As [`super::Product::forward`].
    pub(super) fn forward(
        self,
        isa: Isa,
        conv: &Conv2d,
        n: usize,
        x: &[f32],
        packed: &[f32],
        epilogue: Epilogue<'_>,
        y: &mut [f32],
        scratch: &mut [f32],
    ) {
        conv.check(n, x.len(), y.len());
        assert!(
            packed.len() == self.packed_len(conv, Reader::Forward)
                && epilogue.bias.is_none_or(|b| b.len() == conv.output.channels)
        );
        let x = x.as_ptr();
        let pass = Pass::Forward { x, packed: packed.as_ptr(), epilogue, y: y.as_mut_ptr() };
        self.run(isa, conv, n, pass, scratch);
    }

    /// As [`super::Product::input_gradient`].
    pub(super) fn input_gradient(
        self,
        isa: Isa,
        conv: &Conv2d,
        n: usize,
        dy: &[f32],
        packed: &[f32],
        dx: &mut [f32],
        scratch: &mut [f32],
    ) {
        assert!(dx.len() >= conv.input.len(n) && dy.len() >= conv.output.len(n));
        assert_eq!(packed.len(), self.packed_len(conv, Reader::InputGradient));
        clear_unreached(conv, n, dx);
        let pass = Pass::InputGradient { dy: dy.as_ptr(), packed: packed.as_ptr(), dx: dx.as_mut_ptr() };
        self.run(isa, conv, n, pass, scratch);
    }

    /// As [`super::Product::gradients`]: dy is transformed once for both.
    pub(super) fn gradients(self, isa: Isa, conv: &Conv2d, n: usize, both: BothGradients<'_>, scratch: &mut [f32]) {
        let BothGradients { view, x, dy, packed, dx, begin, gradient, ahead } = both;
        let of_x = &Conv2d { input: *view, ..*conv };
        of_x.check(n, x.len(), dy.len());
        assert!(dx.len() >= conv.input.len(n) && dy.len() >= conv.output.len(n));
        assert_eq!(packed.len(), self.packed_len(conv, Reader::InputGradient));
        assert_eq!(gradient.len(), self.packed_len(conv, Reader::Forward));
        if begin && n == 0 {
            gradient.fill(0.0);
        }
        clear_unreached(conv, n, dx);
        let (x, dy) = (x.as_ptr(), dy.as_ptr());
        let (packed, dx, gradient) = (packed.as_ptr(), dx.as_mut_ptr(), gradient.as_mut_ptr());
        self.run(isa, conv, n, Pass::Gradients { of_x, x, dy, packed, dx, begin, gradient, ahead }, scratch);
    }

    /// As [`super::Product::kernel_gradient`], of the transformed kernel.
    pub(super) fn kernel_gradient(
        self,
        isa: Isa,
        conv: &Conv2d,
        n: usize,
        x: &[f32],
        dy: &[f32],
        begin: bool,
        packed: &mut [f32],
        scratch: &mut [f32],
    ) {
        conv.check(n, x.len(), dy.len());
        assert_eq!(packed.len(), self.packed_len(conv, Reader::Forward));
        if begin && n == 0 {
            packed.fill(0.0);
        }
        let (x, dy) = (x.as_ptr(), dy.as_ptr());
        self.run(isa, conv, n, Pass::KernelGradient { x, dy, begin, packed: packed.as_mut_ptr() }, scratch);
    }

    /// The numbers between the first and the last that these tiles write, `[rows, columns]` of them an image.
    fn span(self, to: &View, [rows, columns]: [usize; 2], tiles: Range<usize>, y: *const f32) -> Span {
        let row = |tile: usize| (tile / columns / rows, tile / columns % rows * self.outputs());
        let ((first, top), (last, bottom)) = (row(tiles.start), row(tiles.end - 1));
        let start = to.at(first, top, 0);
        let end = to.at(last, (bottom + self.outputs()).min(to.height) - 1, to.width);
        Span { start: y.wrapping_add(start), len: end - start }
    }

    /// What a pass over so many tiles asks for, spread over its multiply-adds.
    fn ahead<'a>(self, isa: Isa, conv: &Conv2d, tiles: usize, pass: &Pass<'a>) -> Ahead<'a> {
        let products =
            |from: &View, to: &View| self.places() * tiles * from.channels * to.channels.div_ceil(isa.lanes());
        let forward = products(&conv.input, &conv.output);
        match pass {
            Pass::Forward { epilogue, .. } => Ahead::new(epilogue.ahead, forward),
            Pass::Gradients { ahead, .. } => Ahead::new(ahead, products(&conv.output, &conv.input) + forward),
            Pass::InputGradient { .. } | Pass::KernelGradient { .. } => Ahead::nothing(),
        }
    }

    fn run(self, isa: Isa, conv: &Conv2d, n: usize, pass: Pass<'_>, scratch: &mut [f32]) {
        assert!(self.suits(conv) && scratch.len() >= self.scratch_len(conv));
        let (places, most) = (self.places(), self.chunk(conv));
        let field = |start: *mut f32, channels: usize| {
            let (pitch, place) = (Field::pitch(channels), Field::place(channels, most));
            Field { start, channels, pitch, place }
        };
        let inputs = field(scratch.as_mut_ptr(), conv.input.channels);
        let outputs = field(scratch[places * inputs.place..].as_mut_ptr(), conv.output.channels);
        let [rows, columns] = [conv.output.height, conv.output.width].map(|size| size.div_ceil(self.outputs()));
        let total = n * rows * columns;
        let alike = self.alike(conv, total);
        let ahead = &mut self.ahead(isa, conv, total, &pass);
        for first in (0..total).step_by(alike.max(1)) {
            let tiles = alike.min(total - first);
            let transform = |conv: &Conv2d, side: Side<'_>| {
                let chunk = Chunk { conv, first, tiles, inputs, outputs, side };
                match self {
                    Size::Two => isa.run(Transformed::<Two, 2, 4> { chunk, transform: Two }),
                    Size::Four => isa.run(Transformed::<Four, 4, 6> { chunk, transform: Four }),
                }
            };
            match pass {
                Pass::Forward { x, packed: weights, epilogue, y } => {
                    transform(conv, Side::Inputs(x));
                    // Results lie where no cache holds them; their lines are fetched while there are products to compute.
                    let next = self.span(&conv.output, [rows, columns], first..first + tiles, y);
                    let products = Products { places, tiles, from: inputs, weights, to: outputs };
                    isa.run(Multiply { products, next, ahead });
                    transform(conv, Side::Outputs { epilogue, y });
                }
                Pass::InputGradient { dy, packed: weights, dx } => {
                    transform(conv, Side::Gradients(dy));
                    let next = Span { start: dx, len: 0 };
                    let products = Products { places, tiles, from: outputs, weights, to: inputs };
                    isa.run(Multiply { products, next, ahead });
                    transform(conv, Side::AddToInputs(dx));
                }
                Pass::Gradients { of_x, x, dy, packed: weights, dx, begin, gradient, .. } => {
                    transform(conv, Side::Gradients(dy));
                    // x may lie where no cache holds it.
                    let next = self.span(&of_x.input, [rows, columns], first..first + tiles, x);
                    let products = Products { places, tiles, from: outputs, weights, to: inputs };
                    isa.run(Multiply { products, next, ahead });
                    transform(conv, Side::AddToInputs(dx));
                    transform(of_x, Side::Inputs(x));
                    let begin = begin && first == 0;
                    let products = OuterProducts { places, tiles, x: inputs, dy: outputs, begin, gradient };
                    isa.run(AddOuter { products, ahead });
                }
                Pass::KernelGradient { x, dy, begin, packed: gradient } => {
                    transform(conv, Side::Inputs(x));
                    transform(conv, Side::Gradients(dy));
                    let begin = begin && first == 0;
                    let products = OuterProducts { places, tiles, x: inputs, dy: outputs, begin, gradient };
                    isa.run(AddOuter { products, ahead });
                }
            }
        }
    }
}

/// Zeros for the gradients of inputs that no tile reaches.
fn clear_unreached(conv: &Conv2d, n: usize, dx: &mut [f32]) {
    if !tiles::reach_all(conv) {
        conv.input.rows(n).for_each(|row| dx[row].fill(0.0));
    }
}

/// Numbers that lie together.
#[derive(Clone, Copy)]
struct Span {
    start: *const f32,
    len: usize,
}

/// What is computed of what. Lengths have been asserted by the functions above.
#[derive(Clone, Copy)]
enum Pass<'a> {
    Forward {
        x: *const f32,
        packed: *const f32,
        epilogue: Epilogue<'a>,
        y: *mut f32,
    },
    InputGradient {
        dy: *const f32,
        packed: *const f32,
        dx: *mut f32,
    },
    Gradients {
        of_x: &'a Conv2d,
        x: *const f32,
        dy: *const f32,
        packed: *const f32,
        dx: *mut f32,
        begin: bool,
        gradient: *mut f32,
        ahead: &'a [&'a [f32]],
    },
    KernelGradient {
        x: *const f32,
        dy: *const f32,
        begin: bool,
        packed: *mut f32,
    },
}
