//! The mean or the maximum of each channel over the whole image: an image becomes a vector.

use graph::{Graph, NodeId};
use spec::Kind;

use super::{Build, Dims, Layer, LayerKind, NONE, Refusal, image};

/// The mean.
pub(super) static AVERAGE: LayerKind = row(
    "global_average_pool2d",
    &["GlobalAveragePooling2D", "global_average_pooling2d", "adaptive_average_pool2d", "AdaptiveAvgPool2d"],
    "The mean of each channel over the whole image.",
    |_| Box::new(GlobalPool(Graph::global_average_pool2d)),
);

/// The maximum.
pub(super) static MAX: LayerKind = row(
    "global_max_pool2d",
    &["GlobalMaxPooling2D", "global_max_pooling2d", "AdaptiveMaxPool2d"],
    "The maximum of each channel over the whole image.",
    |_| Box::new(GlobalPool(Graph::global_max_pool2d)),
);

const fn row(
    name: &'static str,
    synonyms: &'static [&'static str],
    doc: &'static str,
    read: fn(&spec::Node) -> Box<dyn Layer>,
) -> LayerKind {
    LayerKind { kind: Kind { name, synonyms, doc, main: None, fields: NONE, example: name }, joins: false, read }
}

#[derive(Debug)]
struct GlobalPool(fn(&mut Graph, NodeId) -> NodeId);

impl Layer for GlobalPool {
    fn output(&self, inputs: &[Dims]) -> Result<Dims, Refusal> {
        Ok(vec![image(&inputs[0], "a global pool stands before `flatten`, or instead of it")?[2]])
    }

    fn build(&self, build: &mut Build<'_>, inputs: &[NodeId]) -> NodeId {
        (self.0)(build.g, inputs[0])
    }
}
