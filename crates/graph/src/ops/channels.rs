//! More or fewer channels: zeros behind those of x, or only the first of x. Each is the other's gradient.
//!
//! x: `[N, .., C]`. Padding is what a residual network without projections does where it widens (He et al. 2015,
//! option A).

use super::operands::{Inferred, Operands, batched_channels, no_flops, numbers, result};
use super::{Cases, Gradient, Onnx, Op, OpRule, Step};
use crate::cases::{Case, EXACT, Numbers, Operand};
use crate::reference::{Call, Tensor};
use crate::{Graph, NodeId, Shape};

/// x -> `[N, .., to]`
pub const PAD_CHANNELS: OpRule = OpRule {
    name: "pad_channels",
    infer,
    gradient: Gradient::Rule(pad_gradient),
    reference: first_channels,
    flops: no_flops,
    onnx: Onnx::Operator { name: "Pad", since: 13 },
    cases: Cases::Make(|| {
        let case = |batch, dims: &[usize], to| {
            Case::new(Op::PadChannels { to }, batch, vec![Operand::batched(dims, Numbers::Signed)], EXACT)
        };
        vec![case(1, &[1], 1), case(2, &[3], 5), case(3, &[4, 2, 16], 32)]
    }),
};

/// x -> `[N, .., count]`
pub const TAKE_CHANNELS: OpRule = OpRule {
    name: "take_channels",
    infer,
    gradient: Gradient::Rule(take_gradient),
    reference: first_channels,
    flops: no_flops,
    onnx: Onnx::Operator { name: "Slice", since: 13 },
    cases: Cases::Make(|| {
        let case = |batch, dims: &[usize], count| {
            Case::new(Op::TakeChannels { count }, batch, vec![Operand::batched(dims, Numbers::Signed)], EXACT)
        };
        vec![case(1, &[1], 1), case(2, &[5], 3), case(3, &[4, 2, 32], 16)]
    }),
};

fn infer(op: &Op, operands: &Operands<'_>) -> Inferred {
    let [x] = numbers(operands)?;
    let channels = batched_channels(x)?;
    let wanted = match op {
        Op::PadChannels { to } if *to < channels => return Err(format!("{channels} channels are more than {to}")),
        Op::TakeChannels { count } if *count > channels => {
            return Err(format!("{channels} channels are fewer than {count}"));
        }
        Op::TakeChannels { count: 0 } => return Err("takes at least one channel".to_string()),
        Op::PadChannels { to: wanted } | Op::TakeChannels { count: wanted } => *wanted,
        other => unreachable!("{} keeps its channels", other.name()),
    };
    let mut dims = x.dims.clone();
    dims.pop();
    dims.push(wanted);
    result(Shape::batched(&dims))
}

fn pad_gradient(g: &mut Graph, step: &Step<'_>) -> Vec<Option<NodeId>> {
    let count = g.shape(step.inputs[0]).channels();
    vec![Some(g.push(Op::TakeChannels { count }, &[step.dy]))]
}

fn take_gradient(g: &mut Graph, step: &Step<'_>) -> Vec<Option<NodeId>> {
    let to = g.shape(step.inputs[0]).channels();
    vec![Some(g.push(Op::PadChannels { to }, &[step.dy]))]
}

/// Each position's channels up to the number wanted, zeros where x has no more.
fn first_channels(call: &Call<'_>) -> Tensor {
    let x = call.operands[0];
    let mut y = Tensor::zeros(call.shape);
    let wanted = y.channels();
    for (to, from) in y.data.chunks_exact_mut(wanted).zip(x.rows(x.channels())) {
        for (target, source) in to.iter_mut().zip(from) {
            *target = *source;
        }
    }
    y
}
