//! The share of samples decided right. Of equally probable classes the first is decided.

use super::mean::Mean;
use super::{Direction, Measure, MetricRow};

pub static ROW: MetricRow = MetricRow {
    name: "accuracy",
    synonyms: &["acc", "categorical_accuracy", "sparse_categorical_accuracy"],
    doc: "The share of samples that were decided right.",
    direction: Direction::Larger,
    measure: Measure::Alone(|judged| Mean::of_hits(judged, |index| judged.is_right(index))),
};
