//! Element-wise arithmetic, of which the gradients' sums, clipping and the optimizers' updates are made; and the sum of
//! squares, of which norms are made.
//!
//! a, b: equal shapes, or one of them a scalar without batch, which meets every element of the other. Where a minimum or
//! maximum is a tie, the gradient goes to b.

use super::operands::{Inferred, Operands, exactly, numbers, result, same_as_operand};
use super::{Activation, Cases, Gradient, Onnx, Op, OpRule, Step};
use crate::cases::{Case, Numbers, Operand, ROUNDING, SUM};
use crate::reference::{Call, Tensor};
use crate::{Graph, NodeId, Shape};

/// Element-wise arithmetic of two values of equal shape, or where one is a scalar without batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Minimum,
    Maximum,
}

/// Element-wise arithmetic of one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    /// `by * x`
    Scale { by: f64 },
    /// `x + by`
    Offset { by: f64 },
    /// square root
    Sqrt,
}

/// a, b -> y
pub const BINARY: OpRule = OpRule {
    name: "binary",
    infer: infer_binary,
    gradient: Gradient::Rule(binary_gradient),
    reference: binary,
    flops: |_, _, result| result.sample_len() as u64,
    onnx: Onnx::ByOp(|op| binary_of(op).onnx()),
    cases: Cases::Make(binary_cases),
};

/// x -> y
pub const UNARY: OpRule = OpRule {
    name: "unary",
    infer: |_, operands| same_as_operand(operands),
    gradient: Gradient::Rule(unary_gradient),
    reference: |call| {
        let unary = unary_of(call.op);
        call.operands[0].map(|x| unary.value(x))
    },
    flops: |_, _, result| result.sample_len() as u64,
    onnx: Onnx::ByOp(|op| unary_of(op).onnx()),
    cases: Cases::Make(|| {
        let all = [Unary::Scale { by: -0.75 }, Unary::Offset { by: 1e-3 }, Unary::Sqrt];
        let shapes = [(1, Shape::scalar()), (1, Shape::fixed(&[17])), (3, Shape::batched(&[2, 5]))];
        let case = |unary, (batch, shape): (usize, Shape)| {
            let operand = Operand { shape, numbers: Numbers::Positive };
            Case::new(Op::Unary(unary), batch, vec![operand], ROUNDING)
        };
        all.iter().flat_map(|&unary| shapes.clone().map(|shape| case(unary, shape))).collect()
    }),
};

/// x without batch -> `[]`
pub const SUM_OF_SQUARES: OpRule = OpRule {
    name: "sum_of_squares",
    infer: infer_sum_of_squares,
    gradient: Gradient::Rule(|g, step| {
        let product = g.multiply(step.inputs[0], step.dy);
        vec![Some(g.scale(product, 2.0))]
    }),
    reference: |call| Tensor::filled(call.shape, call.operands[0].data.iter().map(|x| x * x).sum()),
    flops: |_, operands, _| 2 * operands[0].sample_len() as u64,
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| {
        let case = |dims: &[usize]| Case::new(Op::SumOfSquares, 1, vec![Operand::fixed(dims, Numbers::Signed)], SUM);
        vec![case(&[]), case(&[1]), case(&[5, 3]), case(&[3, 3, 3, 17])]
    }),
};

impl Graph {
    /// `a + b`
    pub fn add(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.push(Op::Binary(Binary::Add), &[a, b])
    }

    /// `a - b`
    pub fn subtract(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.push(Op::Binary(Binary::Subtract), &[a, b])
    }

    /// `a * b`
    pub fn multiply(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.push(Op::Binary(Binary::Multiply), &[a, b])
    }

    /// `a / b`
    pub fn divide(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.push(Op::Binary(Binary::Divide), &[a, b])
    }

    /// The smaller of a and b.
    pub fn minimum(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.push(Op::Binary(Binary::Minimum), &[a, b])
    }

