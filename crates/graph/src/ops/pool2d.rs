//! Pools: the maximum or the mean of each channel under a sliding window.
//!
//! x: `[N, H, W, C]`, y: `[N, H', W', C]`. Padding never wins a maximum and does not count in an average. Of equal values
//! the first in row order is the maximum, and takes the whole gradient. Pools have no dilation and less padding than
//! kernel, so that every window holds a pixel (ONNX `MaxPool` 12, `AveragePool` 11 with `count_include_pad` 0).

use super::operands::{Inferred, Operands, SECOND_ORDER, exactly, image, numbers, result};
use super::{Cases, Gradient, Onnx, Op, OpRule, Step, Window};
use crate::cases::{Case, EXACT, Numbers, Operand, ROUNDING, SUM};
use crate::reference::{Call, Tensor};
use crate::{Graph, NodeId, Shape};

/// x -> y
pub const MAX_POOL2D: OpRule = OpRule {
    name: "max_pool2d",
    infer,
    gradient: Gradient::Rule(max_gradient),
    reference: max,
    flops: |op, _, result| window_flops(op, result),
    onnx: Onnx::Operator { name: "MaxPool", since: 12 },
    cases: Cases::Make(|| {
        let case = |s: Setting| Case::new(Op::MaxPool2d { window: s.window }, s.batch, vec![s.x()], EXACT);
        settings().into_iter().map(case).collect()
    }),
};

/// x, dy -> dx
pub const MAX_POOL2D_GRADIENT: OpRule = OpRule {
    name: "max_pool2d_gradient",
    infer: infer_max_gradient,
    gradient: Gradient::None(SECOND_ORDER),
    reference: route_to_maximum,
    flops: |op, operands, _| window_flops(op, operands[1]),
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| {
        let case =
            |s: Setting| Case::new(Op::MaxPool2dGradient { window: s.window }, s.batch, vec![s.x(), s.dy()], ROUNDING);
        settings().into_iter().map(case).collect()
    }),
};

/// x -> y
pub const AVERAGE_POOL2D: OpRule = OpRule {
    name: "average_pool2d",
    infer,
    gradient: Gradient::Rule(average_gradient),
    reference: average,
    flops: |op, _, result| window_flops(op, result),
    onnx: Onnx::Operator { name: "AveragePool", since: 11 },
    cases: Cases::Make(|| {
        let case = |s: Setting| Case::new(Op::AveragePool2d { window: s.window }, s.batch, vec![s.x()], SUM);
        settings().into_iter().map(case).collect()
    }),
};

/// dy -> dx
pub const AVERAGE_POOL2D_GRADIENT: OpRule = OpRule {
    name: "average_pool2d_gradient",
    infer: infer_average_gradient,
    gradient: Gradient::None(SECOND_ORDER),
    reference: spread_over_window,
    flops: |op, operands, _| window_flops(op, operands[0]),
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| {
        let case = |s: Setting| {
            let [height, width, _] = s.image;
            let op = Op::AveragePool2dGradient { window: s.window, height, width };
            Case::new(op, s.batch, vec![s.dy()], SUM)
        };
        settings().into_iter().map(case).collect()
    }),
};

impl Graph {
    /// The mean of each channel over the whole image: x `[N, H, W, C]` -> `[N, C]`.
    pub fn global_average_pool2d(&mut self, x: NodeId) -> NodeId {
        let (window, channels) = (self.whole(x), self.shape(x).channels());
        let pooled = self.push(Op::AveragePool2d { window }, &[x]);
        self.reshape(pooled, &[channels])
    }

    /// The maximum of each channel over the whole image: x `[N, H, W, C]` -> `[N, C]`.
    pub fn global_max_pool2d(&mut self, x: NodeId) -> NodeId {
        let (window, channels) = (self.whole(x), self.shape(x).channels());
        let pooled = self.push(Op::MaxPool2d { window }, &[x]);
        self.reshape(pooled, &[channels])
    }

    fn whole(&self, x: NodeId) -> Window {
        match self.shape(x).dims.as_slice() {
            &[height, width, _] => Window::whole([height, width]),
            _ => panic!("a global pool takes an image, not {}", self.shape(x)),
        }
    }
}

fn window(op: &Op) -> Window {
    match op {
        Op::MaxPool2d { window }
        | Op::MaxPool2dGradient { window }
        | Op::AveragePool2d { window }
        | Op::AveragePool2dGradient { window, .. } => *window,
        other => unreachable!("{} is no pool", other.name()),
    }
}

