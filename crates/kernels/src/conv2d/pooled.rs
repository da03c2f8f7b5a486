//! A convolution with relu and a max pool behind it, computed together: the convolution's results stay in registers
//! ([`windows`], [`along_rows`]) or stand in a scratch for a few images only, and what is kept for the gradients is which
//! of them each of the pool's windows let through.

use std::ops::Range;

use super::{Arithmetic, Conv2d, Epilogue, Product, along_rows, windows};
use crate::pool::{Pool, max_pool, max_pool_with_winners};
use crate::{Isa, View, Window};

/// A convolution, relu and a max pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pooled {
    /// From x to a plain image that is as large as the pool sees.
    pub product: Product,
    /// From there to the pool's result.
    pub pool: Pool,
}

/// Numbers of the images that are convolved before they are pooled: a quarter of a second-level cache of 512 KiB.
const BLOCK: usize = 1 << 15;

impl Pooled {
    /// Of a convolution whose result nobody else reads; `conv.output` only says how many filters there are.
    pub fn new(mut conv: Conv2d, window: Window, output: View, arithmetic: Arithmetic) -> Pooled {
        let seen = |axis: usize, places: usize| (places - 1) * window.stride[axis] + window.kernel[axis];
        conv.output = View::plain(seen(0, output.height), seen(1, output.width), conv.output.channels);
        Pooled { product: Product::new(conv, arithmetic), pool: Pool { input: conv.output, output, window } }
    }

    /// Whether a pool's window can be told by one byte, and no number is in two of them.
    pub fn suits(window: &Window) -> bool {
        let [down, right] = window.kernel;
        let apart = window.stride[0] >= down && window.stride[1] >= right;
        apart && window.padding == [0; 4] && window.dilation == [1; 2] && down * right < 255
    }

    /// The pool's results of some rows, which lie at `output`.
    pub fn band(&self, rows: Range<usize>, output: View) -> Pooled {
        let (conv, [down, _]) = (&self.product.conv, self.pool.window.stride);
        let pool = self.pool.band(rows.clone(), output);
        let input = View::plain(pool.input.height, pool.input.width, pool.input.channels);
        let first = rows.start * down;
        let conv = conv.band(first..first + input.height, input);
        Pooled { product: Product { conv, ..self.product }, pool: Pool { input, ..pool } }
    }

    /// Numbers whose memory the winners of an image take, a byte each.
    pub fn winners_len(output: &View) -> usize {
        (output.height * output.width * output.channels).div_ceil(size_of::<f32>())
    }

    /// Bytes from the winners of an image to those of the next.
    pub(super) fn winners_pitch(&self) -> usize {
        Pooled::winners_len(&self.pool.output) * size_of::<f32>()
    }

    /// Where in x the window of the convolution begins that the pool's first of a row reads first.
    pub(super) fn first_window(&self, image: usize, row: usize) -> usize {
        let conv = &self.product.conv;
        let [above, before, ..] = conv.window.padding;
        let start = conv.input.origin - above * conv.input.row_pitch - before * conv.input.channels;
        start + image * conv.input.image_pitch + row * self.pool.window.stride[0] * self.tap_steps()[0]
    }

    /// Numbers of x from the window of the convolution that a number of a pool's window reads to that of the next, down and
    /// right.
    pub(super) fn tap_steps(&self) -> [usize; 2] {
        let conv = &self.product.conv;
        [conv.window.stride[0] * conv.input.row_pitch, conv.window.stride[1] * conv.input.channels]
    }

    /// The same from the first number of a pool's window to those of every tap, in row order.
    pub(super) fn taps(&self) -> impl Iterator<Item = usize> + use<> {
        let ([down, right], [rows, columns]) = (self.tap_steps(), self.pool.window.kernel);
        (0..rows).flat_map(move |i| (0..columns).map(move |j| i * down + j * right))
    }

    /// The same from a window of the pool to the next of a row.
    pub(super) fn place_step(&self) -> usize {
        self.pool.window.stride[1] * self.tap_steps()[1]
    }

