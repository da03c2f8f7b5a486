//! The table of losses: what training makes small. A loss is one number a sample; over the batch it is the mean.
//!
//! The network gives one score a class. Scores become probabilities by softmax unless the loss says `from_logits: false`;
//! then the network itself ends in softmax.

mod cross_entropy;
mod mse;

pub use cross_entropy::{ClassWeights, CrossEntropy, Weighting};
pub use mse::Mse;

use graph::{Graph, NodeId};
use spec::{Chosen, Field, Kind, KindTable, Node};

/// A loss with its parameters.
pub trait Loss: std::fmt::Debug + Send + Sync {
    /// Whether the scores are logits, so that softmax makes probabilities of them.
    fn takes_logits(&self) -> bool;

    /// How much a sample of each class counts.
    fn class_weights(&self) -> &ClassWeights;

    /// scores `[N, K]`, labels `[N]`, weights `[K]` where the classes are weighted -> one number a sample `[N]`.
    fn of_samples(&self, g: &mut Graph, scores: NodeId, labels: NodeId, weights: Option<NodeId>) -> NodeId;
}

/// One loss of the table.
pub struct LossRow {
    /// Its words.
    pub kind: Kind,
    /// The loss with these parameters.
    pub read: fn(&Node) -> Box<dyn Loss>,
}

static ROWS: [&LossRow; 2] = [&cross_entropy::ROW, &mse::ROW];

/// What the key `loss` chooses among.
pub static LOSSES: KindTable =
    KindTable { what: "loss", kinds: || ROWS.iter().map(|row| &row.kind).collect(), common: &RESERVED, untyped: None };

/// The keys of a loss that is one term of several.
static RESERVED: [Field; 5] = [
    Field::later("output", "The layer whose scores this term looks at."),
    Field::later("target", "The field of the data that this term compares with."),
    Field::later("weight", "How much this term counts in the sum of all."),
    Field::later("reduction", "Mean or sum over what is not the batch."),
    Field::later("name", "The name of this term as a metric."),
];

/// The loss that was chosen.
pub fn loss(chosen: &Chosen) -> Box<dyn Loss> {
    let row = ROWS.iter().find(|row| row.kind.name == chosen.kind).expect("the kind was checked against the table");
    (row.read)(&chosen.parameters)
}
