//! One number a channel, added everywhere; and its gradient, the sum over batch and positions.
//!
//! `y[n, .., c] = x[n, .., c] + bias[c]`. x, y: `[N, .., C]`, bias: `[C]`.

use super::operands::{Inferred, Operands, SECOND_ORDER, batched_channels, exactly, numbers, result};
use super::{Cases, Gradient, Onnx, Op, OpRule, Step};
use crate::cases::{Case, Numbers, Operand, ROUNDING, SUM};
use crate::reference::{Call, Tensor};
use crate::{Graph, NodeId, Shape};

/// x, bias -> y
pub const ADD_BIAS: OpRule = OpRule {
    name: "add_bias",
    infer: infer_add,
    gradient: Gradient::Rule(gradient),
    reference: add,
    flops: |_, _, result| result.sample_len() as u64,
    onnx: Onnx::Operator { name: "Add", since: 14 },
    cases: Cases::Make(|| {
        let case = |(batch, x): (usize, Operand)| {
            let bias = Operand::fixed(&[x.shape.channels()], Numbers::Signed);
            Case::new(Op::AddBias, batch, vec![x, bias], ROUNDING)
        };
        operands().into_iter().map(case).collect()
    }),
};

/// x `[N, .., C]` -> `[C]`; also of a value without batch, `[.., C]`
pub const SUM_TO_CHANNELS: OpRule = OpRule {
    name: "sum_to_channels",
    infer: infer_sum,
    gradient: Gradient::None(SECOND_ORDER),
    reference: sum,
    flops: |_, operands, _| operands[0].sample_len() as u64,
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| {
        let case = |(batch, x): (usize, Operand)| Case::new(Op::SumToChannels, batch, vec![x], SUM);
        operands().into_iter().map(case).collect()
    }),
};

fn operands() -> Vec<(usize, Operand)> {
    let shapes: [(usize, &[usize]); 4] = [(1, &[1]), (3, &[5]), (2, &[1, 1, 4]), (3, &[4, 5, 17])];
    shapes.into_iter().map(|(batch, dims)| (batch, Operand::batched(dims, Numbers::Signed))).collect()
}

fn infer_add(_: &Op, operands: &Operands<'_>) -> Inferred {
    let [x, bias] = numbers(operands)?;
    exactly("a bias", bias, &Shape::fixed(&[batched_channels(x)?]))?;
    result(x.clone())
}

fn infer_sum(_: &Op, operands: &Operands<'_>) -> Inferred {
    let [x] = numbers(operands)?;
    match x.dims.last() {
        Some(&channels) => result(Shape::fixed(&[channels])),
        None => Err(format!("takes a value with channels, not {x}")),
    }
}

fn gradient(g: &mut Graph, step: &Step<'_>) -> Vec<Option<NodeId>> {
    vec![Some(step.dy), step.wants(1).then(|| g.push(Op::SumToChannels, &[step.dy]))]
}

fn add(call: &Call<'_>) -> Tensor {
    let (x, bias) = (call.operands[0], call.operands[1]);
    let mut y = x.clone();
    for (place, value) in y.data.iter_mut().enumerate() {
        *value += bias[[place % x.channels()]];
    }
    y
}

fn sum(call: &Call<'_>) -> Tensor {
    let x = call.operands[0];
    let mut total = Tensor::zeros(call.shape);
    for (place, value) in x.data.iter().enumerate() {
        total[[place % x.channels()]] += value;
    }
    total
}
