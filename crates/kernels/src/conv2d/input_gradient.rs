//! The gradient of the input: each tap of the window scatters its products.
//!
//! `dx[y·s + i·d - pad, …, c] += sum over o of dy[o] · kernel[o, i, j, c]`, tap by tap over the output pixels whose input
//! place lies inside the image: the exact number of multiplications for every stride, dilation and padding.

use super::pack::{packed_transposed_len, width};
use super::{Conv2d, Cursor, Walk, by_rows, depthwise, forward};
use crate::Isa;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::prefetch::Ahead;
use crate::tile::{self, Runs, Steps, for_tile, lanes_of};

/// Pixels that a chunk of images has at least, so that tiles are full while `dx` stays in the cache.
const CHUNK_PIXELS: usize = 64;

/// Numbers that [`input_gradient`] needs to work in.
pub(super) fn scratch_len(conv: &Conv2d) -> usize {
    match conv.is_depthwise() {
        true => depthwise::scratch_len(conv),
        false if by_rows::suits(conv) => by_rows::scratch_len(conv),
        false => 0,
    }
}

/// `dx` from `dy`, asking for what is `ahead` meanwhile; the border of `dx` is left alone. `packed` is
/// [`super::pack_transposed`]'s.
///
/// # Panics
/// If a slice is too short for `n` images.
pub(super) fn input_gradient(
    isa: Isa,
    conv: &Conv2d,
    n: usize,
    dy: &[f32],
    packed: &[f32],
    ahead: &mut Ahead<'_>,
    dx: &mut [f32],
    scratch: &mut [f32],
) {
    check(conv, n, dy, packed, dx, scratch);
    if conv.is_depthwise() {
        return depthwise::input_gradient(isa, conv, n, dy, packed, dx, scratch);
    }
    if by_rows::suits(conv) && n * conv.output.height * conv.output.width > 0 {
        return by_rows::input_gradient(isa, conv, n, dy, packed, dx, scratch);
    }
    if is_each_pixel_once(conv) {
        // The convolution with inputs and outputs exchanged.
        let turned = &Conv2d { input: conv.output, output: conv.input, ..*conv };
        return forward::forward(isa, turned, n, dy, packed, None, false, ahead, dx);
    }
    for row in conv.input.rows(n) {
        dx[row].fill(0.0);
    }
    isa.run(InputGradient { conv, n, dy, packed, ahead, dx });
}

/// Asserts that `n` images of both sides lie in their slices, and that kernel and scratch are as long as they must be.
pub(super) fn check(conv: &Conv2d, n: usize, dy: &[f32], packed: &[f32], dx: &[f32], scratch: &[f32]) {
    assert!(scratch.len() >= scratch_len(conv));
    assert!(dx.len() >= conv.input.len(n) && dy.len() >= conv.output.len(n));
    assert_eq!(packed.len(), packed_transposed_len(conv));
}

/// Whether one tap writes all of `dx`: then nothing is added.
fn is_each_pixel_once(conv: &Conv2d) -> bool {
    let has_all = [conv.output.height, conv.output.width] == [conv.input.height, conv.input.width];
    conv.window.kernel == [1; 2] && conv.window.stride == [1; 2] && conv.window.padding == [0; 4] && has_all
}

/// Multiply-adds of vectors that ask for what is ahead, in a gradient of `n` images that is not depthwise.
pub(super) fn products(isa: Isa, conv: &Conv2d, n: usize) -> usize {
    if by_rows::suits(conv) {
        return 0;
    }
    let taps = conv.window.kernel[0] * conv.window.kernel[1];
    let pixels = n * conv.output.height * conv.output.width;
    pixels * taps * conv.output.channels * conv.group_inputs().div_ceil(isa.lanes())
}

struct InputGradient<'a, 'b> {
    conv: &'a Conv2d,
    n: usize,
    dy: &'a [f32],
    packed: &'a [f32],
    ahead: &'a mut Ahead<'b>,
    dx: &'a mut [f32],
}

impl Kernel for InputGradient<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let conv = self.conv;
        let (inputs, outputs) = (conv.group_inputs(), conv.group_outputs());
        let width = width(inputs);
        let blocks = inputs.div_ceil(width);
        let taps = conv.window.kernel[0] * conv.window.kernel[1];
        let pixels = (conv.output.height * conv.output.width).max(1);
        let chunk = CHUNK_PIXELS.div_ceil(pixels);
        let runs = Runs::one(outputs);
        for start in (0..self.n).step_by(chunk) {
            let n = chunk.min(self.n - start);
            for group in 0..conv.groups {
                for block in 0..blocks {
                    for tap in 0..taps {
                        let Some(walk) = tap_walk(conv, tap, start, n) else { continue };
                        let weights = &self.packed[((group * taps + tap) * blocks + block) * outputs * width..]
                            [..outputs * width];
                        for first in (0..width.min(inputs - block * width)).step_by(2 * L::N) {
                            let left = inputs - block * width - first;
                            let vectors = if left > L::N && width > first + L::N { 2 } else { 1 };
                            let strip = Strip {
                                walk: &walk,
                                steps: Steps::of(walk.input[3]),
                                runs: &runs,
                                dy: self.dy[group * outputs..].as_ptr(),
                                dx: self.dx[group * inputs + block * width + first..].as_mut_ptr(),
                                weights: weights[first..].as_ptr(),
                                pitch: width,
                                channels: left.min(vectors * L::N),
                            };
                            // SAFETY: the walk visits pixels of `dy` and of `dx` inside their images, whose lengths are
                            // asserted; weights are `outputs` rows of `width`, read from `first` on.
                            unsafe { strip_of::<L>(&strip, vectors, self.ahead) };
                        }
                    }
                }
            }
        }
    }
}

