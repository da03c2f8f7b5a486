//! The curves of all runs, metric by metric: what the page draws from.

use record::{Epoch, Run, files, history};
use serde::Serialize;

/// Points of a curve; of longer histories every so many epochs are left out, never the last.
const MOST_POINTS: usize = 200;

/// One chart.
#[derive(Debug, Serialize)]
pub struct Chart {
    /// `validation/loss`.
    pub metric: String,
    pub curves: Vec<Curve>,
}

/// One run in a chart.
#[derive(Debug, Serialize)]
pub struct Curve {
    /// Number of the run on the page.
    pub run: usize,
    pub epochs: Vec<usize>,
    pub values: Vec<Option<f64>>,
}

/// A chart a metric, in the order of reading: losses, metrics, the learning rate.
pub fn curves(runs: &[Run], warnings: &mut Vec<String>) -> Vec<Chart> {
    let mut charts: Vec<Chart> = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        let path = run.path(files::HISTORY);
        // A run that was not trained for an epoch has none.
        if !path.exists() {
            continue;
        }
        match history::read(&path) {
            Ok(epochs) => add(&mut charts, index + 1, &epochs),
            Err(why) => warnings.push(format!("{why}; its curves are left out")),
        }
    }
    charts.sort_by_key(|chart| (rank(&chart.metric), chart.metric.clone()));
    charts
}

fn rank(metric: &str) -> usize {
    let first = ["train/loss", "validation/loss", "train/accuracy", "validation/accuracy"];
    let last = if metric == LEARNING_RATE { first.len() + 1 } else { first.len() };
    first.iter().position(|name| *name == metric).unwrap_or(last)
}

const LEARNING_RATE: &str = "learning_rate";

fn add(charts: &mut Vec<Chart>, run: usize, epochs: &[Epoch]) {
    let stride = epochs.len().div_ceil(MOST_POINTS).max(1);
    let shown: Vec<&Epoch> = epochs.iter().rev().step_by(stride).rev().collect();
    let mut names: Vec<&str> = shown.iter().flat_map(|epoch| epoch.metrics.keys().map(String::as_str)).collect();
    names.sort();
    names.dedup();
    for name in names.into_iter().chain([LEARNING_RATE]).filter(|_| !shown.is_empty()) {
        let value = |epoch: &&Epoch| match name {
            LEARNING_RATE => Some(epoch.learning_rate),
            _ => epoch.metrics.get(name).copied(),
        };
        let curve = Curve {
            run,
            epochs: shown.iter().map(|epoch| epoch.epoch).collect(),
            values: shown.iter().map(|epoch| value(epoch).filter(|x| x.is_finite()).map(rounded)).collect(),
        };
        match charts.iter_mut().find(|chart| chart.metric == name) {
            Some(chart) => chart.curves.push(curve),
            None => charts.push(Chart { metric: name.to_string(), curves: vec![curve] }),
        }
    }
}

/// To six digits, which is more than a screen shows.
fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_history_is_thinned_and_keeps_its_last_epoch() {
        let epoch = |epoch| Epoch {
            epoch,
            steps: 1,
            learning_rate: 0.1,
            seconds: 1.0,
            images_per_second: 1.0,
            metrics: [("train/loss".to_string(), 1.0 / 3.0)].into(),
        };
        let mut charts = Vec::new();
        add(&mut charts, 1, &(1..=1001).map(epoch).collect::<Vec<_>>());
        let curve = &charts[0].curves[0];
        assert!(curve.epochs.len() <= MOST_POINTS, "{}", curve.epochs.len());
        assert_eq!(curve.epochs.last(), Some(&1001));
        assert_eq!(curve.values[0], Some(0.333333));
    }
}
