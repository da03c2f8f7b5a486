//! Cross-entropy with a class label, one number a sample.
//!
//! `loss[n] = weight[label] * -sum over k of target[k] * ln p[k]`, where `target = (1 - s) * onehot(label) + s / K` for a
//! label smoothing of s (Szegedy et al. 2015) and p is softmax(scores), or the scores themselves if not `from_logits`.
//! scores: `[N, K]`, labels: Index `[N]`, weights: `[K]` or absent, loss: `[N]`.
//! From logits `dscores = dy * weight * (p - target)`, else `-dy * weight * target / p`.

use kernels::loss::SMALLEST_PROBABILITY;

use super::operands::{Inferred, Operands, SECOND_ORDER, exactly, result, vectors};
use super::softmax::probabilities;
use super::{Cases, Gradient, Onnx, Op, OpRule, Step};
use crate::cases::{Case, Numbers, Operand, SUM};
use crate::reference::{Call, Tensor};
use crate::{DType, Graph, NodeId, Shape};

/// scores, labels, optional weights -> loss
pub const CROSS_ENTROPY: OpRule = OpRule {
    name: "cross_entropy",
    infer: |_, operands| infer_loss(operands),
    gradient: Gradient::Rule(gradient),
    reference: loss,
    flops: |_, operands, _| 15 * operands[0].sample_len() as u64,
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| {
        let case = |s: Setting| {
            let op = Op::CrossEntropy { label_smoothing: s.label_smoothing, from_logits: s.from_logits };
            Case::new(op, s.batch, s.operands(&[]), SUM)
        };
        settings().into_iter().map(case).collect()
    }),
};

/// scores, labels, dy, optional weights -> dscores
pub const CROSS_ENTROPY_GRADIENT: OpRule = OpRule {
    name: "cross_entropy_gradient",
    infer: |_, operands| infer_loss_gradient(operands),
    gradient: Gradient::None(SECOND_ORDER),
    reference: loss_gradient,
    flops: |_, operands, _| 15 * operands[0].sample_len() as u64,
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| {
        let case = |s: Setting| {
            let op = Op::CrossEntropyGradient { label_smoothing: s.label_smoothing, from_logits: s.from_logits };
            Case::new(op, s.batch, s.operands(&[Operand::batched(&[], Numbers::Signed)]), SUM)
        };
        settings().into_iter().map(case).collect()
    }),
};

/// scores, labels, optional weights: what every loss against a class label takes.
pub(super) fn infer_loss(operands: &Operands<'_>) -> Inferred {
    let (scores, labels, weights) = match *operands {
        [(scores, DType::F32), (labels, DType::Index)] => (scores, labels, None),
        [(scores, DType::F32), (labels, DType::Index), (weights, DType::F32)] => (scores, labels, Some(weights)),
        _ => return Err("takes scores (F32), labels (Index) and possibly weights (F32)".to_string()),
    };
    let n_classes = vectors(scores)?;
    exactly("labels", labels, &Shape::batched(&[]))?;
    if let Some(weights) = weights {
        exactly("weights", weights, &Shape::fixed(&[n_classes]))?;
    }
    result(Shape::batched(&[]))
}

/// scores, labels, dy, optional weights: what their gradients take.
pub(super) fn infer_loss_gradient(operands: &Operands<'_>) -> Inferred {
    let &[scores, labels, dy, ref weights @ ..] = operands else {
        return Err("takes scores, labels, a gradient and possibly weights".to_string());
    };
    let (loss, _) = infer_loss(&[&[scores, labels], weights].concat())?;
    exactly("a gradient", dy.0, &loss)?;
    result(scores.0.clone())
}

/// Operands of the gradient operator: dy stands behind the labels.
pub(super) fn gradient_operands(step: &Step<'_>) -> Vec<NodeId> {
    let (data, weights) = step.inputs.split_at(2);
    [data, &[step.dy], weights].concat()
}

