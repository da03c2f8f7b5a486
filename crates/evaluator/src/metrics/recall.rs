//! Recall of a class: of the samples that are so, the share that was decided so.

use super::counts::{Ratio, Ratios};
use super::{Direction, Measure, MetricRow};

pub static ROW: MetricRow = MetricRow {
    name: "recall",
    synonyms: &["sensitivity", "balanced_accuracy", "true_positive_rate", "tpr"],
    doc: "Of the samples of a class, the share that was decided so; `recall_macro` is the balanced accuracy.",
    direction: Direction::Larger,
    measure: Measure::Classes(|judged, _| {
        Ratios::boxed(
            judged,
            Ratio { value: |counts| counts.share_of(counts.labels), n: |counts| counts.labels, is_share: true },
        )
    }),
};
