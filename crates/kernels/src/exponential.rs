//! `exp` for loops that become vectors: no branches, no tables, no calls.

/// `e^x` with a relative error below 2e-7; numbers below -87 give about 1e-38, above 88 about 1.6e38; not a number stays.
///
/// `e^x = 2^k · e^r` with `|r| <= ln 2 / 2`; `e^r` by its Taylor polynomial of degree 7; `ln 2` in two parts (Cody and
/// Waite 1980).
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LARGEST: f32 = 88.0;
    const SMALLEST: f32 = -87.0;
    // Adding this leaves the nearest whole number in the low bits.
    const SHIFT: f32 = 12_582_912.0; // 1.5 * 2^23
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = if x > LARGEST { LARGEST } else { x };
    let x = if x < SMALLEST { SMALLEST } else { x };
    let shifted = x * std::f32::consts::LOG2_E + SHIFT;
    let k = shifted - SHIFT;
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    let p = p * r + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(SHIFT.to_bits()).wrapping_add(127) << 23;
    p * f32::from_bits(exponent)
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_the_exponential() {
        for i in -87_000..88_000 {
            let x = i as f32 / 1000.0;
            let (found, expected) = (f64::from(super::exp(x)), f64::from(x).exp());
            assert!((found / expected - 1.0).abs() < 3e-7, "exp({x}) is {expected}, not {found}");
        }
        assert!(super::exp(f32::NAN).is_nan());
        assert!(super::exp(f32::NEG_INFINITY) < 1e-37);
    }
}
