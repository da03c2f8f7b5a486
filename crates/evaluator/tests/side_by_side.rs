//! Runs side by side, on run directories made here.

use std::collections::BTreeMap;
use std::path::Path;

use evaluator::compare::{CompareError, Format, Known, Repetitions, compare, readable};
use kernels::input::Normalization;
use record::{DatasetRecord, Metric, ProofRecord, Run, RunDirectory, RunFile, Start, Status, Verdict};

/// What the runs of these tests differ in.
struct Made {
    second: u32,
    seed: u64,
    rate: &'static str,
    layers: &'static str,
    data: &'static str,
    accuracy: f64,
    log_loss: f64,
}

const MADE: Made =
    Made { second: 0, seed: 1, rate: "0.001", layers: "[{flatten: {}}]", data: "f00d", accuracy: 0.66, log_loss: 0.98 };

fn make(runs: &Path, made: &Made) -> Run {
    let metric = |value: f64| Metric { value, low: value - 0.01, high: value + 0.01, n: 10_000 };
    let instead_of = (made.data != "f00d").then(|| "cifar10".to_string());
    let name = if instead_of.is_some() { "shapes10" } else { "cifar10" };
    let resolved = format!(
        "name: small\nseed: {}\nmodel:\n  layers: {}\noptimizer:\n  type: adam\n  learning_rate: {}\ndata:\n  fill: [1, 2]\n",
        made.seed, made.layers, made.rate
    );
    let dataset = DatasetRecord {
        name: name.into(),
        published: true,
        instead_of,
        fingerprint: made.data.into(),
        layout: "cifar".into(),
        classes: Vec::new(),
        normalization: Normalization::PerImage,
        findings: Default::default(),
    };
    let file = RunFile {
        status: Status::Done,
        started: format!("2026-03-01T09:05:{:02}Z", made.second),
        seconds: 61.26,
        images_per_second: Some(12345.6),
        parameters: 122_570,
        epochs: 10,
        metrics: BTreeMap::from([
            ("test/accuracy".into(), metric(made.accuracy)),
            ("test/log_loss".into(), metric(made.log_loss)),
        ]),
        proof: ProofRecord { verdict: Verdict::Passed, max_error: Some(1e-6), disagreements: Some(0), samples: 10_000 },
        ..RunFile::begun("small", made.seed, dataset)
    };
    let start = Start { experiment: b"", resolved: &resolved, run: &file };
    let directory = RunDirectory::create(runs, &start).unwrap();
    Run::read(directory.path()).unwrap()
}

fn text(runs: &[Run], sort: Option<&str>, format: Format) -> String {
    let (known, _) = readable(runs.to_vec());
    compare(&known, sort, format, Repetitions::Apart).unwrap()
}

/// Three learning rates that sort otherwise as text, a log loss of two digits, one run on other data.
fn four(runs: &Path) -> Vec<Run> {
    [
        Made { ..MADE },
        Made { second: 1, rate: "1e-4", accuracy: 0.71, log_loss: 10.5, ..MADE },
        Made { second: 2, rate: "0.5", data: "beef", accuracy: 0.99, log_loss: 0.1, ..MADE },
        Made { second: 3, rate: "0.05", accuracy: 0.1, log_loss: f64::NAN, ..MADE },
    ]
    .iter()
    .map(|made| make(runs, made))
    .collect()
}

/// One column of a CSV, without its header.
fn column(csv: &str, name: &str) -> Vec<String> {
    let mut lines = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let place =
        lines.next().unwrap().iter().position(|header| *header == name).unwrap_or_else(|| panic!("{name}: {csv}"));
    lines.map(|cells| cells[place].to_string()).collect()
}

#[test]
fn every_format_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let runs = four(folder.path());
    let all = [Format::Table, Format::Markdown, Format::Csv, Format::Json].map(|format| text(&runs, None, format));
    assert!(all[0].lines().all(|line| line.chars().count() <= 80), "{}", all[0]);
    insta::assert_snapshot!(all.join("\n=====\n"));
}

