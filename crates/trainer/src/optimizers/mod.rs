//! The table of optimizers: how a gradient becomes a move of the parameters.
//!
//! Every rule has the form `p ← p − learning_rate · direction(g, state)`. Before it, the gradient of all parameters is
//! clipped by its global norm, then `weight_decay · p` is added to it (adamw takes `learning_rate · weight_decay · p` off
//! p instead, Loshchilov and Hutter 2019). A rule is written in graph terms, so that the whole step is one program.

mod adam;
mod adamw;
mod extragradient;
mod gradient_descent;
mod sgd;

pub use adam::Adam;
pub use adamw::AdamW;
pub use extragradient::Extragradient;
pub use gradient_descent::GradientDescent;
pub use sgd::Sgd;

use graph::{Graph, NodeId};
use spec::{Chosen, Field, Kind, KindTable, Node, Type, Word};

use crate::schedules::{SCHEDULES, Schedule, schedule};

/// How the gradient of one parameter becomes the direction that it moves against.
pub trait Rule: std::fmt::Debug + Send + Sync {
    /// The optimizer's name, as in paths of its state: `conv2d/kernel/adam/m`.
    fn name(&self) -> &'static str;

    /// Names of the arrays that it keeps for every parameter, each shaped as the parameter and zero at the start.
    fn state(&self) -> Vec<&'static str>;

    /// Numbers that depend on the step (counted from 1) and on nothing else, computed in f64 and handed in at each step.
    fn numbers(&self, step: u64) -> Vec<(&'static str, f64)>;

    /// The direction and the state after the step, as nodes.
    fn direction(&self, g: &mut Graph, at: &At<'_>) -> Moved;

    /// Whether weight decay is taken off the parameter instead of being added to the gradient.
    fn decays_apart(&self) -> bool {
        false
    }
}

/// What a rule sees of one parameter.
pub struct At<'a> {
    /// The gradient, clipped and with weight decay where that is added to it.
    pub gradient: NodeId,
    /// One node a name of [`Rule::state`].
    pub state: &'a [NodeId],
    /// One scalar node an entry of [`Rule::numbers`].
    pub numbers: &'a [NodeId],
}

/// What a rule makes of it.
pub struct Moved {
    /// What the parameter moves against.
    pub direction: NodeId,
    /// The state after the step, in the order of [`Rule::state`].
    pub state: Vec<NodeId>,
}

/// When the gradient is taken and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// One step a batch.
    EachBatch,
    /// One step a batch, with the gradient at the point that the same step would lead to.
    LookAhead,
    /// One step an epoch, with the mean gradient over the training part.
    WholePart,
}

spec::choice! {
    /// Which parameters decay.
    pub enum Decay {
        /// Kernels of convolutions and dense layers; not biases, not scales and offsets of norms.
        Weights = "weights",
        /// Every trainable parameter.
        All = "all",
    }
}

/// One optimizer of the table.
pub struct OptimizerRow {
    /// Its words.
    pub kind: Kind,
    /// When it takes the gradient.
    pub method: Method,
    /// The rule with these parameters.
    pub read: fn(&Node) -> Box<dyn Rule>,
}

static ROWS: [&OptimizerRow; 5] = [&adam::ROW, &adamw::ROW, &extragradient::ROW, &gradient_descent::ROW, &sgd::ROW];

/// What the key `optimizer` chooses among.
pub static OPTIMIZERS: KindTable = KindTable {
    what: "optimizer",
    kinds: || ROWS.iter().map(|row| &row.kind).collect(),
    common: &COMMON,
    untyped: None,
};

/// What `base` of an optimizer that wraps another chooses among: the rate and all else stand beside it.
pub static BASES: KindTable = KindTable {
    what: "base optimizer",
    kinds: || ROWS.iter().filter(|row| row.method == Method::EachBatch).map(|row| &row.kind).collect(),
    common: &[],
    untyped: None,
};

/// The keys of every optimizer.
static COMMON: [Field; 6] = [
    Field::required("learning_rate", "The step size, before the schedule.", <f64 as Word>::TYPE)
        .above(0.0)
        .synonyms(&["lr", "rate", "eta", "step_size"])
        .example("0.001"),
    Field::with_default("schedule", "A factor on the rate over the training.", Type::Kind(&SCHEDULES), "constant")
        .synonyms(&["lr_schedule", "scheduler", "lr_scheduler", "learning_rate_schedule"]),
    Field::optional(
        "clip_norm",
        "Largest Euclidean norm of the gradient of all parameters together; a longer one is shortened to it.",
        <f64 as Word>::TYPE,
    )
    .above(0.0)
    .synonyms(&["clipnorm", "global_clipnorm", "max_norm", "clip_grad_norm", "gradient_clip"])
    .example("1.0"),
    Field::with_default(
        "weight_decay",
        "Adds this times the parameter to its gradient; adamw takes learning_rate times this times the parameter off it.",
        <f64 as Word>::TYPE,
        "0",
    )
    .min(0.0)
    .synonyms(&["l2", "l2_regularization", "decay_rate"]),
    Field::with_default(
        "decay",
        "Which parameters decay: `weights` (not biases and norms) or `all`.",
        Decay::TYPE,
        "weights",
    )
    .synonyms(&["decay_mask"]),
    Field::later("groups", "Other settings for some of the parameters, chosen by pattern."),
];

/// An optimizer with everything that the file says of it.
#[derive(Debug)]
pub struct Optimizer {
    /// When the gradient is taken.
    pub method: Method,
    /// How it becomes a direction.
    pub rule: Box<dyn Rule>,
    /// The step size before the schedule.
    pub learning_rate: f64,
    /// The factor on it.
    pub schedule: Schedule,
    /// Largest norm of the whole gradient.
    pub clip_norm: Option<f64>,
    /// Strength of weight decay.
    pub weight_decay: f64,
    /// What decays.
    pub decay: Decay,
}

/// The optimizer that was chosen.
pub fn optimizer(chosen: &Chosen) -> Optimizer {
    let (method, rule) = rule(chosen);
    let node = &chosen.parameters;
    Optimizer {
        method,
        rule,
        learning_rate: f64::read_key(node, "learning_rate"),
        schedule: schedule(&Chosen::read_key(node, "schedule")),
        clip_norm: Option::read_key(node, "clip_norm"),
        weight_decay: f64::read_key(node, "weight_decay"),
        decay: Decay::read_key(node, "decay"),
    }
}

/// The rule of a kind, and when it takes the gradient.
fn rule(chosen: &Chosen) -> (Method, Box<dyn Rule>) {
    let row = ROWS.iter().find(|row| row.kind.name == chosen.kind).expect("the kind was checked against the table");
    (row.method, (row.read)(&chosen.parameters))
}
