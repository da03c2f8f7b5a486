//! All numbers of a value as one vector, in the order rows, columns, channels.

use graph::NodeId;
use spec::Kind;

use super::{Build, Dims, Layer, LayerKind, NONE, Refusal};

/// The row of the table.
pub(super) static ROW: LayerKind = LayerKind {
    kind: Kind {
        name: "flatten",
        synonyms: &["Flatten"],
        doc: "All numbers as one vector.",
        main: None,
        fields: NONE,
        example: "flatten",
    },
    joins: false,
    read: |_| Box::new(Flatten),
};

#[derive(Debug)]
struct Flatten;

impl Layer for Flatten {
    fn output(&self, inputs: &[Dims]) -> Result<Dims, Refusal> {
        Ok(vec![inputs[0].iter().product()])
    }

    fn build(&self, build: &mut Build<'_>, inputs: &[NodeId]) -> NodeId {
        let len = build.g.shape(inputs[0]).sample_len();
        build.g.reshape(inputs[0], &[len])
    }
}
