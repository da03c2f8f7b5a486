//! The table of schedules: a factor in [0, ∞) that multiplies the learning rate, as a pure function of the position.
//!
//! `factor(t) = warmup(t) · curve(t)`, t the number of steps done. Over the first W steps
//! `warmup(t) = warmup_from + (1 − warmup_from) · t / W` (Goyal et al. 2017), then 1. Curves that change with each step
//! (cosine, linear) begin where the warm-up ends; those that change at milestones count from the beginning of training.

mod constant;
mod cosine;
mod linear;
mod milestones;
mod piecewise;
mod reduce_on_plateau;
mod step;

pub use constant::Constant;
pub use cosine::Cosine;
pub use linear::Linear;
pub use piecewise::Piecewise;
pub use reduce_on_plateau::ReduceOnPlateau;
pub use step::Step;

use spec::{Chosen, Fault, Faults, Kind, KindTable, Node, Word};

/// Where training stands before a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Steps done.
    pub step: u64,
    /// Steps of one epoch.
    pub steps_per_epoch: u64,
    /// Steps of the whole training.
    pub total_steps: u64,
    /// How often a plateau was met.
    pub plateaus: u32,
}

impl Position {
    /// Whole epochs done.
    pub fn epoch(&self) -> u64 {
        self.step / self.steps_per_epoch.max(1)
    }
}

/// The factor apart from the warm-up.
pub trait Curve: std::fmt::Debug + Send + Sync {
    /// The factor at a position; the curve begins to move after `warmup` steps.
    fn factor(&self, at: &Position, warmup: f64) -> f64;

    /// What makes it move, where that is not the position alone.
    fn plateau(&self) -> Option<&ReduceOnPlateau> {
        None
    }
}

/// One schedule of the table.
pub struct ScheduleRow {
    /// Its words.
    pub kind: Kind,
    /// The curve with these parameters.
    pub read: fn(&Node) -> Box<dyn Curve>,
    /// Pushes what is wrong with parameters that are right one by one.
    pub check: fn(&Node, &mut Faults),
}

static ROWS: [&ScheduleRow; 6] =
    [&constant::ROW, &cosine::ROW, &linear::ROW, &piecewise::ROW, &reduce_on_plateau::ROW, &step::ROW];

/// What the key `schedule` chooses among.
pub static SCHEDULES: KindTable = KindTable {
    what: "schedule",
    kinds: || ROWS.iter().map(|row| &row.kind).collect(),
    common: Warmup::SECTION.fields,
    untyped: None,
};

spec::section! {
    /// The rise of the rate at the beginning.
    pub struct Warmup {
        /// Epochs over which the rate rises to its height.
        pub warmup_epochs: Option<f64> = none, min 0.0, unit "epochs", synonyms &["warmup"], example "5";
        /// Steps over which the rate rises to its height.
        pub warmup_steps: Option<u64> = none, unit "steps", example "500";
        /// The factor at the first step of the warm-up.
        pub warmup_from: f64 = 0.0, min 0.0, synonyms &["warmup_start", "start_factor"];
    }
}

impl Warmup {
    /// How many steps the warm-up takes.
    fn steps(&self, steps_per_epoch: u64) -> f64 {
        match (self.warmup_steps, self.warmup_epochs) {
            (Some(steps), _) => steps as f64,
            (None, Some(epochs)) => epochs * steps_per_epoch as f64,
            (None, None) => 0.0,
        }
    }
}

/// A factor on the learning rate over the training.
#[derive(Debug)]
pub struct Schedule {
    warmup: Warmup,
    curve: Box<dyn Curve>,
}

impl Schedule {
    /// The factor for the step that is taken at this position.
    pub fn factor(&self, at: &Position) -> f64 {
        let warmup = self.warmup.steps(at.steps_per_epoch);
        let step = at.step as f64;
        let rise =
            if step < warmup { self.warmup.warmup_from + (1.0 - self.warmup.warmup_from) * step / warmup } else { 1.0 };
        rise * self.curve.factor(at, warmup)
    }

    /// What is watched, where the schedule reacts to a metric.
    pub fn plateau(&self) -> Option<&ReduceOnPlateau> {
        self.curve.plateau()
    }
}

/// The schedule that was chosen.
pub fn schedule(chosen: &Chosen) -> Schedule {
    Schedule { warmup: Warmup::read(&chosen.parameters), curve: (row(&chosen.kind).read)(&chosen.parameters) }
}

/// Pushes what is wrong with a resolved schedule beyond single values.
pub fn check_schedule(node: &Node, faults: &mut Faults) {
    if !node.is_sound() {
        return;
    }
    let warmup = Warmup::read(node);
    if warmup.warmup_epochs.is_some() && warmup.warmup_steps.is_some() {
        let fault = Fault::new(node.place_of("warmup_steps"), "the warm-up is given twice, in epochs and in steps");
        faults.push(fault.related(node.place_of("warmup_epochs"), "in epochs").help("take one of the two out"));
    }
    if warmup.warmup_from != 0.0 && warmup.steps(1) == 0.0 {
        let fault = Fault::new(node.place_of("warmup_from"), "`warmup_from` begins a warm-up, and there is none");
        faults.push(fault.help("write for example `warmup_epochs: 5`, or take it out"));
    }
    (row(&<Chosen as Word>::read(node).kind).check)(node, faults);
}

fn row(kind: &str) -> &'static ScheduleRow {
    ROWS.iter().find(|row| row.kind.name == kind).expect("the kind was checked against the table")
}

/// Where a curve from its begin after the warm-up to the end of training stands, in [0, 1].
fn progress(at: &Position, warmup: f64) -> f64 {
    let length = at.total_steps as f64 - warmup;
    if length <= 0.0 { 0.0 } else { ((at.step as f64 - warmup) / length).clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests;
