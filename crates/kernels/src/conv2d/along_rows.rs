//! Convolutions of 3×3 kernels that read few channels, by fewer multiplications: Winograd's minimal filtering along rows.
//!
//! `M` outputs side by side take `T = M + 2` products with each row of the kernel instead of `3 M`; they are summed over rows
//! and channels before they are transformed back (Winograd 1980; the matrices are those of [`super::winograd`]). Along both
//! axes a tile of few channels would be transformed longer than multiplied. A row of the input is transformed once for the
//! three rows of the kernel; a few transformed rows are kept in a ring. Gradients are computed directly.

mod finish;
mod pack;
mod products;
mod transform;

use super::winograd::{Four, Size, Transform, Two};
use super::{Conv2d, Epilogue, Method, Pooled};
use crate::Isa;
use crate::lanes::LEAST_LANES;
use crate::prefetch::Ahead;
use finish::{Finish, Pool, Store};
use pack::Pack;
use products::Multiply;
use transform::TransformRow;

/// Numbers of a pixel at a place of a transformed row: the shortest vector, of which the channels fill a part.
const PITCH: usize = LEAST_LANES;

/// Rows of outputs that are computed together at least and at most, and those of the kernel.
pub(super) const LEAST_ROWS: usize = 2;
const MOST_ROWS: usize = 4;
const KERNEL_ROWS: usize = 3;

/// Rows of the ring.
const RING: usize = MOST_ROWS + KERNEL_ROWS - 1;

/// Whether a convolution can be computed so.
pub(super) fn suits(size: Size, conv: &Conv2d) -> bool {
    let window = &conv.window;
    let moves = (window.kernel, window.stride, window.dilation, conv.groups);
    moves == ([KERNEL_ROWS; 2], [1; 2], [1; 2], 1)
        && conv.input.channels <= PITCH
        && conv.output.height >= LEAST_ROWS
        && conv.output.width >= size.outputs()
}

/// Multiplications an image, of one channel by one filter.
pub(super) fn products(size: Size, conv: &Conv2d) -> usize {
    conv.output.height * conv.output.width.div_ceil(size.outputs()) * (size.outputs() + 2) * KERNEL_ROWS
}

/// Length of [`pack`]'s result.
pub(super) fn packed_len(size: Size, conv: &Conv2d) -> usize {
    pack::packed_len(conv, size.outputs() + 2)
}

/// The kernel, canonical, with transformed rows, in the order in which they are multiplied.
pub(super) fn pack(size: Size, isa: Isa, conv: &Conv2d, kernel: &[f32], packed: &mut [f32]) {
    match size {
        Size::Two => isa.run(Pack::<_, 2, 4> { conv, kernel, packed, transform: Two }),
        Size::Four => isa.run(Pack::<_, 4, 6> { conv, kernel, packed, transform: Four }),
    }
}

/// Numbers that the forward pass needs to work in: the ring.
pub(super) fn scratch_len(size: Size, conv: &Conv2d) -> usize {
    RING * row_len(conv, size.outputs(), size.outputs() + 2)
}

/// Multiply-adds of vectors of outputs in a pass over `n` images.
fn multiply_adds(isa: Isa, size: Size, conv: &Conv2d, n: usize) -> usize {
    n * products(size, conv) * conv.input.channels * conv.output.channels.div_ceil(isa.lanes())
}

/// Numbers of a transformed row, with tiles of so many columns and places.
fn row_len(conv: &Conv2d, columns: usize, places: usize) -> usize {
    conv.output.width.div_ceil(columns) * places * PITCH
}

/// As [`super::Product::forward`].
pub(super) fn forward(
    size: Size,
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
    assert!(epilogue.bias.is_none_or(|bias| bias.len() == conv.output.channels));
    let ahead = Ahead::new(epilogue.ahead, multiply_adds(isa, size, conv, n));
    run(size, isa, conv, n, x, packed, Store { output: &conv.output, epilogue, y: y.as_mut_ptr() }, ahead, scratch);
}

