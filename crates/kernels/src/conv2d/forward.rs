//! The forward pass, with bias and relu in the epilogue.

use super::pack::{packed_len, width};
use super::{Conv2d, Cursor, Walk, depthwise};
use crate::Isa;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::prefetch::Ahead;
use crate::tile::{self, MOST_ASKING, Runs, Steps, for_tile, lanes_of};

/// `y = conv(x, kernel) + bias`, with relu behind it if asked, asking for what is `ahead` meanwhile. `packed` is
/// [`super::pack`]'s; `bias` is `[out channels]`.
///
/// # Panics
/// If a slice is too short for `n` images.
pub(super) fn forward(
    isa: Isa,
    conv: &Conv2d,
    n: usize,
    x: &[f32],
    packed: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
    ahead: &mut Ahead<'_>,
    y: &mut [f32],
) {
    conv.check(n, x.len(), y.len());
    assert_eq!(packed.len(), packed_len(conv));
    assert!(bias.is_none_or(|b| b.len() == conv.output.channels));
    if n == 0 || conv.output.height * conv.output.width == 0 {
        return;
    }
    if conv.is_depthwise() {
        return depthwise::forward(isa, conv, n, x, packed, bias, relu, y);
    }
    isa.run(Forward { conv, n, x, packed, bias, relu, ahead, y });
}

struct Forward<'a, 'b> {
    conv: &'a Conv2d,
    n: usize,
    x: &'a [f32],
    packed: &'a [f32],
    bias: Option<&'a [f32]>,
    relu: bool,
    ahead: &'a mut Ahead<'b>,
    y: &'a mut [f32],
}

impl Kernel for Forward<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let conv = self.conv;
        let walk = Walk::new(conv, self.n);
        let (inputs, outputs, rows) = (conv.group_inputs(), conv.group_outputs(), conv.kernel_rows());
        let width = width(outputs);
        let runs = runs(conv);
        for group in 0..conv.groups {
            for block in 0..outputs.div_ceil(width) {
                let weights = &self.packed[(group * outputs.div_ceil(width) + block) * rows * width..][..rows * width];
                for first in (0..width.min(outputs - block * width)).step_by(2 * L::N) {
                    let left = outputs - block * width - first;
                    let vectors = if left > L::N && width > first + L::N { 2 } else { 1 };
                    let channel = group * outputs + block * width + first;
                    let strip = Strip {
                        walk: &walk,
                        steps: Steps::of(walk.input[3]),
                        output_steps: Steps::of(walk.output[3]),
                        runs: &runs,
                        x: self.x[group * inputs..].as_ptr(),
                        y: self.y[channel..].as_mut_ptr(),
                        weights: weights[first..].as_ptr(),
                        pitch: width,
                        bias: self.bias.map(|b| b[channel..].as_ptr()),
                        relu: self.relu,
                        channels: left.min(vectors * L::N),
                    };
                    let best = tile::best_in_rows::<L>(walk.total(), walk.columns, vectors);
                    let pixels = if self.ahead.is_empty() { best } else { best.min(MOST_ASKING / vectors) };
                    // SAFETY: `check` asserted that input and output of every pixel of the walk lie in their slices; the
                    // block has `rows` rows of `width` weights, of which the strip reads `vectors * N` from `first` on.
                    unsafe { for_tile!(pixels, vectors, strip_of::<L>(&strip, self.ahead)) }
                }
            }
        }
    }
}

/// One strip of output channels over all pixels.
struct Strip<'a> {
    walk: &'a Walk,
    /// Between pixels of a row, of the input and of the output.
    steps: Steps,
    output_steps: Steps,
    runs: &'a Runs,
    x: *const f32,
    y: *mut f32,
    weights: *const f32,
    pitch: usize,
    bias: Option<*const f32>,
    relu: bool,
    /// Channels that are stored, at most the lanes of the strip.
    channels: usize,
}

/// # Safety
/// `P` pixels are at least in the walk; reads and writes of all its pixels are in bounds, and so are the weights.
#[inline(always)]
unsafe fn strip_of<L: Lanes, const P: usize, const V: usize>(strip: &Strip, ahead: &mut Ahead<'_>) {
    let total = strip.walk.total();
    let bias = match strip.bias {
        // SAFETY: the bias has `channels` numbers from here on.
        Some(bias) => {
            // SAFETY: the strip's channels lie behind `bias`.
            std::array::from_fn(|v| unsafe { L::load_first(bias.add(v * L::N), lanes_of::<L>(strip.channels, v)) })
        }
        None => [L::splat(0.0); V],
    };
    let mut cursor = strip.walk.at(0);
    let mut done = 0;
    while done < total {
        if total - done < P {
            // The last tile reaches back over pixels that are done: they get the same values again.
            done = total - P;
            cursor = strip.walk.at(done);
        }
        // SAFETY: the caller's promise, for pixels `done..done + P`.
        unsafe { tile_of::<L, P, V>(strip, &mut cursor, &bias, ahead) };
        done += P;
    }
}

/// # Safety
/// As [`strip_of`], for the `P` pixels from the cursor on.
#[inline(always)]
unsafe fn tile_of<L: Lanes, const P: usize, const V: usize>(
    strip: &Strip,
    cursor: &mut Cursor,
    bias: &[L; V],
    ahead: &mut Ahead<'_>,
) {
    let Strip { walk, steps, runs, weights, pitch, channels, .. } = *strip;
    let mut acc = [*bias; P];
    if cursor.is_in_row(walk, P) {
        let place = cursor.pass(walk, P);
        // SAFETY: the windows of the pixels and the rows of weights can be read, `channels` numbers of every pixel written.
        unsafe {
            tile::multiply_asking(&mut acc, strip.x.wrapping_add(place.input), &steps, runs, weights, pitch, ahead);
            finish(strip, &mut acc);
            return tile::store_apart(&acc, strip.y.wrapping_add(place.output), &strip.output_steps, channels);
        }
    }
    let places = cursor.take::<P>(walk);
    // SAFETY: as above.
    unsafe {
        tile::multiply(&mut acc, &places.map(|place| strip.x.wrapping_add(place.input)), runs, weights, pitch);
        finish(strip, &mut acc);
        tile::store(&acc, &places.map(|place| strip.y.wrapping_add(place.output)), channels);
    }
}

/// What follows the sums.
#[inline(always)]
fn finish<L: Lanes, const P: usize, const V: usize>(strip: &Strip, acc: &mut [[L; V]; P]) {
    if strip.relu {
        // What is not a number stays: `max` gives its second operand.
        for p in 0..P {
            for v in 0..V {
                acc[p][v] = L::splat(0.0).max(acc[p][v]);
            }
        }
    }
}

/// The input numbers of one output pixel, in the order of the packed kernel.
pub(super) fn runs(conv: &Conv2d) -> Runs {
    let [height, width] = conv.window.kernel;
    let inputs = conv.group_inputs();
    let outer_step = conv.window.dilation[0] * conv.input.row_pitch;
    let inner_step = conv.window.dilation[1] * conv.input.channels;
    if inner_step == inputs {
        return Runs { outer: height, outer_step, inner: 1, inner_step: 0, len: width * inputs };
    }
    Runs { outer: height, outer_step, inner: width, inner_step, len: inputs }
}