    /// Asserts that both geometries fit together, that the pool's windows lie inside, and that there are numbers enough for `n`
    /// images in x, bias, the pool's result (or its gradient) and winners.
    pub(super) fn check(&self, n: usize, x: usize, bias: Option<usize>, y: usize, winners: Option<usize>) {
        let (conv, pool) = (&self.product.conv, &self.pool);
        conv.check(n, x, conv.output.len(n));
        assert!(pool.input == conv.output && pool.output.channels == conv.output.channels);
        let [down, right] = [0, 1].map(|axis| {
            let places = [pool.output.height, pool.output.width][axis];
            places.saturating_sub(1) * pool.window.stride[axis] + pool.window.kernel[axis]
        });
        assert!(down <= conv.output.height && right <= conv.output.width, "the pool's windows lie inside");
        assert!(bias.is_none_or(|bias| bias == conv.output.channels));
        assert!(y >= pool.output.len(n) && winners.is_none_or(|winners| winners >= n * self.winners_pitch()));
    }

    /// Images that are convolved at once.
    fn block(&self) -> usize {
        (BLOCK / self.pool.input.image_pitch.max(1)).clamp(1, 8)
    }

    /// Numbers that [`Pooled::forward`] needs to work in.
    pub fn scratch_len(&self) -> usize {
        if self.is_pooled_in_place() {
            return 0;
        }
        if let Some(size) = self.along_rows() {
            return along_rows::scratch_len(size, &self.product.conv);
        }
        self.pool.input.len(self.block()) + self.product.scratch_len()
    }