impl Pooled {
    /// The columns of tiles where [`pooled_forward`] suits it: tiles are whole windows.
    pub(super) fn along_rows(&self) -> Option<Size> {
        let window = &self.pool.window;
        match self.product.method {
            Method::AlongRows(size) if (window.kernel, window.stride) == ([2; 2], [2; 2]) => Some(size),
            _ => None,
        }
    }
}

/// As [`Pooled::forward`].
pub(super) fn pooled_forward(
    size: Size,
    isa: Isa,
    pooled: &Pooled,
    n: usize,
    x: &[f32],
    packed: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
    winners: Option<&mut [u8]>,
    scratch: &mut [f32],
) {
    let (conv, pool) = (&pooled.product.conv, &pooled.pool);
    pooled.check(n, x.len(), bias.map(<[f32]>::len), y.len(), winners.as_deref().map(<[u8]>::len));
    assert_eq!([conv.output.height, conv.output.width], [2 * pool.output.height, 2 * pool.output.width]);
    let (y, winners) = (y.as_mut_ptr(), winners.map(|winners| winners.as_mut_ptr()));
    let finish = Pool { output: &pool.output, bias, y, winners, pitch: pooled.winners_pitch() };
    run(size, isa, conv, n, x, packed, finish, Ahead::nothing(), scratch);
}

/// All images; whoever calls it has asserted the lengths of x and of what the finish writes.
fn run(
    size: Size,
    isa: Isa,
    conv: &Conv2d,
    n: usize,
    x: &[f32],
    packed: &[f32],
    finish: impl Finish,
    mut ahead: Ahead<'_>,
    scratch: &mut [f32],
) {
    assert!(suits(size, conv) && packed.len() == packed_len(size, conv) && scratch.len() >= scratch_len(size, conv));
    match size {
        Size::Two => Run::<_, _, 2, 4> { isa, conv, x, packed, finish, transform: Two }.images(n, scratch, &mut ahead),
        Size::Four => {
            Run::<_, _, 4, 6> { isa, conv, x, packed, finish, transform: Four }.images(n, scratch, &mut ahead)
        }
    }
}

/// A pass over images.
struct Run<'a, F, E, const M: usize, const T: usize> {
    isa: Isa,
    conv: &'a Conv2d,
    x: &'a [f32],
    packed: &'a [f32],
    finish: E,
    transform: F,
}

impl<F: Transform<M, T>, E: Finish, const M: usize, const T: usize> Run<'_, F, E, M, T> {
    fn images(&self, n: usize, scratch: &mut [f32], ahead: &mut Ahead<'_>) {
        let height = self.conv.output.height;
        let rows = products::rows(self.isa, self.conv, T);
        let row_len = row_len(self.conv, M, T);
        for image in 0..n {
            let mut ready = 0;
            for row in (0..height).step_by(rows) {
                // The last rows reach back over some that are done: they get the same values again.
                let row = row.min(height - rows);
                let end = row + rows + KERNEL_ROWS - 1;
                for input in ready.max(row)..end {
                    self.transform_row(image, input, &mut scratch[input % RING * row_len..][..row_len]);
                }
                ready = end;
                let ring = std::array::from_fn(|q| scratch[(row + q) % RING * row_len..][..row_len].as_ptr());
                let Run { conv, packed, finish, transform, .. } = *self;
                self.isa.run(Multiply::<F, E, M, T> { conv, ring, packed, image, row, rows, finish, transform, ahead });
            }
        }
    }

    /// Transforms a row that the windows read, counted from the first, for all tiles.
    fn transform_row(&self, image: usize, row: usize, to: &mut [f32]) {
        let (input, [top, left, ..]) = (&self.conv.input, self.conv.window.padding);
        let start = input.at(image, 0, 0) + row * input.row_pitch - top * input.row_pitch - left * input.channels;
        let width = self.conv.output.width;
        let x = &self.x[start..][..(width + 2) * input.channels];
        let few = self.isa.for_few(PITCH);
        few.run(TransformRow { x, channels: input.channels, width, to, transform: self.transform });
    }
}
