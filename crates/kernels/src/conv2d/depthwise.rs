//! Depthwise convolution: every channel on its own, channels across the lanes. Kernels are `[tap][channel]`.
//!
//! Rows of pixels are walked with up to nine taps in registers at once: all of a 3×3 kernel. The input's gradient of a
//! convolution without stride is a convolution of the output's gradient, copied into a border of zeros, with the taps in
//! reverse order; with a stride each tap scatters its products.

use std::ops::Range;

use super::{BothGradients, Conv2d};
use crate::channels::{load, store};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::prefetch::prefetch_line;
use crate::{Isa, View};

/// Most taps whose weights or sums stay in registers.
const MOST_TAPS: usize = 9;

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

/// Numbers of a band of rows that both gradients pass over before the next comes: of x, dy, dy in its border and dx together
/// half a second-level cache of 1 MiB.
const BAND: usize = 1 << 15;

/// Numbers that [`input_gradient`] needs to work in.
pub(super) fn scratch_len(conv: &Conv2d) -> usize {
    if conv.window.stride == [1; 2] { bordered(conv, band_rows(conv)).len(1) } else { 0 }
}

/// Rows of the input in a band.
fn band_rows(conv: &Conv2d) -> usize {
    let View { height, width, channels, .. } = conv.input;
    (BAND / (width * channels).max(1)).clamp(conv.window.kernel[0], height.max(conv.window.kernel[0]))
}

/// The output's gradients that so many rows of the input see, in a border of zeros as wide as the kernel reaches.
fn bordered(conv: &Conv2d, rows: usize) -> View {
    let reach = |axis: usize| (conv.window.kernel[axis] - 1) * conv.window.dilation[axis];
    let View { width, channels, .. } = conv.output;
    View::bordered(rows + reach(0), width, channels, [0, reach(1), 0, reach(1)])
}

/// As [`super::input_gradient`]; the whole of `dx` is overwritten.
pub(super) fn input_gradient(
    isa: Isa,
    conv: &Conv2d,
    n: usize,
    dy: &[f32],
    kernel: &[f32],
    dx: &mut [f32],
    scratch: &mut [f32],
) {
    if conv.window.stride != [1; 2] {
        return scatter(isa, conv, n, dy, kernel, dx);
    }
    for image in 0..n {
        let (dy, dx) = (&dy[conv.output.len(image)..], &mut dx[conv.input.len(image)..]);
        for rows in bands(conv) {
            band_of_input_gradient(isa, conv, rows, dy, kernel, dx, scratch);
        }
    }
}

/// As [`super::Product::gradients`], band by band, so that x and dy are read once from where they lie.
pub(super) fn gradients(isa: Isa, conv: &Conv2d, n: usize, both: BothGradients<'_>, scratch: &mut [f32]) {
    let BothGradients { view, x, dy, packed: kernel, dx, begin, gradient, .. } = both;
    let of_x = Conv2d { input: *view, ..*conv };
    if conv.window.stride != [1; 2] {
        input_gradient(isa, conv, n, dy, kernel, dx, scratch);
        return super::kernel_gradient::kernel_gradient(isa, &of_x, n, x, dy, begin, gradient);
    }
    super::input_gradient::check(conv, n, dy, kernel, dx, scratch);
    of_x.check(n, x.len(), dy.len());
    assert_eq!(gradient.len(), conv.kernel_len());
    if begin {
        gradient.fill(0.0);
    }
    for image in 0..n {
        let (x, dy, dx) = (&x[view.len(image)..], &dy[conv.output.len(image)..], &mut dx[conv.input.len(image)..]);
        for rows in bands(conv) {
            band_of_input_gradient(isa, conv, rows.clone(), dy, kernel, dx, scratch);
            // The last takes what the output has more rows than the input.
            let height = conv.output.height;
            let end = if rows.end == conv.input.height { height } else { rows.end.min(height) };
            let rows = rows.start.min(end)..end;
            let band = of_x.band(rows.clone(), conv.output.band(rows));
            kernel_gradient(isa, &band, 1, x, dy, gradient);
        }
    }
}

/// All rows of the input in bands.
fn bands(conv: &Conv2d) -> impl Iterator<Item = Range<usize>> + use<> {
    let (rows, height) = (band_rows(conv), conv.input.height);
    (0..height).step_by(rows).map(move |row| row..height.min(row + rows))
}

