//! Several runs out of one file: `seeds` and `data.folds` repeat an experiment, `sweep` varies it. What is to run is worked out here, from
//! the file and from what the trials before reached, and from nothing else: not from time, threads or interruptions.

mod asha;
mod board;
mod child;
pub mod conduct;
mod planned;
mod repeat;
mod space;
mod table;
mod tpe;
mod words;

pub use asha::Asha;
pub use repeat::Repeat;
pub use space::{Point, Space};
pub use words::{Facts, Method, Objective, SCHEDULERS, SweepSection};

use spec::{Fault, Faults, Node, Override, Word};

/// Above so many points of a grid each value is checked with the first of the others, not with all.
const MOST_CHECKED: usize = 500;

/// The runs that one file asks for.
#[derive(Clone, Debug)]
pub struct Family {
    /// One run each; empty where only the experiment's own seed runs.
    pub seeds: Vec<u64>,
    /// One run each, for every seed; 0 where the experiment has no folds, or says itself which is its.
    pub n_folds: usize,
    pub sweep: Option<Sweep>,
    /// The experiment's name, under which its runs lie.
    pub name: String,
    /// Of everything that the file says.
    pub fingerprint: String,
    /// Place of `seeds`, of `sweep` or of `data.folds`.
    node: Node,
}

/// What a sweep tries, and how.
#[derive(Clone, Debug)]
pub struct Sweep {
    pub section: SweepSection,
    pub space: Space,
    pub objective: Option<Objective>,
    pub asha: Option<Asha>,
    node: Node,
}

/// Reads `seeds`, `sweep` and the folds; none where the file asks for one run.
pub fn read(root: &Node, seeds: Option<&Node>, sweep: Option<&Node>, faults: &mut Faults) -> Option<Family> {
    let set = |node: &&Node| !node.is_word("none");
    let (seeds, sweep) = (seeds.filter(set), sweep.filter(set));
    let folds = repeat::folds(root);
    let node = seeds.or(sweep).or(folds.map(|(node, _)| node))?.clone();
    let written: Vec<String> = [Some(root), seeds, sweep].into_iter().flatten().map(spec::to_flow).collect();
    let read_seeds = seeds.map(|node| read_seeds(root, node, faults)).unwrap_or_default();
    let sweep = sweep.and_then(|node| read_sweep(node, faults));
    let name = root.find("name").and_then(Node::text).unwrap_or_default().to_string();
    let fingerprint = record::fingerprint(written.join("\n").as_bytes());
    let n_folds = folds.map_or(0, |(_, count)| count);
    Some(Family { seeds: read_seeds, n_folds, sweep, name, fingerprint, node })
}

fn read_seeds(root: &Node, node: &Node, faults: &mut Faults) -> Vec<u64> {
    let node = spec::resolve(node, &super::experiment::SEEDS, faults);
    if let Some(seed) = root.find("seed") {
        let fault = Fault::new(node.place, "the seed is given twice, by `seeds` and by `seed`");
        faults.push(fault.related(seed.place, "the other").help("take one out; `seeds=none` switches the list off"));
    }
    let items = node.list().unwrap_or_default();
    if node.is_sound() && items.is_empty() {
        faults.push(Fault::new(node.place, "a list without seeds").help("name at least one"));
    }
    let mut seeds = Vec::new();
    for item in items.iter().filter(|item| item.is_sound()) {
        let seed = u64::read(item);
        if seeds.contains(&seed) {
            faults.push(Fault::new(item.place, format!("the seed {seed} stands twice")).help("take one out"));
        }
        seeds.push(seed);
    }
    seeds
}

fn read_sweep(node: &Node, faults: &mut Faults) -> Option<Sweep> {
    let node = spec::resolve(node, &super::experiment::SWEEP, faults);
    let sound = |key: &str| node.find(key).filter(|value| value.is_sound());
    let method = Method::read(sound("method")?);
    let space = Space::read(sound("vary")?, method, faults);
    if !node.is_sound() {
        return None;
    }
    let section = SweepSection::read(&node);
    let asha = section.scheduler.as_ref().map(|chosen| chosen.read::<Asha>());
    Some(Sweep { section, space, objective: None, asha, node })
}

impl Family {
    /// The changes that make the first run.
    pub fn first(&self) -> Vec<Override> {
        let point = self.sweep.as_ref().map(|sweep| sweep.space.overrides(&sweep.space.grid(0)));
        let first = Repeat { seed: self.seeds.first().copied(), fold: (self.n_folds > 0).then_some(1) };
        point.unwrap_or_default().into_iter().chain(first.overrides(self.node.place)).collect()
    }