fn pooled(window: Window, [height, width, channels]: [usize; 3]) -> Result<Shape, String> {
    if window.dilation != [1, 1] {
        return Err("a pool has no dilation".to_string());
    }
    let [rows, columns] = window.output([height, width])?;
    if window.padding.iter().zip(window.kernel.iter().cycle()).any(|(padding, kernel)| padding >= kernel) {
        return Err("a pool is padded by less than its kernel size".to_string());
    }
    Ok(Shape::batched(&[rows, columns, channels]))
}

fn infer(op: &Op, operands: &Operands<'_>) -> Inferred {
    let [x] = numbers(operands)?;
    result(pooled(window(op), image(x)?)?)
}

fn infer_max_gradient(op: &Op, operands: &Operands<'_>) -> Inferred {
    let [x, dy] = numbers(operands)?;
    exactly("a gradient", dy, &pooled(window(op), image(x)?)?)?;
    result(x.clone())
}

fn infer_average_gradient(op: &Op, operands: &Operands<'_>) -> Inferred {
    let Op::AveragePool2dGradient { window, height, width } = *op else { unreachable!("its row") };
    let [dy] = numbers(operands)?;
    let x = [height, width, dy.channels()];
    exactly("a gradient", dy, &pooled(window, x)?)?;
    result(Shape::batched(&x))
}

fn window_flops(op: &Op, output: &Shape) -> u64 {
    let [height, width] = window(op).kernel;
    (output.sample_len() * height * width) as u64
}

fn max_gradient(g: &mut Graph, step: &Step<'_>) -> Vec<Option<NodeId>> {
    if window(step.op).kernel == [1, 1] {
        // What a window of one pixel hands back does not depend on the pixel, which need not be kept for it.
        return average_gradient(g, step);
    }
    vec![Some(g.push(Op::MaxPool2dGradient { window: window(step.op) }, &[step.inputs[0], step.dy]))]
}

fn average_gradient(g: &mut Graph, step: &Step<'_>) -> Vec<Option<NodeId>> {
    let [height, width] = [g.shape(step.inputs[0]).dims[0], g.shape(step.inputs[0]).dims[1]];
    let op = Op::AveragePool2dGradient { window: window(step.op), height, width };
    vec![Some(g.push(op, &[step.dy]))]
}

/// Calls `visit(place in y, places in x)` for every window of every channel; the places in row order, padding left out.
fn for_each_window(op: &Op, x: &[usize], y: &[usize], mut visit: impl FnMut([usize; 4], &[[usize; 4]])) {
    let window = window(op);
    for n in 0..y[0] {
        for row in 0..y[1] {
            for column in 0..y[2] {
                for channel in 0..y[3] {
                    let rows = (0..window.kernel[0]).filter_map(|down| window.source(0, row, down, x[1]));
                    let columns = |_| (0..window.kernel[1]).filter_map(|right| window.source(1, column, right, x[2]));
                    let places: Vec<[usize; 4]> =
                        rows.flat_map(|i| columns(i).map(move |j| [n, i, j, channel])).collect();
                    visit([n, row, column, channel], &places);
                }
            }
        }
    }
}

/// The first of the largest.
fn place_of_maximum(x: &Tensor, places: &[[usize; 4]]) -> [usize; 4] {
    places.iter().copied().reduce(|best, next| if x[next] > x[best] { next } else { best }).expect("holds a pixel")
}

fn max(call: &Call<'_>) -> Tensor {
    let x = call.operands[0];
    let mut y = Tensor::zeros(call.shape);
    for_each_window(call.op, &x.shape, call.shape, |in_y, in_x| y[in_y] = x[place_of_maximum(x, in_x)]);
    y
}

fn route_to_maximum(call: &Call<'_>) -> Tensor {
    let (x, dy) = (call.operands[0], call.operands[1]);
    let mut dx = Tensor::zeros(call.shape);
    for_each_window(call.op, call.shape, &dy.shape, |in_y, in_x| dx[place_of_maximum(x, in_x)] += dy[in_y]);
    dx
}

fn average(call: &Call<'_>) -> Tensor {
    let x = call.operands[0];
    let mut y = Tensor::zeros(call.shape);
    for_each_window(call.op, &x.shape, call.shape, |in_y, in_x| {
        y[in_y] = in_x.iter().map(|&place| x[place]).sum::<f64>() / in_x.len() as f64;
    });
    y
}

