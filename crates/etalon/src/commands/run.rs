//! `etalon run`: the whole job.

use crate::cli::{Common, Format, RunArguments};
use crate::experiment;
use crate::failure::{Failure, Outcome};
use crate::pipeline::{self, Finished};
use crate::terminal;

/// Starts a run, or goes on with one.
pub fn run(arguments: &RunArguments, common: &Common) -> Outcome {
    let finished = match (&arguments.resume, &arguments.file) {
        (Some(run), _) => pipeline::resume(run, common),
        (None, Some(file)) => {
            let checked = experiment::read(file, &arguments.overrides, &common.data_dirs())?;
            pipeline::start(checked, common)
        }
        (None, None) => Err(Failure::Work("an experiment file is missing".to_string())),
    };
    let Finished { directory, run, outcome } = finished?;
    if arguments.format == Format::Json {
        terminal::print(&run.summary(directory.path()).to_json());
    }
    outcome
}
