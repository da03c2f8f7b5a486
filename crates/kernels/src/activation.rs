//! Element-wise functions between layers, and their gradients.
//!
//! The gradient reads y of relu, leaky_relu, sigmoid and tanh, and x of gelu and silu. At the kink of relu and leaky_relu
//! it is that of the left side. gelu is exact, `x * Phi(x)`. What is not a number stays so.

use crate::Isa;
use crate::each::{Function, Sloped, each, each_in_place, each_into, each_with_slope};
use crate::exponential::{exp, normal_distribution, sigmoid, tanh};
use crate::lanes::Lanes;

/// An element-wise function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// `max(x, 0)`
    Relu,
    /// `x` where positive, `slope * x` elsewhere.
    LeakyRelu {
        slope: f32,
    },
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    Tanh,
    /// `x * Phi(x)`
    Gelu,
    /// `x * sigmoid(x)`
    Silu,
}

/// Calls `$call` with `$function` bound to the function of an activation.
macro_rules! with_function {
    ($activation:expr, $function:ident => $call:expr) => {
        match $activation {
            Activation::Relu => {
                let $function = Relu;
                $call
            }
            Activation::LeakyRelu { slope } => {
                let $function = LeakyRelu(slope);
                $call
            }
            Activation::Sigmoid => {
                let $function = Sigmoid;
                $call
            }
            Activation::Tanh => {
                let $function = Tanh;
                $call
            }
            Activation::Gelu => {
                let $function = Gelu;
                $call
            }
            Activation::Silu => {
                let $function = Silu;
                $call
            }
        }
    };
}

/// y from x.
pub fn activate(isa: Isa, activation: Activation, x: &[f32], y: &mut [f32]) {
    with_function!(activation, function => each(isa, function, [x], y));
}

/// y in the place of x.
pub fn activate_in_place(isa: Isa, activation: Activation, y: &mut [f32]) {
    with_function!(activation, function => each_in_place(isa, function, y));
}

/// dx from dy and what is saved: x or y.
pub fn activation_gradient(isa: Isa, activation: Activation, saved: &[f32], dy: &[f32], dx: &mut [f32]) {
    with_function!(activation, function => each(isa, function, [dy, saved], dx));
}

/// dx in the place of dy.
pub fn activation_gradient_in_place(isa: Isa, activation: Activation, saved: &[f32], dy: &mut [f32]) {
    with_function!(activation, function => each_into(isa, function, dy, saved));
}

/// y from x, and the slope at x in its place: the gradient is then dy times what was x. For those whose gradient is told by
/// x alone, gelu and silu, whose two exponentials are one.
///
/// # Panics
/// For an activation whose gradient is told by y.
pub fn activate_with_slope(isa: Isa, activation: Activation, x: &mut [f32], y: &mut [f32]) {
    match activation {
        Activation::Gelu => each_with_slope(isa, Gelu, x, y),
        Activation::Silu => each_with_slope(isa, Silu, x, y),
        other => panic!("the gradient of {other:?} is told by what it gives"),
    }
}

/// As `Function<1>` the activation; as `Function<2>` of dy and what is saved its gradient.
#[derive(Clone, Copy)]
pub(crate) struct Relu;
#[derive(Clone, Copy)]
struct LeakyRelu(f32);
#[derive(Clone, Copy)]
struct Sigmoid;
#[derive(Clone, Copy)]
struct Tanh;
#[derive(Clone, Copy)]
struct Gelu;
#[derive(Clone, Copy)]
struct Silu;

impl Function<1> for Relu {
    #[inline(always)]
    fn of<L: Lanes>(self, [x]: [L; 1]) -> L {
        L::splat(0.0).max(x)
    }
}

impl Function<2> for Relu {
    #[inline(always)]
    fn of<L: Lanes>(self, [dy, y]: [L; 2]) -> L {
        let zero = L::splat(0.0);
        L::select(y.greater(zero), dy, zero)
    }
}