fn spread_over_window(call: &Call<'_>) -> Tensor {
    let dy = call.operands[0];
    let mut dx = Tensor::zeros(call.shape);
    for_each_window(call.op, call.shape, &dy.shape, |in_y, in_x| {
        for &place in in_x {
            dx[place] += dy[in_y] / in_x.len() as f64;
        }
    });
    dx
}

/// What the cases of the four operators share.
struct Setting {
    batch: usize,
    image: [usize; 3],
    window: Window,
}

fn settings() -> Vec<Setting> {
    let setting = |batch, image, window| Setting { batch, image, window };
    let uneven = Window { kernel: [2, 3], stride: [1, 2], padding: [0, 1, 1, 2], dilation: [1, 1] };
    vec![
        setting(1, [1, 1, 1], Window::square(1, 1, 0)),
        setting(2, [4, 6, 3], Window::square(2, 2, 0)),
        setting(3, [5, 7, 2], Window::square(2, 2, 0)), // a row and a column that no window reaches
        setting(2, [5, 5, 3], Window::square(3, 2, 1)), // overlapping and padded
        setting(1, [5, 4, 2], uneven),
        setting(2, [5, 5, 2], Window::square(1, 2, 0)), // stride beyond the kernel
        setting(2, [3, 4, 17], Window::whole([3, 4])),  // global
        setting(1, [1, 1, 2], Window::square(3, 1, 1)), // more padding than image
    ]
}

impl Setting {
    fn x(&self) -> Operand {
        Operand::batched(&self.image, Numbers::Signed)
    }

    fn dy(&self) -> Operand {
        let shape = pooled(self.window, self.image).expect("the window fits its case's image");
        Operand { shape, numbers: Numbers::Signed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;
    use crate::reference::{Feed, run};

    /// Values of a pool and of the gradient `dy = 1, 10, 100, ...`, for one image of 2 x 3 pixels.
    fn check(op: Op, x: [f64; 6], expected: &[f64], expected_gradient: [f64; 6]) {
        let mut g = Graph::new();
        let image = g.input("x", Shape::batched(&[2, 3, 1]), DType::F32);
        let y = g.push(op, &[image]);
        let dy = g.input("dy", g.shape(y).clone(), DType::F32);
        let dx = crate::backward::pull_back(&mut g, y, dy, &[image])[0].expect("x has a gradient");
        let mut feed = Feed::new(1);
        feed.inputs.insert("x".to_string(), Tensor::new(&[1, 2, 3, 1], x.to_vec()));
        let powers = (0..expected.len() as i32).map(|power| 10f64.powi(power)).collect();
        feed.inputs.insert("dy".to_string(), Tensor::new(&g.shape(y).axes(1), powers));
        let values = run(&g, &feed);
        assert_eq!(values[y].data, expected);
        assert_eq!(values[dx].data, expected_gradient);
    }

    #[test]
    fn of_equal_values_the_first_is_the_maximum() {
        let op = Op::MaxPool2d { window: Window { kernel: [2, 2], ..Window::square(2, 1, 0) } };
        check(op, [1.0, 5.0, 5.0, 5.0, 5.0, 5.0], &[5.0, 5.0], [0.0, 11.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn padding_never_wins() {
        let op = Op::MaxPool2d { window: Window::square(2, 2, 1) };
        let x = [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0];
        check(op, x, &[-1.0, -2.0, -4.0, -5.0], [1.0, 10.0, 0.0, 100.0, 1000.0, 0.0]);
    }

    #[test]
    fn padding_does_not_count() {
        let window = Window { padding: [0, 0, 0, 1], ..Window::square(2, 2, 0) };
        let x = [1.0, 2.0, 3.0, 5.0, 8.0, 13.0];
        check(Op::AveragePool2d { window }, x, &[4.0, 8.0], [0.25, 0.25, 5.0, 0.25, 0.25, 5.0]);
    }

    #[test]
    fn a_window_of_padding_alone_is_refused() {
        let x = Shape::batched(&[4, 4, 1]);
        let refusal = |window| Op::MaxPool2d { window }.infer(&[(&x, DType::F32)]).expect_err("does not fit");
        assert_eq!(refusal(Window::square(2, 2, 2)), "a pool is padded by less than its kernel size");
        assert_eq!(refusal(Window { dilation: [2, 2], ..Window::square(2, 2, 1) }), "a pool has no dilation");
    }
}
