//! Gradients of small kernels, without lists. A pool lets one of four numbers through at most: of every number that a
//! kernel meets at a place of the pool, the four that it may have met lie side by side, so that each channel of a vector
//! picks its own. What is not alive is multiplied by zero, which for few products costs less than to list what is.

use super::Signals;
use super::lists::alive;
use crate::conv2d::Pooled;
use crate::isa::Kernel;
use crate::lanes::{Lanes, MOST_LANES};

/// The most numbers of a kernel for which lists cost more.
const MOST_NUMBERS: usize = 80;

/// Numbers of the kernels of two vectors of channels whose sums stay in registers.
const MOST_SUMS: usize = 6;

/// Memory for the gradients of a row of the pool and the sums of an image.
#[derive(Clone, Debug, Default)]
pub(super) struct Quads {
    /// `[row of the kernel][number of the image's row][4]`
    quads: Vec<f32>,
    /// `[column][channel]`: gradients, zero where none is alive, and which of the four numbers each belongs to, as bits.
    values: Vec<f32>,
    which: Vec<f32>,
    /// `[vector of channels][number of the kernel, and the bias behind them][lane]`
    sums: Vec<f32>,
}

impl Quads {
    /// Memory for this geometry or smaller ones.
    pub fn reserve(&mut self, pooled: &Pooled) {
        if pooled.has_quads() {
            let (rows, channels) = (pooled.product.conv.window.kernel[0], pooled.quad_channels());
            let columns = channels * pooled.pool.output.width;
            grow(&mut self.quads, 4 * rows * pooled.quad_row());
            grow(&mut self.values, columns);
            grow(&mut self.which, columns);
            grow(&mut self.sums, channels * (pooled.product.conv.kernel_rows() + 1));
        }
    }
}

fn grow(numbers: &mut Vec<f32>, len: usize) {
    numbers.resize(numbers.len().max(len), 0.0);
}

impl Pooled {
    /// Whether its kernel is small enough, and its pool's windows too.
    pub(super) fn has_quads(&self) -> bool {
        self.tap_count() <= 4 && self.product.conv.kernel_rows() <= MOST_NUMBERS
    }

    /// Channels of the result, and as many more as fill a vector.
    fn quad_channels(&self) -> usize {
        self.pool.output.channels.next_multiple_of(MOST_LANES)
    }

    /// Numbers of a row of x that a row of the kernel meets at the places of the pool, each by its first tap.
    fn quad_row(&self) -> usize {
        let conv = &self.product.conv;
        self.pool.output.width.saturating_sub(1) * self.place_step() + conv.window.kernel[1] * conv.input.channels
    }
}

/// Adds an image's gradients of kernel and bias; [`super::living_gradients`] has asserted the lengths.
pub(super) struct AddImage<'a> {
    pub pooled: &'a Pooled,
    pub image: usize,
    pub signals: Signals<'a>,
    pub quads: &'a mut Quads,
    pub kernel: &'a mut [f32],
    pub bias: Option<&'a mut [f64]>,
}

impl Kernel for AddImage<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let AddImage { pooled, image, signals, quads, kernel, bias } = self;
        let (conv, channels) = (&pooled.product.conv, pooled.pool.output.channels);
        let (rows, len, numbers) =
            (conv.window.kernel[0], conv.window.kernel[1] * conv.input.channels, conv.kernel_rows());
        let columns = pooled.pool.output.width * pooled.quad_channels();
        assert!(
            quads.values.len().min(quads.which.len()) >= columns && quads.quads.len() >= 4 * rows * pooled.quad_row()
        );
        quads.sums[..pooled.quad_channels() * (numbers + 1)].fill(0.0);
        for row in 0..pooled.pool.output.height {
            fill(pooled, pooled.first_window(image, row), signals.x, &mut quads.quads);
            // SAFETY: the row is one of the pool's.
            unsafe { choose::<L>(pooled, image, row, signals, quads) };
            for vector in (0..channels.div_ceil(L::N)).step_by(2) {
                // As many rows at once as fit, or parts of one.
                let part = len.div_ceil(len.div_ceil(MOST_SUMS));
                let at_once = MOST_SUMS / part;
                for first_row in (0..rows).step_by(at_once) {
                    for first in (0..len).step_by(part) {
                        let tile = Tile { vector, first_row, first };
                        let vectors = (channels.div_ceil(L::N) - vector).min(2);
                        let shape = (at_once.min(rows - first_row), part.min(len - first), vectors);
                        // SAFETY: the tile lies inside the kernel.
                        unsafe { add_tile::<L>(pooled, quads, tile, shape) };
                    }
                }
            }
        }
        for (channel, kernel) in kernel.chunks_mut(numbers).enumerate() {
            let sums = quads.sums[channel / L::N * (numbers + 1) * L::N + channel % L::N..].iter().step_by(L::N);
            kernel.iter_mut().zip(sums).for_each(|(kernel, sum)| *kernel += sum);
        }
        if let Some(bias) = bias {
            for (channel, bias) in bias.iter_mut().enumerate() {
                let sum = quads.sums[(channel / L::N * (numbers + 1) + numbers) * L::N + channel % L::N];
                *bias += f64::from(sum);
            }
        }
    }
}

/// Puts side by side what the four taps of the pool's windows meet, for windows that begin at `first` of x.
#[inline(always)]
fn fill(pooled: &Pooled, first: usize, x: &[f32], quads: &mut [f32]) {
    let (conv, len) = (&pooled.product.conv, pooled.quad_row());
    // Where there are fewer than four, none of the others' gradients is alive.
    let mut taps = [0; 4];
    taps.iter_mut().zip(pooled.taps()).for_each(|(to, tap)| *to = tap);
    for (row, quads) in quads.chunks_mut(4 * len).take(conv.window.kernel[0]).enumerate() {
        let x = &x[first + row * conv.window.dilation[0] * conv.input.row_pitch..];
        let [a, b, c, d] = taps.map(|tap| &x[tap..][..len]);
        for ((((quad, a), b), c), d) in quads.as_chunks_mut::<4>().0.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *quad = [*a, *b, *c, *d];
        }
    }
}

