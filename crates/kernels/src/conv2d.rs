//! Two-dimensional convolution (cross-correlation) with stride, dilation, padding and groups, and its two gradients.
//!
//! `y[o] = bias[o] + sum over i, j, c of x[y·s + i·d - pad, x·s + j·d - pad, c] · kernel[o, i, j, c]`. Output channels lie
//! across the lanes; inputs are broadcast; there is no copy of windows. Weights are packed in blocks of 32 output channels
//! (16 where there are no more), so that a block stays in the first-level cache while all pixels pass. Where channels are
//! few, lanes are filled with pixels ([`side_by_side`]) or with a row of the kernel ([`by_rows`]). Kernels of 3×3 may be
//! multiplied transformed, which takes fewer products ([`winograd`]; [`along_rows`] where they read few channels); [`Product`]
//! chooses.

mod along_rows;
mod by_rows;
mod depthwise;
mod forward;
mod input_gradient;
mod kernel_gradient;
mod living;
mod pack;
mod pooled;
mod product;
mod side_by_side;
mod windows;
mod winograd;

pub use living::{Gradients, Living, Signals, living_gradients};
pub use pooled::Pooled;
pub use product::{Arithmetic, BothGradients, Epilogue, Method, Product};
pub use winograd::Size;

use std::ops::Range;

use crate::Isa;
use crate::view::{View, Window};

/// A convolution's geometry: where input and output lie and how the window moves.
///
/// The kernel's canonical layout is `[out channels, kernel height, kernel width, in channels / groups]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv2d {
    /// The input; its border, at least as wide as the padding, holds zeros.
    pub input: View,
    pub output: View,
    pub window: Window,
    pub groups: usize,
}

impl Conv2d {
    /// Input channels that one output channel reads.
    pub fn group_inputs(&self) -> usize {
        self.input.channels / self.groups
    }

    /// Output channels of a group.
    pub fn group_outputs(&self) -> usize {
        self.output.channels / self.groups
    }

    /// Numbers of the kernel.
    pub fn kernel_len(&self) -> usize {
        self.output.channels * self.kernel_rows()
    }

    /// The convolution of some rows of the output, which lie at `output`.
    pub fn band(&self, rows: Range<usize>, output: View) -> Conv2d {
        let origin = self.input.origin + rows.start * self.window.stride[0] * self.input.row_pitch;
        Conv2d { input: View { origin, ..self.input }, output, ..*self }
    }

    /// Floating-point operations of one pass over an image, computed directly; a multiply-add is two.
    pub fn flops(&self) -> u64 {
        let outputs = self.output.height * self.output.width * self.output.channels;
        2 * (outputs * self.kernel_rows()) as u64
    }

    /// Multiply-adds of vectors of output channels in a direct pass over `n` images.
    pub(crate) fn products(&self, isa: Isa, n: usize) -> usize {
        let pixels = n * self.output.height * self.output.width;
        pixels * self.groups * self.kernel_rows() * self.group_outputs().div_ceil(isa.lanes())
    }

    /// Numbers of one output channel's kernel.
    pub(crate) fn kernel_rows(&self) -> usize {
        self.window.kernel[0] * self.window.kernel[1] * self.group_inputs()
    }

    /// Whether each channel is convolved on its own.
    pub(crate) fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.input.channels && self.groups == self.output.channels
    }

    /// Asserts that all reads of `n` images stay inside `x` and all of the output inside `y`.
    pub(crate) fn check(&self, n: usize, x: usize, y: usize) {
        let (input, output, window) = (&self.input, &self.output, &self.window);
        assert!(
            self.groups > 0
                && input.channels.is_multiple_of(self.groups)
                && output.channels.is_multiple_of(self.groups)
        );
        let [top, left, ..] = window.padding;
        assert!(input.origin >= top * input.row_pitch + left * input.channels, "the border is as wide as the padding");
        assert!(input.row_pitch >= input.width * input.channels && output.row_pitch >= output.width * output.channels);
        if n == 0 || output.height == 0 || output.width == 0 {
            return;
        }
        let reach =
            |axis: usize, last: usize| last * window.stride[axis] + (window.kernel[axis] - 1) * window.dilation[axis];
        let lowest = input.origin - top * input.row_pitch - left * input.channels;
        let last = lowest
            + (n - 1) * input.image_pitch
            + reach(0, output.height - 1) * input.row_pitch
            + (reach(1, output.width - 1) + 1) * input.channels;
        assert!(last <= x, "the input holds {x} numbers, {last} are read");
        let end = output.at(n - 1, output.height - 1, output.width - 1) + output.channels;
        assert!(end <= y, "the output holds {y} numbers, {end} are used");
    }
}

