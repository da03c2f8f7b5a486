//! Depthwise convolution: every channel on its own, channels across the lanes. Kernels are `[tap][channel]`.

use super::Conv2d;
use crate::Isa;
use crate::isa::Kernel;
use crate::lanes::Lanes;

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
    each_output_row(conv, n, |image, row| {
        for column in 0..conv.output.width {
            let at = conv.output.at(image, row, column);
            let y = &mut y[at..at + conv.output.channels];
            match bias {
                Some(bias) => y.copy_from_slice(bias),
                None => y.fill(0.0),
            }
            each_tap(conv, row, column, |tap, input_row, input_column| {
                let at = conv.input.at(image, input_row, input_column);
                isa.run(MultiplyAdd { a: &x[at..], b: &kernel[tap * y.len()..], sum: y });
            });
            if relu {
                y.iter_mut().for_each(|v| *v = if *v < 0.0 { 0.0 } else { *v });
            }
        }
    });
}

/// As [`super::input_gradient`]; `dx` is zero.
pub(super) fn input_gradient(isa: Isa, conv: &Conv2d, n: usize, dy: &[f32], kernel: &[f32], dx: &mut [f32]) {
    let channels = conv.input.channels;
    each_output_row(conv, n, |image, row| {
        for column in 0..conv.output.width {
            let from = conv.output.at(image, row, column);
            each_tap(conv, row, column, |tap, input_row, input_column| {
                let at = conv.input.at(image, input_row, input_column);
                let sum = &mut dx[at..at + channels];
                isa.run(MultiplyAdd { a: &dy[from..], b: &kernel[tap * channels..], sum });
            });
        }
    });
}

/// As [`super::kernel_gradient`].
pub(super) fn kernel_gradient(isa: Isa, conv: &Conv2d, n: usize, x: &[f32], dy: &[f32], kernel: &mut [f32]) {
    let channels = conv.input.channels;
    each_output_row(conv, n, |image, row| {
        for column in 0..conv.output.width {
            let from = conv.output.at(image, row, column);
            each_tap(conv, row, column, |tap, input_row, input_column| {
                let at = conv.input.at(image, input_row, input_column);
                let sum = &mut kernel[tap * channels..][..channels];
                isa.run(MultiplyAdd { a: &dy[from..], b: &x[at..], sum });
            });
        }
    });
}

fn each_output_row(conv: &Conv2d, n: usize, mut visit: impl FnMut(usize, usize)) {
    (0..n).for_each(|image| (0..conv.output.height).for_each(|row| visit(image, row)));
}

/// The taps of an output pixel that fall inside the image: index, input row, input column.
fn each_tap(conv: &Conv2d, row: usize, column: usize, mut visit: impl FnMut(usize, usize, usize)) {
    let window = &conv.window;
    let (rows, top) = window.taps(0, row, conv.input.height);
    let (columns, left) = window.taps(1, column, conv.input.width);
    for i in rows {
        for j in columns.clone() {
            let y = top + (i * window.dilation[0]) as isize;
            let x = left + (j * window.dilation[1]) as isize;
            visit(i * window.kernel[1] + j, y as usize, x as usize);
        }
    }
}

/// `sum[i] += a[i] * b[i]` over the length of `sum`.
struct MultiplyAdd<'a> {
    a: &'a [f32],
    b: &'a [f32],
    sum: &'a mut [f32],
}

impl Kernel for MultiplyAdd<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let len = self.sum.len();
        assert!(self.a.len() >= len && self.b.len() >= len);
        for at in (0..len).step_by(L::N) {
            let count = L::N.min(len - at);
            // SAFETY: `count` numbers from `at` on lie in all three slices.
            unsafe {
                let a = L::load_first(self.a.as_ptr().add(at), count);
                let b = L::load_first(self.b.as_ptr().add(at), count);
                let to = self.sum.as_mut_ptr().add(at);
                a.mul_add(b, L::load_first(to, count)).store_first(to, count);
            }
        }
    }
}
