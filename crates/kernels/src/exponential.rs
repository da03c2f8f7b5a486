//! The exponential and what is made of it, to about 1e-7 of the result. What is not a number stays so.

use crate::lanes::Lanes;

/// `e^x`: 0 and infinity where f32 has nothing nearer.
///
/// `e^x = 2^n * e^r` with `|r| <= ln(2) / 2`; the polynomial of `e^r`, and ln(2) in two parts, of which the first times n
/// is exact, are those of Cephes (Moshier 1989, expf).
#[inline(always)]
pub(crate) fn exp<L: Lanes>(x: L) -> L {
    // The bounds stand first, since `min` and `max` give the second operand where one is not a number.
    let x = L::splat(-105.0).max(L::splat(90.0).min(x));
    let (n, p) = power_and_rest(x);
    // In two steps, since 2^n alone may leave the range where the result does not.
    let half = n.mul(L::splat(0.5)).round();
    p.scale(half).scale(n.sub(half))
}

/// n and `e^r` of the above.
#[inline(always)]
fn power_and_rest<L: Lanes>(x: L) -> (L, L) {
    let n = x.mul(L::splat(std::f32::consts::LOG2_E)).round();
    let r = n.mul_add(L::splat(2.121_944_4e-4), n.mul_add(L::splat(-0.693_359_4), x));
    let p = polynomial(
        r,
        [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5.000_000_3e-1, 1.0, 1.0],
    );
    (n, p)
}

/// `coefficients[0] * x^(K - 1) + ... + coefficients[K - 1]`.
#[inline(always)]
fn polynomial<L: Lanes, const K: usize>(x: L, coefficients: [f32; K]) -> L {
    let mut sum = L::splat(coefficients[0]);
    for &coefficient in &coefficients[1..] {
        sum = sum.mul_add(x, L::splat(coefficient));
    }
    sum
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn sigmoid<L: Lanes>(x: L) -> L {
    let one = L::splat(1.0);
    one.div(one.add(exp(L::splat(0.0).sub(x))))
}

/// The hyperbolic tangent: near zero an odd polynomial (Cephes, tanhf), where a difference of exponentials would cancel.
#[inline(always)]
pub(crate) fn tanh<L: Lanes>(x: L) -> L {
    let square = x.mul(x);
    let p = polynomial(square, [-5.704_988_7e-3, 2.063_908_8e-2, -5.373_972e-2, 1.333_144_2e-1, -3.333_328e-1]);
    let near = p.mul(square).mul_add(x, x);
    let (one, two) = (L::splat(1.0), L::splat(2.0));
    // From 10 on it is one to the last bit. The bounds stand first, as in `exp`.
    let bounded = L::splat(-10.0).max(L::splat(10.0).min(x));
    let far = one.sub(two.div(one.add(moderate_exp(two.mul(bounded)))));
    L::select(L::splat(0.625 * 0.625).greater(square), near, far)
}

/// `e^x` for x in -87..=88, where `2^n` alone stays in the range.
#[inline(always)]
fn moderate_exp<L: Lanes>(x: L) -> L {
    let (n, p) = power_and_rest(x);
    p.scale(n)
}

/// `(Phi(x), e^(-x^2 / 2) / sqrt(2 pi))`: the probability that a standard normal number is below x, and its density; both are
/// zero where the first is below what f32 tells from zero.
///
/// `Phi(-|x|)` is the density times `t * p(t)` with `t = 1 / (1 + |x| / sqrt(8))`; p interpolates in Chebyshev's points what the
/// scaled complementary error function leaves, to 6e-8 of it.
#[inline(always)]
pub(crate) fn normal_distribution<L: Lanes>(x: L) -> (L, L) {
    let (zero, one) = (L::splat(0.0), L::splat(1.0));
    let magnitude = L::splat(FAR + 1e-3).min(zero.sub(x).max(x));
    let square = magnitude.mul(magnitude);
    let density = moderate_exp(square.mul(L::splat(-0.5)));
    // What rounding took from the square matters in the exponent; by its factor e^(-x^2 / 2) becomes the density.
    let factor = magnitude.square_rest(square).mul_add(L::splat(-0.5 * DENSITY), L::splat(DENSITY));
    let density = density.mul(factor);
    let density = L::select(magnitude.greater(L::splat(FAR)), zero, density);
    let t = one.div(magnitude.mul_add(L::splat(std::f32::consts::FRAC_1_SQRT_2 / 2.0), one));
    let p = polynomial(t, COEFFICIENTS);
    let below = density.mul(t).mul(p);
    (L::select(x.greater(zero), one.sub(below), below), density)
}

/// From here on `x * Phi(-x)` is below 1e-37.
const FAR: f32 = 13.0;

/// `1 / sqrt(2 pi)`.
const DENSITY: f32 = 0.398_942_3;

/// Of p, highest power first.
const COEFFICIENTS: [f32; 9] = [
    -0.074_020_57,
    0.356_752_1,
    -0.611_084_94,
    0.349_334_03,
    -0.034_107_007,
    0.254_392_7,
    0.304_587_2,
    0.353_918_4,
    0.353_542_18,
];
