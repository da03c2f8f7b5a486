//! Runs that are there already: the same experiment, data, code and instruction set give the same bits, so a finished run
//! stands for another.

use std::path::Path;

use record::{Fingerprints, Run, RunFile, Status};

/// What must be equal for two runs to give equal bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    pub fingerprints: Fingerprints,
    pub instruction_set: String,
}

impl Identity {
    /// Of a run that is there.
    pub fn of(run: &RunFile) -> Identity {
        Identity { fingerprints: run.fingerprints.clone(), instruction_set: run.instruction_set.clone() }
    }

    /// What differs, in words: `the experiment`, `the data`.
    pub fn differences(&self, other: &Identity) -> Vec<&'static str> {
        let (ours, theirs) = (&self.fingerprints, &other.fingerprints);
        let pairs = [
            ("the experiment", ours.resolved != theirs.resolved),
            ("the data", ours.data != theirs.data),
            ("the code", ours.code != theirs.code),
            ("the instruction set", self.instruction_set != other.instruction_set),
        ];
        pairs.into_iter().filter(|(_, differs)| *differs).map(|(what, _)| what).collect()
    }
}

/// The runs of an experiment that are there; none where it has no folder yet. Damaged ones are passed over: they stand
/// for nothing.
pub fn runs_of(name: &str, runs: &Path) -> Vec<Run> {
    record::find::list(&runs.join(name)).map(|listing| listing.runs).unwrap_or_default()
}

/// The finished run that stands for one with this identity.
pub fn finished<'a>(runs: &'a [Run], identity: &Identity) -> Option<&'a Run> {
    runs.iter().find(|run| run.status() == Status::Done && Identity::of(&run.file) == *identity)
}

/// Why none of the finished runs can be reused: what differs from the one that is nearest.
pub fn why_not(runs: &[Run], identity: &Identity) -> String {
    let differences = |run: &Run| identity.differences(&Identity::of(&run.file));
    let done = runs.iter().filter(|run| run.status() == Status::Done);
    match done.min_by_key(|run| differences(run).len()) {
        Some(run) => {
            let what = differences(run).join(" and ");
            format!("no run can be reused: from the nearest, {}, differs {what}", run.directory.display())
        }
        None => "no run can be reused: none is finished".to_string(),
    }
}
