//! The sum of two or more values of one shape.

use graph::NodeId;
use spec::{Field, Kind, Type};

use super::{Build, Dims, Layer, LayerKind, Refusal, show};

static FIELDS: [Field; 1] = [Field::required("from", "The names of what is added, two or more.", Type::Free)
    .synonyms(&["inputs", "layers"])
    .example("[main, shortcut]")];

/// The row of the table.
pub(super) static ROW: LayerKind = LayerKind {
    kind: Kind {
        name: "add",
        synonyms: &["Add", "sum"],
        doc: "The sum of two or more values of one shape.",
        main: Some("from"),
        fields: &FIELDS,
        example: "add: [main, shortcut]",
    },
    joins: true,
    read: |_| Box::new(Add),
};

#[derive(Debug)]
struct Add;

impl Layer for Add {
    fn output(&self, inputs: &[Dims]) -> Result<Dims, Refusal> {
        match inputs.iter().find(|dims| **dims != inputs[0]) {
            None => Ok(inputs[0].clone()),
            Some(other) => {
                Err(Refusal::new(format!("adds values of one shape, not {} and {}", show(&inputs[0]), show(other)))
                    .help("a 1 × 1 `conv2d` with a stride, or `pad_channels`, makes a shortcut fit"))
            }
        }
    }

    fn build(&self, build: &mut Build<'_>, inputs: &[NodeId]) -> NodeId {
        inputs.iter().copied().reduce(|sum, next| build.g.add(sum, next)).expect("something is added")
    }
}