impl Function<1> for LeakyRelu {
    #[inline(always)]
    fn of<L: Lanes>(self, [x]: [L; 1]) -> L {
        L::select(x.greater(L::splat(0.0)), x, x.mul(L::splat(self.0)))
    }
}

impl Function<2> for LeakyRelu {
    #[inline(always)]
    fn of<L: Lanes>(self, [dy, y]: [L; 2]) -> L {
        L::select(y.greater(L::splat(0.0)), dy, dy.mul(L::splat(self.0)))
    }
}

impl Function<1> for Sigmoid {
    #[inline(always)]
    fn of<L: Lanes>(self, [x]: [L; 1]) -> L {
        sigmoid(x)
    }
}

impl Function<2> for Sigmoid {
    #[inline(always)]
    fn of<L: Lanes>(self, [dy, y]: [L; 2]) -> L {
        dy.mul(y).mul(L::splat(1.0).sub(y))
    }
}

impl Function<1> for Tanh {
    #[inline(always)]
    fn of<L: Lanes>(self, [x]: [L; 1]) -> L {
        tanh(x)
    }
}

impl Function<2> for Tanh {
    #[inline(always)]
    fn of<L: Lanes>(self, [dy, y]: [L; 2]) -> L {
        let one = L::splat(1.0);
        // As a product, which does not cancel near one.
        dy.mul(one.sub(y).mul(one.add(y)))
    }
}

impl Sloped for Gelu {
    #[inline(always)]
    fn value_and_slope<L: Lanes>(self, x: L) -> [L; 2] {
        let (below, density) = normal_distribution(x);
        [x.mul(below), x.mul_add(density, below)]
    }
}

impl Sloped for Silu {
    /// The slope is `s * (1 + x * (1 - s))` with `1 - s = e * s`, `e = exp(-x)` and `s = 1 / (1 + e)`, so that nothing
    /// cancels.
    #[inline(always)]
    fn value_and_slope<L: Lanes>(self, x: L) -> [L; 2] {
        let one = L::splat(1.0);
        let e = exp(L::splat(0.0).sub(x));
        let s = one.div(one.add(e));
        // Far below, where all is zero, e is infinite.
        let rest = L::splat(1e35).min(e).mul(s);
        [x.mul(s), s.mul(x.mul_add(rest, one))]
    }
}

/// Where only one of the two is wanted, the other is not computed.
macro_rules! function_of_sloped {
    ($activation:ident) => {
        impl Function<1> for $activation {
            #[inline(always)]
            fn of<L: Lanes>(self, [x]: [L; 1]) -> L {
                let [value, _] = self.value_and_slope(x);
                value
            }
        }

        impl Function<2> for $activation {
            #[inline(always)]
            fn of<L: Lanes>(self, [dy, x]: [L; 2]) -> L {
                let [_, slope] = self.value_and_slope(x);
                dy.mul(slope)
            }
        }
    };
}

