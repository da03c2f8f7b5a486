//! Runs side by side: what differs between their experiments, what they reached, and whether their exports are proven.
//!
//! Rows with different data are never ranked together: they stand in groups, in the order in which their data first
//! appears, and only within a group the better comes first.

mod baseline;
mod crossed;
mod differences;
mod groups;
mod leaderboard;
mod paired;
mod pivot;
mod show;

pub(crate) use differences::{Experiment, differences, in_short};
pub(crate) use groups::in_words;
pub use groups::{Group, Repetitions, groups, mean_and_deviation};
pub use paired::{Difference as PairedDifference, Flip, Paired, flips, holm, mcnemar, paired};
pub use pivot::{Pivot, pivot};

use std::collections::BTreeMap;
use std::path::Path;

use polars::prelude::*;
use rayon::prelude::*;
use record::Run;

use baseline::Baseline;
use differences::Difference;

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
}

/// Group of equal data; not shown.
const GROUP: &str = "data";

/// Place of the group among [`groups`]; not shown.
const ROW: &str = "row";

/// People are shown at most as many differences; formats for programs have all.
const MOST: usize = 12;

/// The resolved settings of a run by path, as overrides write them, and its variables.
///
/// # Errors
/// In one line, if the resolved file cannot be read.
pub fn settings(run: &Run) -> Result<BTreeMap<String, String>, String> {
    differences::Reader::default().experiment(run)
}

/// A run with the settings of its experiment by path.
#[derive(Clone, Debug)]
pub struct Known {
    pub run: Run,
    pub settings: BTreeMap<String, String>,
}

/// The runs whose experiments can be read, and one line for each that is passed over.
pub fn readable(runs: Vec<Run>) -> (Vec<Known>, Vec<String>) {
    let reader = differences::Reader::default();
    let read = |run: Run| reader.experiment(&run).map(|settings| Known { run, settings });
    let read: Vec<Result<Known, String>> = runs.into_par_iter().map(read).collect();
    let (mut known, mut warnings) = (Vec::new(), Vec::new());
    for one in read {
        match one {
            Ok(one) => known.push(one),
            Err(why) => warnings.push(why),
        }
    }
    (known, warnings)
}

/// How runs are shown side by side.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// A column to sort by.
    pub sort: Option<&'a str>,
    pub format: Format,
    /// Directory of the run that metrics are compared with; without one the first run on the same data.
    pub baseline: Option<&'a Path>,
}

