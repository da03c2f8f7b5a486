//! The repetitions of a trial: each seed on each fold. The folds are the same for all seeds, as `split_seed` cuts them.

use std::fmt;

use spec::{Faults, Node, Override, Place, Word};

/// Path of the fold that validates.
const FOLD: [&str; 2] = ["data", "fold"];

/// One repetition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeat {
    /// The experiment's own, where there is none.
    pub seed: Option<u64>,
    /// From 1; none where the experiment has no folds, or says itself which.
    pub fold: Option<usize>,
}

impl Repeat {
    /// The changes that make it, at a place of the file.
    pub fn overrides(&self, place: Place) -> Vec<Override> {
        let change = |path: &[&str], value: String| Override {
            path: path.iter().map(|key| key.to_string()).collect(),
            value: Node::word(value, place),
            place,
        };
        let seed = self.seed.map(|seed| change(&["seed"], seed.to_string()));
        let fold = self.fold.map(|fold| change(&FOLD, fold.to_string()));
        seed.into_iter().chain(fold).collect()
    }

    /// The same, as a command line takes them.
    pub fn arguments(&self) -> Vec<String> {
        let seed = self.seed.map(|seed| format!("seed={seed}"));
        let fold = self.fold.map(|fold| format!("{}={fold}", FOLD.join(".")));
        seed.into_iter().chain(fold).collect()
    }
}

impl fmt::Display for Repeat {
    /// `seed 2, fold 3`; nothing where there is but one run.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.seed, self.fold) {
            (Some(seed), Some(fold)) => write!(f, "seed {seed}, fold {fold}"),
            (Some(seed), None) => write!(f, "seed {seed}"),
            (None, Some(fold)) => write!(f, "fold {fold}"),
            (None, None) => Ok(()),
        }
    }
}

/// The node of `data.folds`, and how many there are, where each is to have its run: the file does not say which `fold`.
/// What is wrong with the number is told with the rest of the section.
pub fn folds(root: &Node) -> Option<(&Node, usize)> {
    let data = root.find("data")?;
    if data.find(FOLD[1]).is_some_and(|fold| !fold.is_word("none")) {
        return None;
    }
    let written = data.find("folds").filter(|folds| !folds.is_word("none"))?;
    let stands_for = spec::variable(written).and_then(|name| root.find("vars")?.find(name));
    let number = spec::resolve(stands_for.unwrap_or(written), &usize::TYPE, &mut Faults::new());
    let is_number = number.is_sound() && spec::variable(&number).is_none();
    is_number.then(|| (written, usize::read(&number))).filter(|(_, count)| *count > 0)
}
