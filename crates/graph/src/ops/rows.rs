//! Pairs of rows `[2, C]`, in which statistics and sums travel: made of two `[C]`, and taken apart.

use super::operands::{Inferred, Operands, exactly, no_flops, numbers, result};
use super::{Cases, Gradient, Onnx, Op, OpRule, Step};
use crate::cases::{Case, EXACT, Numbers, Operand};
use crate::reference::{Call, Tensor};
use crate::{Graph, NodeId, Shape};

const FOLDED: &str = "statistics are initializers of the ONNX graph";

/// a `[C]`, b `[C]` -> `[2, C]`
pub const STACK_ROWS: OpRule = OpRule {
    name: "stack_rows",
    infer: infer_stack,
    gradient: Gradient::Rule(stack_gradient),
    reference: |call| Tensor::new(call.shape, [&call.operands[0].data[..], &call.operands[1].data[..]].concat()),
    flops: no_flops,
    onnx: Onnx::None(FOLDED),
    cases: Cases::Make(|| {
        let case = |channels| {
            let row = Operand::fixed(&[channels], Numbers::Signed);
            Case::new(Op::StackRows, 1, vec![row.clone(), row], EXACT)
        };
        vec![case(1), case(5), case(17)]
    }),
};

/// x `[2, C]` -> `[C]`
pub const TAKE_ROW: OpRule = OpRule {
    name: "take_row",
    infer: infer_take,
    gradient: Gradient::Rule(take_gradient),
    reference: take,
    flops: no_flops,
    onnx: Onnx::None(FOLDED),
    cases: Cases::Make(|| {
        let case = |row, channels| {
            Case::new(Op::TakeRow { row }, 1, vec![Operand::fixed(&[2, channels], Numbers::Signed)], EXACT)
        };
        vec![case(0, 1), case(1, 5), case(0, 17)]
    }),
};

fn infer_stack(_: &Op, operands: &Operands<'_>) -> Inferred {
    let [a, b] = numbers(operands)?;
    exactly("two rows", a, &Shape::fixed(&[a.channels()]))?;
    exactly("two rows", b, a)?;
    result(Shape::fixed(&[2, a.channels()]))
}

fn infer_take(op: &Op, operands: &Operands<'_>) -> Inferred {
    let Op::TakeRow { row } = op else { unreachable!("the row of take_row") };
    let [x] = numbers(operands)?;
    exactly("two rows", x, &Shape::fixed(&[2, x.channels()]))?;
    match row {
        0 | 1 => result(Shape::fixed(&[x.channels()])),
        other => Err(format!("there is no row {other} of two")),
    }
}

fn stack_gradient(g: &mut Graph, step: &Step<'_>) -> Vec<Option<NodeId>> {
    [0, 1].map(|row| step.wants(row).then(|| g.push(Op::TakeRow { row }, &[step.dy]))).to_vec()
}

fn take_gradient(g: &mut Graph, step: &Step<'_>) -> Vec<Option<NodeId>> {
    let Op::TakeRow { row } = step.op else { unreachable!("the row of take_row") };
    let zeros = g.constant(0.0, &[g.shape(step.dy).channels()]);
    let rows = if *row == 0 { [step.dy, zeros] } else { [zeros, step.dy] };
    vec![Some(g.push(Op::StackRows, &rows))]
}

fn take(call: &Call<'_>) -> Tensor {
    let Op::TakeRow { row } = call.op else { unreachable!("the row of take_row") };
    let x = call.operands[0];
    Tensor::new(call.shape, x.rows(x.channels()).nth(*row).expect("a row of two").to_vec())
}
