//! The mean of `−ln p` over the samples, p the probability of the label (Good 1952).

use super::mean::Mean;
use super::{Direction, Measure, MetricRow};

/// A label of probability 0 would make the loss infinite; as in scikit-learn none is taken for less than this.
const SMALLEST: f64 = f64::EPSILON;

pub static ROW: MetricRow = MetricRow {
    name: "log_loss",
    synonyms: &["nll", "negative_log_likelihood", "cross_entropy", "crossentropy", "logloss"],
    doc: "The mean of -ln p, p the probability of the label (Good 1952); none is taken for less than 2.2e-16.",
    direction: Direction::Smaller,
    measure: Measure::Alone(|judged| {
        Mean::of_numbers(judged, |index| {
            let p = f64::from(judged.predictions.row(index)[judged.label(index) as usize]);
            // `max` would hide a NaN.
            if p < SMALLEST { -SMALLEST.ln() } else { -p.ln() }
        })
    }),
};
