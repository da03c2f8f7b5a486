//! `etalon compare`: runs side by side.

use std::path::{Path, PathBuf};

use clap::Args;
use data::Mode;
use evaluator::compare::{
    Flip, Format, Group, Known, Pivot, Repetitions, Shown, compare as side_by_side, flips, groups, paired, pivot,
    readable,
};
use evaluator::plots;
use record::Run;

use crate::cli::{Common, TableFormat};
use crate::failure::{Failure, Outcome};
use crate::pipeline::FinishedRun;
use crate::terminal;

/// Arguments of `etalon compare`.
#[derive(Args)]
pub struct CompareArguments {
    /// Run directories, names of experiments, or folders of runs [default: the runs folder]
    pub runs: Vec<PathBuf>,
    /// Column to sort by, `test/accuracy`; what is better comes first
    #[arg(long, value_name = "COLUMN")]
    pub sort: Option<String>,
    /// The run that metrics are compared with [default: the first on the same data]
    #[arg(long, value_name = "RUN")]
    pub baseline: Option<PathBuf>,
    /// Show runs that differ only in their seed or fold one by one, not as mean ± standard deviation (n)
    #[arg(long)]
    pub each: bool,
    /// A pivot table: the setting of its rows, `vars.act`
    #[arg(long, value_name = "PATH", requires = "value")]
    pub rows: Option<String>,
    /// The setting of the pivot table's columns, `optimizer.type`
    #[arg(long, value_name = "PATH", requires = "rows")]
    pub columns: Option<String>,
    /// The metric in the pivot table's cells, `test/accuracy`
    #[arg(long, value_name = "METRIC", requires = "rows")]
    pub value: Option<String>,
    /// Draw the samples that one of two runs has right and the other wrong, as PNG
    #[arg(long, value_name = "FILE")]
    pub disagreements: Option<PathBuf>,
    /// How to write the table
    #[arg(long, value_enum, default_value = "table")]
    pub format: TableFormat,
}

/// At most as many samples stand on a sheet of disagreements.
const DISAGREEMENTS: usize = 25;

/// Compares the runs that are named, or all in the runs folder; damaged ones are named and passed over.
pub fn compare(arguments: &CompareArguments, common: &Common) -> Outcome {
    let mut runs = chosen(&arguments.runs, common)?;
    let baseline = arguments.baseline.as_ref().map(|word| one(word, common)).transpose()?;
    if let Some(baseline) = &baseline
        && runs.iter().all(|run| run.directory != baseline.directory)
    {
        runs.insert(0, baseline.clone());
    }
    let (runs, damaged) = readable(runs);
    damaged.iter().for_each(|warning| terminal::notice(&format!("warning: {warning}")));
    if let (Some(rows), Some(value)) = (&arguments.rows, &arguments.value) {
        let wanted = Pivot { rows, columns: arguments.columns.as_deref(), value };
        terminal::print(&pivot(&runs, &wanted).map_err(Failure::work)?);
        return Ok(());
    }
    let repetitions = if arguments.each { Repetitions::Apart } else { Repetitions::Together };
    let format = match arguments.format {
        TableFormat::Table => Format::Table,
        TableFormat::Csv => Format::Csv,
        TableFormat::Json => Format::Json,
        TableFormat::Markdown => Format::Markdown,
    };
    let baseline = baseline.as_ref().map(|run| run.directory.as_path());
    let shown = Shown { sort: arguments.sort.as_deref(), format, baseline };
    let groups = groups(&runs, repetitions);
    terminal::print(&side_by_side(&groups, &shown).map_err(Failure::work)?);
    if let (TableFormat::Table, Some(pair)) = (arguments.format, in_pair(&groups)) {
        terminal::print(&pair);
    }
    arguments.disagreements.as_ref().map_or(Ok(()), |file| draw(&runs, file, common))
}

/// The sheet of samples that exactly one of two runs has right.
fn draw(runs: &[Known], file: &Path, common: &Common) -> Outcome {
    let [first, second] = runs else {
        let message = "--disagreements wants exactly two runs, such as two run directories";
        return Err(Failure::Work(format!("{message}; these are {}", runs.len())));
    };
    let mut flips = flips(&first.run, &second.run).map_err(Failure::Work)?;
    let n = flips.len();
    flips.truncate(DISAGREEMENTS);
    let (_, prepared) = FinishedRun::open(&first.run.directory, &[], common)?.prepare(common)?;
    let part = prepared.checked.judged_part();
    let mut image = |flip: &Flip| {
        let pixels = prepared.dataset.image_for(part, flip.sample, Mode::Evaluate, 0, 0).ok()?;
        let data::Pixels { height, width, channels, bytes } = pixels;
        Some(plots::Pixels { height, width, channels, bytes })
    };
    let png = plots::disagreements(&flips, &mut image).map_err(Failure::work)?;
    record::whole::write(file, &png).map_err(Failure::work)?;
    let shown = if n > flips.len() { format!("; the {} surest are drawn", flips.len()) } else { String::new() };
    terminal::print(&format!("{n} samples that one has right and the other wrong{shown}: {}", file.display()));
    Ok(())
}

/// The runs that are named, each once, or all in the runs folder.
pub fn chosen(named: &[PathBuf], common: &Common) -> Result<Vec<Run>, Failure> {
    let words = if named.is_empty() { vec![common.runs_dir.clone()] } else { named.to_vec() };
    let mut runs: Vec<Run> = Vec::new();
    let mut known = std::collections::BTreeSet::new();
    for word in &words {
        runs.extend(found(word, common)?.into_iter().filter(|run| known.insert(run.directory.clone())));
    }
    if runs.is_empty() {
        return Err(Failure::Work(format!("there are no runs in {}; `etalon run` makes one", words[0].display())));
    }
    Ok(runs)
}

/// Of exactly two experiments the comparison sample by sample.
fn in_pair(groups: &[Group<'_>]) -> Option<String> {
    let [first, second] = groups else { return None };
    Some(match paired(first, second) {
        Ok(found) => format!("\n{}", found.describe(&first.name(), &second.name())),
        Err(why) => format!("\n{why}\n"),
    })
}

/// The runs in a folder, those of an experiment, or the one run that is meant.
fn found(word: &PathBuf, common: &Common) -> Result<Vec<Run>, Failure> {
    let below = common.runs_dir.join(word);
    let folder = [word, &below].into_iter().find(|folder| folder.is_dir());
    let Some(folder) = folder else { return one(word, common).map(|run| vec![run]) };
    let listing = record::find::list(folder).map_err(Failure::work)?;
    for damaged in &listing.damaged {
        terminal::notice(&format!("warning: {damaged}"));
    }
    Ok(listing.runs)
}

fn one(word: &Path, common: &Common) -> Result<Run, Failure> {
    record::find::resolve(&word.to_string_lossy(), &common.runs_dir).map_err(Failure::work)
}
