//! `etalon compare`: runs side by side.

use std::path::PathBuf;

use clap::Args;
use evaluator::compare::{Format, Known, Pivot, Repetitions, compare as side_by_side, groups, paired, pivot, readable};
use record::Run;

use crate::cli::{Common, TableFormat};
use crate::failure::{Failure, Outcome};
use crate::terminal;

/// Arguments of `etalon compare`.
#[derive(Args)]
pub struct CompareArguments {
    /// Run directories, names of experiments, or folders of runs [default: the runs folder]
    pub runs: Vec<PathBuf>,
    /// Column to sort by, `test/accuracy`; what is better comes first
    #[arg(long, value_name = "COLUMN")]
    pub sort: Option<String>,
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
    /// How to write the table
    #[arg(long, value_enum, default_value = "table")]
    pub format: TableFormat,
}

/// Compares the runs that are named, or all in the runs folder; damaged ones are named and passed over.
pub fn compare(arguments: &CompareArguments, common: &Common) -> Outcome {
    let runs = chosen(&arguments.runs, common)?;
    let format = match arguments.format {
        TableFormat::Table => Format::Table,
        TableFormat::Csv => Format::Csv,
        TableFormat::Json => Format::Json,
        TableFormat::Markdown => Format::Markdown,
    };
    let (runs, damaged) = readable(runs);
    damaged.iter().for_each(|warning| terminal::notice(&format!("warning: {warning}")));
    if let (Some(rows), Some(value)) = (&arguments.rows, &arguments.value) {
        let wanted = Pivot { rows, columns: arguments.columns.as_deref(), value };
        terminal::print(&pivot(&runs, &wanted).map_err(Failure::work)?);
        return Ok(());
    }
    let repetitions = if arguments.each { Repetitions::Apart } else { Repetitions::Together };
    let text = side_by_side(&runs, arguments.sort.as_deref(), format, repetitions).map_err(Failure::work)?;
    terminal::print(&text);
    if arguments.format == TableFormat::Table {
        terminal::print(&in_pair(&runs, repetitions));
    }
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
fn in_pair(runs: &[Known], repetitions: Repetitions) -> String {
    let groups = groups(runs, repetitions);
    let [first, second] = groups.as_slice() else { return String::new() };
    match paired(first, second) {
        Ok(found) => format!("\n{}", found.describe(&first.name(), &second.name())),
        Err(why) => format!("\n{why}\n"),
    }
}

/// The runs in a folder, those of an experiment, or the one run that is meant.
fn found(word: &PathBuf, common: &Common) -> Result<Vec<Run>, Failure> {
    let below = common.runs_dir.join(word);
    let folder = [word, &below].into_iter().find(|folder| folder.is_dir());
    let Some(folder) = folder else {
        let run = record::find::resolve(&word.to_string_lossy(), &common.runs_dir);
        return run.map(|run| vec![run]).map_err(Failure::work);
    };
    let listing = record::find::list(folder).map_err(Failure::work)?;
    for damaged in &listing.damaged {
        terminal::notice(&format!("warning: {damaged}"));
    }
    Ok(listing.runs)
}
