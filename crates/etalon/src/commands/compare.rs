//! `etalon compare`: runs side by side.

use std::path::PathBuf;

use clap::Args;
use evaluator::compare::{Format, compare as side_by_side, readable};
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
    /// How to write the table
    #[arg(long, value_enum, default_value = "table")]
    pub format: TableFormat,
}

/// Compares the runs that are named, or all in the runs folder; damaged ones are named and passed over.
pub fn compare(arguments: &CompareArguments, common: &Common) -> Outcome {
    let words = if arguments.runs.is_empty() { vec![common.runs_dir.clone()] } else { arguments.runs.clone() };
    let mut runs: Vec<Run> = Vec::new();
    for word in &words {
        for run in found(word, common)? {
            if !runs.iter().any(|known| known.directory == run.directory) {
                runs.push(run);
            }
        }
    }
    if runs.is_empty() {
        return Err(Failure::Work(format!("there are no runs in {}; `etalon run` makes one", words[0].display())));
    }
    let format = match arguments.format {
        TableFormat::Table => Format::Table,
        TableFormat::Csv => Format::Csv,
        TableFormat::Json => Format::Json,
        TableFormat::Markdown => Format::Markdown,
    };
    let (runs, damaged) = readable(runs);
    damaged.iter().for_each(|warning| terminal::notice(&format!("warning: {warning}")));
    let text = side_by_side(&runs, arguments.sort.as_deref(), format).map_err(Failure::work)?;
    terminal::print(&text);
    Ok(())
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