/// The runs as text, a row a group, several runs as mean ± standard deviation (n); see [`groups`].
pub fn compare(groups: &[Group<'_>], shown: &Shown<'_>) -> Result<String, CompareError> {
    let Shown { sort, format, .. } = *shown;
    let baseline = Baseline::of(groups, shown.baseline);
    let experiments: Vec<_> = groups.iter().map(|group| &group.experiment).collect();
    let mut differing = differences(&experiments);
    if matches!(format, Format::Table | Format::Markdown) {
        differing = in_short(differing, &experiments);
    }
    let most = match format {
        Format::Table | Format::Markdown => differing.len().min(MOST),
        Format::Csv | Format::Json => differing.len(),
    };
    let left_out = differing.split_off(most).len();
    let metrics = metric_names(groups);
    let mut frame = sorted(frame(groups, differing, &metrics, &baseline)?, sort)?.collect()?;
    let order = frame.drop_in_place(ROW)?;
    let mut text = match format {
        Format::Csv => show::csv(&mut frame.drop(GROUP)?),
        Format::Json => show::json(&mut frame.drop(GROUP)?),
        Format::Table => show::table(with_intervals(&mut frame, &metrics)?, GROUP),
        Format::Markdown => show::markdown(with_intervals(&mut frame, &metrics)?, GROUP),
    }?;
    if left_out > 0 {
        text += &format!("\n{left_out} more differences; --format csv has all of them\n");
    }
    if matches!(format, Format::Table | Format::Markdown) && baseline.is_any() {
        text += "\n+ and -: the difference to the row without one (--baseline RUN chooses it)\n";
    }
    if format == Format::Table {
        let order: Vec<&Group<'_>> = order.u32()?.iter().flatten().map(|row| &groups[row as usize]).collect();
        text += &leaderboards(&order);
    }
    Ok(text)
}

/// Below the tables what the data can tell apart: of each data with three and more experiments.
fn leaderboards(order: &[&Group<'_>]) -> String {
    let chunks: Vec<&[&Group<'_>]> = order.chunk_by(|one, other| one.data() == other.data()).collect();
    let title = |index: usize| if chunks.len() > 1 { format!("data {}\n", index + 1) } else { String::new() };
    let board = |(index, chunk): (usize, &&[&Group<'_>])| match leaderboard::leaderboard(chunk) {
        Ok(board) => Some(format!("\n{}{}", title(index), board?)),
        Err(why) => Some(format!("\n{}{why}\n", title(index))),
    };
    chunks.iter().enumerate().filter_map(board).collect()
}

/// One row a group.
fn frame(
    rows: &[Group<'_>],
    differing: Vec<Difference>,
    metrics: &[&str],
    baseline: &Baseline,
) -> Result<DataFrame, CompareError> {
    let runs: Vec<&Run> = rows.iter().map(|group| group.runs[0]).collect();
    let mut fingerprints: Vec<&str> = Vec::new();
    let mut data: Vec<u32> = Vec::new();
    for run in &runs {
        let fingerprint = run.file.dataset.fingerprint.as_str();
        let known = fingerprints.iter().position(|known| *known == fingerprint);
        data.push(known.unwrap_or(fingerprints.len()) as u32);
        if known.is_none() {
            fingerprints.push(fingerprint);
        }
    }
    let names: Vec<String> = rows.iter().map(Group::name).collect();
    let places: Vec<u32> = (0..rows.len() as u32).collect();
    let mut columns = vec![Column::new(GROUP.into(), data), Column::new(ROW.into(), places)];
    columns.push(Column::new("run".into(), names));
    columns.extend(differing.into_iter().map(difference));
    let datasets: Vec<String> = runs.iter().map(|run| run.file.dataset.to_string()).collect();
    columns.push(Column::new("dataset".into(), datasets));
    columns.push(Column::new("parameters".into(), runs.iter().map(|r| r.file.parameters as u64).collect::<Vec<_>>()));
    columns.push(Column::new("epochs".into(), runs.iter().map(|r| r.file.epochs as u64).collect::<Vec<_>>()));
    columns.extend(metrics.iter().flat_map(|name| metric(rows, name, baseline)));
    let rounded = |x: f64| (x * 10.0).round() / 10.0;
    let mean = |group: &Group<'_>| group.runs.iter().map(|run| run.file.seconds).sum::<f64>() / group.runs.len() as f64;
    columns.push(Column::new("seconds".into(), rows.iter().map(|group| rounded(mean(group))).collect::<Vec<_>>()));
    let rates: Vec<Option<f64>> = runs.iter().map(|run| run.file.images_per_second.map(f64::round)).collect();
    columns.push(Column::new("images/s".into(), rates));
    columns.push(Column::new("onnx".into(), words(rows, |run| run.file.proof.verdict.name())));
    columns.push(Column::new("status".into(), words(rows, |run| run.status().name())));
    Ok(DataFrame::new_infer_height(columns)?)
}

/// A word of every group, all of its different words where its runs do not agree.
fn words(rows: &[Group<'_>], of: fn(&Run) -> &'static str) -> Vec<String> {
    let word = |group: &Group<'_>| {
        let mut words: Vec<&str> = group.runs.iter().map(|run| of(run)).collect();
        words.dedup();
        words.join(", ")
    };
    rows.iter().map(word).collect()
}

/// Whole numbers or numbers where every run that has the path says one, so that they sort as such.
fn difference((path, values): Difference) -> Column {
    fn all<T: std::str::FromStr>(values: &[Option<String>]) -> Option<Vec<Option<T>>> {
        values.iter().map(|value| value.as_ref().map(|text| text.parse()).transpose().ok()).collect()
    }
    let name = path.into();
    if let Some(whole) = all::<i64>(&values) {
        return Column::new(name, whole);
    }
    match all::<f64>(&values) {
        Some(numbers) if numbers.iter().flatten().all(|x| x.is_finite()) => Column::new(name, numbers),
        _ => Column::new(name, values),
    }
}

/// Metrics in the order in which runs first have them.
fn metric_names<'a>(groups: &[Group<'a>]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for name in groups.iter().flat_map(|group| &group.runs).flat_map(|run| run.file.metrics.keys()) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

/// Value, and of one run the interval, of several the standard deviation and their number, and the difference to the
/// baseline; what is not defined is empty, so that it comes last in any order.
fn metric(rows: &[Group<'_>], name: &str, baseline: &Baseline) -> Vec<Column> {
    let alone = |group: &Group<'_>, pick: fn(&record::Metric) -> f64| match group.runs.as_slice() {
        [run] => run.file.metrics.get(name).map(pick).filter(|x| !x.is_nan()),
        _ => None,
    };
    let spread = |group: &Group<'_>| mean_and_deviation(&group.values(name));
    let column = |ending: &str, of: &dyn Fn(&Group<'_>) -> Option<f64>| {
        Column::new(format!("{name}{ending}").into(), rows.iter().map(of).collect::<Vec<Option<f64>>>())
    };
    let counts: Vec<u32> = rows.iter().map(|group| group.values(name).len() as u32).collect();
    vec![
        column("", &|group| Some(spread(group).0).filter(|x| !x.is_nan())),
        column(LOW, &|group| alone(group, |m| m.low)),
        column(HIGH, &|group| alone(group, |m| m.high)),
        column(DEVIATION, &|group| spread(group).1),
        Column::new(format!("{name}{COUNT}").into(), counts),
        Column::new(format!("{name}{DELTA}").into(), baseline.deltas(rows, name)),
    ]
}

/// What ends the name of the column with the lower end of a metric's interval.
const LOW: &str = "/low";

/// The same of the upper end.
const HIGH: &str = "/high";

/// The same of the standard deviation over repetitions, and of their number.
const DEVIATION: &str = "/deviation";
const COUNT: &str = "/n";

/// The same of the difference to the baseline.
const DELTA: &str = "/delta";

/// The frame with each metric as one cell: `0.6640 [0.6547, 0.6732]`, or `0.6640 ± 0.0041 (3)` of several runs, and
/// behind it the difference to the baseline, ` +0.0123`.
fn with_intervals<'a>(frame: &'a mut DataFrame, metrics: &[&str]) -> Result<&'a DataFrame, CompareError> {
    for name in metrics {
        let [low, high, deviation, count, delta] =
            [LOW, HIGH, DEVIATION, COUNT, DELTA].map(|ending| format!("{name}{ending}"));
        let (values, lows, highs) =
            (frame.column(name)?.f64()?, frame.column(&low)?.f64()?, frame.column(&high)?.f64()?);
        let (deviations, counts) = (frame.column(&deviation)?.f64()?, frame.column(&count)?.u32()?);
        let deltas = frame.column(&delta)?.f64()?;
        let cell = |row: usize| {
            let value = values.get(row)?;
            let interval = lows.get(row).zip(highs.get(row)).map(|(low, high)| format!(" [{low:.4}, {high:.4}]"));
            let spread =
                deviations.get(row).zip(counts.get(row)).map(|(deviation, n)| format!(" ± {deviation:.4} ({n})"));
            let change = deltas.get(row).map(|delta| format!(" {delta:+.4}")).unwrap_or_default();
            Some(format!("{value:.4}{}{change}", interval.or(spread).unwrap_or_default()))
        };
        let cells = Column::new((*name).into(), (0..frame.height()).map(cell).collect::<Vec<_>>());
        frame.replace(name, cells)?;
        for column in [low, high, deviation, count, delta] {
            frame.drop_in_place(&column)?;
        }
    }
    Ok(frame)
}

/// Equal data together and, where a column is named, the better first; a metric knows what is better, of anything else
/// the smaller comes first.
fn sorted(frame: DataFrame, column: Option<&str>) -> Result<LazyFrame, CompareError> {
    let options = SortMultipleOptions::default().with_nulls_last(true).with_maintain_order(true);
    let Some(column) = column else { return Ok(frame.lazy().sort([GROUP], options)) };
    let known: Vec<&str> = frame
        .get_column_names()
        .into_iter()
        .map(PlSmallStr::as_str)
        .filter(|name| ![GROUP, ROW].contains(name))
        .collect();
    // `accuracy` is enough where only one part has one.
    let exact = known.iter().find(|name| **name == column);
    let mut ending = known.iter().filter(|name| name.ends_with(&format!("/{column}")));
    let meant = exact.or_else(|| ending.next().filter(|_| ending.next().is_none()));
    let Some(&column) = meant else {
        let near = spec::nearest(column, known.iter().copied());
        let help = near.map_or(format!("there are {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
        return Err(CompareError::Column(format!("there is no column `{column}` to sort by; {help}")));
    };
    let metric = column.split_once('/').and_then(|(_, name)| Metric::find(name));
    let larger_first = metric.is_some_and(|metric| metric.row.direction == Direction::Larger);
    let by = [col(GROUP), col(column)];
    Ok(frame.lazy().sort_by_exprs(by, options.with_order_descending_multi([false, larger_first])))
}
