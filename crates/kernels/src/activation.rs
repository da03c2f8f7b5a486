//! Element-wise functions between layers, and their gradients.

use crate::Isa;
use crate::exponential::exp;

/// An element-wise function. The gradients of gelu and silu read x, the others y.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    Relu,
    /// `x` where positive, `slope * x` elsewhere.
    LeakyRelu {
        slope: f32,
    },
    Sigmoid,
    Tanh,
    /// `x * Phi(x)`
    Gelu,
    /// `x * sigmoid(x)`
    Silu,
}

/// `y = f(x)`
///
/// # Panics
/// If the lengths differ.
pub fn activate(isa: Isa, activation: Activation, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len());
    isa.vectorize(
        #[inline(always)]
        || activation.function(Map { x, y }),
    );
}

/// `y = f(y)`
pub fn activate_in_place(isa: Isa, activation: Activation, y: &mut [f32]) {
    isa.vectorize(
        #[inline(always)]
        || activation.function(MapInPlace { y }),
    );
}

/// `dx = f'(saved) * dy`
///
/// # Panics
/// If the lengths differ.
pub fn activation_gradient(isa: Isa, activation: Activation, saved: &[f32], dy: &[f32], dx: &mut [f32]) {
    assert_eq!((saved.len(), dy.len()), (dx.len(), dx.len()));
    isa.vectorize(
        #[inline(always)]
        || activation.derivative(Pull { saved, dy, dx }),
    );
}

/// `dy = f'(saved) * dy`
///
/// # Panics
/// If the lengths differ.
pub fn activation_gradient_in_place(isa: Isa, activation: Activation, saved: &[f32], dy: &mut [f32]) {
    assert_eq!(saved.len(), dy.len());
    isa.vectorize(
        #[inline(always)]
        || activation.derivative(PullInPlace { saved, dy }),
    );
}

/// A loop over a function of one number.
trait Function {
    fn each(self, f: impl Fn(f32) -> f32);
}

/// A loop over a derivative at one number, times dy.
trait Derivative {
    fn each(self, f: impl Fn(f32, f32) -> f32);
}

impl Activation {
    #[inline(always)]
    fn function(self, of: impl Function) {
        match self {
            Activation::Relu => of.each(
                #[inline(always)]
                |x| if x < 0.0 { 0.0 } else { x },
            ),
            Activation::LeakyRelu { slope } => of.each(
                #[inline(always)]
                |x| if x > 0.0 { x } else { slope * x },
            ),
            Activation::Sigmoid => of.each(sigmoid),
            Activation::Tanh => of.each(tanh),
            Activation::Gelu => of.each(
                #[inline(always)]
                |x| x * normal_distribution(x),
            ),
            Activation::Silu => of.each(
                #[inline(always)]
                |x| x * sigmoid(x),
            ),
        }
    }

    #[inline(always)]
    fn derivative(self, of: impl Derivative) {
        match self {
            Activation::Relu => of.each(
                #[inline(always)]
                |y, dy| if y > 0.0 { dy } else { 0.0 },
            ),
            Activation::LeakyRelu { slope } => {
                of.each(
                    #[inline(always)]
                    |y, dy| if y > 0.0 { dy } else { slope * dy },
                );
            }
            Activation::Sigmoid => of.each(
                #[inline(always)]
                |y, dy| dy * (y * (1.0 - y)),
            ),
            Activation::Tanh => of.each(
                #[inline(always)]
                |y, dy| dy * (1.0 - y * y),
            ),
            Activation::Gelu => of.each(
                #[inline(always)]
                |x, dy| dy * (normal_distribution(x) + x * (FACTOR * exp(-0.5 * x * x))),
            ),
            Activation::Silu => of.each(
                #[inline(always)]
                |x, dy| {
                    let s = sigmoid(x);
                    dy * (s * (1.0 + x * (1.0 - s)))
                },
            ),
        }
    }
}

struct Map<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Function for Map<'_> {
    #[inline(always)]
    fn each(self, f: impl Fn(f32) -> f32) {
        for (y, x) in self.y.iter_mut().zip(self.x) {
            *y = f(*x);
        }
    }
}

struct MapInPlace<'a> {
    y: &'a mut [f32],
}

impl Function for MapInPlace<'_> {
    #[inline(always)]
    fn each(self, f: impl Fn(f32) -> f32) {
        for y in self.y {
            *y = f(*y);
        }
    }
}

struct Pull<'a> {
    saved: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Derivative for Pull<'_> {
    #[inline(always)]
    fn each(self, f: impl Fn(f32, f32) -> f32) {
        for ((dx, dy), saved) in self.dx.iter_mut().zip(self.dy).zip(self.saved) {
            *dx = f(*saved, *dy);
        }
    }
}

struct PullInPlace<'a> {
    saved: &'a [f32],
    dy: &'a mut [f32],
}

impl Derivative for PullInPlace<'_> {
    #[inline(always)]
    fn each(self, f: impl Fn(f32, f32) -> f32) {
        for (dy, saved) in self.dy.iter_mut().zip(self.saved) {
            *dy = f(*saved, *dy);
        }
    }
}

/// `1 / sqrt(2 pi)`
const FACTOR: f32 = 0.398_942_3;

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
fn tanh(x: f32) -> f32 {
    let e = exp(-2.0 * x.abs());
    ((1.0 - e) / (1.0 + e)).copysign(x)
}

/// Phi, by Abramowitz and Stegun 7.1.26: an absolute error below 1.5e-7.
#[inline(always)]
fn normal_distribution(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let p = 1.061_405_4;
    let p = p * t - 1.453_152_1;
    let p = p * t + 1.421_413_8;
    let p = p * t - 0.284_496_72;
    let p = p * t + 0.254_829_6;
    let tail = 0.5 * (p * t) * exp(-z * z);
    if x < 0.0 { tail } else { 1.0 - tail }
}