    /// The changes of every point whose check says something new; the first is [`Family::first`].
    pub fn points_to_check(&self) -> Vec<Vec<Override>> {
        let Some(Sweep { space, section, .. }) = &self.sweep else { return Vec::new() };
        let all = section.method == Method::Grid && space.n_grid() <= MOST_CHECKED;
        let points = if all { (0..space.n_grid()).map(|at| space.grid(at)).collect() } else { space.each_value() };
        points.iter().skip(1).map(|point| space.overrides(point)).collect()
    }

    /// Ranges over keys that take only whole numbers draw whole numbers: tried with a broken number, which such a key
    /// refuses.
    pub fn find_whole_numbers(&mut self, check: &mut dyn FnMut(&[Override], &mut Faults)) {
        let Some(Sweep { space, .. }) = &mut self.sweep else { return };
        for at in 0..space.dimensions.len() {
            let space::Values::Range { whole: false, place, .. } = space.dimensions[at].values else { continue };
            let mut point = space.grid(0);
            point[at] = 0.5;
            let mut alone = Faults::new();
            let mut changes = space.overrides(&point);
            changes[at].value = Node::word("0.512345", place);
            check(&changes, &mut alone);
            let refused = alone.sorted().iter().any(|fault| {
                fault.place.source == place.source
                    && fault.place.bytes() == place.bytes()
                    && fault.message.contains("whole number")
            });
            if let space::Values::Range { whole, .. } = &mut space.dimensions[at].values {
                *whole = refused;
            }
        }
    }

    /// Checks the objective against the experiment.
    pub fn check_objective(&mut self, facts: &Facts, faults: &mut Faults) {
        if let Some(sweep) = &mut self.sweep {
            sweep.objective = words::check(&sweep.node, facts, faults);
        }
    }

    /// What differs between the runs, a line each.
    pub fn described(&self) -> String {
        let mut text = self.sweep.as_ref().map(|sweep| sweep.space.described()).unwrap_or_default();
        if !self.seeds.is_empty() {
            let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
            text += &format!("  seed: {}\n", seeds.join(", "));
        }
        if self.n_folds > 0 {
            text += &format!("  data.fold: 1 to {}\n", self.n_folds);
        }
        text
    }

    /// Refuses changes of the user that the sweep would undo.
    pub fn check_changes(&self, changes: &[Override], faults: &mut Faults) {
        let Some(sweep) = &self.sweep else { return };
        changes.iter().filter_map(|change| sweep.space.undoes(change)).for_each(|fault| faults.push(fault));
    }

    /// Whether trials are judged by an objective, and only the winner is tested.
    pub fn is_judged(&self) -> bool {
        self.sweep.as_ref().is_some_and(|sweep| sweep.objective.is_some())
    }

    /// How many runs go at the same time.
    pub fn parallel(&self) -> usize {
        self.sweep.as_ref().map_or(1, |sweep| sweep.section.parallel)
    }

    /// The repetitions of every trial: each seed on each fold.
    pub fn repeats(&self) -> Vec<Repeat> {
        let seeds: Vec<Option<u64>> = match self.seeds.as_slice() {
            [] => vec![None],
            seeds => seeds.iter().copied().map(Some).collect(),
        };
        let folds: Vec<Option<usize>> = match self.n_folds {
            0 => vec![None],
            n => (1..=n).map(Some).collect(),
        };
        seeds.iter().flat_map(|&seed| folds.iter().map(move |&fold| Repeat { seed, fold })).collect()
    }

    /// How many trials there are, each with every seed on every fold.
    pub fn n_trials(&self) -> usize {
        self.sweep.as_ref().map_or(1, |sweep| sweep.section.trials.unwrap_or_else(|| sweep.space.n_grid()))
    }

    /// How many runs there are at most.
    pub fn n_runs(&self) -> usize {
        self.n_trials() * self.seeds.len().max(1) * self.n_folds.max(1)
    }
}

impl Sweep {
    /// The point of a trial. `scores` are those of the trials before it that it may know of: `tpe` looks at all but the
    /// last `parallel − 1`, so that as many may run at once and the points are the same whichever ends first.
    pub fn point(&self, trial: usize, tried: &[(Point, f64)]) -> Point {
        let SweepSection { method, seed, .. } = self.section;
        match method {
            Method::Grid => self.space.grid(trial),
            Method::Random => self.space.random(seed, trial),
            Method::Tpe => tpe::next(&self.space, &tried[..self.n_known(trial).min(tried.len())], seed, trial),
        }
    }

    /// Of how many trials the outcome must be known before a trial's point is.
    pub fn n_known(&self, trial: usize) -> usize {
        match self.section.method {
            Method::Grid | Method::Random => 0,
            Method::Tpe => (trial + 1).saturating_sub(self.section.parallel),
        }
    }

    /// The values of a point by path, as they stand on a command line.
    pub fn labels(&self, point: &Point) -> Vec<(String, String)> {
        let label = |change: Override| (change.path.join("."), spec::to_flow(&change.value));
        self.space.overrides(point).into_iter().map(label).collect()
    }
}

#[cfg(test)]
mod evidence;
