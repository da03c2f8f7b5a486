//! Depthwise convolution: every channel on its own, channels across the lanes. Kernels are `[tap][channel]`.
//!
//! An image is walked with a vector of its channels and up to nine taps in registers at once: all of a 3×3 kernel. What a row of
//! windows has read is then still in the first-level cache when the next row reads it.

use super::Conv2d;
use crate::channels::{load, store};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::prefetch::prefetch_line;
use crate::{Isa, View};

/// Most taps whose weights or sums stay in registers.
const MOST_TAPS: usize = 9;

/// Pixels of which a vector of channels leaves half of a first-level cache to others.
const FEW_PIXELS: usize = 256;

/// Some taps of a kernel: how many, and where each reads from its window's first number on.
#[derive(Clone, Copy)]
struct Taps {
    first: usize,
    count: usize,
    offsets: [usize; MOST_TAPS],
}

/// All taps in parts whose sizes there are kernels for.
fn parts(conv: &Conv2d, row_pitch: usize) -> impl Iterator<Item = Taps> + use<> {
    let (window, channels) = (conv.window, conv.input.channels);
    let total = window.kernel[0] * window.kernel[1];
    let mut first = 0;
    std::iter::from_fn(move || {
        let count = [MOST_TAPS, 5, 3, 1].into_iter().find(|count| *count <= total - first)?;
        let mut offsets = [0; MOST_TAPS];
        for (tap, offset) in (first..first + count).zip(&mut offsets) {
            let (i, j) = (tap / window.kernel[1], tap % window.kernel[1]);
            *offset = i * window.dilation[0] * row_pitch + j * window.dilation[1] * channels;
        }
        first += count;
        Some(Taps { first: first - count, count, offsets })
    })
}

/// Runs a kernel of as many taps as a part has.
macro_rules! run {
    ($isa:expr, $taps:expr, $kernel:ident { $($field:ident),* }) => {
        match $taps.count {
            9 => $isa.run($kernel::<9> { $($field),* }),
            5 => $isa.run($kernel::<5> { $($field),* }),
            3 => $isa.run($kernel::<3> { $($field),* }),
            _ => $isa.run($kernel::<1> { $($field),* }),
        }
    };
}

mod gradients;
pub(super) use gradients::{gradients, input_gradient, scratch_len};

/// Images whose windows are walked: where the first window begins, the steps to the next image, row and pixel.
#[derive(Clone, Copy)]
struct Windows {
    start: usize,
    image: usize,
    row: usize,
    column: usize,
}

impl Windows {
    fn of(conv: &Conv2d) -> Windows {
        let (input, window) = (&conv.input, &conv.window);
        let [top, left, ..] = window.padding;
        Windows {
            start: input.origin - top * input.row_pitch - left * input.channels,
            image: input.image_pitch,
            row: window.stride[0] * input.row_pitch,
            column: window.stride[1] * input.channels,
        }
    }

    /// Numbers from a window to what is asked for while it is computed: the next channels where those of an image that are
    /// read stay in the first-level cache, else the rows behind a kernel of three.
    fn ahead<L: Lanes>(&self, output: &View) -> usize {
        if output.height * output.width <= FEW_PIXELS { L::N } else { 3 * self.row }
    }
}

/// As [`super::forward`].
pub(super) fn forward(
    isa: Isa,
    conv: &Conv2d,
    n: usize,
    x: &[f32],
    kernel: &[f32],
    bias: Option<&[f32]>,
    relu: bool,
    y: &mut [f32],
) {
    let (windows, output, total) = (Windows::of(conv), &conv.output, conv.window.kernel[0] * conv.window.kernel[1]);
    for taps in parts(conv, conv.input.row_pitch) {
        let (is_first, is_last) = (taps.first == 0, taps.first + taps.count == total);
        let (relu, y, reversed) = (relu && is_last, &mut *y, false);
        run!(isa, taps, Forward { n, windows, output, taps, x, kernel, bias, is_first, relu, reversed, y });
    }
}

/// As [`super::kernel_gradient`].
pub(super) fn kernel_gradient(isa: Isa, conv: &Conv2d, n: usize, x: &[f32], dy: &[f32], kernel: &mut [f32]) {
    let (windows, output) = (Windows::of(conv), &conv.output);
    for taps in parts(conv, conv.input.row_pitch) {
        let kernel = &mut *kernel;
        run!(isa, taps, KernelGradient { n, windows, output, taps, x, dy, kernel });
    }
}

