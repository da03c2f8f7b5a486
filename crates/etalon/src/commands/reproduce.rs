//! `etalon reproduce`: a run once more from what its directory holds, byte for byte beside the first.

use std::path::PathBuf;

use clap::Args;
use record::files;

use crate::cli::Common;
use crate::failure::{Failure, Outcome};
use crate::pipeline::{self, Finished, FinishedRun, Identity, Prepared, Reach};
use crate::terminal;

/// Arguments of `etalon reproduce`.
#[derive(Args)]
pub struct ReproduceArguments {
    /// A run directory, or the name of an experiment for its latest run
    pub run: PathBuf,
}

/// What must be the same.
const COMPARED: [&str; 3] = [files::LAST, files::BEST, files::PREDICTIONS];

/// Runs it again and compares; says which fingerprint differs where bytes do.
pub fn reproduce(arguments: &ReproduceArguments, common: &Common) -> Outcome {
    let FinishedRun { run: first, checked } = FinishedRun::open(&arguments.run, &[], common)?;
    let prepared = Prepared::open(checked, common)?;
    let Finished { directory, run, outcome } = pipeline::start(&prepared, common, Reach::default())?;
    outcome?;
    let differing = Identity::of(&run).differences(&Identity::of(&first.file));
    let mut unequal = Vec::new();
    for name in COMPARED {
        let read = |path| std::fs::read(path).map_err(|e| Failure::Work(format!("{name} cannot be read: {e}")));
        if read(first.path(name))? != read(directory.file(name))? {
            unequal.push(name);
        }
    }
    let (first, again) = (first.directory.display(), directory.path().display());
    if unequal.is_empty() {
        terminal::print(&format!("{first} is reproduced: weights and predictions of {again} are the same bytes"));
        return Ok(());
    }
    let why = match differing.as_slice() {
        [] => "and the fingerprints of experiment, data, code and instruction set are the same".to_string(),
        parts => format!("because of {}", parts.join(" and ")),
    };
    Err(Failure::Work(format!("{first} is not reproduced by {again}: {} differ, {why}", unequal.join(" and "))))
}