/// The output pixels whose tap lies inside the input: gradients read (`input` of the walk) and places added to
/// (`output`). `None` where there are none.
fn tap_walk(conv: &Conv2d, tap: usize, first_image: usize, n: usize) -> Option<Walk> {
    let (window, input, output) = (&conv.window, &conv.input, &conv.output);
    let (i, j) = (tap / window.kernel[1], tap % window.kernel[1]);
    let rows = window.outputs(0, i, input.height, output.height);
    let columns = window.outputs(1, j, input.width, output.width);
    if rows.is_empty() || columns.is_empty() || n == 0 {
        return None;
    }
    let y = rows.start * window.stride[0] + i * window.dilation[0] - window.padding[0];
    let x = columns.start * window.stride[1] + j * window.dilation[1] - window.padding[1];
    let from = output.at(first_image, rows.start, columns.start);
    let to = input.at(first_image, y, x);
    let read = [from, output.image_pitch, output.row_pitch, output.channels];
    let added = [to, input.image_pitch, window.stride[0] * input.row_pitch, window.stride[1] * input.channels];
    Some(Walk { n, rows: rows.len(), columns: columns.len(), input: read, output: added }.flat())
}

/// Most sums of a tile, whose loads and stores are unrolled: of more they would lie in memory.
const MOST_SUMS: usize = 16;

/// A strip of input channels.
struct Strip<'a> {
    walk: &'a Walk,
    /// Between gradients of a row.
    steps: Steps,
    runs: &'a Runs,
    dy: *const f32,
    dx: *mut f32,
    weights: *const f32,
    pitch: usize,
    channels: usize,
}

/// # Safety
/// Reads and writes of all pixels of the walk are in bounds, and so are the weights.
#[inline(always)]
unsafe fn strip_of<L: Lanes>(strip: &Strip, vectors: usize, ahead: &mut Ahead<'_>) {
    let total = strip.walk.total();
    let most = tile::best_in_rows::<L>(total, strip.walk.columns, vectors).min(MOST_SUMS / vectors);
    let (whole, left) = (total / most, total % most);
    // Sums are added to, so no pixel may be visited twice: the last tile is as small as what is left.
    for (pixels, first, count) in [(most, 0, whole), (left, whole * most, 1)] {
        if pixels > 0 && count > 0 {
            // SAFETY: the caller's promise, for these pixels.
            unsafe { for_tile!(pixels, vectors, tiles_of::<L>(strip, first, count, ahead)) };
        }
    }
}

/// # Safety
/// As [`strip_of`], for `count` times `P` pixels from `first` on.
#[inline(always)]
unsafe fn tiles_of<L: Lanes, const P: usize, const V: usize>(
    strip: &Strip,
    first: usize,
    count: usize,
    ahead: &mut Ahead<'_>,
) {
    let mut cursor = strip.walk.at(first);
    for _ in 0..count {
        // SAFETY: the caller's promise.
        unsafe { tile_of::<L, P, V>(strip, &mut cursor, ahead) };
    }
}

/// # Safety
/// As [`strip_of`], for the `P` pixels from the cursor on.
#[inline(always)]
unsafe fn tile_of<L: Lanes, const P: usize, const V: usize>(strip: &Strip, cursor: &mut Cursor, ahead: &mut Ahead<'_>) {
    let is_in_row = cursor.is_in_row(strip.walk, P);
    let pixels = cursor.take::<P>(strip.walk);
    let gradients = pixels.map(|place| strip.dy.wrapping_add(place.input));
    let places = pixels.map(|place| strip.dx.wrapping_add(place.output));
    let side_by_side = tile::are_side_by_side::<L, P, V>(&places, strip.channels);
    // Whether all lanes of a pixel may be read and written; those behind its channels belong to the next.
    let is_whole = |p: usize| strip.channels == V * L::N || side_by_side && p + 1 < P;
    let mut acc = [[L::splat(0.0); V]; P];
    // SAFETY: `channels` numbers of every place can be read and written, and whole vectors where they may be.
    unsafe {
        for p in 0..P {
            for v in 0..V {
                let (from, lanes) = (places[p].add(v * L::N), lanes_of::<L>(strip.channels, v));
                acc[p][v] = if is_whole(p) { L::load(from) } else { L::load_first(from, lanes) };
            }
        }
        let Strip { steps, runs, weights, pitch, .. } = *strip;
        match is_in_row {
            true => tile::multiply_asking(&mut acc, gradients[0], &steps, runs, weights, pitch, ahead),
            false => tile::multiply(&mut acc, &gradients, runs, weights, pitch),
        }
        for p in 0..P {
            for v in 0..V {
                let (to, lanes) = (places[p].add(v * L::N), lanes_of::<L>(strip.channels, v));
                if is_whole(p) { acc[p][v].store(to) } else { acc[p][v].store_first(to, lanes) }
            }
        }
    }
}
