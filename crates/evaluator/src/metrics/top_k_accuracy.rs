//! The share of samples whose label is among the k most probable classes. Of equally probable classes the first goes
//! before, so that k = 1 is the accuracy.

use super::mean::Mean;
use super::{Direction, Judged, Measure, MetricRow};

pub static ROW: MetricRow = MetricRow {
    name: "top_k_accuracy",
    synonyms: &["top_k", "topk", "top5", "top_5", "top5_accuracy", "top_k_categorical_accuracy"],
    doc: "The share of samples whose label is among the k most probable classes, for example `top_5_accuracy`.",
    direction: Direction::Larger,
    measure: Measure::Top(|judged, k| Mean::of_hits(judged, |index| rank(judged, index) < k)),
};

/// How many classes go before the label.
fn rank(judged: &Judged<'_>, index: usize) -> usize {
    let (row, label) = (judged.predictions.row(index), judged.label(index) as usize);
    let goes_before = |(class, &p): (usize, &f32)| p > row[label] || p == row[label] && class < label;
    row.iter().enumerate().filter(|item| goes_before(*item)).count()
}
