//! One run by itself: metrics with intervals, classes, confusion, pictures, proof, data, environment, experiment.
//!
//! A file that is missing belongs to something that the run did not come to, or was not asked for; one that is there and
//! cannot be read is said.

use std::fmt::Display;
use std::io::Cursor;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use polars::prelude::*;
use polars_io::SerReader;
use polars_io::parquet::read::ParquetReader;
use record::{Metric, Run, RunFile, files, whole};
use serde::Serialize;
use serde_json::Value;

use super::overview::{Cell, measured};

/// Larger than any of the files that are read here.
const LIMIT: u64 = 64 << 20;
/// A larger matrix of confusions is a picture.
const MOST_CLASSES: usize = 20;
/// Longer experiments are cut, in bytes.
const LONGEST: usize = 100_000;

/// Whether a run's pictures stand on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pictures {
    Shown,
    LeftOut,
}

/// A run's part of the page.
#[derive(Debug, Default, Serialize)]
pub struct Details {
    pub number: usize,
    pub name: String,
    pub id: String,
    pub seed: u64,
    pub failure: Option<String>,
    /// Pairs of a name and a value.
    pub facts: Vec<(String, String)>,
    pub metrics: Vec<(String, Cell, usize)>,
    pub class_columns: Vec<String>,
    pub classes: Vec<(String, Vec<Cell>)>,
    pub confusion: Option<Confusion>,
    pub pictures: Vec<Picture>,
    pub proof: Vec<(String, String)>,
    pub data: Vec<(String, String)>,
    pub environment: Vec<(String, String)>,
    pub written: String,
    pub resolved: String,
}

/// Counts, a row a label, a column a decision.
#[derive(Debug, Serialize)]
pub struct Confusion {
    pub classes: Vec<String>,
    pub rows: Vec<Vec<Share>>,
}

/// A count, and its share of the label in percent.
#[derive(Debug, Serialize)]
pub struct Share {
    pub count: u64,
    pub percent: u32,
}

/// A picture inside the page.
#[derive(Debug, Serialize)]
pub struct Picture {
    pub title: &'static str,
    /// PNG as base64.
    pub data: String,
}

/// What there is of a run.
pub fn details(number: usize, run: &Run, pictures: Pictures, warnings: &mut Vec<String>) -> Details {
    let file = &run.file;
    let (class_columns, classes) = read(run, files::METRICS, warnings, classes).unwrap_or_default();
    let confusion = read(run, files::CONFUSION, warnings, |bytes| confusion(bytes, &file.dataset.classes));
    let shows_matrix = confusion.as_ref().is_some_and(|matrix| matrix.classes.len() <= MOST_CLASSES);
    let text = |name, warnings: &mut Vec<String>| read(run, name, warnings, |bytes| Ok::<_, String>(shortened(bytes)));
    Details {
        number,
        name: file.name.clone(),
        id: file.id.clone(),
        seed: file.seed,
        failure: file.failure.clone(),
        facts: facts(run),
        metrics: file.metrics.iter().map(|(name, metric)| (name.clone(), measured(Some(metric)), metric.n)).collect(),
        class_columns,
        classes,
        confusion: confusion.filter(|_| shows_matrix),
        pictures: match pictures {
            Pictures::Shown => self::pictures(run, shows_matrix, warnings),
            Pictures::LeftOut => Vec::new(),
        },
        proof: read(run, files::PROOF, warnings, proof).unwrap_or_default(),
        data: data(file),
        environment: environment(file),
        written: text(files::EXPERIMENT, warnings).unwrap_or_default(),
        resolved: text(files::RESOLVED, warnings).unwrap_or_default(),
    }
}