/// Finds the gradients of a row of the pool, and which of the four each belongs to, and adds them to the bias' sums.
///
/// # Safety
/// `row` is one of the pool's; the image's winners and gradients can be read, and `quads` has room.
#[inline(always)]
unsafe fn choose<L: Lanes>(pooled: &Pooled, image: usize, row: usize, signals: Signals<'_>, quads: &mut Quads) {
    let (output, pitch) = (pooled.pool.output, pooled.quad_channels());
    let (bias, sums_len) = (pooled.product.conv.kernel_rows() * L::N, pooled.product.conv.kernel_rows() + 1);
    let taps = pooled.tap_count();
    let [values, which, sums] =
        [&mut quads.values, &mut quads.which, &mut quads.sums].map(|numbers| numbers.as_mut_ptr());
    for channel in (0..output.channels).step_by(L::N) {
        let len = L::N.min(output.channels - channel);
        // SAFETY: the caller's promise; there is room for whole vectors of channels.
        unsafe {
            let to = sums.add(channel * sums_len + bias);
            let mut sum = L::load(to);
            for column in 0..output.width {
                let winners =
                    image * pooled.winners_pitch() + (row * output.width + column) * output.channels + channel;
                let gradients = output.at(image, row, column) + channel;
                let [tap, value] =
                    alive::<L>(signals.winners.as_ptr().add(winners), signals.dy.as_ptr().add(gradients), len, taps);
                value.store(values.add(column * pitch + channel));
                tap.to_bits().store(which.add(column * pitch + channel));
                sum = sum.add(value);
            }
            sum.store(to);
        }
    }
}

/// Some numbers of the kernels of a vector of channels.
#[derive(Clone, Copy)]
struct Tile {
    vector: usize,
    first_row: usize,
    first: usize,
}

/// Adds the products of a row of the pool to the sums of a tile of so many rows and numbers of each.
///
/// # Safety
/// The tile lies inside the kernel, and `quads` has been filled for it.
#[inline(always)]
unsafe fn add_tile<L: Lanes>(pooled: &Pooled, quads: &mut Quads, tile: Tile, shape: (usize, usize, usize)) {
    macro_rules! shapes {
        ($(($rows:literal, $numbers:literal, $vectors:literal)),*) => {
            match shape {
                // SAFETY: the caller's promise.
                $(($rows, $numbers, $vectors) => unsafe { multiply::<L, $rows, $numbers, $vectors>(pooled, quads, tile) },)*
                other => unreachable!("no tile of {other:?}"),
            }
        };
    }
    shapes! {
        (1, 1, 1), (1, 2, 1), (1, 3, 1), (1, 4, 1), (1, 5, 1), (1, 6, 1), (2, 1, 1), (2, 2, 1), (2, 3, 1), (3, 1, 1), (3, 2, 1), (4, 1, 1), (5, 1, 1), (6, 1, 1), (1, 1, 2), (1, 2, 2), (1, 3, 2), (1, 4, 2), (1, 5, 2), (1, 6, 2), (2, 1, 2), (2, 2, 2), (2, 3, 2), (3, 1, 2), (3, 2, 2), (4, 1, 2), (5, 1, 2), (6, 1, 2)
    }
}

/// [`add_tile`] for `R` rows of `K` numbers of `V` vectors of channels.
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn multiply<L: Lanes, const R: usize, const K: usize, const V: usize>(
    pooled: &Pooled,
    quads: &mut Quads,
    tile: Tile,
) {
    let (conv, pitch, step) = (&pooled.product.conv, pooled.quad_channels(), 4 * pooled.place_step());
    let (row_len, kernel_len) = (4 * pooled.quad_row(), conv.window.kernel[1] * conv.input.channels);
    let sums_len = conv.kernel_rows() + 1;
    let to = tile.vector * sums_len + tile.first_row * kernel_len + tile.first;
    let to = quads.sums[to * L::N..].as_mut_ptr();
    let mut from = quads.quads[tile.first_row * row_len + 4 * tile.first..].as_ptr();
    let mut value = quads.values[tile.vector * L::N..].as_ptr();
    let mut which = quads.which[tile.vector * L::N..].as_ptr();
    let mut sums = [[[L::splat(0.0); V]; K]; R];
    for _ in 0..pooled.pool.output.width {
        // SAFETY: the caller's promise: rows of quads are as long as all places of a row of the kernel reach.
        unsafe {
            let (mut dy, mut tap) = ([L::splat(0.0); V], [L::splat(0.0); V]);
            for v in 0..V {
                (dy[v], tap[v]) = (L::load(value.add(v * L::N)), L::load(which.add(v * L::N)));
            }
            for (row, sums) in sums.iter_mut().enumerate() {
                for (k, sums) in sums.iter_mut().enumerate() {
                    let four = L::load_four(from.add(row * row_len + 4 * k));
                    for v in 0..V {
                        sums[v] = dy[v].mul_add(four.pick(tap[v]), sums[v]);
                    }
                }
            }
        }
        (from, value, which) = (from.wrapping_add(step), value.wrapping_add(pitch), which.wrapping_add(pitch));
    }
    for (row, sums) in sums.iter().enumerate() {
        for (k, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe {
                    let to = to.add((v * sums_len + row * kernel_len + k) * L::N);
                    L::load(to).add(*sum).store(to);
                }
            }
        }
    }
}
