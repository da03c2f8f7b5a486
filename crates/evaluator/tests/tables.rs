//! Tables are read back by Polars as they were meant.

use std::io::Cursor;

use engine::Predictions;
use evaluator::tables;
use evaluator::{Measured, Row};
use polars::prelude::*;
use polars_io::SerReader;
use polars_io::parquet::read::ParquetReader;

fn read(bytes: Vec<u8>) -> DataFrame {
    ParquetReader::new(Cursor::new(bytes)).finish().unwrap()
}

fn classes() -> Vec<String> {
    ["cat", "dog"].map(String::from).to_vec()
}

fn said() -> Predictions {
    Predictions {
        n_classes: 2,
        samples: vec![7, 9, 4],
        labels: vec![0, 1, 1],
        probabilities: vec![0.75, 0.25, 0.5, 0.5, 0.125, 0.875],
        ..Predictions::default()
    }
}

fn texts(frame: &DataFrame, column: &str) -> Vec<Option<String>> {
    frame.column(column).unwrap().str().unwrap().iter().map(|text| text.map(str::to_string)).collect()
}

fn some(all: &[&str]) -> Vec<Option<String>> {
    all.iter().map(|text| Some(text.to_string())).collect()
}

#[test]
fn predictions_have_a_row_a_sample() {
    let frame = read(tables::predictions(&said(), &classes(), &|_| None).unwrap());
    assert_eq!(frame.get_column_names(), ["sample", "label", "prediction", "probability/cat", "probability/dog"]);
    assert_eq!(frame.column("sample").unwrap().u32().unwrap().into_no_null_iter().collect::<Vec<_>>(), [7, 9, 4]);
    assert_eq!(texts(&frame, "label"), some(&["cat", "dog", "dog"]));
    assert_eq!(texts(&frame, "prediction"), some(&["cat", "cat", "dog"]));
    let dog: Vec<f32> = frame.column("probability/dog").unwrap().f32().unwrap().into_no_null_iter().collect();
    assert_eq!(dog, [0.25, 0.5, 0.875]);
}

#[test]
fn files_are_a_column_where_there_are_any() {
    let file = |sample: u32| (sample != 9).then(|| format!("photos/{sample}.png"));
    let frame = read(tables::predictions(&said(), &classes(), &file).unwrap());
    assert_eq!(texts(&frame, "file"), [Some("photos/7.png".into()), None, Some("photos/4.png".into())]);
}

#[test]
fn metrics_and_counts_are_read_back() {
    let row = |metric: &str, class: Option<&str>, value: f64| Row {
        metric: metric.into(),
        class: class.map(String::from),
        value,
        low: 0.25,
        high: 0.75,
        n: 3,
    };
    let rows = vec![row("accuracy", None, 0.5), row("auroc", Some("dog"), f64::NAN)];
    let measured = Measured { rows, classes: classes(), confusion: vec![1, 0, 1, 1] };
    let frame = read(tables::metrics(&measured).unwrap());
    assert_eq!(frame.get_column_names(), ["metric", "class", "value", "low", "high", "n"]);
    assert_eq!(texts(&frame, "class"), [None, Some("dog".into())]);
    let values = frame.column("value").unwrap().f64().unwrap().clone();
    assert_eq!((values.get(0), values.get(1).unwrap().is_nan()), (Some(0.5), true));
    let frame = read(tables::confusion(&measured).unwrap());
    assert_eq!(texts(&frame, "label"), some(&["cat", "cat", "dog", "dog"]));
    assert_eq!(texts(&frame, "prediction"), some(&["cat", "dog", "cat", "dog"]));
    assert_eq!(frame.column("count").unwrap().u64().unwrap().into_no_null_iter().collect::<Vec<_>>(), [1, 0, 1, 1]);
}

#[test]
fn the_same_predictions_are_the_same_bytes() {
    let write = || tables::predictions(&said(), &classes(), &|_| None).unwrap();
    assert_eq!(write(), write());
}
