//! Precision of a class: of the samples that were decided so, the share that is so.

use super::counts::{Ratio, Ratios};
use super::{Direction, Measure, MetricRow};

pub static ROW: MetricRow = MetricRow {
    name: "precision",
    synonyms: &["positive_predictive_value", "ppv"],
    doc: "Of the samples that were decided to be of a class, the share that is.",
    direction: Direction::Larger,
    measure: Measure::Classes(|judged, _| {
        Ratios::boxed(
            judged,
            Ratio { value: |counts| counts.share_of(counts.decisions), n: |counts| counts.decisions, is_share: true },
        )
    }),
};