/// Some rows of an image's gradient: a convolution of `dy` in its border.
fn band_of_input_gradient(
    isa: Isa,
    conv: &Conv2d,
    rows: Range<usize>,
    dy: &[f32],
    kernel: &[f32],
    dx: &mut [f32],
    scratch: &mut [f32],
) {
    let (bordered, [top, left, ..]) = (bordered(conv, rows.len()), conv.window.padding);
    let padded = &mut scratch[..bordered.len(1)];
    padded.fill(0.0);
    // The first of the outputs that are seen, which may lie above the image.
    let first = (rows.start + top) as isize - (bordered.height - rows.len()) as isize;
    for (row, to) in bordered.rows(1).enumerate() {
        if let Ok(row) = usize::try_from(first + row as isize)
            && row < conv.output.height
        {
            padded[to].copy_from_slice(&dy[conv.output.at(0, row, 0)..conv.output.at(0, row, conv.output.width)]);
        }
    }
    // The window of a row's first pixel: its last tap reads the output's pixel that lies `padding` further.
    let start = left * bordered.channels;
    let windows = Windows { start, image: 0, row: bordered.row_pitch, column: bordered.channels };
    let (x, output) = (&*padded, &conv.input.band(rows));
    let (n, bias, relu, reversed) = (1, None, false, true);
    for taps in parts(conv, bordered.row_pitch) {
        let (is_first, y) = (taps.first == 0, &mut *dx);
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
        let (total, rows) = (kernel.len() / channels, self.n * output.height);
        for index in 0..rows {
            let (image, row) = (index / output.height, index % output.height);
            let from = windows.start + image * windows.image + row * windows.row;
            let to = output.at(image, row, 0);
            // Results lie where no cache holds them, a gradient does not: where the next row is written is asked for.
            let ahead = if self.reversed || index + 1 == rows { 0 } else { output.row_pitch };
            for channel in (0..channels).step_by(L::N) {
                let count = L::N.min(channels - channel);
                // SAFETY: `Conv2d::check`, or the border of a gradient, has it that all taps of all windows can be read and
                // that the output's pixels can be written; kernel and bias have as many numbers as there are channels.
                unsafe {
                    let mut weights = [zero; T];
                    for (tap, weight) in weights.iter_mut().enumerate() {
                        let tap = taps.first + tap;
                        let tap = if self.reversed { total - 1 - tap } else { tap };
                        *weight = load(kernel.as_ptr().add(tap * channels + channel), count);
                    }
                    let start = match self.bias {
                        Some(bias) => load(bias.as_ptr().add(channel), count),
                        None => zero,
                    };
                    let mut x = x.as_ptr().add(from + channel);
                    let mut y = self.y.as_mut_ptr().add(to + channel);
                    for _ in 0..output.width {
                        prefetch_line(y.wrapping_add(ahead));
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
        for index in 0..self.n * output.height {
            let (image, row) = (index / output.height, index % output.height);
            let from = windows.start + image * windows.image + row * windows.row;
            let gradient = output.at(image, row, 0);
            for channel in (0..channels).step_by(L::N) {
                let count = L::N.min(channels - channel);
                // SAFETY: `Conv2d::check` has it that all taps of all windows and all gradients can be read; the kernel has
                // as many numbers a tap as there are channels.
                unsafe {
                    let mut sums = [zero; T];
                    let mut x = x.as_ptr().add(from + channel);
                    let mut dy = dy.as_ptr().add(gradient + channel);
                    for _ in 0..output.width {
                        let value = load::<L>(dy, count);
                        for (offset, sum) in taps.offsets.iter().zip(&mut sums) {
                            *sum = load::<L>(x.add(*offset), count).mul_add(value, *sum);
                        }
                        (x, dy) = (x.wrapping_add(windows.column), dy.wrapping_add(channels));
                    }
                    for (tap, sum) in sums.into_iter().enumerate() {
                        let to = self.kernel.as_mut_ptr().add((taps.first + tap) * channels + channel);
                        let sum = load::<L>(to, count).add(sum);
                        store(sum, to, count);
                    }
                }
            }
        }
    }
}

/// The input's gradient where the window moves by more than one: row by row of the outputs, and tap by tap where the input
/// place lies inside the image.
fn scatter(isa: Isa, conv: &Conv2d, n: usize, dy: &[f32], kernel: &[f32], dx: &mut [f32]) {
    let (window, input, output) = (&conv.window, &conv.input, &conv.output);
    for image in 0..n {
        for row in input.rows(1) {
            dx[input.len(image)..][row].fill(0.0);
        }
        for (row, tap) in
            (0..output.height).flat_map(|row| (0..window.kernel[0] * window.kernel[1]).map(move |tap| (row, tap)))
        {
            let (i, j) = (tap / window.kernel[1], tap % window.kernel[1]);
            let columns = window.outputs(1, j, input.width, output.width);
            if columns.is_empty() || !window.outputs(0, i, input.height, output.height).contains(&row) {
                continue;
            }
            let weights = &kernel[tap * input.channels..][..input.channels];
            let y = row * window.stride[0] + i * window.dilation[0] - window.padding[0];
            let x = columns.start * window.stride[1] + j * window.dilation[1] - window.padding[1];
            let (step, width) = (window.stride[1] * input.channels, columns.len());
            let dy = &dy[output.at(image, row, columns.start)..][..width * output.channels];
            let dx = &mut dx[input.at(image, y, x)..][..(width - 1) * step + input.channels];
            isa.run(ScatterRow { weights, step, dy, dx });
        }
    }
}

/// `dx[column · step + channel] += dy[column, channel] · weights[channel]`.
struct ScatterRow<'a> {
    weights: &'a [f32],
    step: usize,
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for ScatterRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let channels = self.weights.len();
        for channel in (0..channels).step_by(L::N) {
            let count = L::N.min(channels - channel);
            // SAFETY: the slices hold `channels` numbers for each column, `step` apart in `dx`.
            unsafe {
                let weights = load::<L>(self.weights.as_ptr().add(channel), count);
                for column in 0..self.dy.len() / channels {
                    let dy = load::<L>(self.dy.as_ptr().add(column * channels + channel), count);
                    let to = self.dx.as_mut_ptr().add(column * self.step + channel);
                    let sum = dy.mul_add(weights, load(to, count));
                    store(sum, to, count);
                }
            }
        }
    }
}
