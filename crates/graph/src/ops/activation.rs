//! Element-wise functions between layers, and their gradients.
//!
//! x, y: any shape. relu `max(x, 0)`; leaky_relu `x` where positive, else `slope * x` (Maas et al. 2013); sigmoid
//! `1 / (1 + exp(-x))`; tanh; gelu `x * Phi(x)`, exact (Hendrycks and Gimpel 2016); silu `x * sigmoid(x)` (Elfwing et
//! al. 2017). Where the derivative follows from y, y is kept for the gradient and x need not be.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use super::operands::{Inferred, Operands, SECOND_ORDER, same_as_both, same_as_operand};
use super::{Cases, Gradient, Onnx, Op, OpRule, Step};
use crate::cases::{Case, Numbers, Operand, SUM};
use crate::reference::{Call, Tensor};
use crate::{Graph, NodeId};

/// An element-wise function. [`Activation::saves`] tells what its gradient reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    Relu,
    /// `x` where positive, `slope * x` elsewhere; the slope is not negative.
    LeakyRelu {
        slope: f32,
    },
    Sigmoid,
    Tanh,
    /// Exact: `x * Phi(x)` (Hendrycks and Gimpel 2016).
    Gelu,
    /// `x * sigmoid(x)`.
    Silu,
}

/// What an activation's gradient reads besides dy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saves {
    /// x
    Input,
    /// y
    Output,
}

/// x -> y
pub const ACTIVATE: OpRule = OpRule {
    name: "activate",
    infer: |op, operands| infer(op, operands, same_as_operand),
    gradient: Gradient::Rule(gradient),
    reference: |call| {
        let activation = activation(call.op);
        call.operands[0].map(|x| activation.value(x))
    },
    flops: |op, _, result| activation(op).flops() * result.sample_len() as u64,
    onnx: Onnx::ByOp(|op| activation(op).onnx()),
    cases: Cases::Make(|| cases(|activation, batch, x| Case::new(Op::Activate(activation), batch, vec![x], SUM))),
};

/// saved (x or y, as [`Activation::saves`] says), dy -> dx
pub const ACTIVATE_GRADIENT: OpRule = OpRule {
    name: "activate_gradient",
    infer: |op, operands| infer(op, operands, same_as_both),
    gradient: Gradient::None(SECOND_ORDER),
    reference: apply_gradient,
    flops: |op, _, result| (activation(op).flops() + 1) * result.sample_len() as u64,
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| {
        cases(|activation, batch, saved| {
            let dy = Operand::batched(&saved.shape.dims, Numbers::Signed);
            Case::new(Op::ActivateGradient(activation), batch, vec![saved, dy], SUM)
        })
    }),
};

fn activation(op: &Op) -> Activation {
    match op {
        Op::Activate(activation) | Op::ActivateGradient(activation) => *activation,
        other => unreachable!("{} is no activation", other.name()),
    }
}