/// Class weights are data: no gradient flows there, and none to labels.
pub(super) fn only_to_scores(step: &Step<'_>, dscores: NodeId) -> Vec<Option<NodeId>> {
    let mut gradients = vec![None; step.inputs.len()];
    gradients[0] = Some(dscores);
    gradients
}

fn attributes(op: &Op) -> (f64, bool) {
    match op {
        Op::CrossEntropy { label_smoothing, from_logits }
        | Op::CrossEntropyGradient { label_smoothing, from_logits } => (f64::from(*label_smoothing), *from_logits),
        other => unreachable!("{} is no cross-entropy", other.name()),
    }
}

fn gradient(g: &mut Graph, step: &Step<'_>) -> Vec<Option<NodeId>> {
    let Op::CrossEntropy { label_smoothing, from_logits } = *step.op else { unreachable!("the row of cross_entropy") };
    let op = Op::CrossEntropyGradient { label_smoothing, from_logits };
    let dscores = g.push(op, &gradient_operands(step));
    only_to_scores(step, dscores)
}

/// The smoothed one-hot label.
fn target(label: usize, n_classes: usize, label_smoothing: f64) -> Vec<f64> {
    let one_hot = |class| if class == label { 1.0 } else { 0.0 };
    (0..n_classes).map(|class| (1.0 - label_smoothing) * one_hot(class) + label_smoothing / n_classes as f64).collect()
}

/// The label as index.
pub(super) fn label_of(labels: &Tensor, n: usize, n_classes: usize) -> usize {
    let label = labels[[n]] as usize;
    assert!(label < n_classes, "label {label} is one of {n_classes} classes");
    label
}

/// The weight of a label; one without weights.
pub(super) fn weight_of(weights: Option<&&Tensor>, label: usize) -> f64 {
    weights.map_or(1.0, |weights| weights[[label]])
}

fn loss(call: &Call<'_>) -> Tensor {
    let (label_smoothing, from_logits) = attributes(call.op);
    let (scores, labels) = (call.operands[0], call.operands[1]);
    let n_classes = scores.channels();
    let of_sample = |(n, scores): (usize, &[f64])| {
        let label = label_of(labels, n, n_classes);
        let target = target(label, n_classes, label_smoothing);
        let logarithms =
            if from_logits { log_softmax(scores) } else { scores.iter().map(|&p| floored(p).ln()).collect() };
        let cross_entropy: f64 = -target.iter().zip(&logarithms).map(|(t, l)| t * l).sum::<f64>();
        weight_of(call.operands.get(2), label) * cross_entropy
    };
    Tensor::new(call.shape, scores.rows(n_classes).enumerate().map(of_sample).collect())
}

fn loss_gradient(call: &Call<'_>) -> Tensor {
    let (label_smoothing, from_logits) = attributes(call.op);
    let (scores, labels, dy) = (call.operands[0], call.operands[1], call.operands[2]);
    let n_classes = scores.channels();
    let of_sample = |(n, scores): (usize, &[f64])| {
        let label = label_of(labels, n, n_classes);
        let target = target(label, n_classes, label_smoothing);
        let factor = dy[[n]] * weight_of(call.operands.get(3), label);
        if from_logits {
            let p = probabilities(scores);
            p.iter().zip(&target).map(|(p, t)| factor * (p - t)).collect::<Vec<f64>>()
        } else {
            scores.iter().zip(&target).map(|(&p, t)| -factor * t / floored(p)).collect()
        }
    };
    Tensor::new(call.shape, scores.rows(n_classes).enumerate().flat_map(of_sample).collect())
}

fn floored(probability: f64) -> f64 {
    probability.max(f64::from(SMALLEST_PROBABILITY))
}

/// Logarithms of the probabilities, without the detour that would lose small ones.
fn log_softmax(scores: &[f64]) -> Vec<f64> {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
    scores.iter().map(|score| score - largest - total.ln()).collect()
}

