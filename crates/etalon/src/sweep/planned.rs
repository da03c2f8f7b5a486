//! One planned run of a family: the changes that make it, and what it will be recognized by.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use evaluator::words::Weights;
use record::{Run, Status};

use super::{Family, Point, Repeat};
use crate::cli::Common;
use crate::estimate::Estimate;
use crate::experiment::{self, Checked};
use crate::failure::Failure;
use crate::pipeline::{self, Identity, Prepared};

/// A run that is to be, or is there.
#[derive(Clone, Debug)]
pub struct Planned {
    pub seed: u64,
    /// What it is among the runs of its trial.
    pub repeat: Repeat,
    /// Changes to the file, as the command line takes them.
    pub overrides: Vec<String>,
    pub identity: Identity,
    /// How long it trains, where that is said in epochs.
    pub epochs: Option<usize>,
    /// Whether the weights of the best epoch are evaluated.
    pub evaluates_best: bool,
    /// How long it will take, if that can be estimated.
    pub seconds: Option<f64>,
    /// The run that stands for it, or may become it.
    pub directory: Option<PathBuf>,
}

/// Makes planned runs out of points. The data of each different section `data` is read once.
pub struct Planner<'a> {
    pub file: &'a Path,
    pub overrides: &'a [String],
    pub common: &'a Common,
    /// Runs that do not count as there: those of before, where all is to be run again.
    disregarded: BTreeSet<PathBuf>,
    fingerprints: BTreeMap<String, String>,
}

impl<'a> Planner<'a> {
    /// Of a file under overrides.
    pub fn new(file: &'a Path, overrides: &'a [String], common: &'a Common) -> Planner<'a> {
        Planner { file, overrides, common, disregarded: BTreeSet::new(), fingerprints: BTreeMap::new() }
    }

    /// Leaves all runs aside that are there now. (Told by their folders: a clock of seconds cannot tell a short run that has
    /// just ended from one that begins.)
    pub fn disregard_what_is_there(&mut self, family: &Family) {
        let there = pipeline::runs_of(&family.name, &self.common.runs_dir);
        self.disregarded = there.into_iter().map(|run| run.directory).collect();
    }

    /// The runs of one trial, one a seed and fold.
    pub fn trial(&mut self, family: &Family, point: &Point) -> Result<Vec<Planned>, Failure> {
        let labels = family.sweep.as_ref().map(|sweep| sweep.labels(point)).unwrap_or_default();
        let changes: Vec<String> = labels.into_iter().map(|(path, value)| format!("{path}={value}")).collect();
        let there = pipeline::runs_of(&family.name, &self.common.runs_dir);
        family.repeats().into_iter().map(|repeat| self.one(&changes, repeat, &there)).collect()
    }

    fn one(&mut self, changes: &[String], repeat: Repeat, there: &[Run]) -> Result<Planned, Failure> {
        let single = ["seeds=none".to_string(), "sweep=none".to_string()];
        let given = self.overrides.iter().chain(&single).chain(changes).cloned();
        let overrides: Vec<String> = given.chain(repeat.arguments()).collect();
        let checked = experiment::read(self.file, &overrides, &self.common.data_dirs())?;
        let seed = checked.experiment.seed;
        let epochs = checked.training.train.epochs.map(|epochs| epochs as usize);
        let evaluates_best = checked.evaluation.weights == Weights::Best;
        let threads = self.common.n_threads();
        let seconds = Estimate::new(&checked, pipeline::settings(self.common).isa, threads).seconds;
        let identity = self.identity(checked)?;
        let mut planned =
            Planned { seed, repeat, overrides, identity, epochs, evaluates_best, seconds, directory: None };
        planned.directory = self.best_of(there, &planned.identity).map(|run| run.directory.clone());
        Ok(planned)
    }

    fn identity(&mut self, checked: Checked) -> Result<Identity, Failure> {
        let instruction_set = pipeline::settings(self.common).isa.name().to_string();
        if let Some(data) = self.fingerprints.get(&checked.data_section) {
            return Ok(Identity { fingerprints: pipeline::fingerprints(&checked, data), instruction_set });
        }
        let prepared = Prepared::open(checked, self.common)?;
        let (checked, data) = (&prepared.checked, &prepared.dataset.fingerprint);
        self.fingerprints.insert(checked.data_section.clone(), data.clone());
        Ok(Identity { fingerprints: pipeline::fingerprints(checked, data), instruction_set })
    }

    /// Of the runs with this identity the one that came farthest.
    fn best_of<'r>(&self, there: &'r [Run], identity: &Identity) -> Option<&'r Run> {
        let counts = |run: &&Run| !self.disregarded.contains(&run.directory);
        let same = there.iter().filter(counts).filter(|run| Identity::of(&run.file) == *identity);
        let rank = |run: &&Run| match run.status() {
            Status::Done => 3,
            Status::Paused => 2,
            Status::Running | Status::Interrupted => 1,
            Status::Failed | Status::ProofFailed => 0,
        };
        same.filter(|run| rank(run) > 0).max_by_key(|run| (rank(run), run.file.epochs))
    }
}
