//! The dense layer's product: `y[n, u] = sum over f of x[n, f] * kernel[u, f]`.
//!
//! x: `[N, F]`, kernel: `[U, F]`, y: `[N, U]` (ONNX `Gemm` with `transB`). y is linear in both operands, so both
//! gradients run over the same products.

use super::operands::{Inferred, Operands, SECOND_ORDER, exactly, numbers, result, vectors};
use super::{Cases, Gradient, Onnx, Op, OpRule, Step};
use crate::cases::{Case, Numbers, Operand, SUM};
use crate::reference::{Call, Tensor};
use crate::{Graph, NodeId, Shape};

/// x, kernel -> y
pub const DENSE: OpRule = OpRule {
    name: "dense",
    infer,
    gradient: Gradient::Rule(gradient),
    reference: forward,
    flops: |_, operands, _| 2 * operands[1].sample_len() as u64,
    onnx: Onnx::Operator { name: "Gemm", since: 13 },
    cases: Cases::Make(|| cases(Op::Dense, |units, features| [batched(features), kernel(units, features)])),
};

/// dy, kernel -> dx
pub const DENSE_INPUT_GRADIENT: OpRule = OpRule {
    name: "dense_input_gradient",
    infer: infer_input_gradient,
    gradient: Gradient::None(SECOND_ORDER),
    reference: input_gradient,
    flops: |_, operands, _| 2 * operands[1].sample_len() as u64,
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| cases(Op::DenseInputGradient, |units, features| [batched(units), kernel(units, features)])),
};

/// x, dy -> dkernel
pub const DENSE_KERNEL_GRADIENT: OpRule = OpRule {
    name: "dense_kernel_gradient",
    infer: infer_kernel_gradient,
    gradient: Gradient::None(SECOND_ORDER),
    reference: kernel_gradient,
    flops: |_, _, result| 2 * result.sample_len() as u64,
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| cases(Op::DenseKernelGradient, |units, features| [batched(features), batched(units)])),
};

fn units_and_features(kernel: &Shape) -> Result<[usize; 2], String> {
    match (kernel.batch, kernel.dims.as_slice()) {
        (false, &[units, features]) => Ok([units, features]),
        _ => Err(format!("takes a kernel [units, features], not {kernel}")),
    }
}

fn infer(_: &Op, operands: &Operands<'_>) -> Inferred {
    let [x, kernel] = numbers(operands)?;
    vectors(x)?;
    let [units, features] = units_and_features(kernel)?;
    exactly("vectors", x, &Shape::batched(&[features]))?;
    result(Shape::batched(&[units]))
}

fn infer_input_gradient(_: &Op, operands: &Operands<'_>) -> Inferred {
    let [dy, kernel] = numbers(operands)?;
    let [units, features] = units_and_features(kernel)?;
    exactly("a gradient", dy, &Shape::batched(&[units]))?;
    result(Shape::batched(&[features]))
}

fn infer_kernel_gradient(_: &Op, operands: &Operands<'_>) -> Inferred {
    let [x, dy] = numbers(operands)?;
    result(Shape::fixed(&[vectors(dy)?, vectors(x)?]))
}

fn gradient(g: &mut Graph, step: &Step<'_>) -> Vec<Option<NodeId>> {
    let (x, kernel, dy) = (step.inputs[0], step.inputs[1], step.dy);
    vec![
        step.wants(0).then(|| g.push(Op::DenseInputGradient, &[dy, kernel])),
        step.wants(1).then(|| g.push(Op::DenseKernelGradient, &[x, dy])),
    ]
}

/// Calls `visit(n, unit, feature)` for every product.
fn for_each_product(batch: usize, units: usize, features: usize, mut visit: impl FnMut(usize, usize, usize)) {
    for n in 0..batch {
        for unit in 0..units {
            for feature in 0..features {
                visit(n, unit, feature);
            }
        }
    }
}

fn forward(call: &Call<'_>) -> Tensor {
    let (x, kernel) = (call.operands[0], call.operands[1]);
    let mut y = Tensor::zeros(call.shape);
    for_each_product(x.shape[0], kernel.shape[0], kernel.shape[1], |n, unit, feature| {
        y[[n, unit]] += x[[n, feature]] * kernel[[unit, feature]];
    });
    y
}

fn input_gradient(call: &Call<'_>) -> Tensor {
    let (dy, kernel) = (call.operands[0], call.operands[1]);
    let mut dx = Tensor::zeros(call.shape);
    for_each_product(dy.shape[0], kernel.shape[0], kernel.shape[1], |n, unit, feature| {
        dx[[n, feature]] += dy[[n, unit]] * kernel[[unit, feature]];
    });
    dx
}

fn kernel_gradient(call: &Call<'_>) -> Tensor {
    let (x, dy) = (call.operands[0], call.operands[1]);
    let mut dkernel = Tensor::zeros(call.shape);
    for_each_product(x.shape[0], dy.shape[1], x.shape[1], |n, unit, feature| {
        dkernel[[unit, feature]] += x[[n, feature]] * dy[[n, unit]];
    });
    dkernel
}

fn batched(length: usize) -> Operand {
    Operand::batched(&[length], Numbers::Signed)
}

fn kernel(units: usize, features: usize) -> Operand {
    Operand::fixed(&[units, features], Numbers::Signed)
}

fn cases(op: Op, operands: fn(usize, usize) -> [Operand; 2]) -> Vec<Case> {
    // [batch, units, features]: ones, odd sizes, sizes beyond a lane and a block.
    let sizes = [[1, 1, 1], [3, 2, 5], [2, 10, 17], [5, 33, 16]];
    let case =
        |[batch, units, features]: [usize; 3]| Case::new(op.clone(), batch, operands(units, features).to_vec(), SUM);
    sizes.into_iter().map(case).collect()
}
