//! The expected calibration error: `Σ n_b/n · |right_b − confidence_b|` over 15 bins of equal width, with the share of
//! right decisions and the mean confidence of each bin (Naeini, Cooper and Hauskrecht 2015; Guo et al. 2017, equation 5).

use super::{Direction, Judged, Measure, MetricRow, Statistic};

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
            let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
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

    fn hits(&self, _: usize) -> Option<usize> {
        None
    }
}
