//! Dropout (Srivastava et al. 2014): in training, elements are zeroed at random and the others made larger.

use graph::{NodeId, Op};
use spec::{Kind, Word};

use super::{Build, Dims, Layer, LayerKind, Refusal};
use crate::initializers::stream;
use crate::network::Mode;

spec::section! {
    /// In training, zeroes elements at random and divides the others by the share that stays (Srivastava et al. 2014).
    struct Words {
        /// The share that is zeroed.
        rate: f64 = required, min 0.0, below 1.0, synonyms &["p", "probability", "drop"], example "0.5";
    }
}

/// The row of the table.
pub(super) static ROW: LayerKind = LayerKind {
    kind: Kind {
        name: "dropout",
        synonyms: &["Dropout"],
        doc: Words::SECTION.doc,
        main: Some("rate"),
        fields: Words::SECTION.fields,
        example: "dropout: 0.5",
    },
    joins: false,
    read: |node| Box::new(Dropout(Words::read(node))),
};

#[derive(Debug)]
struct Dropout(Words);

impl Layer for Dropout {
    fn output(&self, inputs: &[Dims]) -> Result<Dims, Refusal> {
        Ok(inputs[0].clone())
    }

    fn build(&self, build: &mut Build<'_>, inputs: &[NodeId]) -> NodeId {
        if build.mode == Mode::Evaluate || self.0.rate == 0.0 {
            return inputs[0];
        }
        build.g.push(Op::Dropout { rate: self.0.rate as f32, stream: stream(build.path) }, inputs)
    }
}
