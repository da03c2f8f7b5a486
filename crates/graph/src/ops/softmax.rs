//! `y = exp(x) / sum of exp(x)` over the last axis. x, y: `[N, .., C]`.
//!
//! The largest x is taken off first, which changes nothing but keeps the exponentials finite. Keeps y for the gradient:
//! `dx = y * (dy - sum of dy * y)`.

use super::operands::{Inferred, Operands, SECOND_ORDER, batched_channels, numbers, result, same_as_both};
use super::{Cases, Gradient, Onnx, Op, OpRule};
use crate::cases::{Case, Numbers, Operand, SUM};
use crate::reference::{Call, Tensor};

/// x -> y
pub const SOFTMAX: OpRule = OpRule {
    name: "softmax",
    infer,
    gradient: Gradient::Rule(|g, step| vec![Some(g.push(Op::SoftmaxGradient, &[step.output, step.dy]))]),
    reference: forward,
    flops: |_, _, result| 13 * result.sample_len() as u64,
    onnx: Onnx::Operator { name: "Softmax", since: 13 },
    cases: Cases::Make(|| {
        let case = |(batch, dims): (usize, &[usize])| {
            Case::new(Op::Softmax, batch, vec![Operand::batched(dims, Numbers::Signed)], SUM)
        };
        SHAPES.into_iter().map(case).collect()
    }),
};

/// y, dy -> dx
pub const SOFTMAX_GRADIENT: OpRule = OpRule {
    name: "softmax_gradient",
    infer: |_, operands| same_as_both(operands),
    gradient: Gradient::None(SECOND_ORDER),
    reference: apply_gradient,
    flops: |_, _, result| 4 * result.sample_len() as u64,
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| {
        let case = |(batch, dims): (usize, &[usize])| {
            let operands = [Numbers::Probabilities, Numbers::Signed].map(|numbers| Operand::batched(dims, numbers));
            Case::new(Op::SoftmaxGradient, batch, operands.to_vec(), SUM)
        };
        SHAPES.into_iter().map(case).collect()
    }),
};

const SHAPES: [(usize, &[usize]); 4] = [(1, &[1]), (3, &[10]), (2, &[17]), (2, &[2, 3, 4])];

/// Softmax of one row of scores.
pub fn probabilities(scores: &[f64]) -> Vec<f64> {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
    scores.iter().map(|score| (score - largest).exp() / total).collect()
}

fn infer(_: &Op, operands: &Operands<'_>) -> Inferred {
    let [x] = numbers(operands)?;
    batched_channels(x)?;
    result(x.clone())
}

fn forward(call: &Call<'_>) -> Tensor {
    let x = call.operands[0];
    Tensor::new(call.shape, x.rows(x.channels()).flat_map(probabilities).collect())
}

fn apply_gradient(call: &Call<'_>) -> Tensor {
    let (y, dy) = (call.operands[0], call.operands[1]);
    let gradient = |(y, dy): (&[f64], &[f64])| {
        let inner: f64 = y.iter().zip(dy).map(|(y, dy)| y * dy).sum();
        y.iter().zip(dy).map(|(y, dy)| y * (dy - inner)).collect::<Vec<f64>>()
    };
    Tensor::new(call.shape, y.rows(y.channels()).zip(dy.rows(y.channels())).flat_map(gradient).collect())
}

#[cfg(test)]
mod tests {
    use super::probabilities;

    #[test]
    fn large_scores_stay_finite() {
        assert_eq!(probabilities(&[1e6, 1e6, -1e6]), [0.5, 0.5, 0.0]);
    }
}
