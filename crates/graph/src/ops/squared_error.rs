//! Squared error of probabilities against the one-hot label, one number a sample.
//!
//! `loss[n] = weight[label] * mean over k of (p[k] - onehot(label)[k])^2` and `dp = dy * weight * 2 * (p - onehot) / K`.
//! p: `[N, K]`, labels: Index `[N]`, weights: `[K]` or absent, loss: `[N]`.

use super::cross_entropy::{
    gradient_operands, infer_loss, infer_loss_gradient, label_of, label_operands, only_to_scores, weight_of,
};
use super::operands::SECOND_ORDER;
use super::{Cases, Gradient, Onnx, Op, OpRule, Step};
use crate::cases::{Case, Numbers, Operand, SUM};
use crate::reference::{Call, Tensor};
use crate::{Graph, NodeId};

/// p, labels, optional weights -> loss
pub const SQUARED_ERROR: OpRule = OpRule {
    name: "squared_error",
    infer: |_, operands| infer_loss(operands),
    gradient: Gradient::Rule(gradient),
    reference: loss,
    flops: |_, operands, _| 3 * operands[0].sample_len() as u64,
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| cases(Op::SquaredError, &[])),
};

/// p, labels, dy, optional weights -> dp
pub const SQUARED_ERROR_GRADIENT: OpRule = OpRule {
    name: "squared_error_gradient",
    infer: |_, operands| infer_loss_gradient(operands),
    gradient: Gradient::None(SECOND_ORDER),
    reference: loss_gradient,
    flops: |_, operands, _| 2 * operands[0].sample_len() as u64,
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| cases(Op::SquaredErrorGradient, &[Operand::batched(&[], Numbers::Signed)])),
};

fn gradient(g: &mut Graph, step: &Step<'_>) -> Vec<Option<NodeId>> {
    let dp = g.push(Op::SquaredErrorGradient, &gradient_operands(step));
    only_to_scores(step, dp)
}

/// `p - onehot(label)`.
fn difference(p: &[f64], label: usize) -> Vec<f64> {
    p.iter().enumerate().map(|(class, p)| if class == label { p - 1.0 } else { *p }).collect()
}

fn loss(call: &Call<'_>) -> Tensor {
    let (p, labels) = (call.operands[0], call.operands[1]);
    let n_classes = p.channels();
    let of_sample = |(n, p): (usize, &[f64])| {
        let label = label_of(labels, n, n_classes);
        let squares: f64 = difference(p, label).iter().map(|d| d * d).sum();
        weight_of(call.operands.get(2), label) * squares / n_classes as f64
    };
    Tensor::new(call.shape, p.rows(n_classes).enumerate().map(of_sample).collect())
}

fn loss_gradient(call: &Call<'_>) -> Tensor {
    let (p, labels, dy) = (call.operands[0], call.operands[1], call.operands[2]);
    let n_classes = p.channels();
    let of_sample = |(n, p): (usize, &[f64])| {
        let label = label_of(labels, n, n_classes);
        let factor = dy[[n]] * weight_of(call.operands.get(3), label) * 2.0 / n_classes as f64;
        difference(p, label).into_iter().map(move |d| factor * d)
    };
    Tensor::new(call.shape, p.rows(n_classes).enumerate().flat_map(of_sample).collect())
}

fn cases(op: Op, behind_labels: &[Operand]) -> Vec<Case> {
    let case = |(batch, n_classes, weighted)| {
        Case::new(op.clone(), batch, label_operands(n_classes, Numbers::Probabilities, behind_labels, weighted), SUM)
    };
    [(1, 2, false), (3, 10, false), (4, 17, true)].into_iter().map(case).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{Feed, run};
    use crate::{DType, Shape};

    #[test]
    fn mean_over_classes_times_the_weight_of_the_label() {
        let mut g = Graph::new();
        let p = g.input("p", Shape::batched(&[2]), DType::F32);
        let labels = g.input("labels", Shape::batched(&[]), DType::Index);
        let weights = g.variable("weights", &[2]);
        let plain = g.push(Op::SquaredError, &[p, labels]);
        let weighted = g.push(Op::SquaredError, &[p, labels, weights]);
        let mut feed = Feed::new(2);
        feed.inputs.insert("p".to_string(), Tensor::new(&[2, 2], vec![0.25, 0.75, 0.5, 0.5]));
        feed.inputs.insert("labels".to_string(), Tensor::new(&[2], vec![1.0, 0.0]));
        feed.variables.insert("weights".to_string(), Tensor::new(&[2], vec![2.0, 8.0]));
        let values = run(&g, &feed);
        assert_eq!(values[plain].data, [0.0625, 0.25]);
        assert_eq!(values[weighted].data, [0.5, 0.5]);
    }
}
