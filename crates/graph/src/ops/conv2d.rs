//! Convolution of images, as the field calls it: cross-correlation with learned windows.
//!
//! `y[n, i, j, o] = sum over a, b, c of x[n, i * stride + a * dilation - padding, ..j..b.., group(o) * C / groups + c]
//! * kernel[o, a, b, c]`, zeros outside the image. x: `[N, H, W, C]`, kernel: `[O, kh, kw, C / groups]`,
//! y: `[N, H', W', O]`. Output channel o belongs to group `o / (O / groups)`. y is linear in x and in the kernel, so
//! both gradients run over the same products (ONNX `Conv`, version 11).

use super::operands::{Inferred, Operands, SECOND_ORDER, exactly, image, numbers, result};
use super::{Cases, Gradient, Onnx, Op, OpRule, Step, Window};
use crate::cases::{Case, Numbers, Operand, SUM};
use crate::reference::{Call, Tensor};
use crate::{Graph, NodeId, Shape};

/// x, kernel -> y
pub const CONV2D: OpRule = OpRule {
    name: "conv2d",
    infer,
    gradient: Gradient::Rule(gradient),
    reference: forward,
    flops: |_, operands, result| products(operands[1], result),
    onnx: Onnx::Operator { name: "Conv", since: 11 },
    cases: Cases::Make(|| settings().into_iter().map(Setting::forward).collect()),
};

/// dy, kernel -> dx
pub const CONV2D_INPUT_GRADIENT: OpRule = OpRule {
    name: "conv2d_input_gradient",
    infer: infer_input_gradient,
    gradient: Gradient::None(SECOND_ORDER),
    reference: input_gradient,
    flops: |_, operands, _| products(operands[1], operands[0]),
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| settings().into_iter().map(Setting::input_gradient).collect()),
};

/// x, dy -> dkernel
pub const CONV2D_KERNEL_GRADIENT: OpRule = OpRule {
    name: "conv2d_kernel_gradient",
    infer: infer_kernel_gradient,
    gradient: Gradient::None(SECOND_ORDER),
    reference: kernel_gradient,
    flops: |_, operands, result| products(result, operands[1]),
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| settings().into_iter().map(Setting::kernel_gradient).collect()),
};

fn attributes(op: &Op) -> (Window, usize) {
    match op {
        Op::Conv2d { window, groups }
        | Op::Conv2dInputGradient { window, groups, .. }
        | Op::Conv2dKernelGradient { window, groups } => (*window, *groups),
        other => unreachable!("{} is no convolution", other.name()),
    }
}

fn infer(op: &Op, operands: &Operands<'_>) -> Inferred {
    let (window, groups) = attributes(op);
    let [x, kernel] = numbers(operands)?;
    let [height, width, channels] = image(x)?;
    let filters = filters(kernel, window, groups, channels)?;
    let [rows, columns] = window.output([height, width])?;
    result(Shape::batched(&[rows, columns, filters]))
}

/// The number of filters of a kernel that fits `channels` channels.
fn filters(kernel: &Shape, window: Window, groups: usize, channels: usize) -> Result<usize, String> {
    let &[filters, ..] = kernel.dims.as_slice() else { return Err(format!("takes a kernel, not {kernel}")) };
    check_groups(groups, channels, filters)?;
    let [height, width] = window.kernel;
    exactly("a kernel", kernel, &Shape::fixed(&[filters, height, width, channels / groups]))?;
    Ok(filters)
}

fn check_groups(groups: usize, channels: usize, filters: usize) -> Result<(), String> {
    match channels.is_multiple_of(groups) && filters.is_multiple_of(groups) {
        true => Ok(()),
        false => Err(format!("{groups} groups do not divide {channels} channels and {filters} filters")),
    }
}

fn infer_input_gradient(op: &Op, operands: &Operands<'_>) -> Inferred {
    let Op::Conv2dInputGradient { window, groups, height, width } = *op else { unreachable!("its row") };
    let [dy, kernel] = numbers(operands)?;
    let channels = kernel.channels() * groups;
    let filters = filters(kernel, window, groups, channels)?;
    let [rows, columns] = window.output([height, width])?;
    exactly("a gradient", dy, &Shape::batched(&[rows, columns, filters]))?;
    result(Shape::batched(&[height, width, channels]))
}

fn infer_kernel_gradient(op: &Op, operands: &Operands<'_>) -> Inferred {
    let (window, groups) = attributes(op);
    let [x, dy] = numbers(operands)?;
    let [height, width, channels] = image(x)?;
    let [rows, columns] = window.output([height, width])?;
    let filters = dy.channels();
    exactly("a gradient", dy, &Shape::batched(&[rows, columns, filters]))?;
    check_groups(groups, channels, filters)?;
    result(Shape::fixed(&[filters, window.kernel[0], window.kernel[1], channels / groups]))
}

/// Every output element takes as many multiply-adds as a filter has weights.
fn products(kernel: &Shape, output: &Shape) -> u64 {
    let weights_of_a_filter: usize = kernel.dims[1..].iter().product();
    2 * (output.sample_len() * weights_of_a_filter) as u64
}

