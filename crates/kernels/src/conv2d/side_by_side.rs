//! Pixels side by side, where few output channels leave lanes empty: some pixels of a row as the channels of one.
//!
//! Results of pixels that follow each other lie one behind the other, so a row of `w` pixels of `c` channels is also one of
//! `w / d` pixels of `d · c`. Each of these sees what the windows of its pixels reach together, with a kernel of zeros
//! around the given one: more products than the definition's, in fewer vectors. All that are added are zeros, where the
//! input is finite; what is not reaches the pixels beside it.

use super::{Conv2d, pack};
use crate::View;
use crate::lanes::MOST_LANES;

/// Lanes of the widest block of a packed kernel.
const WIDEST: usize = 2 * MOST_LANES;

/// How many pixels take the fewest vectors of products; 1 where that is the definition's way.
pub(super) fn best(conv: &Conv2d) -> usize {
    if conv.groups > 1 || conv.window.dilation[1] > 1 || conv.output.channels == 0 {
        return 1;
    }
    let (width, channels) = (conv.output.width, conv.output.channels);
    let pixels = (1..=WIDEST / channels).filter(|pixels| width.is_multiple_of(*pixels));
    let vectors = |pixels: usize| (pixels * channels).div_ceil(MOST_LANES) * reach(conv, pixels);
    pixels.min_by(|a, b| (vectors(*a) * b).cmp(&(vectors(*b) * a))).unwrap_or(1)
}

/// Columns of the input that the windows of so many pixels see together.
fn reach(conv: &Conv2d, pixels: usize) -> usize {
    conv.window.kernel[1] + (pixels - 1) * conv.window.stride[1]
}

/// The convolution whose pixels are so many of this one's.
pub(super) fn joined(conv: &Conv2d, pixels: usize) -> Conv2d {
    let mut joined = *conv;
    let View { width, channels, .. } = conv.output;
    joined.output = View { width: width / pixels, channels: pixels * channels, ..conv.output };
    joined.window.kernel[1] = reach(conv, pixels);
    joined.window.stride[1] = pixels * conv.window.stride[1];
    joined
}

/// Length of [`pack`]'s result.
pub(super) fn packed_len(conv: &Conv2d, pixels: usize) -> usize {
    pack::packed_len(&joined(conv, pixels))
}

/// Calls `visit(number of the canonical kernel, of the packed one)` for every product of the definition.
fn each(conv: &Conv2d, pixels: usize, mut visit: impl FnMut(usize, usize)) {
    let ([height, width], inputs, outputs) = (conv.window.kernel, conv.input.channels, conv.output.channels);
    let (lanes, reach) = (pack::width(pixels * outputs), reach(conv, pixels));
    for output in 0..outputs {
        for pixel in 0..pixels {
            for i in 0..height {
                let row = i * reach + pixel * conv.window.stride[1];
                for k in 0..width * inputs {
                    visit(
                        (output * height + i) * width * inputs + k,
                        (row * inputs + k) * lanes + pixel * outputs + output,
                    );
                }
            }
        }
    }
}

/// The kernel, canonical, in the order of [`super::forward::forward`] for the joined convolution.
pub(super) fn pack(conv: &Conv2d, pixels: usize, kernel: &[f32], packed: &mut [f32]) {
    assert_eq!((kernel.len(), packed.len()), (conv.kernel_len(), packed_len(conv, pixels)));
    packed.fill(0.0);
    each(conv, pixels, |from, to| packed[to] = kernel[from]);
}

/// A gradient of [`super::kernel_gradient::kernel_gradient`] for the joined convolution in canonical layout: what all pixels
/// say.
pub(super) fn unpack(conv: &Conv2d, pixels: usize, packed: &[f32], kernel: &mut [f32]) {
    assert_eq!((kernel.len(), packed.len()), (conv.kernel_len(), packed_len(conv, pixels)));
    kernel.fill(0.0);
    each(conv, pixels, |to, from| kernel[to] += packed[from]);
}
