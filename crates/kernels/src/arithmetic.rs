//! Element-wise arithmetic and sums, of which clipping and the optimizers' updates are made.

use crate::Isa;
use crate::each::{Function, each, each_in_place, each_into};
use crate::isa::Kernel;
use crate::lanes::Lanes;

mod bias;
mod parts;
pub use bias::{add_bias, sum_to_channels};
pub use parts::sum_of_parts;

/// Arithmetic of two numbers. A minimum or maximum is the second where either is not a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Minimum,
    Maximum,
    /// The sum, or zero where it is below.
    AddRelu,
}

/// Numbers, or one that meets all of the other operand.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a> {
    Slice(&'a [f32]),
    Scalar(f32),
}

/// Calls `$call` with `$rule` bound to the rule of an operation.
macro_rules! with_rule {
    ($op:expr, $rule:ident => $call:expr) => {
        match $op {
            Binary::Add => {
                let $rule = Add;
                $call
            }
            Binary::Subtract => {
                let $rule = Subtract;
                $call
            }
            Binary::Multiply => {
                let $rule = Multiply;
                $call
            }
            Binary::Divide => {
                let $rule = Divide;
                $call
            }
            Binary::Minimum => {
                let $rule = Minimum;
                $call
            }
            Binary::Maximum => {
                let $rule = Maximum;
                $call
            }
            Binary::AddRelu => {
                let $rule = AddRelu;
                $call
            }
        }
    };
}

/// `y[i] = op(a[i], b[i])`.
pub fn binary(isa: Isa, op: Binary, a: Operand, b: Operand, y: &mut [f32]) {
    with_rule!(op, rule => match (a, b) {
        (Operand::Slice(a), Operand::Slice(b)) => each(isa, rule, [a, b], y),
        (Operand::Slice(a), Operand::Scalar(b)) => each(isa, WithSecond(rule, b), [a], y),
        (Operand::Scalar(a), Operand::Slice(b)) => each(isa, WithFirst(rule, a), [b], y),
        (Operand::Scalar(a), Operand::Scalar(b)) => {
            y.fill(a);
            each_in_place(isa, WithSecond(rule, b), y);
        }
    });
}

/// `y[i] = op(y[i], b[i])`.
pub fn binary_into(isa: Isa, op: Binary, y: &mut [f32], b: Operand) {
    with_rule!(op, rule => match b {
        Operand::Slice(b) => each_into(isa, rule, y, b),
        Operand::Scalar(b) => each_in_place(isa, WithSecond(rule, b), y),
    });
}

/// What optimizers compute of two operands at once; every operation is rounded on its own.
#[derive(Clone, Copy, Debug)]
pub enum Pair {
    /// `by[0] a + by[1] b`
    WeightedSum([f32; 2]),
    /// `by[0] a + by[1] b²`
    WeightedSquare([f32; 2]),
    /// `a - by b`
    SubtractScaled(f32),
    /// `by a / (root_by √b + offset)`
    ScaledRatio { by: f32, root_by: f32, offset: f32 },
}

/// Calls with the pair's function.
macro_rules! with_pair {
    ($pair:expr, $function:ident => $call:expr) => {
        match $pair {
            Pair::WeightedSum(by) => {
                let $function = Weighted(by);
                $call
            }
            Pair::WeightedSquare(by) => {
                let $function = WeightedSquare(by);
                $call
            }
            Pair::SubtractScaled(by) => {
                let $function = SubtractScaled(by);
                $call
            }
            Pair::ScaledRatio { by, root_by, offset } => {
                let $function = ScaledRatio { by, root_by, offset };
                $call
            }
        }
    };
}

/// `y[i] = pair(a[i], b[i])`.
pub fn pair(isa: Isa, pair: Pair, a: &[f32], b: &[f32], y: &mut [f32]) {
    with_pair!(pair, function => each(isa, function, [a, b], y));
}

/// `y[i] = pair(y[i], b[i])`.
pub fn pair_into(isa: Isa, pair: Pair, y: &mut [f32], b: &[f32]) {
    with_pair!(pair, function => each_into(isa, function, y, b));
}

/// `y[i] = sqrt(x[i])`.
pub fn square_root(isa: Isa, x: &[f32], y: &mut [f32]) {
    each(isa, SquareRoot, [x], y);
}

/// `y[i] = sqrt(y[i])`.
pub fn square_root_in_place(isa: Isa, y: &mut [f32]) {
    each_in_place(isa, SquareRoot, y);
}

/// Numbers that are summed in f32 before the sum goes to f64.
const BLOCK: usize = 2048;

