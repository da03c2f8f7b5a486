//! A run that is on disk, opened again: for evaluating, exporting, proving and predicting.

use std::path::Path;

use engine::Variables;
use evaluator::words::Weights;
use record::{Run, files};

use super::Prepared;
use crate::cli::Common;
use crate::experiment::{self, Checked};
use crate::failure::Failure;

/// A run with its experiment, as it was resolved, under overrides.
pub struct FinishedRun {
    pub run: Run,
    pub checked: Checked,
}

impl FinishedRun {
    /// The run that a word means.
    pub fn open(word: &Path, overrides: &[String], common: &Common) -> Result<FinishedRun, Failure> {
        let run = record::find::resolve(&word.to_string_lossy(), &common.runs_dir).map_err(Failure::work)?;
        let resolved = run.path(files::RESOLVED);
        let checked = experiment::read(&resolved, overrides, &common.data_dirs())?;
        Ok(FinishedRun { run, checked })
    }

    /// The weights that the experiment evaluates.
    pub fn variables(&self) -> Result<Variables, Failure> {
        let checkpoint = match self.checked.evaluation.weights {
            Weights::Last => files::LAST,
            Weights::Best => files::BEST,
        };
        trainer::load(&self.checked.network, &self.run.path(checkpoint)).map_err(Failure::work)
    }

    /// With its data read, which must be the data that the run was trained on.
    pub fn prepare(self, common: &Common) -> Result<(Run, Prepared), Failure> {
        let FinishedRun { run, checked } = self;
        let prepared = Prepared::open(checked, common)?;
        super::run::same_data(&run, &prepared)?;
        Ok((run, prepared))
    }
}