function_of_sloped!(Gelu);
function_of_sloped!(Silu);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::{LENGTHS, assert_close, numbers};

    const ALL: [Activation; 6] = [
        Activation::Relu,
        Activation::LeakyRelu { slope: 0.01 },
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Gelu,
        Activation::Silu,
    ];

    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    /// The probability below x: the series of erf near zero, the continued fraction of erfc far from it (Abramowitz and
    /// Stegun 7.1.6 and 7.1.14).
    fn below(x: f64) -> f64 {
        let z = (x.abs() / std::f64::consts::SQRT_2).min(30.0);
        let scale = (-z * z).exp() / std::f64::consts::PI.sqrt();
        let tail = if z < 2.5 {
            let terms = (0..80).scan(z, |term, n| {
                let value = *term;
                *term *= 2.0 * z * z / f64::from(2 * n + 3);
                Some(value)
            });
            1.0 - 2.0 * scale * terms.sum::<f64>()
        } else {
            scale / (1..=120).rev().fold(z, |below, n| z + f64::from(n) / 2.0 / below)
        };
        if x > 0.0 { 1.0 - tail / 2.0 } else { tail / 2.0 }
    }

    fn value(activation: Activation, x: f64) -> f64 {
        match activation {
            Activation::Relu => x.max(0.0),
            Activation::LeakyRelu { slope } => x * if x > 0.0 { 1.0 } else { f64::from(slope) },
            Activation::Sigmoid => sigmoid(x),
            Activation::Tanh => x.tanh(),
            Activation::Gelu => x * below(x),
            Activation::Silu => x * sigmoid(x),
        }
    }

    fn derivative(activation: Activation, saved: f64) -> f64 {
        match activation {
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
            Activation::Gelu => {
                below(saved) + saved * (-saved * saved / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
            }
            Activation::Silu => sigmoid(saved) * (1.0 + saved * sigmoid(-saved)),
        }
    }

    fn saves_y(activation: Activation) -> bool {
        !matches!(activation, Activation::Gelu | Activation::Silu)
    }

    fn check(activation: Activation, x: &[f32]) {
        let dy = numbers(2, x.len(), -1.0, 1.0);
        let wide = |x: &f32| f64::from(*x);
        let expected: Vec<f64> = x.iter().map(|x| value(activation, wide(x))).collect();
        for isa in Isa::available() {
            let name = format!("{activation:?} on {}", isa.name());
            let mut y = vec![9.0; x.len()];
            activate(isa, activation, x, &mut y);
            assert_close(&name, &y, &expected, 1e-6, 1e-37);
            let mut in_place = x.to_vec();
            activate_in_place(isa, activation, &mut in_place);
            assert_eq!(y, in_place);
            let saved = if saves_y(activation) { &y[..] } else { x };
            let slopes: Vec<f64> = saved.iter().map(|s| derivative(activation, wide(s))).collect();
            let expected: Vec<f64> = slopes.iter().zip(&dy).map(|(s, dy)| s * wide(dy)).collect();
            let mut dx = vec![9.0; x.len()];
            activation_gradient(isa, activation, saved, &dy, &mut dx);
            assert_close(&format!("gradient of {name}"), &dx, &expected, 1e-6, 1e-7);
            let mut in_place = dy.clone();
            activation_gradient_in_place(isa, activation, saved, &mut in_place);
            assert_eq!(dx, in_place);
            if !saves_y(activation) {
                let (mut slope, mut beside) = (x.to_vec(), vec![9.0; x.len()]);
                activate_with_slope(isa, activation, &mut slope, &mut beside);
                assert_eq!(beside, y, "{name}");
                assert_eq!(slope.iter().zip(&dy).map(|(slope, dy)| slope * dy).collect::<Vec<_>>(), dx, "{name}");
            }
        }
    }

    #[test]
    fn activations_agree_with_f64() {
        for activation in ALL {
            for length in LENGTHS {
                check(activation, &numbers(1, length, -3.0, 3.0));
            }
            // From near zero to where all exponentials are zero or infinite, both signs.
            let wide: Vec<f32> = (0..4000).map(|i| 1e-6 * 1.005f32.powi(i)).take_while(|x| *x < 80.0).collect();
            check(activation, &wide);
            check(activation, &wide.iter().map(|x| -x).collect::<Vec<f32>>());
            check(activation, &[0.0, 255.0, -255.0, 1e10, -1e10, 3e38, -3e38]);
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        for (activation, isa) in ALL.into_iter().flat_map(|a| Isa::available().into_iter().map(move |isa| (a, isa))) {
            for place in [0, 16, 18] {
                let mut y = vec![1.0; 19];
                y[place] = f32::NAN;
                activate_in_place(isa, activation, &mut y);
                let shown: Vec<usize> = (0..19).filter(|&i| y[i].is_nan()).collect();
                assert_eq!(shown, [place], "{activation:?} on {}", isa.name());
            }
        }
    }
}