/// The sum of `x[i]^2`: of squares in f32 in blocks, of blocks in f64. Squares that f32 cannot hold are taken in f64.
pub fn sum_of_squares(isa: Isa, x: &[f32]) -> f64 {
    let of_block = |block: &[f32]| {
        let sum = isa.run(Squares(block));
        match sum.is_finite() {
            true => f64::from(sum),
            false => block.iter().map(|&x| f64::from(x) * f64::from(x)).sum(),
        }
    };
    x.chunks(BLOCK).map(of_block).sum()
}

struct Squares<'a>(&'a [f32]);

impl Kernel for Squares<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self) -> f32 {
        let mut sums = [L::splat(0.0); 4];
        for part in self.0.chunks(4 * L::N) {
            for (sum, x) in sums.iter_mut().zip(part.chunks(L::N)) {
                // SAFETY: as many numbers as the slice has, at most `N`.
                let x =
                    unsafe { if x.len() == L::N { L::load(x.as_ptr()) } else { L::load_first(x.as_ptr(), x.len()) } };
                *sum = x.mul_add(x, *sum);
            }
        }
        let [a, b, c, d] = sums;
        a.add(c).add(b.add(d)).sum()
    }
}

/// `a + b`, and so on.
#[derive(Clone, Copy)]
struct Add;
#[derive(Clone, Copy)]
struct Subtract;
#[derive(Clone, Copy)]
struct Multiply;
#[derive(Clone, Copy)]
struct Divide;
#[derive(Clone, Copy)]
struct Minimum;
#[derive(Clone, Copy)]
struct Maximum;
#[derive(Clone, Copy)]
struct AddRelu;
#[derive(Clone, Copy)]
struct SquareRoot;

/// A rule whose first operand is one number.
#[derive(Clone, Copy)]
struct WithFirst<F>(F, f32);

#[derive(Clone, Copy)]
struct Weighted([f32; 2]);

impl Function<2> for Weighted {
    #[inline(always)]
    fn of<L: Lanes>(self, [a, b]: [L; 2]) -> L {
        a.mul(L::splat(self.0[0])).add(b.mul(L::splat(self.0[1])))
    }
}

#[derive(Clone, Copy)]
struct WeightedSquare([f32; 2]);

impl Function<2> for WeightedSquare {
    #[inline(always)]
    fn of<L: Lanes>(self, [a, b]: [L; 2]) -> L {
        Weighted(self.0).of([a, b.mul(b)])
    }
}

#[derive(Clone, Copy)]
struct SubtractScaled(f32);

impl Function<2> for SubtractScaled {
    #[inline(always)]
    fn of<L: Lanes>(self, [a, b]: [L; 2]) -> L {
        a.sub(b.mul(L::splat(self.0)))
    }
}

#[derive(Clone, Copy)]
struct ScaledRatio {
    by: f32,
    root_by: f32,
    offset: f32,
}

impl Function<2> for ScaledRatio {
    #[inline(always)]
    fn of<L: Lanes>(self, [a, b]: [L; 2]) -> L {
        let divisor = b.sqrt().mul(L::splat(self.root_by)).add(L::splat(self.offset));
        a.mul(L::splat(self.by)).div(divisor)
    }
}

/// A rule whose second operand is one number.
#[derive(Clone, Copy)]
struct WithSecond<F>(F, f32);

macro_rules! rule {
    ($name:ident, $method:ident) => {
        impl Function<2> for $name {
            #[inline(always)]
            fn of<L: Lanes>(self, [a, b]: [L; 2]) -> L {
                a.$method(b)
            }
        }
    };
}

rule!(Add, add);
rule!(Subtract, sub);
rule!(Multiply, mul);
rule!(Divide, div);
rule!(Minimum, min);
rule!(Maximum, max);

impl Function<2> for AddRelu {
    #[inline(always)]
    fn of<L: Lanes>(self, [a, b]: [L; 2]) -> L {
        // What is not a number stays: `max` gives its second operand.
        L::splat(0.0).max(a.add(b))
    }
}

impl<F: Function<2>> Function<1> for WithFirst<F> {
    #[inline(always)]
    fn of<L: Lanes>(self, [b]: [L; 1]) -> L {
        self.0.of([L::splat(self.1), b])
    }
}

impl<F: Function<2>> Function<1> for WithSecond<F> {
    #[inline(always)]
    fn of<L: Lanes>(self, [a]: [L; 1]) -> L {
        self.0.of([a, L::splat(self.1)])
    }
}

