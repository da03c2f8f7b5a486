//! Values that are handed in, kept, or known: nodes without operands. Made by `Graph::input`, `variable`, `constant`.

use super::operands::{Inferred, Operands, no_flops};
use super::{Cases, Gradient, Onnx, Op, OpRule};
use crate::reference::{Call, Tensor};

const NO_OPERANDS: &str = "has no operands to hand a gradient to";
const NO_CASES: Cases = Cases::None("has no operands; every other case's operands are such leaves");

/// A value handed in at every step, by name.
pub const INPUT: OpRule = OpRule {
    name: "input",
    infer: no_inference,
    gradient: Gradient::None(NO_OPERANDS),
    reference: handed_in,
    flops: no_flops,
    onnx: Onnx::None("an input of the ONNX graph, no node"),
    cases: NO_CASES,
};

/// A value that stays from step to step, by path.
pub const VARIABLE: OpRule = OpRule {
    name: "variable",
    infer: no_inference,
    gradient: Gradient::None(NO_OPERANDS),
    reference: handed_in,
    flops: no_flops,
    onnx: Onnx::None("an initializer of the ONNX graph, no node"),
    cases: NO_CASES,
};

/// One number, in every element.
pub const CONSTANT: OpRule = OpRule {
    name: "constant",
    infer: no_inference,
    gradient: Gradient::None(NO_OPERANDS),
    reference: constant,
    flops: no_flops,
    onnx: Onnx::None("an initializer of the ONNX graph, no node"),
    cases: NO_CASES,
};

fn no_inference(op: &Op, _: &Operands<'_>) -> Inferred {
    Err(format!("a leaf is told its shape: use Graph::{}", op.rule().name))
}

fn handed_in(call: &Call<'_>) -> Tensor {
    let value = match call.op {
        Op::Input { name } => call.feed.inputs.get(name).unwrap_or_else(|| panic!("the feed has no input {name:?}")),
        Op::Variable { path } => {
            call.feed.variables.get(path).unwrap_or_else(|| panic!("the feed has no variable {path:?}"))
        }
        other => unreachable!("{} is not handed in", other.name()),
    };
    assert_eq!(value.shape, call.shape, "{:?} is fed with its shape", call.op);
    value.clone()
}

fn constant(call: &Call<'_>) -> Tensor {
    let Op::Constant { value } = call.op else { unreachable!("the row of constant") };
    Tensor::filled(call.shape, *value)
}