/// How output pixels and their inputs follow each other: images of rows of pixels, or samples as one row.
#[derive(Clone, Copy)]
pub(crate) struct Walk {
    pub n: usize,
    pub rows: usize,
    pub columns: usize,
    /// Start, and steps from image to image, row to row and pixel to pixel, of the input window and of the output.
    pub input: [usize; 4],
    pub output: [usize; 4],
}

impl Walk {
    /// All output pixels of `n` images.
    pub fn new(conv: &Conv2d, n: usize) -> Walk {
        let (input, output, window) = (&conv.input, &conv.output, &conv.window);
        let [top, left, ..] = window.padding;
        let start = input.origin - top * input.row_pitch - left * input.channels;
        let in_steps =
            [start, input.image_pitch, window.stride[0] * input.row_pitch, window.stride[1] * input.channels];
        let out_steps = [output.origin, output.image_pitch, output.row_pitch, output.channels];
        Walk { n, rows: output.height, columns: output.width, input: in_steps, output: out_steps }.flat()
    }

    /// Samples of one pixel as one row, so that inner loops are long.
    pub fn flat(self) -> Walk {
        if self.rows != 1 || self.columns != 1 {
            return self;
        }
        let turned = |[start, image, _, _]: [usize; 4]| [start, 0, 0, image];
        Walk { n: 1, rows: 1, columns: self.n, input: turned(self.input), output: turned(self.output) }
    }

    /// Output pixels in all.
    pub fn total(&self) -> usize {
        self.n * self.rows * self.columns
    }

    /// Offsets of input window and output of pixel `index`.
    pub fn at(&self, index: usize) -> Cursor {
        let (column, rest) = (index % self.columns, index / self.columns);
        let (row, image) = (rest % self.rows, rest / self.rows);
        let place = |s: [usize; 4]| s[0] + image * s[1] + row * s[2] + column * s[3];
        Cursor { input: place(self.input), output: place(self.output), column, row, image }
    }
}

/// Offsets of a pixel's input window and of its output.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub input: usize,
    pub output: usize,
}

/// A pixel of a [`Walk`].
#[derive(Clone, Copy)]
pub(crate) struct Cursor {
    input: usize,
    output: usize,
    column: usize,
    row: usize,
    image: usize,
}

impl Cursor {
    /// Offsets of the next `P` pixels, and on to those behind them. Most lie in one row, where each is a step from the last.
    #[inline(always)]
    pub fn take<const P: usize>(&mut self, walk: &Walk) -> [Place; P] {
        let mut places = [Place { input: self.input, output: self.output }; P];
        if self.is_in_row(walk, P) {
            let first = self.pass(walk, P);
            for p in 1..P {
                places[p] = Place { input: first.input + p * walk.input[3], output: first.output + p * walk.output[3] };
            }
        } else {
            places.iter_mut().for_each(|place| *place = self.pass(walk, 1));
        }
        places
    }

    /// Whether the next `pixels` lie in one row.
    #[inline(always)]
    pub fn is_in_row(&self, walk: &Walk, pixels: usize) -> bool {
        self.column + pixels <= walk.columns
    }

    /// Where it is, and on past pixels of the same row.
    #[inline(always)]
    pub fn pass(&mut self, walk: &Walk, pixels: usize) -> Place {
        let place = Place { input: self.input, output: self.output };
        self.column += pixels;
        self.input += pixels * walk.input[3];
        self.output += pixels * walk.output[3];
        if self.column == walk.columns {
            self.column = 0;
            self.row += 1;
            if self.row == walk.rows {
                self.row = 0;
                self.image += 1;
            }
            let start = |s: [usize; 4]| s[0] + self.image * s[1] + self.row * s[2];
            (self.input, self.output) = (start(walk.input), start(walk.output));
        }
        place
    }
}

#[cfg(test)]
mod tests;
