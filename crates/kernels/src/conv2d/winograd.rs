//! Convolutions of 3×3 kernels by fewer multiplications: Winograd's minimal filtering, forward and both gradients.
//!
//! Images are cut into tiles of `M × M` outputs. The `T × T` inputs of a tile, `T = M + 2`, are transformed, multiplied
//! place by place with the transformed kernel, and transformed back (Lavin and Gray 2015). The gradients are the exact
//! adjoints: what flows back goes through the transposed matrices, so that all three passes save the same. Tiles are
//! taken in chunks whose transformed numbers stay in the second-level cache, where channels are few in the first. Where `M`
//! does not divide an image the last tiles reach back over outputs that are done: forward they compute them again, back
//! these gradients count as zero.

mod few;
mod pack;
mod pass;
mod places;
mod tiles;
mod transform;

use super::{BothGradients, Conv2d, Epilogue};
use crate::Isa;
pub(super) use pack::Reader;
use pack::{Pack, Unpack};
use pass::{Pass, Workplace};
use places::Field;
pub(super) use transform::{Four, Transform, Two};

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

/// Tiles below which a chunk would wait for its weights: all are read once a chunk. Chunks hold a multiple of them, so that
/// products of a few tiles at a time find room for whole ones.
const LEAST_TILES: usize = 16;

/// Channels that are few, so that weights are read soon.
const FEW_CHANNELS: usize = 32;

/// Tiles above which a chunk saves nothing any more.
const MOST_TILES: usize = 48;

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
        let tiles = CHUNK / (self.places() * channels) / LEAST_TILES * LEAST_TILES;
        tiles.clamp(LEAST_TILES, MOST_TILES)
    }

    /// The tiles of each chunk of so many. Chunks are alike: a small one at the end would read all weights for a few tiles. Of
    /// few channels weights are few, and a product takes [`LEAST_TILES`] at a time.
    fn alike(self, conv: &Conv2d, total: usize) -> usize {
        let most = self.chunk(conv);
        let alike = total.div_ceil(total.div_ceil(most).max(1));
        let few = conv.input.channels.max(conv.output.channels) <= FEW_CHANNELS;
        if few { alike.next_multiple_of(LEAST_TILES).min(most) } else { alike }
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
        Workplace::new(self, isa, conv, scratch).run(n, pass);
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
        Workplace::new(self, isa, conv, scratch).run(n, pass);
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
        let pass = Pass::Gradients { of_x, x, dy, packed, dx, begin, gradient, ahead };
        Workplace::new(self, isa, conv, scratch).run(n, pass);
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
        let pass = Pass::KernelGradient { x, dy, begin, packed: packed.as_mut_ptr() };
        Workplace::new(self, isa, conv, scratch).run(n, pass);
    }
}

/// Zeros for the gradients of inputs that no tile reaches.
fn clear_unreached(conv: &Conv2d, n: usize, dx: &mut [f32]) {
    if !tiles::reach_all(conv) {
        conv.input.rows(n).for_each(|row| dx[row].fill(0.0));
    }
}