/// A file of the run as something, where it is there and can be read.
fn read<T, E: Display>(
    run: &Run,
    name: &str,
    warnings: &mut Vec<String>,
    parse: impl FnOnce(Vec<u8>) -> Result<T, E>,
) -> Option<T> {
    let path = run.path(name);
    if !path.exists() {
        return None;
    }
    let parsed = whole::read(&path, LIMIT)
        .map_err(|e| e.to_string())
        .and_then(|bytes| parse(bytes).map_err(|why| format!("{} is damaged: {why}", path.display())));
    parsed.map_err(|why| warnings.push(format!("{}; it is left out", why.replace('\n', " ")))).ok()
}

fn frame(bytes: Vec<u8>) -> PolarsResult<DataFrame> {
    ParquetReader::new(Cursor::new(bytes)).finish()
}

/// Names of the metrics of single classes, and their values class by class.
#[allow(clippy::type_complexity)]
fn classes(bytes: Vec<u8>) -> PolarsResult<(Vec<String>, Vec<(String, Vec<Cell>)>)> {
    let frame = frame(bytes)?;
    let (names, classes) = (frame.column("metric")?.str()?, frame.column("class")?.str()?);
    let number = |name: &str| -> PolarsResult<Float64Chunked> { Ok(frame.column(name)?.f64()?.clone()) };
    let (values, lows, highs) = (number("value")?, number("low")?, number("high")?);
    let (mut columns, mut rows): (Vec<String>, Vec<(String, Vec<Cell>)>) = (Vec::new(), Vec::new());
    for row in 0..frame.height() {
        let (Some(name), Some(class)) = (names.get(row), classes.get(row)) else { continue };
        let of = |numbers: &Float64Chunked| numbers.get(row).unwrap_or(f64::NAN);
        let metric = Metric { value: of(&values), low: of(&lows), high: of(&highs), n: 0 };
        let column = columns.iter().position(|known| known == name).unwrap_or_else(|| {
            columns.push(name.to_string());
            columns.len() - 1
        });
        let place = rows.iter().position(|(known, _)| known == class).unwrap_or_else(|| {
            rows.push((class.to_string(), Vec::new()));
            rows.len() - 1
        });
        let cells = &mut rows[place].1;
        while cells.len() < column {
            cells.push(measured(None));
        }
        cells.push(measured(Some(&metric)));
    }
    rows.iter_mut().for_each(|(_, cells)| cells.resize_with(columns.len(), || measured(None)));
    Ok((columns, rows))
}

fn confusion(bytes: Vec<u8>, classes: &[String]) -> PolarsResult<Confusion> {
    let frame = frame(bytes)?;
    let counts: Vec<u64> = frame.column("count")?.u64()?.iter().map(Option::unwrap_or_default).collect();
    if counts.len() != classes.len() * classes.len() {
        polars_bail!(ComputeError: "it has {} counts for {} classes", counts.len(), classes.len());
    }
    let row = |counts: &[u64]| {
        let all = counts.iter().sum::<u64>().max(1);
        let share = |&count: &u64| Share { count, percent: (count * 100 / all) as u32 };
        counts.iter().map(share).collect()
    };
    Ok(Confusion { classes: classes.to_vec(), rows: counts.chunks(classes.len().max(1)).map(row).collect() })
}

fn pictures(run: &Run, shows_matrix: bool, warnings: &mut Vec<String>) -> Vec<Picture> {
    let all = [("mistakes", "Most confident mistakes"), ("reliability", "Reliability"), ("confusion", "Confusion")];
    let wanted = all.into_iter().filter(|(name, _)| *name != "confusion" || !shows_matrix);
    let picture = |(name, title): (&str, &'static str)| {
        let file = Path::new(files::PLOTS).join(format!("{name}.png"));
        let data = read(run, &file.display().to_string(), warnings, |bytes| match bytes.starts_with(b"\x89PNG") {
            true => Ok(STANDARD.encode(bytes)),
            false => Err("it is no PNG"),
        })?;
        Some(Picture { title, data })
    };
    wanted.filter_map(picture).collect()
}

