//! A direct convolution whose results are pooled where they are computed: the pixels of a tile are those of windows of 2×2,
//! of which only the largest is stored.

use super::forward::runs;
use super::pack::{packed_len, width};
use super::{Method, Pooled};
use crate::Isa;
use crate::channels::{load, store};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::pool::{largest_of_four, place_of_four};
use crate::tile::{self, Runs};

impl Pooled {
    /// Whether [`forward`] suits it.
    pub(super) fn is_pooled_in_place(&self) -> bool {
        self.product.method == Method::Direct && self.product.conv.groups == 1 && self.pool.window.kernel == [2, 2]
    }
}

/// [`Pooled::forward`].
pub(super) fn forward(
    isa: Isa,
    pooled: &Pooled,
    n: usize,
    x: &[f32],
    packed: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
    winners: Option<&mut [u8]>,
) {
    let (conv, pool) = (&pooled.product.conv, &pooled.pool);
    pooled.check(n, x.len(), bias.map(<[f32]>::len), y.len(), winners.as_deref().map(<[u8]>::len));
    assert!(pooled.is_pooled_in_place() && packed.len() == packed_len(conv));
    if n > 0 && pool.output.height * pool.output.width > 0 {
        let (y, winners) = (y.as_mut_ptr(), winners.map(|winners| winners.as_mut_ptr()));
        isa.run(Forward { pooled, n, x: x.as_ptr(), packed, bias, y, winners });
    }
}

/// Only [`forward`] makes it, which has asserted that all windows lie inside x and that there is room for their results.
struct Forward<'a> {
    pooled: &'a Pooled,
    n: usize,
    x: *const f32,
    packed: &'a [f32],
    bias: Option<&'a [f32]>,
    y: *mut f32,
    winners: Option<*mut u8>,
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (conv, channels) = (&self.pooled.product.conv, self.pooled.pool.output.channels);
        let (width, runs) = (width(channels), runs(conv));
        for (block, weights) in self.packed.chunks_exact(conv.kernel_rows() * width).enumerate() {
            for first in (0..width.min(channels - block * width)).step_by(2 * L::N) {
                let left = channels - block * width - first;
                let vectors = if left > L::N && width > first + L::N { 2 } else { 1 };
                let strip = Strip {
                    forward: &self,
                    runs: &runs,
                    weights: weights[first..].as_ptr(),
                    pitch: width,
                    channel: block * width + first,
                    channels: left.min(vectors * L::N),
                };
                // As many windows as registers hold the sums of.
                let windows = match (L::N, vectors) {
                    (16, 1) => 4,
                    (16, _) => 3,
                    (_, 1) => 2,
                    (_, _) => 1,
                };
                // SAFETY: the weights of a block are as many rows of `width` as a run has numbers.
                unsafe {
                    match (vectors, windows.min(self.pooled.pool.output.width)) {
                        (1, 1) => strip.run::<L, 4, 1>(),
                        (1, 2) => strip.run::<L, 8, 1>(),
                        (1, 3) if L::N == 16 => strip.run::<L, 12, 1>(),
                        (1, 4) if L::N == 16 => strip.run::<L, 16, 1>(),
                        (2, 1) => strip.run::<L, 4, 2>(),
                        (2, 2) if L::N == 16 => strip.run::<L, 8, 2>(),
                        (2, 3) if L::N == 16 => strip.run::<L, 12, 2>(),
                        other => unreachable!("no tile of {other:?}"),
                    }
                }
            }
        }
    }
}

/// A strip of output channels.
struct Strip<'a> {
    forward: &'a Forward<'a>,
    runs: &'a Runs,
    weights: *const f32,
    pitch: usize,
    channel: usize,
    /// Channels that are stored, at most the lanes of the strip.
    channels: usize,
}

impl Strip<'_> {
    /// All images, by tiles of `P / 4` windows, of which a row has as many at least.
    ///
    /// # Safety
    /// The weights of all numbers of a pixel's runs can be read.
    #[inline(always)]
    unsafe fn run<L: Lanes, const P: usize, const V: usize>(&self) {
        let output = self.forward.pooled.pool.output;
        let mut bias = [L::splat(0.0); V];
        if let Some(numbers) = self.forward.bias {
            for (v, bias) in bias.iter_mut().enumerate() {
                let first = self.channel + v * L::N;
                // SAFETY: there are as many as channels.
                *bias = unsafe { load(numbers.as_ptr().add(first), tile::lanes_of::<L>(self.channels, v)) };
            }
        }
        for (image, row) in (0..self.forward.n).flat_map(|image| (0..output.height).map(move |row| (image, row))) {
            for column in (0..output.width).step_by(P / 4) {
                // The last tile reaches back over windows that are done: they get the same values again.
                let column = column.min(output.width - P / 4);
                // SAFETY: the caller's promise; the windows are the pool's.
                unsafe { self.tile::<L, P, V>(image, row, column, &bias) };
            }
        }
    }

    /// # Safety
    /// As [`Strip::run`], and the pool has these windows.
    #[inline(always)]
    unsafe fn tile<L: Lanes, const P: usize, const V: usize>(
        &self,
        image: usize,
        row: usize,
        column: usize,
        bias: &[L; V],
    ) {
        let Forward { pooled, x, y, winners, .. } = self.forward;
        let (output, [down, right], step) = (pooled.pool.output, pooled.tap_steps(), pooled.place_step());
        let first = pooled.first_window(image, row) + column * step;
        let mut pixels = [*x; P];
        for (p, pixel) in pixels.iter_mut().enumerate() {
            let (window, tap) = (p / 4, p % 4);
            *pixel = x.wrapping_add(first + window * step + tap / 2 * down + tap % 2 * right);
        }
        let mut acc = [*bias; P];
        // SAFETY: the windows of these pixels lie inside x; the caller's promise for the weights.
        unsafe { tile::multiply::<L, P, V>(&mut acc, &pixels, self.runs, self.weights, self.pitch) };
        let place = (row * output.width + column) * output.channels + self.channel;
        let from = image * pooled.winners_pitch() + place;
        let to = output.at(image, row, column) + self.channel;
        for window in 0..P / 4 {
            for v in 0..V {
                let four = std::array::from_fn(|tap| acc[4 * window + tap][v]);
                let (first, count) = (window * output.channels + v * L::N, tile::lanes_of::<L>(self.channels, v));
                // SAFETY: `forward` has asserted the lengths.
                unsafe {
                    store(largest_of_four(four), y.add(to + first), count);
                    if let Some(winners) = winners {
                        place_of_four::<L>(four).store_bytes(winners.add(from + first), count);
                    }
                }
            }
        }
    }
}
