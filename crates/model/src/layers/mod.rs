//! The table of layers: one file a layer, one row ([`LayerKind`]) a name.
//!
//! Shapes are without the batch: `[height, width, channels]` of an image, `[features]` of a vector.

mod activation;
mod add;
mod batch_norm;
mod conv2d;
mod dense;
mod dropout;
mod flatten;
mod global_pool;
mod pad_channels;
mod padding;
mod pool;

pub use activation::ACTIVATIONS;

use std::fmt::Debug;

use graph::{Graph, NodeId};
use spec::{Field, Kind, KindTable, Node, Type};

use crate::initializers::Initializer;
use crate::network::{Mode, Parameter};

/// A shape without the batch.
pub(crate) type Dims = Vec<usize>;

/// One layer of the table.
pub(crate) struct LayerKind {
    /// Its words.
    pub kind: Kind,
    /// How many values it reads: one, or two and more.
    pub joins: bool,
    /// The layer with these parameters.
    pub read: fn(&Node) -> Box<dyn Layer>,
}

/// A layer with its parameters, before it has a place.
pub(crate) trait Layer: Debug + Send + Sync {
    /// The shape that it gives, or why it cannot be applied.
    fn output(&self, inputs: &[Dims]) -> Result<Dims, Refusal>;

    /// Its arrays, by their last name. Asked only where [`Layer::output`] has agreed.
    fn parameters(&self, _inputs: &[Dims]) -> Vec<Array> {
        Vec::new()
    }

    /// Its nodes.
    fn build(&self, build: &mut Build<'_>, inputs: &[NodeId]) -> NodeId;

    /// Whether it gives probabilities.
    fn is_softmax(&self) -> bool {
        false
    }
}

/// Why a layer cannot be applied to a shape.
pub(crate) struct Refusal {
    pub message: String,
    pub help: Option<String>,
}

impl Refusal {
    pub fn new(message: impl Into<String>) -> Refusal {
        Refusal { message: message.into(), help: None }
    }

    pub fn help(self, help: impl Into<String>) -> Refusal {
        Refusal { help: Some(help.into()), ..self }
    }
}

/// An array of a layer.
pub(crate) struct Array {
    pub name: &'static str,
    pub dims: Vec<usize>,
    pub is_weight: bool,
    pub trained: bool,
    pub init: Initializer,
}

impl Array {
    /// What the optimizer moves.
    pub fn trained(name: &'static str, dims: &[usize], init: Initializer) -> Array {
        Array { name, dims: dims.to_vec(), is_weight: dims.len() > 1, trained: true, init }
    }

    /// What follows the data.
    pub fn running(name: &'static str, dims: &[usize], first: f64) -> Array {
        Array { name, dims: dims.to_vec(), is_weight: false, trained: false, init: Initializer::Constant(first) }
    }
}

/// What a layer writes its nodes into.
pub(crate) struct Build<'a> {
    pub g: &'a mut Graph,
    pub mode: Mode,
    pub path: &'a str,
    pub parameters: &'a [Parameter],
    pub parameter: &'a dyn Fn(&mut Graph, &Parameter) -> NodeId,
    pub running: &'a mut Vec<(String, NodeId)>,
}

impl Build<'_> {
    /// The node of one of the layer's arrays; none where it has no such array.
    pub fn array(&mut self, name: &str) -> Option<NodeId> {
        let found = self.parameters.iter().find(|p| p.path.rsplit('/').next() == Some(name))?;
        Some((self.parameter)(self.g, found))
    }

    /// After a step, the layer's running array has this value.
    pub fn follow(&mut self, name: &str, value: NodeId) {
        self.running.push((format!("{}/{name}", self.path), value));
    }
}

static ROWS: [&LayerKind; 12] = [
    &activation::ROW,
    &add::ROW,
    &pool::AVERAGE,
    &batch_norm::ROW,
    &conv2d::ROW,
    &dense::ROW,
    &dropout::ROW,
    &flatten::ROW,
    &global_pool::AVERAGE,
    &global_pool::MAX,
    &pool::MAX,
    &pad_channels::ROW,
];

/// All layers.
pub static LAYERS: KindTable =
    KindTable { what: "layer", kinds: || ROWS.iter().map(|row| &row.kind).collect(), common: &COMMON, untyped: None };

/// The keys of every layer.
static COMMON: [Field; 3] = [
    Field::optional("name", "What it is called by others; default: its kind.", Type::Name)
        .synonyms(&["id"])
        .example("stem"),
    Field::optional("from", "What it reads: a name; default: the layer before.", Type::Free)
        .synonyms(&["input", "inputs"])
        .example("stem"),
    Field::optional("when", "Whether it is there; where not, its name stands for what it would read.", Type::Boolean),
];

/// The row of this name.
pub(crate) fn row(name: &str) -> Option<&'static LayerKind> {
    ROWS.iter().find(|row| row.kind.name == name).copied()
}

/// The shape of an image, or a refusal with this help.
pub(crate) fn image(dims: &Dims, help: &str) -> Result<[usize; 3], Refusal> {
    match *dims.as_slice() {
        [height, width, channels] => Ok([height, width, channels]),
        _ => Err(Refusal::new(format!("takes an image [height, width, channels], not {}", show(dims))).help(help)),
    }
}

/// `[28, 28, 1]`.
pub(crate) fn show(dims: &[usize]) -> String {
    format!("{dims:?}")
}

/// Used by layers whose rows take no parameters.
pub(crate) const NONE: &[Field] = &[];