impl Function<1> for SquareRoot {
    #[inline(always)]
    fn of<L: Lanes>(self, [x]: [L; 1]) -> L {
        x.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::{LENGTHS, assert_close, numbers};

    fn value(op: Binary, a: f64, b: f64) -> f64 {
        match op {
            Binary::Add => a + b,
            Binary::Subtract => a - b,
            Binary::Multiply => a * b,
            Binary::Divide => a / b,
            Binary::Minimum => a.min(b),
            Binary::Maximum => a.max(b),
            Binary::AddRelu => (a + b).max(0.0),
        }
    }

    #[test]
    fn pairs_agree_with_f64() {
        let all = [
            Binary::Add,
            Binary::Subtract,
            Binary::Multiply,
            Binary::Divide,
            Binary::Minimum,
            Binary::Maximum,
            Binary::AddRelu,
        ];
        for (op, isa) in all.into_iter().flat_map(|op| Isa::available().into_iter().map(move |isa| (op, isa))) {
            for length in LENGTHS {
                let (a, b) = (numbers(1, length, -2.0, 2.0), numbers(2, length, 0.5, 2.0));
                let operands = |one: f32| {
                    [
                        [Operand::Slice(&a), Operand::Slice(&b)],
                        [Operand::Slice(&a), Operand::Scalar(one)],
                        [Operand::Scalar(one), Operand::Slice(&b)],
                        [Operand::Scalar(-one), Operand::Scalar(one)],
                    ]
                };
                let at = |operand: Operand, i: usize| match operand {
                    Operand::Slice(x) => f64::from(x[i]),
                    Operand::Scalar(x) => f64::from(x),
                };
                for [first, second] in operands(1.25) {
                    let expected: Vec<f64> = (0..length).map(|i| value(op, at(first, i), at(second, i))).collect();
                    let mut y = vec![9.0; length];
                    binary(isa, op, first, second, &mut y);
                    assert_close(isa.name(), &y, &expected, 1e-7, 0.0);
                    let mut y: Vec<f32> = (0..length).map(|i| at(first, i) as f32).collect();
                    binary_into(isa, op, &mut y, second);
                    assert_close(isa.name(), &y, &expected, 1e-7, 0.0);
                }
            }
        }
    }

    #[test]
    fn pairs_of_optimizers_are_those_of_their_parts() {
        type Plain = fn(f32, f32) -> f32;
        let pairs: [(Pair, Plain); 4] = [
            (Pair::WeightedSum([0.9, -0.1]), |a, b| a * 0.9 + b * -0.1),
            (Pair::WeightedSquare([0.9, 0.1]), |a, b| a * 0.9 + b * b * 0.1),
            (Pair::SubtractScaled(0.3), |a, b| a - b * 0.3),
            (Pair::ScaledRatio { by: 1.2, root_by: 0.7, offset: 1e-3 }, |a, b| a * 1.2 / (b.sqrt() * 0.7 + 1e-3)),
        ];
        for (length, isa) in LENGTHS.into_iter().flat_map(|len| Isa::available().into_iter().map(move |isa| (len, isa)))
        {
            let (a, b) = (numbers(1, length, -3.0, 3.0), numbers(2, length, 0.0, 3.0));
            for (one, plain) in pairs {
                let expected: Vec<f32> = a.iter().zip(&b).map(|(a, b)| plain(*a, *b)).collect();
                let mut y = vec![9.0; length];
                pair(isa, one, &a, &b, &mut y);
                assert_eq!(y, expected, "{} {one:?}", isa.name());
                let mut in_place = a.clone();
                pair_into(isa, one, &mut in_place, &b);
                assert_eq!(in_place, expected, "{} {one:?}", isa.name());
            }
        }
    }

    #[test]
    fn roots_agree_with_f64() {
        for (isa, length) in Isa::available().into_iter().flat_map(|isa| LENGTHS.map(move |length| (isa, length))) {
            let x = numbers(1, length, 0.0, 4.0);
            let expected: Vec<f64> = x.iter().map(|&x| f64::from(x).sqrt()).collect();
            let mut y = vec![9.0; length];
            square_root(isa, &x, &mut y);
            assert_close(isa.name(), &y, &expected, 1e-7, 0.0);
            let mut y = x.clone();
            square_root_in_place(isa, &mut y);
            assert_close(isa.name(), &y, &expected, 1e-7, 0.0);
        }
    }

    #[test]
    fn squares_agree_with_f64() {
        for isa in Isa::available() {
            for length in LENGTHS.into_iter().chain([5000]) {
                let x = numbers(1, length, -3.0, 3.0);
                let expected: f64 = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
                assert!((sum_of_squares(isa, &x) - expected).abs() <= 1e-6 * expected);
            }
            assert_eq!(sum_of_squares(isa, &[1e30, 0.0]), f64::from(1e30f32) * f64::from(1e30f32));
            assert!(sum_of_squares(isa, &[1.0, f32::NAN]).is_nan());
        }
    }
}
