//! `etalon sweep`: every run of a file with `sweep`, `seeds` or folds, or a list of them.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Common;
use crate::experiment;
use crate::failure::{Failure, Outcome};
use crate::sweep::conduct::{self, Order};

/// Arguments of `etalon sweep`.
#[derive(Args)]
pub struct SweepArguments {
    /// The experiment file
    pub file: PathBuf,
    /// Overrides, key.path=value
    #[arg(value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// List what would run, with an estimate of time
    #[arg(long)]
    pub dry_run: bool,
    /// Run again what would be taken from finished runs
    #[arg(long)]
    pub again: bool,
}

/// Runs what is not there yet, or lists it.
pub fn sweep(arguments: &SweepArguments, common: &Common) -> Outcome {
    let SweepArguments { file, overrides, dry_run, again } = arguments;
    let checked = experiment::read(file, overrides, &common.data_dirs())?;
    if checked.family.is_none() {
        let file = file.display();
        return Err(Failure::Work(format!(
            "{file} has neither `sweep` nor `seeds` nor `data.folds`; `etalon run {file}` runs it"
        )));
    }
    let order = Order { file, overrides, again: *again, common };
    if *dry_run { conduct::list(&order, checked) } else { conduct::conduct(&order, checked) }
}
