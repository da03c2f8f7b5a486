//! F1 of a class: the harmonic mean of precision and recall, `2·both / (labels + decisions)` (van Rijsbergen 1979).

use super::counts::{Counts, Ratio, Ratios};
use super::{Direction, Measure, MetricRow};

pub static ROW: MetricRow = MetricRow {
    name: "f1",
    synonyms: &["f1_score", "f_score", "fscore", "f_measure", "dice"],
    doc: "The harmonic mean of precision and recall (van Rijsbergen 1979).",
    direction: Direction::Larger,
    measure: Measure::Classes(|judged, _| {
        Ratios::boxed(judged, Ratio { value: f1, n: |counts| counts.labels, is_share: false })
    }),
};

fn f1(counts: &Counts) -> f64 {
    // NaN where the class is neither label nor decision.
    2.0 * counts.both as f64 / (counts.labels + counts.decisions) as f64
}
