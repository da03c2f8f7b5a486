//! Runs side by side: what differs between their experiments, what they reached, and whether their exports are proven.
//!
//! Rows with different data are never ranked together: they stand in groups, in the order in which their data first
//! appears, and only within a group the better comes first.

mod differences;
mod show;

use polars::prelude::*;
use record::Run;

use crate::metrics::{Direction, Metric};

/// How the table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For the terminal.
    Table,
    /// With value, low and high of each metric as columns.
    Csv,
    /// A list of objects, with the columns of CSV.
    Json,
    /// A table for documents.
    Markdown,
}

/// Why runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// There is no such column.
    #[error("{0}")]
    Column(String),
    /// The table could not be made.
    #[error("the table could not be made: {0}")]
    Table(#[from] PolarsError),
    /// A run's file could not be read.
    #[error("{0}")]
    Record(#[from] record::Error),
}

/// Group of equal data; not shown.
const GROUP: &str = "data";

/// The runs as text; `sort` names a column.
pub fn compare(runs: &[Run], sort: Option<&str>, format: Format) -> Result<String, CompareError> {
    let frame = frame(runs, matches!(format, Format::Csv | Format::Json))?;
    let sorted = match sort {
        Some(column) => sorted(frame, column)?,
        None => frame.lazy().sort([GROUP], SortMultipleOptions::default().with_maintain_order(true)),
    };
    let frame = sorted.collect()?;
    match format {
        Format::Csv => show::csv(&mut frame.drop(GROUP)?),
        Format::Json => show::json(&mut frame.drop(GROUP)?),
        Format::Table => show::table(&frame, GROUP),
        Format::Markdown => show::markdown(&frame, GROUP),
    }
}

/// One row a run. `wide` gives every number a column of its own, otherwise a metric is one cell with its interval.
fn frame(runs: &[Run], wide: bool) -> Result<DataFrame, CompareError> {
    let mut fingerprints: Vec<&str> = Vec::new();
    let mut groups: Vec<u32> = Vec::new();
    for run in runs {
        let fingerprint = run.file.dataset.fingerprint.as_str();
        let known = fingerprints.iter().position(|known| *known == fingerprint);
        groups.push(known.unwrap_or(fingerprints.len()) as u32);
        if known.is_none() {
            fingerprints.push(fingerprint);
        }
    }
    let names: Vec<String> = runs.iter().map(|run| format!("{}/{}", run.file.name, run.file.id)).collect();
    let mut columns = vec![Column::new(GROUP.into(), groups), Column::new("run".into(), names)];
    for (path, values) in differences::differences(runs)? {
        columns.push(Column::new(path.into(), values));
    }
    let datasets: Vec<String> = runs.iter().map(|run| run.file.dataset.to_string()).collect();
    columns.push(Column::new("dataset".into(), datasets));
    columns.push(Column::new("parameters".into(), runs.iter().map(|r| r.file.parameters as u64).collect::<Vec<_>>()));
    columns.push(Column::new("epochs".into(), runs.iter().map(|r| r.file.epochs as u64).collect::<Vec<_>>()));
    columns.extend(metrics(runs, wide));
    let rounded = |x: f64| (x * 10.0).round() / 10.0;
    columns.push(Column::new("seconds".into(), runs.iter().map(|r| rounded(r.file.seconds)).collect::<Vec<_>>()));
    let rates: Vec<Option<f64>> = runs.iter().map(|run| run.file.images_per_second.map(f64::round)).collect();
    columns.push(Column::new("images/s".into(), rates));
    let verdicts: Vec<&str> = runs.iter().map(|run| run.file.proof.verdict.name()).collect();
    columns.push(Column::new("onnx".into(), verdicts));
    columns.push(Column::new("status".into(), runs.iter().map(|run| run.status().name()).collect::<Vec<_>>()));
    Ok(DataFrame::new_infer_height(columns)?)
}

/// Metrics in the order in which runs first have them.
fn metrics(runs: &[Run], wide: bool) -> Vec<Column> {
    let mut names: Vec<&String> = Vec::new();
    for name in runs.iter().flat_map(|run| run.file.metrics.keys()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut columns = Vec::new();
    for name in names {
        let of = |pick: fn(&record::Metric) -> f64| -> Vec<Option<f64>> {
            runs.iter().map(|run| run.file.metrics.get(name).map(pick)).collect()
        };
        if wide {
            columns.push(Column::new(name.as_str().into(), of(|m| m.value)));
            columns.push(Column::new(format!("{name}/low").into(), of(|m| m.low)));
            columns.push(Column::new(format!("{name}/high").into(), of(|m| m.high)));
        } else {
            let cell = |m: &record::Metric| format!("{:.4} [{:.4}, {:.4}]", m.value, m.low, m.high);
            let cells: Vec<Option<String>> = runs.iter().map(|run| run.file.metrics.get(name).map(cell)).collect();
            columns.push(Column::new(name.as_str().into(), cells));
        }
    }
    columns
}

/// The better first within each group; a metric knows what is better, of anything else the smaller comes first.
fn sorted(frame: DataFrame, column: &str) -> Result<LazyFrame, CompareError> {
    let known: Vec<String> =
        frame.get_column_names().iter().map(|name| name.to_string()).filter(|n| n != GROUP).collect();
    if !known.iter().any(|name| name == column) {
        let near = spec::nearest(column, known.iter().map(String::as_str));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        return Err(CompareError::Column(format!("there is no column `{column}` to sort by; {help}")));
    }
    let metric = column.split_once('/').and_then(|(_, name)| Metric::find(name));
    let larger_first = metric.is_some_and(|metric| metric.row.direction == Direction::Larger);
    // A cell with an interval begins with its value in a fixed width, so that its order is that of the values.
    let options = SortMultipleOptions::default()
        .with_order_descending_multi([false, larger_first])
        .with_nulls_last(true)
        .with_maintain_order(true);
    Ok(frame.lazy().sort_by_exprs([col(GROUP), col(column)], options))
}
