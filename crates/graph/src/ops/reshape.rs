//! The same elements in the same order under other axes: x `[N, ...]` -> `[N, dims...]`.
//!
//! A value without batch becomes one of shape `dims`. Flattening an image goes in the order height, width, channel.

use super::operands::{Inferred, Operands, no_flops, numbers, result};
use super::{Cases, Gradient, Onnx, Op, OpRule, Step};
use crate::cases::{Case, EXACT, Numbers, Operand};
use crate::reference::Call;
use crate::{Graph, NodeId, Shape};

pub const RESHAPE: OpRule = OpRule {
    name: "reshape",
    infer,
    gradient: Gradient::Rule(gradient),
    reference: |call: &Call<'_>| call.operands[0].reshaped(call.shape),
    flops: no_flops,
    onnx: Onnx::Operator { name: "Reshape", since: 13 },
    cases: Cases::Make(|| {
        let case = |batch, from: &[usize], to: &[usize]| {
            let op = Op::Reshape { dims: to.to_vec() };
            Case::new(op, batch, vec![Operand::batched(from, Numbers::Signed)], EXACT)
        };
        vec![case(1, &[1, 1, 1], &[1]), case(3, &[4, 5, 2], &[40]), case(2, &[12], &[2, 3, 2])]
    }),
};

impl Graph {
    /// The same elements under other axes; a batch stays.
    pub fn reshape(&mut self, x: NodeId, dims: &[usize]) -> NodeId {
        self.push(Op::Reshape { dims: dims.to_vec() }, &[x])
    }
}

fn infer(op: &Op, operands: &Operands<'_>) -> Inferred {
    let Op::Reshape { dims } = op else { unreachable!("the row of reshape") };
    let [x] = numbers(operands)?;
    let reshaped = Shape { batch: x.batch, dims: dims.clone() };
    match reshaped.sample_len() == x.sample_len() {
        true => result(reshaped),
        false => Err(format!("{x} has not as many elements as {reshaped}")),
    }
}

fn gradient(g: &mut Graph, step: &Step<'_>) -> Vec<Option<NodeId>> {
    let dims = g.shape(step.inputs[0]).dims.clone();
    vec![Some(g.reshape(step.dy, &dims))]
}