fn gradient(g: &mut Graph, step: &Step<'_>) -> Vec<Option<NodeId>> {
    let (window, groups) = attributes(step.op);
    let (x, kernel, dy) = (step.inputs[0], step.inputs[1], step.dy);
    let [height, width] = [g.shape(x).dims[0], g.shape(x).dims[1]];
    let of_kernel = step.wants(1).then(|| g.push(Op::Conv2dKernelGradient { window, groups }, &[x, dy]));
    let of_input = Op::Conv2dInputGradient { window, groups, height, width };
    vec![step.wants(0).then(|| g.push(of_input, &[dy, kernel])), of_kernel]
}

/// Calls `visit(place in x, place in the kernel, place in y)` for every product of the convolution.
fn for_each_product(
    op: &Op,
    x: &[usize],
    kernel: &[usize],
    y: &[usize],
    mut visit: impl FnMut([usize; 4], [usize; 4], [usize; 4]),
) {
    let (window, groups) = attributes(op);
    let filters_a_group = y[3] / groups;
    for_each_place(y, |[n, row, column, filter]| {
        let first_channel = filter / filters_a_group * kernel[3];
        for_each_place(&[window.kernel[0], window.kernel[1], kernel[3], 1], |[down, right, channel, _]| {
            let source = (window.source(0, row, down, x[1]), window.source(1, column, right, x[2]));
            let (Some(x_row), Some(x_column)) = source else { return };
            let in_x = [n, x_row, x_column, first_channel + channel];
            visit(in_x, [filter, down, right, channel], [n, row, column, filter]);
        });
    });
}

/// Every index into an array of four axes, in row order.
fn for_each_place(shape: &[usize], mut visit: impl FnMut([usize; 4])) {
    for a in 0..shape[0] {
        for b in 0..shape[1] {
            for c in 0..shape[2] {
                for d in 0..shape[3] {
                    visit([a, b, c, d]);
                }
            }
        }
    }
}

fn forward(call: &Call<'_>) -> Tensor {
    let (x, kernel) = (call.operands[0], call.operands[1]);
    let mut y = Tensor::zeros(call.shape);
    for_each_product(call.op, &x.shape, &kernel.shape, call.shape, |in_x, in_kernel, in_y| {
        y[in_y] += x[in_x] * kernel[in_kernel];
    });
    y
}

fn input_gradient(call: &Call<'_>) -> Tensor {
    let (dy, kernel) = (call.operands[0], call.operands[1]);
    let mut dx = Tensor::zeros(call.shape);
    for_each_product(call.op, call.shape, &kernel.shape, &dy.shape, |in_x, in_kernel, in_y| {
        dx[in_x] += dy[in_y] * kernel[in_kernel];
    });
    dx
}

fn kernel_gradient(call: &Call<'_>) -> Tensor {
    let (x, dy) = (call.operands[0], call.operands[1]);
    let mut dkernel = Tensor::zeros(call.shape);
    for_each_product(call.op, &x.shape, call.shape, &dy.shape, |in_x, in_kernel, in_y| {
        dkernel[in_kernel] += x[in_x] * dy[in_y];
    });
    dkernel
}

/// What the cases of the three operators share.
struct Setting {
    batch: usize,
    image: [usize; 3],
    filters: usize,
    window: Window,
    groups: usize,
}

fn settings() -> Vec<Setting> {
    let setting = |batch, image, filters, window, groups| Setting { batch, image, filters, window, groups };
    let uneven = Window { kernel: [3, 2], stride: [2, 1], padding: [0, 1, 2, 0], dilation: [1, 2] };
    vec![
        setting(1, [1, 1, 1], 1, Window::square(1, 1, 0), 1),
        setting(2, [5, 6, 3], 4, Window::square(3, 1, 1), 1), // same
        setting(3, [7, 7, 3], 5, Window::square(3, 1, 0), 1), // valid, odd channels
        setting(2, [6, 5, 4], 3, Window::square(3, 2, 1), 1), // a stage that halves the image
        setting(2, [4, 4, 2], 2, Window::square(1, 2, 0), 1), // stride beyond the kernel
        setting(1, [6, 7, 2], 3, uneven, 1),
        setting(2, [5, 5, 4], 6, Window::square(3, 1, 1), 2), // two groups
        setting(2, [5, 5, 3], 3, Window::square(3, 1, 1), 3), // depthwise
        setting(1, [1, 1, 2], 2, Window::square(3, 1, 1), 1), // more padding than image
        setting(2, [8, 8, 17], 33, Window::square(3, 1, 1), 1), // beyond a lane and a block of channels
        setting(2, [9, 9, 1], 6, Window::square(5, 1, 2), 1),
    ]
}

impl Setting {
    fn x(&self) -> Operand {
        Operand::batched(&self.image, Numbers::Signed)
    }

    fn kernel(&self) -> Operand {
        let [height, width] = self.window.kernel;
        Operand::fixed(&[self.filters, height, width, self.image[2] / self.groups], Numbers::Signed)
    }

    fn dy(&self) -> Operand {
        let [height, width, _] = self.image;
        let [rows, columns] = self.window.output([height, width]).expect("the window fits its case's image");
        Operand::batched(&[rows, columns, self.filters], Numbers::Signed)
    }

