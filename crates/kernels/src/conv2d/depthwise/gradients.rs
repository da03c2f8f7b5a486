//! The gradient of the input, alone and together with the kernel's.
//!
//! Without stride it is a convolution of the output's gradient, copied into a border of zeros, with the taps in reverse
//! order; with a stride each tap scatters its products.

use std::ops::Range;

use super::{Forward, Windows, kernel_gradient, parts};
use crate::channels::{load, store};
use crate::conv2d::{self, BothGradients, Conv2d};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::prefetch::Ahead;
use crate::{Isa, View};

/// Numbers of a band of rows that both gradients pass over before the next comes: of x, dy, dy in its border and dx together
/// half a second-level cache of 1 MiB.
const BAND: usize = 1 << 15;

/// Numbers that [`input_gradient`] needs to work in.
pub(in crate::conv2d) fn scratch_len(conv: &Conv2d) -> usize {
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

/// As [`crate::conv2d::input_gradient`]; the whole of `dx` is overwritten.
pub(in crate::conv2d) fn input_gradient(
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

/// As [`crate::conv2d::Product::gradients`], band by band, so that x and dy are read once from where they lie.
pub(in crate::conv2d) fn gradients(isa: Isa, conv: &Conv2d, n: usize, both: BothGradients<'_>, scratch: &mut [f32]) {
    let BothGradients { view, x, dy, packed: kernel, dx, begin, gradient, .. } = both;
    let of_x = Conv2d { input: *view, ..*conv };
    if conv.window.stride != [1; 2] {
        input_gradient(isa, conv, n, dy, kernel, dx, scratch);
        return conv2d::kernel_gradient::kernel_gradient(isa, &of_x, n, x, dy, begin, &mut Ahead::nothing(), gradient);
    }
    conv2d::input_gradient::check(conv, n, dy, kernel, dx, scratch);
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

/// The input's gradient where the window moves by more than one: row by row of the outputs, and tap by tap where the input
/// place lies inside the image.
fn scatter(isa: Isa, conv: &Conv2d, n: usize, dy: &[f32], kernel: &[f32], dx: &mut [f32]) {
    let (window, input, output) = (&conv.window, &conv.input, &conv.output);
    for image in 0..n {
        for row in input.rows(1) {
            dx[input.len(image)..][row].fill(0.0);
        }
        for row in 0..output.height {
            let (down, top) = window.taps(0, row, input.height);
            for (i, j) in down.flat_map(|i| (0..window.kernel[1]).map(move |j| (i, j))) {
                let columns = window.outputs(1, j, input.width, output.width);
                if columns.is_empty() {
                    continue;
                }
                let weights = &kernel[(i * window.kernel[1] + j) * input.channels..][..input.channels];
                let y = (top + (i * window.dilation[0]) as isize) as usize;
                let x = columns.start * window.stride[1] + j * window.dilation[1] - window.padding[1];
                let (step, width) = (window.stride[1] * input.channels, columns.len());
                let dy = &dy[output.at(image, row, columns.start)..][..width * output.channels];
                let dx = &mut dx[input.at(image, y, x)..][..(width - 1) * step + input.channels];
                isa.run(ScatterRow { weights, step, dy, dx });
            }
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
