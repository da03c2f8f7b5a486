//! The expected calibration error: `Σ n_b/n · |right_b − confidence_b|` over 15 bins of equal width, with the share of
//! right decisions and the mean confidence of each bin (Naeini, Cooper and Hauskrecht 2015; Guo et al. 2017, equation 5).
//!
//! Chance alone opens gaps, so the value of few samples lies above the true one, and resamples lie above the value: the
//! percentile bootstrap then hardly ever holds the truth. The interval here inverts a test instead (Neyman 1937): it is
//! made of those true errors for which a value as this one is not surprising, where each gap is measured with the normal
//! error of its bin, and the true gaps are as the measured ones, all smaller or larger by one factor. As a pattern the
//! measured gaps are taken for more even than they came out, by half their variance. In simulations with 300 and 1,000
//! samples the 95 % interval holds the true error of calibrated and of too sure classifiers in 94 to 96 of 100
//! evaluations; where one bin alone is wrong, in about 80. The value itself can lie above its interval.

use kernels::random::{Stream, purpose};

use super::{Direction, Judged, Measure, MetricRow, Statistic};
use crate::intervals::{Interval, quantile};

/// As in Guo et al. 2017.
pub const BINS: usize = 15;

pub static ROW: MetricRow = MetricRow {
    name: "calibration_error",
    synonyms: &["ece", "expected_calibration_error", "calibration"],
    doc: "How far confidence is from the share of right decisions, over 15 bins of confidence (Guo et al. 2017).",
    direction: Direction::Smaller,
    measure: Measure::Alone(|judged| Box::new(CalibrationError::of(judged))),
};

/// The decisions of one stretch of confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// How many there are.
    pub n: f64,
    /// How many are right.
    pub right: f64,
    /// The sum of their confidences.
    pub confidence: f64,
}

/// Draws of the gaps' errors.
const DRAWS: u64 = 1000;

/// Gaps are tried up to so many times the measured ones, and the factor is halved in so often.
const LARGEST_FACTOR: f64 = 4.0;
const HALVINGS: usize = 30;

/// The bins of predictions: bin b holds confidences in `[b/15, (b+1)/15)`, the last also 1.
pub fn bins(judged: &Judged<'_>) -> [Bin; BINS] {
    CalibrationError::of(judged).bins(&vec![1; judged.len()])
}

struct CalibrationError {
    confidences: Vec<f64>,
    is_right: Vec<bool>,
}

impl CalibrationError {
    fn of(judged: &Judged<'_>) -> CalibrationError {
        CalibrationError {
            confidences: (0..judged.len()).map(|index| f64::from(judged.confidence(index))).collect(),
            is_right: (0..judged.len()).map(|index| judged.is_right(index)).collect(),
        }
    }

    fn bins(&self, weights: &[u32]) -> [Bin; BINS] {
        let mut bins = [Bin::default(); BINS];
        for ((&confidence, &is_right), &weight) in self.confidences.iter().zip(&self.is_right).zip(weights) {
            let bin = &mut bins[bin_of(confidence)];
            let weight = f64::from(weight);
            bin.n += weight;
            bin.confidence += weight * confidence;
            bin.right += if is_right { weight } else { 0.0 };
        }
        bins
    }
}

impl Statistic for CalibrationError {
    fn n_values(&self) -> usize {
        1
    }

    fn values(&self, weights: &[u32], values: &mut [f64]) {
        let bins = self.bins(weights);
        let gap: f64 = bins.iter().map(|bin| (bin.right - bin.confidence).abs()).sum();
        values[0] = gap / bins.iter().map(|bin| bin.n).sum::<f64>();
    }

    fn n(&self, _: usize) -> usize {
        self.confidences.len()
    }

    fn interval(&self, _: usize, confidence: f64, seed: u64) -> Option<Interval> {
        let gaps = self.gaps();
        let value: f64 = gaps.iter().map(|gap| gap.size.abs()).sum();
        let pattern = gaps.map(|gap| (gap.size.powi(2) + gap.error.powi(2) / 2.0).sqrt());
        let draw = |number: u64| {
            let mut draws = Stream::new(seed, purpose("calibration_error"), 0, number).draws();
            gaps.map(|gap| gap.error * draws.normal())
        };
        let errors: Vec<[f64; BINS]> = (0..DRAWS).map(draw).collect();
        // Below what a share of the values lies that true gaps of `factor` times the pattern give.
        let measured = |factor: f64, share: f64| {
            let one = |errors: &[f64; BINS]| pattern.iter().zip(errors).map(|(gap, e)| (factor * gap + e).abs()).sum();
            let mut values: Vec<f64> = errors.iter().map(one).collect();
            values.sort_by(f64::total_cmp);
            quantile(&values, share)
        };
        let end = |share: f64| {
            let (mut below, mut above) = (0.0, LARGEST_FACTOR);
            for _ in 0..HALVINGS {
                let middle = (below + above) / 2.0;
                if measured(middle, share) < value { below = middle } else { above = middle }
            }
            below * pattern.iter().sum::<f64>()
        };
        let (low, high) = (end(0.5 + confidence / 2.0), end(0.5 - confidence / 2.0));
        (!self.confidences.is_empty()).then_some(Interval { low, high })
    }
}

/// How far the share of right decisions of a bin is from its confidence, as a part of the whole.
#[derive(Clone, Copy, Debug, Default)]
struct Gap {
    size: f64,
    /// Standard deviation of `size` over evaluations.
    error: f64,
}

impl CalibrationError {
    fn gaps(&self) -> [Gap; BINS] {
        let (mut sums, n) = ([(0.0, 0.0); BINS], self.confidences.len() as f64);
        for (&confidence, &is_right) in self.confidences.iter().zip(&self.is_right) {
            let distance = f64::from(u8::from(is_right)) - confidence;
            let (sum, squares) = &mut sums[bin_of(confidence)];
            *sum += distance;
            *squares += distance * distance;
        }
        sums.map(|(sum, squares)| {
            let size = sum / n;
            Gap { size, error: (squares / (n * n) - size * size / n).max(0.0).sqrt() }
        })
    }
}

fn bin_of(confidence: f64) -> usize {
    ((confidence * BINS as f64) as usize).min(BINS - 1)
}
