//! Dropout (Srivastava et al. 2014), inverted: `y = 0` with probability `rate`, else `x / (1 - rate)`.
//!
//! x, y: `[N, ...]`. Element i of a sample is kept iff word `i % 4` of block `i / 4` of the random stream of (seed of the
//! run, `stream`, epoch, sample) is at least `rate * 2^32`, rounded. The mask depends on nothing else, so that applying
//! the operator to dy is its gradient, and no mask is kept.

use super::operands::{Inferred, Operands, numbers, result};
use super::{Cases, Gradient, Onnx, Op, OpRule};
use crate::cases::{Case, Numbers, Operand, ROUNDING};
use crate::reference::{Call, Tensor};

pub const DROPOUT: OpRule = OpRule {
    name: "dropout",
    infer,
    gradient: Gradient::Rule(|g, step| vec![Some(g.push(step.op.clone(), &[step.dy]))]),
    reference: forward,
    flops: |_, _, result| result.sample_len() as u64,
    onnx: Onnx::None("evaluation drops nothing"),
    cases: Cases::Make(|| {
        let case = |batch, dims: &[usize], rate| {
            let op = Op::Dropout { rate, stream: 7 };
            Case::new(op, batch, vec![Operand::batched(dims, Numbers::Signed)], ROUNDING)
        };
        vec![case(1, &[1], 0.0), case(3, &[7], 0.5), case(2, &[3, 5, 17], 0.2)]
    }),
};

fn infer(op: &Op, operands: &Operands<'_>) -> Inferred {
    let Op::Dropout { rate, .. } = op else { unreachable!("the row of dropout") };
    let [x] = numbers(operands)?;
    match x.batch && (0.0..1.0).contains(rate) {
        true => result(x.clone()),
        false => Err(format!("takes a value with a batch and a rate in [0, 1), not {x} and {rate}")),
    }
}

fn forward(_: &Call<'_>) -> Tensor {
    panic!("the random streams are not there yet")
}