impl Activation {
    /// The name that people write.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Relu => "relu",
            Activation::LeakyRelu { .. } => "leaky_relu",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Gelu => "gelu",
            Activation::Silu => "silu",
        }
    }

    /// The name of the gradient that people read.
    pub fn gradient_name(self) -> &'static str {
        match self {
            Activation::Relu => "relu_gradient",
            Activation::LeakyRelu { .. } => "leaky_relu_gradient",
            Activation::Sigmoid => "sigmoid_gradient",
            Activation::Tanh => "tanh_gradient",
            Activation::Gelu => "gelu_gradient",
            Activation::Silu => "silu_gradient",
        }
    }

    /// What the gradient reads.
    pub fn saves(self) -> Saves {
        match self {
            Activation::Relu | Activation::LeakyRelu { .. } | Activation::Sigmoid | Activation::Tanh => Saves::Output,
            Activation::Gelu | Activation::Silu => Saves::Input,
        }
    }

    /// y of x.
    pub fn value(self, x: f64) -> f64 {
        match self {
            // Not `max`, which takes what is not a number for nothing.
            Activation::Relu => {
                if x < 0.0 {
                    0.0
                } else {
                    x
                }
            }
            Activation::LeakyRelu { slope } => x * if x > 0.0 { 1.0 } else { f64::from(slope) },
            Activation::Sigmoid => sigmoid(x),
            Activation::Tanh => x.tanh(),
            Activation::Gelu => x * normal_distribution(x),
            Activation::Silu => x * sigmoid(x),
        }
    }

    /// dy/dx, of y or x as [`Activation::saves`] says. At the kink of relu and leaky_relu it is that of the left side.
    pub fn derivative(self, saved: f64) -> f64 {
        match self {
            Activation::Relu => f64::from(u8::from(saved > 0.0)),
            Activation::LeakyRelu { slope } => {
                if saved > 0.0 {
                    1.0
                } else {
                    f64::from(slope)
                }
            }
            Activation::Sigmoid => saved * (1.0 - saved),
            Activation::Tanh => 1.0 - saved * saved,
            Activation::Gelu => normal_distribution(saved) + saved * (-saved * saved / 2.0).exp() / (2.0 * PI).sqrt(),
            Activation::Silu => sigmoid(saved) * (1.0 + saved * (1.0 - sigmoid(saved))),
        }
    }

    /// A count of what the arithmetic units see; an exponential is taken as ten operations.
    fn flops(self) -> u64 {
        match self {
            Activation::Relu => 1,
            Activation::LeakyRelu { .. } => 2,
            Activation::Sigmoid | Activation::Tanh | Activation::Silu => 12,
            Activation::Gelu => 20,
        }
    }

    /// ONNX has no operator for silu (written as `Sigmoid` and `Mul`) and none for gelu before opset 20 (written with
    /// `Erf`).
    fn onnx(self) -> (&'static str, u32) {
        match self {
            Activation::Relu => ("Relu", 14),
            Activation::LeakyRelu { .. } => ("LeakyRelu", 16),
            Activation::Sigmoid => ("Sigmoid", 13),
            Activation::Tanh => ("Tanh", 13),
            Activation::Gelu => ("Erf", 13),
            Activation::Silu => ("Mul", 14),
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Phi(x), the probability that a standard normal number is below x.
fn normal_distribution(x: f64) -> f64 {
    0.5 * complementary_error_function(-x * FRAC_1_SQRT_2)
}

/// `erfc(x) = 2 / sqrt(pi) * integral from x to infinity of exp(-t^2)`, to about 1e-15: by the series of erf near zero
/// (Abramowitz and Stegun 7.1.6), by the continued fraction far from it (7.1.14).
fn complementary_error_function(x: f64) -> f64 {
    let magnitude = x.abs();
    let scale = (-magnitude * magnitude).exp() / PI.sqrt();
    if magnitude < 2.5 {
        let mut term = magnitude;
        let mut sum = 0.0;
        for n in 0..80 {
            sum += term;
            term *= 2.0 * magnitude * magnitude / f64::from(2 * n + 3);
        }
        return 1.0 - x.signum() * 2.0 * scale * sum;
    }
    let fraction = (1..=120).rev().fold(magnitude, |below, n| magnitude + f64::from(n) / 2.0 / below);
    let tail = scale / fraction;
    if x > 0.0 { tail } else { 2.0 - tail }
}

fn infer(op: &Op, operands: &Operands<'_>, shape: fn(&Operands<'_>) -> Inferred) -> Inferred {
    match activation(op) {
        // The sign of y would no longer tell the sign of x, which the gradient needs.
        Activation::LeakyRelu { slope } if slope.is_nan() || slope < 0.0 => {
            Err(format!("leaky_relu has a slope of at least 0, not {slope}"))
        }
        _ => shape(operands),
    }
}

fn gradient(g: &mut Graph, step: &Step<'_>) -> Vec<Option<NodeId>> {
    let activation = activation(step.op);
    let saved = match activation.saves() {
        Saves::Input => step.inputs[0],
        Saves::Output => step.output,
    };
    vec![Some(g.push(Op::ActivateGradient(activation), &[saved, step.dy]))]
}

fn apply_gradient(call: &Call<'_>) -> Tensor {
    let activation = activation(call.op);
    call.operands[0].zip(call.operands[1], |saved, dy| activation.derivative(saved) * dy)
}

fn cases(case: fn(Activation, usize, Operand) -> Case) -> Vec<Case> {
    let all = [
        Activation::Relu,
        Activation::LeakyRelu { slope: 0.01 },
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Gelu,
        Activation::Silu,
    ];
    let shapes: [(usize, &[usize]); 2] = [(1, &[1]), (3, &[3, 4, 5])];
    let of = |activation| shapes.map(|(batch, dims)| case(activation, batch, Operand::batched(dims, Numbers::Signed)));
    all.into_iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of Python's `math.erf`, `math.erfc`, `math.exp` and `math.tanh`.
    #[test]
    fn values_are_the_known_ones() {
        let known = [
            (Activation::Gelu, -6.0, -5.919525870226207e-09),
            (Activation::Gelu, -4.0, -0.00012668496733247986),
            (Activation::Gelu, -1.5, -0.10021080190328713),
            (Activation::Gelu, 0.5, 0.34573123063700656),
            (Activation::Gelu, 1.0, 0.8413447460685429),
            (Activation::Gelu, 3.0, 2.99595030590511),
            (Activation::Gelu, 7.0, 6.999999999991041),
            (Activation::Silu, -3.0, -0.14227761953270035),
            (Activation::Silu, 0.75, 0.5093840243815447),
            (Activation::Sigmoid, -3.0, 0.04742587317756678),
            (Activation::Sigmoid, 0.75, 0.679178699175393),
            (Activation::Tanh, -3.0, -0.9950547536867305),
            (Activation::Tanh, 0.75, 0.6351489523872873),
            (Activation::LeakyRelu { slope: 0.5 }, -3.0, -1.5),
            (Activation::LeakyRelu { slope: 0.5 }, 3.0, 3.0),
            (Activation::Relu, -3.0, 0.0),
            (Activation::Relu, 3.0, 3.0),
        ];
        for (activation, x, expected) in known {
            let found = activation.value(x);
            assert!(
                (found - expected).abs() <= 1e-14 * expected.abs(),
                "{activation:?} of {x}: {found}, not {expected}"
            );
        }
    }

    #[test]
    fn the_two_ways_to_erfc_meet() {
        let [below, above] = [2.5 - 1e-12, 2.5 + 1e-12].map(complementary_error_function);
        assert!((below - above).abs() < 1e-14, "{below} and {above}");
    }

    #[test]
    fn a_slope_that_hides_the_sign_is_refused() {
        let x = crate::Shape::batched(&[3]);
        let op = Op::Activate(Activation::LeakyRelu { slope: -0.5 });
        let refusal = op.infer(&[(&x, crate::DType::F32)]).expect_err("refused");
        assert_eq!(refusal, "leaky_relu has a slope of at least 0, not -0.5");
    }
}