fn facts(run: &Run) -> Vec<(String, String)> {
    let file = &run.file;
    let mut facts = vec![
        pair("status", run.status().name()),
        pair("seed", file.seed),
        pair("trainable parameters", file.parameters),
        pair("epochs", file.epochs),
    ];
    facts.extend(file.best_epoch.map(|epoch| pair("best epoch", epoch)));
    facts.push(pair("started", &file.started));
    facts.extend(file.finished.as_ref().map(|moment| pair("ended", moment)));
    facts.push(pair("working time", format!("{:.1} s", file.seconds)));
    facts.extend(file.images_per_second.map(|rate| pair("images a second", format!("{rate:.0}"))));
    facts
}

fn data(file: &RunFile) -> Vec<(String, String)> {
    let dataset = &file.dataset;
    let mut facts = vec![
        pair("dataset", dataset),
        pair("layout", &dataset.layout),
        pair("classes", dataset.classes.len()),
        pair("fingerprint", &dataset.fingerprint),
    ];
    for copies in &dataset.findings.copies {
        let [first, second] = &copies.parts;
        let place = if first == second { format!("within {first}") } else { format!("{first} in {second}") };
        let other = match copies.other_class {
            0 => String::new(),
            n => format!(", {n} of them with another class"),
        };
        facts.push(pair(&format!("exact copies, {place}"), format!("{}{other}", copies.samples)));
    }
    if dataset.findings.copies.is_empty() {
        facts.push(pair("exact copies", "none noted"));
    }
    if dataset.findings.dropped > 0 {
        facts.push(pair("dropped from train", dataset.findings.dropped));
    }
    facts
}

fn environment(file: &RunFile) -> Vec<(String, String)> {
    let versions = file.versions.iter().map(|(name, version)| pair(name, version));
    let prints = &file.fingerprints;
    let rest = [
        pair("instruction set", &file.instruction_set),
        pair("threads", file.threads),
        pair("fingerprint of the experiment", &prints.resolved),
        pair("fingerprint of the data", &prints.data),
        pair("fingerprint of the code", &prints.code),
    ];
    versions.chain(rest).collect()
}

fn proof(bytes: Vec<u8>) -> serde_json::Result<Vec<(String, String)>> {
    let proof: Value = serde_json::from_slice(&bytes)?;
    let number = |key: &str| proof[key].as_f64().map_or("not finite".to_string(), |x| format!("{x:.2e}"));
    let count = |key: &str| proof[key].as_u64().unwrap_or_default();
    let share = |key: &str| proof[key].as_f64().map_or("–".to_string(), |x| format!("{x:.4}"));
    let mut facts = vec![
        pair("verdict", if proof["passed"] == true { "passed" } else { "failed" }),
        pair("samples", count("samples")),
        pair(
            "decisions that differ",
            format!("{} (allowed: {})", count("disagreements"), count("allowed_disagreements")),
        ),
        pair("largest difference", format!("{} (tolerance: {})", number("max_error"), number("tolerance"))),
        pair("accuracy, engine", share("accuracy_engine")),
        pair("accuracy, ONNX Runtime", share("accuracy_onnx")),
    ];
    for latency in proof["latency"].as_array().into_iter().flatten() {
        let microseconds = latency["microseconds_per_image"].as_f64().unwrap_or(f64::NAN);
        facts.push(pair(&format!("an image, batch {}", latency["batch_size"]), format!("{microseconds:.1} µs")));
    }
    facts.extend(proof["first_different_node"].as_str().map(|node| pair("first different node", node)));
    Ok(facts)
}

fn pair(name: &str, value: impl Display) -> (String, String) {
    (name.to_string(), value.to_string())
}

fn shortened(bytes: Vec<u8>) -> String {
    let text = String::from_utf8_lossy(&bytes);
    match (0..=LONGEST).rev().find(|&at| text.is_char_boundary(at)) {
        Some(end) if text.len() > LONGEST => format!("{}\n… ({} bytes in all)\n", &text[..end], text.len()),
        Some(_) | None => text.into_owned(),
    }
}