/// What the cases of both operators share.
struct Setting {
    batch: usize,
    n_classes: usize,
    label_smoothing: f32,
    from_logits: bool,
    weighted: bool,
}

fn settings() -> Vec<Setting> {
    let setting = |batch, n_classes, label_smoothing, from_logits, weighted| Setting {
        batch,
        n_classes,
        label_smoothing,
        from_logits,
        weighted,
    };
    vec![
        setting(1, 1, 0.0, true, false),
        setting(3, 10, 0.0, true, false),
        setting(4, 17, 0.1, true, false),
        setting(5, 3, 0.1, true, true),
        setting(3, 10, 0.0, false, false),
        setting(2, 5, 0.2, false, true),
    ]
}

impl Setting {
    fn operands(&self, behind_labels: &[Operand]) -> Vec<Operand> {
        let scores = if self.from_logits { Numbers::Signed } else { Numbers::Probabilities };
        label_operands(self.n_classes, scores, behind_labels, self.weighted)
    }
}

/// Operands of a loss against a class label, or of its gradient with dy behind the labels.
pub(super) fn label_operands(n_classes: usize, scores: Numbers, dy: &[Operand], weighted: bool) -> Vec<Operand> {
    let data = [Operand::batched(&[n_classes], scores), Operand::batched(&[], Numbers::Labels { n_classes })];
    let weights = weighted.then(|| Operand::fixed(&[n_classes], Numbers::Positive));
    data.into_iter().chain(dy.iter().cloned()).chain(weights).collect()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use super::*;
    use crate::reference::{Feed, run};

    /// Softmax makes 1/2, 1/4, 1/4 of these.
    const LOGITS: [f64; 3] = [-LN_2, -2.0 * LN_2, -2.0 * LN_2];

    fn check(op: Op, scores: [f64; 3], weights: Option<[f64; 3]>, label: f64, expected: f64) {
        let mut g = Graph::new();
        let mut operands = vec![
            g.input("scores", Shape::batched(&[3]), DType::F32),
            g.input("labels", Shape::batched(&[]), DType::Index),
        ];
        let mut feed = Feed::new(1);
        feed.inputs.insert("scores".to_string(), Tensor::new(&[1, 3], scores.to_vec()));
        feed.inputs.insert("labels".to_string(), Tensor::new(&[1], vec![label]));
        if let Some(weights) = weights {
            operands.push(g.variable("weights", &[3]));
            feed.variables.insert("weights".to_string(), Tensor::new(&[3], weights.to_vec()));
        }
        let loss = g.push(op, &operands);
        let found = run(&g, &feed)[loss].data[0];
        assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{found}, not {expected}");
    }

    #[test]
    fn logits_go_through_softmax() {
        let op = Op::CrossEntropy { label_smoothing: 0.0, from_logits: true };
        check(op.clone(), LOGITS, None, 1.0, 2.0 * LN_2);
        check(op, LOGITS.map(|score| score + 1e4), None, 0.0, LN_2);
    }

    #[test]
    fn probabilities_are_taken_as_they_are() {
        let op = Op::CrossEntropy { label_smoothing: 0.0, from_logits: false };
        check(op.clone(), [0.5, 0.25, 0.25], None, 1.0, 2.0 * LN_2);
        check(op, [1.0, 0.0, 0.0], None, 2.0, -f64::from(SMALLEST_PROBABILITY).ln());
    }

    #[test]
    fn smoothing_and_weights() {
        let op = Op::CrossEntropy { label_smoothing: 0.75, from_logits: true };
        // target 1/4 + 1/4 at the label, 1/4 elsewhere
        check(op.clone(), LOGITS, None, 0.0, (0.5 + 0.25 * 2.0 + 0.25 * 2.0) * LN_2);
        check(op, LOGITS, Some([3.0, 1.0, 1.0]), 0.0, 3.0 * 1.5 * LN_2);
    }
}