    /// `y = max_pool(relu(conv(x, kernel) + bias))`. `packed` is [`Product::pack`]'s; `winners`, if asked for, has
    /// [`Pooled::winners_len`] numbers an image, as bytes, and is what [`super::living_gradients`] reads.
    ///
    /// # Panics
    /// If a slice is too short for `n` images.
    pub fn forward(
        &self,
        isa: Isa,
        n: usize,
        x: &[f32],
        packed: &[f32],
        bias: Option<&[f32]>,
        y: &mut [f32],
        mut winners: Option<&mut [u8]>,
        scratch: &mut [f32],
    ) {
        if self.is_pooled_in_place() {
            return windows::forward(isa, self, n, x, packed, bias, y, winners);
        }
        if let Some(size) = self.along_rows() {
            return along_rows::pooled_forward(size, isa, self, n, x, packed, bias, y, winners, scratch);
        }
        let (conv, pool) = (&self.product.conv, &self.pool);
        let (convolved, scratch) = scratch.split_at_mut(pool.input.len(self.block()));
        for first in (0..n).step_by(self.block()) {
            let n = self.block().min(n - first);
            let x = &x[conv.input.len(first)..];
            let epilogue = Epilogue { bias, relu: true, ..Epilogue::default() };
            self.product.forward(isa, n, x, packed, epilogue, convolved, scratch);
            let y = &mut y[pool.output.len(first)..];
            match &mut winners {
                Some(winners) => {
                    let pitch = self.winners_pitch();
                    max_pool_with_winners(isa, pool, n, convolved, y, pitch, &mut winners[first * pitch..]);
                }
                None => max_pool(isa, pool, n, convolved, y),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv2d::Method;
    use crate::pool::NO_WINNER;
    use crate::truth::{images, numbers};

    /// Image height, width, channels; filters; kernel, pool and its stride.
    type Shape = ([usize; 3], usize, usize, [usize; 2], [usize; 2]);
    const SHAPES: [Shape; 10] = [
        ([32, 32, 3], 32, 3, [2, 2], [2, 2]),
        ([14, 20, 3], 16, 3, [2, 2], [2, 2]), // tiles of four rows and four columns, of which the last reach back
        ([8, 6, 7], 45, 3, [2, 2], [2, 2]),   // of two rows, more than a block
        ([15, 15, 32], 64, 3, [2, 2], [2, 2]), // a row and a column that the pool does not see, more than one block
        ([10, 9, 3], 40, 3, [2, 2], [2, 3]),  // one window a row and more, a part of a block, a gap between windows
        ([8, 12, 1], 6, 5, [2, 2], [2, 2]),   // a part of a vector
        ([4, 4, 2], 5, 3, [2, 2], [2, 2]),    // a single window
        ([9, 7, 8], 11, 3, [3, 2], [3, 3]),   // channels that fill no vector, a gap between windows
        ([6, 6, 16], 16, 1, [2, 2], [2, 2]),
        ([3, 3, 1], 1, 3, [1, 1], [1, 1]),
    ];

    #[test]
    fn it_is_the_pool_of_relu_of_the_convolution_and_knows_the_winners() {
        for (([height, width, channels], filters, kernel, pool, stride), isa) in
            SHAPES.iter().copied().flat_map(|shape| Isa::available().into_iter().map(move |isa| (shape, isa)))
        {
            for arithmetic in [Arithmetic::Strict, Arithmetic::Accurate, Arithmetic::Fast] {
                let window = |kernel, stride| Window { kernel, stride, padding: [0; 4], dilation: [1; 2] };
                let size = |size: usize, axis: usize| (size - kernel - pool[axis] + 1) / stride[axis] + 1;
                let conv = Conv2d {
                    input: View::plain(height, width, channels),
                    output: View::plain(height - kernel + 1, width - kernel + 1, filters),
                    window: window([kernel; 2], [1; 2]),
                    groups: 1,
                };
                let output = View::bordered(size(height, 0), size(width, 1), filters, [1, 0, 0, 1]);
                let pooled = Pooled::new(conv, window(pool, stride), output, arithmetic);
                is_as_if_computed_apart(isa, &pooled);
            }
        }
    }

    fn is_as_if_computed_apart(isa: Isa, pooled: &Pooled) {
        let (n, product, pool) = (10, &pooled.product, &pooled.pool);
        let x = images(1, &product.conv.input, n);
        let kernel = numbers(2, product.conv.kernel_len(), -1.0, 1.0);
        let bias = numbers(3, pool.output.channels, -1.0, 0.5);
        let (mut packed, mut scratch) = (vec![0.0; product.packed_len()], vec![0.0; pooled.scratch_len()]);
        product.pack(isa, &kernel, &mut packed);
        let (mut y, mut winners) = (vec![9.0; pool.output.len(n)], vec![0; n * pooled.winners_pitch()]);
        pooled.forward(isa, n, &x, &packed, Some(&bias), &mut y, Some(&mut winners), &mut scratch);
        let mut without = vec![9.0; y.len()];
        pooled.forward(isa, n, &x, &packed, Some(&bias), &mut without, None, &mut scratch);
        assert_eq!(y, without);

        // By the definition's product, so that only the last digits may differ where there are others.
        let direct = Product { method: Method::Direct, ..*product };
        let (mut convolved, mut packed) = (vec![0.0; pool.input.len(n)], vec![0.0; direct.packed_len()]);
        direct.pack(isa, &kernel, &mut packed);
        let epilogue = Epilogue { bias: Some(&bias), relu: true, ..Epilogue::default() };
        direct.forward(isa, n, &x, &packed, epilogue, &mut convolved, &mut []);
        let (columns, rows, channels) = (pool.output.width, pool.output.height, pool.output.channels);
        for index in 0..n * rows * columns * channels {
            let (channel, place) = (index % channels, index / channels);
            let (image, row, column) = (place / columns / rows, place / columns % rows, place % columns);
            let winner = winners[image * pooled.winners_pitch() + (row * columns + column) * channels + channel];
            let at = |tap: usize| {
                let (i, j) = (tap / pool.window.kernel[1], tap % pool.window.kernel[1]);
                let (row, column) = (row * pool.window.stride[0] + i, column * pool.window.stride[1] + j);
                convolved[pool.input.at(image, row, column) + channel]
            };
            let largest = (0..pool.window.kernel[0] * pool.window.kernel[1]).map(at).fold(0.0, f32::max);
            let result = y[pool.output.at(image, row, column) + channel];
            assert!((result - largest).abs() < 1e-4, "{result} and {largest} of {pooled:?}");
            match winner {
                NO_WINNER => assert!(largest < 1e-4),
                tap => assert!((at(tap.into()) - largest).abs() < 1e-4),
            }
        }
    }

    #[test]
    fn the_first_of_equals_wins_and_what_is_not_a_number_stays() {
        let pool = Pool {
            input: View::plain(2, 2, 3),
            output: View::vectors(3),
            window: Window { kernel: [2; 2], stride: [2; 2], padding: [0; 4], dilation: [1; 2] },
        };
        let x = [0.0, 1.0, 2.0, 0.0, 3.0, f32::NAN, 0.0, 3.0, 1.0, 0.0, 2.0, 0.0];
        for isa in Isa::available() {
            let (mut y, mut winners) = ([9.0; 3], [9; 4]);
            max_pool_with_winners(isa, &pool, 1, &x, &mut y, 4, &mut winners);
            assert_eq!((y[0], y[1], y[2].is_nan()), (0.0, 3.0, true), "{}", isa.name());
            assert_eq!(winners, [NO_WINNER, 1, 0, 9], "{}", isa.name());
        }
    }
}
