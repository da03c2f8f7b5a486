//! Over the batch: sums and means of `[N, ..]` to `[..]`, and spreading `[..]` to every sample. The gradient of each is
//! one of the others.

use super::operands::{Inferred, Operands, numbers, result};
use super::{Cases, Gradient, Onnx, Op, OpRule};
use crate::cases::{Case, Numbers, Operand, ROUNDING, SUM};
use crate::reference::{Call, Tensor};
use crate::{NodeId, Shape};

/// x `[N, ..]` -> `[..]`
pub const SUM_OVER_BATCH: OpRule = OpRule {
    name: "sum_over_batch",
    infer: infer_reduction,
    gradient: Gradient::Rule(|g, step| vec![Some(g.push(Op::SpreadOverBatch { mean: false }, &[step.dy]))]),
    reference: sum,
    flops: |_, operands, _| operands[0].sample_len() as u64,
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| cases(Op::SumOverBatch, Operand::batched, SUM)),
};

/// x `[N, ..]` -> `[..]`
pub const MEAN_OVER_BATCH: OpRule = OpRule {
    name: "mean_over_batch",
    infer: infer_reduction,
    gradient: Gradient::Rule(|g, step| vec![Some(g.push(Op::SpreadOverBatch { mean: true }, &[step.dy]))]),
    reference: |call| sum(call).map(|total| total / call.feed.batch as f64),
    flops: |_, operands, _| operands[0].sample_len() as u64,
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| cases(Op::MeanOverBatch, Operand::batched, SUM)),
};

/// dy `[..]` -> `[N, ..]`, each dy, or dy / N if `mean`
pub const SPREAD_OVER_BATCH: OpRule = OpRule {
    name: "spread_over_batch",
    infer: infer_spread,
    gradient: Gradient::Rule(|g, step| {
        let Op::SpreadOverBatch { mean } = *step.op else { unreachable!("the row of spread_over_batch") };
        let back = if mean { Op::MeanOverBatch } else { Op::SumOverBatch };
        vec![Some(g.push(back, &[step.dy]))]
    }),
    reference: spread,
    flops: |_, operands, _| operands[0].sample_len() as u64,
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| {
        let both = [false, true].map(|mean| cases(Op::SpreadOverBatch { mean }, Operand::fixed, ROUNDING));
        both.into_iter().flatten().collect()
    }),
};

impl crate::Graph {
    /// The mean over the samples: x `[N, ..]` -> `[..]`.
    pub fn mean_over_batch(&mut self, x: NodeId) -> NodeId {
        self.push(Op::MeanOverBatch, &[x])
    }
}

fn infer_reduction(_: &Op, operands: &Operands<'_>) -> Inferred {
    let [x] = numbers(operands)?;
    match x.batch {
        true => result(Shape::fixed(&x.dims)),
        false => Err(format!("takes a value with a batch, not {x}")),
    }
}

fn infer_spread(_: &Op, operands: &Operands<'_>) -> Inferred {
    let [dy] = numbers(operands)?;
    match dy.batch {
        false => result(Shape::batched(&dy.dims)),
        true => Err(format!("takes a value without batch, not {dy}")),
    }
}

fn sum(call: &Call<'_>) -> Tensor {
    let x = call.operands[0];
    let mut total = Tensor::zeros(call.shape);
    for sample in x.rows(total.data.len()) {
        for (total, value) in total.data.iter_mut().zip(sample) {
            *total += value;
        }
    }
    total
}

fn spread(call: &Call<'_>) -> Tensor {
    let Op::SpreadOverBatch { mean } = *call.op else { unreachable!("the row of spread_over_batch") };
    let batch = call.feed.batch;
    let divisor = if mean { batch as f64 } else { 1.0 };
    let sample = call.operands[0].map(|dy| dy / divisor);
    Tensor::new(call.shape, sample.data.repeat(batch))
}

fn cases(op: Op, operand: fn(&[usize], Numbers) -> Operand, tolerance: f64) -> Vec<Case> {
    let shapes: [(usize, &[usize]); 4] = [(1, &[]), (4, &[]), (3, &[5]), (2, &[3, 2, 17])];
    let case = |(batch, dims): (usize, &[usize])| {
        Case::new(op.clone(), batch, vec![operand(dims, Numbers::Signed)], tolerance)
    };
    shapes.into_iter().map(case).collect()
}