    /// The larger of a and b.
    pub fn maximum(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.push(Op::Binary(Binary::Maximum), &[a, b])
    }

    /// `by * x`
    pub fn scale(&mut self, x: NodeId, by: f64) -> NodeId {
        self.push(Op::Unary(Unary::Scale { by }), &[x])
    }

    /// `x + by`
    pub fn offset(&mut self, x: NodeId, by: f64) -> NodeId {
        self.push(Op::Unary(Unary::Offset { by }), &[x])
    }

    /// The square root of x.
    pub fn sqrt(&mut self, x: NodeId) -> NodeId {
        self.push(Op::Unary(Unary::Sqrt), &[x])
    }

    /// The sum of the squares of x, which has no batch.
    pub fn sum_of_squares(&mut self, x: NodeId) -> NodeId {
        self.push(Op::SumOfSquares, &[x])
    }
}

impl Binary {
    /// The name that people read.
    pub fn name(self) -> &'static str {
        match self {
            Binary::Add => "add",
            Binary::Subtract => "subtract",
            Binary::Multiply => "multiply",
            Binary::Divide => "divide",
            Binary::Minimum => "minimum",
            Binary::Maximum => "maximum",
        }
    }

    /// The result for one pair of elements.
    pub fn value(self, a: f64, b: f64) -> f64 {
        match self {
            Binary::Add => a + b,
            Binary::Subtract => a - b,
            Binary::Multiply => a * b,
            Binary::Divide => a / b,
            Binary::Minimum => {
                if a < b {
                    a
                } else {
                    b
                }
            }
            Binary::Maximum => {
                if a > b {
                    a
                } else {
                    b
                }
            }
        }
    }

    fn onnx(self) -> (&'static str, u32) {
        match self {
            Binary::Add => ("Add", 14),
            Binary::Subtract => ("Sub", 14),
            Binary::Multiply => ("Mul", 14),
            Binary::Divide => ("Div", 14),
            Binary::Minimum => ("Min", 13),
            Binary::Maximum => ("Max", 13),
        }
    }
}

impl Unary {
    /// The name that people read.
    pub fn name(self) -> &'static str {
        match self {
            Unary::Scale { .. } => "scale",
            Unary::Offset { .. } => "offset",
            Unary::Sqrt => "sqrt",
        }
    }

    /// The result for one element.
    pub fn value(self, x: f64) -> f64 {
        match self {
            Unary::Scale { by } => by * x,
            Unary::Offset { by } => x + by,
            Unary::Sqrt => x.sqrt(),
        }
    }

    fn onnx(self) -> (&'static str, u32) {
        match self {
            Unary::Scale { .. } => ("Mul", 14),
            Unary::Offset { .. } => ("Add", 14),
            Unary::Sqrt => ("Sqrt", 13),
        }
    }
}

fn binary_of(op: &Op) -> Binary {
    let Op::Binary(binary) = op else { unreachable!("the row of binary") };
    *binary
}

fn unary_of(op: &Op) -> Unary {
    let Op::Unary(unary) = op else { unreachable!("the row of unary") };
    *unary
}

fn infer_binary(_: &Op, operands: &Operands<'_>) -> Inferred {
    let [a, b] = numbers(operands)?;
    if a.is_scalar() {
        return result(b.clone());
    }
    if !b.is_scalar() {
        exactly("a second operand", b, a)?;
    }
    result(a.clone())
}

fn infer_sum_of_squares(_: &Op, operands: &Operands<'_>) -> Inferred {
    let [x] = numbers(operands)?;
    match x.batch {
        false => result(Shape::scalar()),
        true => Err(format!("takes a value without batch, not {x}")),
    }
}

fn binary(call: &Call<'_>) -> Tensor {
    let binary = binary_of(call.op);
    let (a, b) = (call.operands[0], call.operands[1]);
    match (a.shape.as_slice(), b.shape.as_slice()) {
        ([], _) => b.map(|b| binary.value(a.data[0], b)),
        (_, []) => a.map(|a| binary.value(a, b.data[0])),
        _ => a.zip(b, |a, b| binary.value(a, b)),
    }
}

