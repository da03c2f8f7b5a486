//! How far a measured value may be from the true one: Wilson's interval for proportions, the percentile bootstrap for
//! everything else.

use kernels::random::{Stream, purpose};
use rayon::prelude::*;

use crate::metrics::Statistic;

/// How often the samples are drawn anew.
pub const RESAMPLES: usize = 1000;

/// The ends of an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// Wilson's score interval (1927, without correction for continuity) for `hits` of `n`; all of `[0, 1]` for none.
pub fn wilson(hits: usize, n: usize, confidence: f64) -> Interval {
    if n == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let (n, p) = (n as f64, hits as f64 / n as f64);
    let z = normal_quantile(0.5 + confidence / 2.0);
    let middle = p + z * z / (2.0 * n);
    let reach = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    // Rounding must not put a value of 0 or 1 outside.
    Interval { low: ((middle - reach) / scale).clamp(0.0, p), high: ((middle + reach) / scale).clamp(p, 1.0) }
}

/// The value below which a standard normal variable stays with probability `p` in (0, 1): Acklam's rational
/// approximation (2003), relative error 1.15e-9.
pub fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969683028665376e1,
        2.209460984245205e2,
        -2.759285104469687e2,
        1.38357751867269e2,
        -3.066479806614716e1,
        2.506628277459239,
    ];
    const B: [f64; 5] =
        [-5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1];
    const C: [f64; 6] = [
        -7.784894002430293e-3,
        -3.223964580411365e-1,
        -2.400758277161838,
        -2.549732539343734,
        4.374664141464968,
        2.938163982698783,
    ];
    const D: [f64; 4] = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416];
    /// Where the tails begin.
    const TAIL: f64 = 0.02425;
    let polynomial = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    if p < TAIL {
        let q = (-2.0 * p.ln()).sqrt();
        return polynomial(&C, q) / (polynomial(&D, q) * q + 1.0);
    }
    let q = p - 0.5;
    let r = q * q;
    polynomial(&A, r) * q / (polynomial(&B, r) * r + 1.0)
}

/// The percentile bootstrap (Efron 1979): for each statistic the interval of each of its values over [`RESAMPLES`] draws
/// of `n` out of `n` samples, in which every statistic sees the same draws. A function of the seed alone: threads change
/// nothing. Resamples in which a value is not defined are left out of its interval.
pub fn bootstrap(statistics: &[&dyn Statistic], n: usize, confidence: f64, seed: u64) -> Vec<Vec<Interval>> {
    let n_values: usize = statistics.iter().map(|statistic| statistic.n_values()).sum();
    let draw = |weights: &mut Vec<u32>, resample: usize| {
        fill_weights(weights, seed, resample as u64);
        let mut values = vec![f64::NAN; n_values];
        let mut rest = values.as_mut_slice();
        for statistic in statistics {
            let (own, behind) = rest.split_at_mut(statistic.n_values());
            statistic.values(weights, own);
            rest = behind;
        }
        values
    };
    let count = if n == 0 { 0 } else { RESAMPLES };
    let draws: Vec<Vec<f64>> = (0..count).into_par_iter().map_init(|| vec![0; n], draw).collect();
    let mut places = 0..n_values;
    let mut interval = || {
        let place = places.next().expect("there are as many places as values");
        percentiles(draws.iter().map(|values| values[place]).collect(), confidence)
    };
    statistics.iter().map(|statistic| (0..statistic.n_values()).map(|_| interval()).collect()).collect()
}

/// How often each sample is drawn, when as many are drawn as there are.
fn fill_weights(weights: &mut [u32], seed: u64, resample: u64) {
    weights.fill(0);
    let mut draws = Stream::new(seed, purpose("bootstrap"), 0, resample).draws();
    for _ in 0..weights.len() {
        weights[draws.below(weights.len() as u64) as usize] += 1;
    }
}

/// The value below which a share of the sorted values lies, between two of them by linear interpolation.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() as f64 - 1.0);
    let (below, above) = (at.floor() as usize, at.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * at.fract()
}

/// The middle `confidence` of the values, between two of them by linear interpolation.
pub(crate) fn percentiles(mut values: Vec<f64>, confidence: f64) -> Interval {
    values.retain(|value| !value.is_nan());
    values.sort_by(f64::total_cmp);
    let quantile = |share: f64| quantile(&values, share);
    match values.is_empty() {
        true => Interval { low: f64::NAN, high: f64::NAN },
        false => Interval { low: quantile(0.5 - confidence / 2.0), high: quantile(0.5 + confidence / 2.0) },
    }
}