/// `y += sum over taps of x · kernel`, where the first part begins with the bias.
struct Forward<'a, const T: usize> {
    n: usize,
    windows: Windows,
    output: &'a View,
    taps: Taps,
    x: &'a [f32],
    kernel: &'a [f32],
    bias: Option<&'a [f32]>,
    is_first: bool,
    relu: bool,
    /// Whether the kernel's taps are in reverse order.
    reversed: bool,
    y: &'a mut [f32],
}

impl<const T: usize> Kernel for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Forward { windows, output, taps, x, kernel, .. } = self;
        let (channels, zero) = (output.channels, L::splat(0.0));
        let total = kernel.len() / channels;
        let ahead = windows.ahead::<L>(output);
        // Results lie where no cache holds them, a gradient does not.
        let ahead_of_y = if self.reversed { 0 } else { L::N };
        for (image, channel) in (0..self.n).flat_map(|image| (0..channels).step_by(L::N).map(move |at| (image, at))) {
            let count = L::N.min(channels - channel);
            let mut weights = [zero; T];
            for (tap, weight) in weights.iter_mut().enumerate() {
                let tap = taps.first + tap;
                let tap = if self.reversed { total - 1 - tap } else { tap };
                // SAFETY: the kernel has as many numbers a tap as there are channels.
                *weight = unsafe { load(kernel.as_ptr().add(tap * channels + channel), count) };
            }
            let start = match self.bias {
                // SAFETY: so has the bias.
                Some(bias) => unsafe { load(bias.as_ptr().add(channel), count) },
                None => zero,
            };
            for row in 0..output.height {
                let from = windows.start + image * windows.image + row * windows.row;
                let to = output.at(image, row, 0);
                // SAFETY: `Conv2d::check`, or the border of a gradient, has it that all taps of all windows can be read and
                // that the output's pixels can be written.
                unsafe {
                    let mut x = x.as_ptr().add(from + channel);
                    let mut y = self.y.as_mut_ptr().add(to + channel);
                    for _ in 0..output.width {
                        prefetch_line(x.wrapping_add(ahead));
                        prefetch_line(y.wrapping_add(ahead_of_y));
                        let mut sum = if self.is_first { start } else { load(y, count) };
                        for (offset, weight) in taps.offsets.iter().zip(&weights) {
                            sum = load::<L>(x.add(*offset), count).mul_add(*weight, sum);
                        }
                        // What is not a number stays: `max` gives its second operand.
                        let sum = if self.relu { zero.max(sum) } else { sum };
                        store(sum, y, count);
                        (x, y) = (x.wrapping_add(windows.column), y.wrapping_add(channels));
                    }
                }
            }
        }
    }
}

/// `kernel += sum over pixels of x · dy`.
struct KernelGradient<'a, const T: usize> {
    n: usize,
    windows: Windows,
    output: &'a View,
    taps: Taps,
    x: &'a [f32],
    dy: &'a [f32],
    kernel: &'a mut [f32],
}

impl<const T: usize> Kernel for KernelGradient<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let KernelGradient { windows, output, taps, x, dy, .. } = self;
        let (channels, zero) = (output.channels, L::splat(0.0));
        let ahead = windows.ahead::<L>(output);
        for (image, channel) in (0..self.n).flat_map(|image| (0..channels).step_by(L::N).map(move |at| (image, at))) {
            let count = L::N.min(channels - channel);
            let place = |tap: usize| (taps.first + tap) * channels + channel;
            let mut totals = [zero; T];
            for (tap, total) in totals.iter_mut().enumerate() {
                // SAFETY: the kernel has as many numbers a tap as there are channels.
                *total = unsafe { load(self.kernel.as_ptr().add(place(tap)), count) };
            }
            for row in 0..output.height {
                let from = windows.start + image * windows.image + row * windows.row;
                // SAFETY: `Conv2d::check` has it that all taps of all windows and all gradients can be read.
                unsafe {
                    let mut sums = [zero; T];
                    let mut x = x.as_ptr().add(from + channel);
                    let mut dy = dy.as_ptr().add(output.at(image, row, 0) + channel);
                    for _ in 0..output.width {
                        prefetch_line(x.wrapping_add(ahead));
                        prefetch_line(dy.wrapping_add(L::N));
                        let value = load::<L>(dy, count);
                        for (offset, sum) in taps.offsets.iter().zip(&mut sums) {
                            *sum = load::<L>(x.add(*offset), count).mul_add(value, *sum);
                        }
                        (x, dy) = (x.wrapping_add(windows.column), dy.wrapping_add(channels));
                    }
                    for (total, sum) in totals.iter_mut().zip(sums) {
                        *total = total.add(sum);
                    }
                }
            }
            for (tap, total) in totals.into_iter().enumerate() {
                // SAFETY: as above.
                unsafe { store(total, self.kernel.as_mut_ptr().add(place(tap)), count) };
            }
        }
    }
}
