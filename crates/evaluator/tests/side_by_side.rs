//! Runs side by side, on run directories made here.

use std::collections::BTreeMap;
use std::path::Path;

use evaluator::compare::{CompareError, Format, Known, Repetitions, Shown, compare, groups, readable};
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

fn apart(sort: Option<&str>, format: Format) -> Shown<'_> {
    Shown { sort, format, baseline: None }
}

fn text(runs: &[Run], sort: Option<&str>, format: Format) -> String {
    let (known, _) = readable(runs.to_vec());
    compare(&groups(&known, Repetitions::Apart), &apart(sort, format)).unwrap()
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
    let Err(CompareError::Column(message)) =
        compare(&groups(&known, Repetitions::Apart), &apart(Some("second"), Format::Csv))
    else {
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
    assert!(text(&runs, None, Format::Markdown).contains(line) && text(&runs, None, Format::Table).contains(line));
    let csv = text(&runs, None, Format::Csv);
    assert_eq!(csv.lines().next().unwrap().matches("filters").count(), 14);
}

/// Gives a run predictions of 400 samples of two classes, right but for some.
fn predict(run: &Run, is_wrong: impl Fn(usize) -> bool) {
    let mut made = engine::Predictions { n_classes: 2, ..Default::default() };
    for index in 0..400 {
        let label = index % 2;
        let decided = if is_wrong(index) { 1 - label } else { label };
        made.samples.push(index as u32);
        made.labels.push(label as u32);
        made.probabilities.extend([0, 1].map(|class| if class == decided { 0.8 } else { 0.2 }));
    }
    let table = evaluator::tables::predictions(&made, &["cat".into(), "dog".into()], &|_| None).unwrap();
    std::fs::write(run.path(record::files::PREDICTIONS), table).unwrap();
}

#[test]
fn experiments_that_cannot_be_told_apart_share_a_place() {
    let folder = tempfile::tempdir().unwrap();
    // Of 400 samples 40, 36 and 120 wrong; the first two differ in 76 of them, as 40 to 36.
    let runs = [
        make(folder.path(), &Made { accuracy: 0.9, ..MADE }),
        make(folder.path(), &Made { rate: "0.5", accuracy: 0.91, second: 1, ..MADE }),
        make(folder.path(), &Made { rate: "0.7", accuracy: 0.7, second: 2, ..MADE }),
    ];
    predict(&runs[0], |index| index % 10 == 0);
    predict(&runs[1], |index| index % 10 == 1 && index < 360);
    predict(&runs[2], |index| index % 10 < 3);
    let shown = text(&runs, None, Format::Table);
    let board: Vec<Vec<&str>> = shown
        .lines()
        .skip_while(|line| !line.starts_with("place"))
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(board[1], ["1", "2", "0.9100", "–"]);
    assert_eq!(board[2], ["1", "1", "0.9000", "–"]);
    assert_eq!(board[3], ["3", "3", "0.7000", "<", "0.001"]);
    assert!(!text(&runs[..2], None, Format::Table).contains("place  #"), "of two the comparison itself says it");
}

#[test]
fn metrics_show_their_difference_to_the_baseline_on_the_same_data() {
    let folder = tempfile::tempdir().unwrap();
    let runs = four(folder.path());
    let known = readable(runs.to_vec()).0;
    let deltas = |baseline: Option<&Path>| {
        let csv =
            compare(&groups(&known, Repetitions::Apart), &Shown { baseline, ..apart(None, Format::Csv) }).unwrap();
        column(&csv, "test/accuracy/delta")
            .iter()
            .map(|cell| cell.parse().ok().map(|x: f64| (x * 1e6).round() / 1e6))
            .collect::<Vec<Option<f64>>>()
    };
    // Rows by data: three of one, then one of the other.
    assert_eq!(deltas(None), [None, Some(0.05), Some(-0.56), None]);
    assert_eq!(deltas(Some(&runs[1].directory)), [Some(-0.05), None, Some(-0.61), None]);
    let table = text(&runs, None, Format::Table);
    assert!(table.contains("0.7100 [0.7000, 0.7200] +0.0500"), "{table}");
}
