//! Runs that were made by hand, side by side; and the tables of a run, read back.

use std::collections::BTreeMap;

use engine::Predictions;
use evaluator::compare::{Format, compare};
use evaluator::tables;
use polars::prelude::*;
use polars_io::parquet::read::ParquetReader;
use polars_io::prelude::SerReader;
use record::{DatasetRecord, Fingerprints, Metric, ProofRecord, Run, RunDirectory, RunFile, Start, Status};

fn run(folder: &std::path::Path, seed: u64, data: &str, accuracy: f64, rate: &str) -> Run {
    let metric = |value| Metric { value, low: value - 0.01, high: value + 0.01, n: 100 };
    let file = RunFile {
        status: Status::Done,
        failure: None,
        name: "digits".into(),
        seed,
        id: String::new(),
        started: "2026-03-01T09:05:07Z".into(),
        finished: None,
        seconds: 1.25,
        images_per_second: Some(1234.4),
        dataset: DatasetRecord {
            name: "digits".into(),
            published: true,
            instead_of: None,
            fingerprint: data.into(),
            layout: "embedded".into(),
        },
        fingerprints: Fingerprints::default(),
        versions: BTreeMap::new(),
        instruction_set: "portable".into(),
        threads: 1,
        parameters: 650,
        epochs: 3,
        best_epoch: None,
        metrics: BTreeMap::from([
            ("test/accuracy".to_string(), metric(accuracy)),
            ("test/log_loss".to_string(), metric(1.0 - accuracy)),
        ]),
        proof: ProofRecord::SKIPPED,
    };
    let resolved = format!(
        "name: digits\nseed: {seed}\noptimizer: {{type: sgd, learning_rate: {rate}}}\nlayers: [{{dense: 10}}]\n"
    );
    let start = Start { experiment: b"", resolved: &resolved, run: &file };
    let directory = RunDirectory::create(folder, &start).unwrap();
    Run::read(directory.path()).unwrap()
}

fn three() -> (tempfile::TempDir, Vec<Run>) {
    let folder = tempfile::tempdir().unwrap();
    let make = |seed, data, accuracy, rate| run(folder.path(), seed, data, accuracy, rate);
    let runs = vec![make(1, "a", 0.7, "0.1"), make(2, "b", 0.99, "0.1"), make(3, "a", 0.8, "0.01")];
    (folder, runs)
}

fn seeds(csv: &str) -> Vec<String> {
    let header: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    let seed = header.iter().position(|name| *name == "seed").expect("what differs is a column");
    csv.lines().skip(1).map(|line| line.split(',').nth(seed).unwrap().to_string()).collect()
}

#[test]
fn the_better_comes_first_within_its_data() {
    let (_folder, runs) = three();
    let csv = |sort| compare(&runs, sort, Format::Csv).unwrap();
    assert_eq!(seeds(&csv(None)), ["1", "3", "2"]);
    assert_eq!(seeds(&csv(Some("test/accuracy"))), ["3", "1", "2"], "larger is better, other data stands apart");
    assert_eq!(seeds(&csv(Some("test/log_loss"))), ["3", "1", "2"], "smaller is better");
    assert_eq!(seeds(&csv(Some("seed"))), ["1", "3", "2"]);
    let said = compare(&runs, Some("test/acuracy"), Format::Csv).unwrap_err().to_string();
    assert_eq!(said, "there is no column `test/acuracy` to sort by; did you mean `test/accuracy`?");
}

#[test]
fn only_what_differs_is_shown_and_every_format_has_every_run() {
    let (_folder, runs) = three();
    let csv = compare(&runs, None, Format::Csv).unwrap();
    let header = csv.lines().next().unwrap();
    assert!(
        header.contains("optimizer.learning_rate") && !header.contains("optimizer.type") && !header.contains("dense")
    );
    assert!(header.contains("test/accuracy,test/accuracy/low,test/accuracy/high"), "{header}");
    let json: serde_json::Value = serde_json::from_str(&compare(&runs, None, Format::Json).unwrap()).unwrap();
    assert_eq!(json.as_array().map(Vec::len), Some(3));
    assert_eq!(json[0]["test/accuracy"], 0.7);
    let table = compare(&runs, None, Format::Table).unwrap();
    assert!(table.contains("0.7000 [0.6900, 0.7100]") && table.contains("data 2: not to be ranked"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    let markdown = compare(&runs, None, Format::Markdown).unwrap();
    assert_eq!(markdown.lines().filter(|line| line.starts_with("| digits/")).count(), 3);
}

#[test]
fn predictions_are_read_back_row_by_row() {
    let predictions = Predictions {
        n_classes: 2,
        samples: vec![4, 9],
        labels: vec![0, 0],
        probabilities: vec![0.75, 0.25, 0.5, 0.5],
        ..Predictions::default()
    };
    let classes = ["cat".to_string(), "dog".to_string()];
    let file = |sample| (sample == 9).then(|| "nine.png".to_string());
    let bytes = tables::predictions(&predictions, &classes, &file).unwrap();
    let frame = ParquetReader::new(std::io::Cursor::new(bytes)).finish().unwrap();
    let names: Vec<&str> = frame.get_column_names().iter().map(|name| name.as_str()).collect();
    assert_eq!(names, ["sample", "file", "label", "prediction", "probability/cat", "probability/dog"]);
    assert_eq!(frame.height(), 2);
    let of = |name: &str, row: usize| frame.column(name).unwrap().get(row).unwrap().into_static();
    assert_eq!(of("prediction", 0), AnyValue::StringOwned("cat".into()));
    assert_eq!(of("probability/cat", 0), AnyValue::Float32(0.75));
    assert_eq!(of("file", 0), AnyValue::Null);
}
