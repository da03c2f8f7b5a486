//! Runs every trial of a family of runs.

use std::path::Path;

use crate::cli::Common;
use crate::experiment::Checked;
use crate::failure::{Failure, Outcome};

/// What is to be run, as the command line says it.
pub struct Order<'a> {
    pub file: &'a Path,
    pub overrides: &'a [String],
    /// Whether finished runs are run again.
    pub again: bool,
    pub common: &'a Common,
}

/// Runs what is not there yet.
pub fn conduct(order: &Order, _: Checked) -> Outcome {
    Err(Failure::Work(format!("{} asks for several runs, which cannot be run yet", order.file.display())))
}

/// Lists what would run.
pub fn list(order: &Order, first: Checked) -> Outcome {
    conduct(order, first)
}
