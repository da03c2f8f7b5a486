//! The confusion matrix: which label was decided to be what.

use super::{Direction, Measure, MetricRow};

pub static ROW: MetricRow = MetricRow {
    name: "confusion",
    synonyms: &["confusion_matrix"],
    doc: "How often each label was decided to be each class: a table and a picture, which every run has.",
    direction: Direction::Larger,
    measure: Measure::Picture,
};