#[test]
fn only_what_differs_is_a_column_named_as_an_override() {
    let folder = tempfile::tempdir().unwrap();
    let layers = "[{conv2d: {filters: 8}}, {conv2d: {filters: 16}}]";
    let other = "[{conv2d: {filters: 8}}, {conv2d: {filters: 32, name: wide}}]";
    let runs =
        [make(folder.path(), &Made { layers, ..MADE }), make(folder.path(), &Made { layers: other, seed: 2, ..MADE })];
    let csv = text(&runs, None, Format::Csv);
    assert!(csv.starts_with("run,model.layers.conv2d_2.conv2d.filters,model.layers.wide.conv2d.filters,model.layers.wide.conv2d.name,seed,dataset,"), "{csv}");
    assert_eq!(column(&csv, "model.layers.conv2d_2.conv2d.filters"), ["16", ""]);
}

#[test]
fn the_better_comes_first_within_equal_data() {
    let folder = tempfile::tempdir().unwrap();
    let runs = four(folder.path());
    let order = |sort: &str| column(&text(&runs, Some(sort), Format::Csv), "test/accuracy");
    assert_eq!(order("test/accuracy"), ["0.71", "0.66", "0.1", "0.99"]);
    assert_eq!(order("log_loss"), ["0.66", "0.71", "0.1", "0.99"], "what is no number comes last");
    assert_eq!(order("optimizer.learning_rate"), ["0.71", "0.66", "0.1", "0.99"], "numbers are no text");
    for format in [Format::Table, Format::Markdown] {
        let shown = text(&runs, Some("accuracy"), format);
        let places: Vec<usize> = ["0.7100 [0.7000", "0.6600 [0.6500", "0.1000 [0.0900, 0.1100]", "0.9900 [0.9800"]
            .map(|value| shown.find(value).unwrap())
            .into();
        assert!(places.is_sorted(), "{shown}");
    }
}

#[test]
fn an_unknown_column_is_answered_with_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let runs = [make(folder.path(), &MADE)];
    let (known, _) = readable(runs.to_vec());
    let Err(CompareError::Column(message)) = compare(&known, Some("second"), Format::Csv, Repetitions::Apart) else {
        panic!("no such column")
    };
    assert_eq!(message, "there is no column `second` to sort by; did you mean `seconds`?");
}

#[test]
fn damaged_experiments_are_named_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let runs = four(folder.path());
    std::fs::remove_file(runs[0].path("resolved.yaml")).unwrap();
    std::fs::write(runs[1].path("resolved.yaml"), "a: [").unwrap();
    let named = |run: &Run, line: &str| line.contains(&run.path("resolved.yaml").display().to_string());
    let (kept, warnings): (Vec<Known>, _) = readable(runs.to_vec());
    assert_eq!(warnings.len(), 2);
    assert!(runs.iter().zip(&warnings).all(|(run, warning)| named(run, warning)), "{warnings:?}");
    assert_eq!(
        column(
            &text(&kept.into_iter().map(|known| known.run).collect::<Vec<_>>(), Some("accuracy"), Format::Csv),
            "test/accuracy"
        ),
        ["0.99", "0.1"]
    );
    for format in [Format::Table, Format::Markdown, Format::Csv, Format::Json] {
        // Nothing to compare is an empty table.
        text(&[], None, format);
    }
}

#[test]
fn what_is_left_out_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let layers =
        |filters: usize| (0..14).map(|_| format!("{{conv2d: {{filters: {filters}}}}}")).collect::<Vec<_>>().join(", ");
    let [few, many] = [4, 8].map(|filters| &*format!("[{}]", layers(filters)).leak());
    let runs =
        [make(folder.path(), &Made { layers: few, ..MADE }), make(folder.path(), &Made { layers: many, ..MADE })];
    let line = "\n2 more differences; --format csv has all of them\n";
    assert!(text(&runs, None, Format::Markdown).ends_with(line) && text(&runs, None, Format::Table).ends_with(line));
    let csv = text(&runs, None, Format::Csv);
    assert_eq!(csv.lines().next().unwrap().matches("filters").count(), 14);
}