fn binary_gradient(g: &mut Graph, step: &Step<'_>) -> Vec<Option<NodeId>> {
    let (a, b, dy) = (step.inputs[0], step.inputs[1], step.dy);
    let mut towards = |operand: usize| match (binary_of(step.op), operand) {
        (Binary::Add, _) | (Binary::Subtract, 0) => dy,
        (Binary::Subtract, _) => g.scale(dy, -1.0),
        (Binary::Multiply, 0) => g.multiply(dy, b),
        (Binary::Multiply, _) => g.multiply(dy, a),
        (Binary::Divide, 0) => g.divide(dy, b),
        (Binary::Divide, _) => {
            let product = g.multiply(dy, step.output);
            let quotient = g.divide(product, b);
            g.scale(quotient, -1.0)
        }
        // The gradient of relu lets pass where its first operand is positive: b - a where a is smaller, a - b where b is.
        (Binary::Minimum, 0) | (Binary::Maximum, 1) => pass_where_larger(g, b, a, dy),
        (Binary::Minimum, _) | (Binary::Maximum, _) => pass_where_larger(g, a, b, dy),
    };
    let gradients = [0, 1].map(|operand| step.wants(operand).then(|| towards(operand)));
    let to_shape = |(operand, gradient): (usize, Option<NodeId>)| {
        gradient.map(|gradient| if g.shape(step.inputs[operand]).is_scalar() { sum(g, gradient) } else { gradient })
    };
    gradients.into_iter().enumerate().map(to_shape).collect()
}

/// dy where `a > b`, elsewhere zero.
fn pass_where_larger(g: &mut Graph, a: NodeId, b: NodeId, dy: NodeId) -> NodeId {
    let difference = g.subtract(a, b);
    g.push(Op::ActivateGradient(Activation::Relu), &[difference, dy])
}

/// The sum of all elements, as scalar.
fn sum(g: &mut Graph, x: NodeId) -> NodeId {
    if g.shape(x).is_scalar() {
        return x;
    }
    let length = g.shape(x).sample_len();
    let column = g.reshape(x, &[length, 1]);
    let total = g.push(Op::SumToChannels, &[column]);
    g.reshape(total, &[])
}

fn unary_gradient(g: &mut Graph, step: &Step<'_>) -> Vec<Option<NodeId>> {
    vec![Some(match unary_of(step.op) {
        Unary::Scale { by } => g.scale(step.dy, by),
        Unary::Offset { .. } => step.dy,
        Unary::Sqrt => {
            let twice = g.scale(step.output, 2.0);
            g.divide(step.dy, twice)
        }
    })]
}

fn binary_cases() -> Vec<Case> {
    let all = [Binary::Add, Binary::Subtract, Binary::Multiply, Binary::Divide, Binary::Minimum, Binary::Maximum];
    let shapes = [
        (1, [Shape::scalar(), Shape::scalar()]),
        (1, [Shape::fixed(&[17]), Shape::fixed(&[17])]),
        (1, [Shape::fixed(&[3, 5]), Shape::scalar()]),
        (3, [Shape::batched(&[2, 5]), Shape::batched(&[2, 5])]),
        (2, [Shape::scalar(), Shape::batched(&[3])]),
    ];
    let case = |binary, (batch, [a, b]): (usize, [Shape; 2])| {
        let operands = vec![
            Operand { shape: a, numbers: Numbers::Signed },
            Operand { shape: b, numbers: Numbers::Positive }, // a divisor stays away from zero
        ];
        Case::new(Op::Binary(binary), batch, operands, ROUNDING)
    };
    all.iter().flat_map(|&binary| shapes.clone().map(|shape| case(binary, shape))).collect()
}
