//! Predictions, metrics and counts as Parquet, by Polars.

use std::io::Cursor;

use engine::Predictions;
use polars::prelude::*;
use polars_io::parquet::write::ParquetWriter;

use crate::judged::Judged;
use crate::measure::Measured;

/// Why a table could not be made.
#[derive(Debug, thiserror::Error)]
#[error("a table could not be written: {0}")]
pub struct TableError(#[from] PolarsError);

/// One row a sample: `sample`, where there is one `file`, `label`, `prediction`, and a column `probability/<class>` a class.
pub fn predictions(
    predictions: &Predictions,
    classes: &[String],
    file: &dyn Fn(u32) -> Option<String>,
) -> Result<Vec<u8>, TableError> {
    let judged = Judged::new(predictions);
    let name = |class: u32| classes[class as usize].as_str();
    let labels: Vec<&str> = predictions.labels.iter().map(|label| name(*label)).collect();
    let decisions: Vec<&str> = judged.decisions.iter().map(|decision| name(*decision)).collect();
    let mut columns = vec![Column::new("sample".into(), &predictions.samples)];
    let files: Vec<Option<String>> = predictions.samples.iter().map(|sample| file(*sample)).collect();
    if files.iter().any(Option::is_some) {
        columns.push(Column::new("file".into(), files));
    }
    columns.push(Column::new("label".into(), labels));
    columns.push(Column::new("prediction".into(), decisions));
    for (class, name) in classes.iter().enumerate() {
        let of_class: Vec<f32> = (0..predictions.len()).map(|index| predictions.row(index)[class]).collect();
        columns.push(Column::new(format!("probability/{name}").into(), of_class));
    }
    parquet(columns)
}

/// One row a metric, and a class where it is of one: `metric`, `class`, `value`, `low`, `high`, `n`.
pub fn metrics(measured: &Measured) -> Result<Vec<u8>, TableError> {
    let rows = &measured.rows;
    let numbers = |of: fn(&crate::Row) -> f64| rows.iter().map(of).collect::<Vec<f64>>();
    parquet(vec![
        Column::new("metric".into(), rows.iter().map(|row| row.metric.as_str()).collect::<Vec<_>>()),
        Column::new("class".into(), rows.iter().map(|row| row.class.as_deref()).collect::<Vec<_>>()),
        Column::new("value".into(), numbers(|row| row.value)),
        Column::new("low".into(), numbers(|row| row.low)),
        Column::new("high".into(), numbers(|row| row.high)),
        Column::new("n".into(), rows.iter().map(|row| row.n as u64).collect::<Vec<_>>()),
    ])
}

/// One row a pair of label and prediction: `label`, `prediction`, `count`.
pub fn confusion(measured: &Measured) -> Result<Vec<u8>, TableError> {
    let classes = &measured.classes;
    let label = |place: usize| classes[place / classes.len()].as_str();
    let prediction = |place: usize| classes[place % classes.len()].as_str();
    let places = 0..measured.confusion.len();
    parquet(vec![
        Column::new("label".into(), places.clone().map(label).collect::<Vec<_>>()),
        Column::new("prediction".into(), places.map(prediction).collect::<Vec<_>>()),
        Column::new("count".into(), &measured.confusion),
    ])
}

fn parquet(columns: Vec<Column>) -> Result<Vec<u8>, TableError> {
    let mut frame = DataFrame::new_infer_height(columns)?;
    let mut file = Cursor::new(Vec::new());
    ParquetWriter::new(&mut file).finish(&mut frame)?;
    Ok(file.into_inner())
}
