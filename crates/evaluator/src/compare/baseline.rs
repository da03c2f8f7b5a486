//! What each row of a comparison is measured against: the baseline on the same data.

use std::path::Path;

use super::groups::{Group, mean_and_deviation};

/// The baseline of every row.
pub(super) struct Baseline {
    /// Index of the row that this one is compared with; none of a baseline itself and where there is no baseline.
    of: Vec<Option<usize>>,
}

impl Baseline {
    /// The row that holds the run in `named`, for rows on its data; without a name the first row on the same data.
    pub(super) fn of(rows: &[Group<'_>], named: Option<&Path>) -> Baseline {
        let mut firsts = std::collections::HashMap::new();
        for (index, row) in rows.iter().enumerate() {
            let is_named = named.is_none_or(|named| row.runs.iter().any(|run| run.directory == named));
            if is_named {
                firsts.entry(row.data()).or_insert(index);
            }
        }
        let base = |(index, row): (usize, &Group<'_>)| firsts.get(row.data()).copied().filter(|base| *base != index);
        Baseline { of: rows.iter().enumerate().map(base).collect() }
    }

    /// Mean of the metric less that of the baseline.
    pub(super) fn deltas(&self, rows: &[Group<'_>], metric: &str) -> Vec<Option<f64>> {
        let mean = |row: usize| mean_and_deviation(&rows[row].values(metric)).0;
        let delta = |(row, base): (usize, &Option<usize>)| Some(mean(row) - mean((*base)?)).filter(|d| d.is_finite());
        self.of.iter().enumerate().map(delta).collect()
    }

    /// Whether anything is compared with a baseline.
    pub(super) fn is_any(&self) -> bool {
        self.of.iter().any(Option::is_some)
    }
}
