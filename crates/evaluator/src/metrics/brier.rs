//! The Brier score: the mean over the samples of `Σ (p − y)²` over all classes, y one for the label and zero else (Brier
//! 1950, equation 2). Between 0 and 2.

use super::mean::Mean;
use super::{Direction, Judged, Measure, MetricRow};

pub static ROW: MetricRow = MetricRow {
    name: "brier",
    synonyms: &["brier_score", "brier_score_loss", "mse"],
    doc: "The squared distance of the probabilities from the label, summed over the classes: 0 to 2 (Brier 1950).",
    direction: Direction::Smaller,
    measure: Measure::Alone(|judged| Mean::of_numbers(judged, |index| score(judged, index))),
};

fn score(judged: &Judged<'_>, index: usize) -> f64 {
    let label = judged.label(index) as usize;
    let distance = |(class, &p): (usize, &f32)| f64::from(p) - f64::from(u8::from(class == label));
    judged.predictions.row(index).iter().enumerate().map(|item| distance(item).powi(2)).sum()
}