    fn forward(self) -> Case {
        let op = Op::Conv2d { window: self.window, groups: self.groups };
        Case::new(op, self.batch, vec![self.x(), self.kernel()], SUM)
    }

    fn input_gradient(self) -> Case {
        let [height, width, _] = self.image;
        let op = Op::Conv2dInputGradient { window: self.window, groups: self.groups, height, width };
        Case::new(op, self.batch, vec![self.dy(), self.kernel()], SUM)
    }

    fn kernel_gradient(self) -> Case {
        let op = Op::Conv2dKernelGradient { window: self.window, groups: self.groups };
        Case::new(op, self.batch, vec![self.x(), self.dy()], SUM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{Feed, run};

    /// y of a convolution with these numbers; one image.
    fn check(op: Op, x: (&[usize; 3], &[f64]), kernel: (&[usize; 4], &[f64]), expected: &[f64]) {
        let mut g = Graph::new();
        let image = g.input("x", Shape::batched(x.0), crate::DType::F32);
        let weights = g.variable("kernel", kernel.0);
        let y = g.push(op, &[image, weights]);
        let mut feed = Feed::new(1);
        feed.inputs.insert("x".to_string(), Tensor::new(&[&[1], &x.0[..]].concat(), x.1.to_vec()));
        feed.variables.insert("kernel".to_string(), Tensor::new(kernel.0, kernel.1.to_vec()));
        assert_eq!(run(&g, &feed)[y].data, expected);
    }

    const IMAGE: (&[usize; 3], &[f64]) = (&[3, 3, 1], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    const KERNEL: (&[usize; 4], &[f64]) = (&[1, 2, 2, 1], &[1.0, 10.0, 100.0, 1000.0]);

    #[test]
    fn the_kernel_is_not_flipped() {
        let op = Op::Conv2d { window: Window::square(2, 1, 0), groups: 1 };
        check(op, IMAGE, KERNEL, &[5421.0, 6532.0, 8754.0, 9865.0]);
    }

    #[test]
    fn padding_goes_top_left_bottom_right() {
        let window = Window { kernel: [2, 2], stride: [2, 3], padding: [1, 0, 0, 2], dilation: [1, 1] };
        check(Op::Conv2d { window, groups: 1 }, IMAGE, KERNEL, &[2100.0, 0.0, 8754.0, 0.0]);
    }

    #[test]
    fn dilation_spreads_the_kernel() {
        let window = Window { dilation: [2, 2], ..Window::square(2, 1, 0) };
        check(Op::Conv2d { window, groups: 1 }, IMAGE, KERNEL, &[9731.0]);
    }

    #[test]
    fn filters_of_a_group_see_the_channels_of_that_group() {
        let op = Op::Conv2d { window: Window::square(1, 1, 0), groups: 2 };
        let (x, kernel) = ([1.0, 2.0, 3.0, 4.0], [1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 4.0, 40.0]);
        check(op, (&[1, 1, 4], &x), (&[4, 1, 1, 2], &kernel), &[21.0, 42.0, 129.0, 172.0]);
    }

    #[test]
    fn work_is_two_operations_a_product() {
        let [x, kernel, y] =
            [Shape::batched(&[32, 32, 16]), Shape::fixed(&[32, 3, 3, 16]), Shape::batched(&[16, 16, 32])];
        let (window, groups) = (Window::square(3, 2, 1), 1);
        let expected = 2 * 16 * 16 * 32 * 3 * 3 * 16;
        assert_eq!(Op::Conv2d { window, groups }.flops(&[&x, &kernel], &y), expected);
        let input_gradient = Op::Conv2dInputGradient { window, groups, height: 32, width: 32 };
        assert_eq!(input_gradient.flops(&[&y, &kernel], &x), expected);
        assert_eq!(Op::Conv2dKernelGradient { window, groups }.flops(&[&x, &y], &kernel), expected);
    }

    #[test]
    fn what_does_not_fit_is_refused_in_words() {
        let refusal = |window, groups, kernel: &[usize]| {
            let (x, kernel) = (Shape::batched(&[4, 4, 3]), Shape::fixed(kernel));
            let operands = [(&x, crate::DType::F32), (&kernel, crate::DType::F32)];
            Op::Conv2d { window, groups }.infer(&operands).expect_err("does not fit")
        };
        let large = Window { dilation: [2, 2], ..Window::square(3, 1, 0) };
        assert_eq!(refusal(large, 1, &[8, 3, 3, 3]), "a window of 5x5 does not fit into 4x4");
        let small = Window::square(3, 1, 0);
        assert_eq!(refusal(small, 2, &[8, 3, 3, 3]), "2 groups do not divide 3 channels and 8 filters");
        assert_eq!(refusal(small, 1, &[8, 3, 3, 4]), "takes a kernel of shape [8, 3, 3, 3], not [8, 3, 3, 4]");
        let still = Window::square(3, 0, 0);
        assert_eq!(refusal(still, 1, &[8, 3, 3, 3]), "kernel size, stride and dilation are at least 1");
    }
}
