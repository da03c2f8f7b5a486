//! A dense layer with bias and activation. Kernel `[units, features]`.

use graph::{NodeId, Op};
use spec::{Chosen, Kind, Node, Word};

use super::activation::{self, ACTIVATIONS};
use super::{Array, Build, Dims, Layer, LayerKind, Refusal, show};
use crate::initializers::{INIT, Init};

spec::section! {
    /// Every unit is a weighted sum of all features.
    struct Words {
        /// The number of units.
        units: usize = required, min 1.0, max 16777216.0, synonyms &["out_features", "filters", "features", "output_size"], example "64";
        /// Whether a number is added to each unit.
        bias: bool = true, synonyms &["use_bias"];
        /// What is applied behind it.
        activation: Option<Chosen> = none, kinds &ACTIVATIONS;
        /// How the parameters begin.
        init: Init = {}, ty INIT, synonyms &["initializer", "kernel_initializer", "weight_init"];
    }
}

/// The row of the table.
pub(super) static ROW: LayerKind = LayerKind {
    kind: Kind {
        name: "dense",
        synonyms: &["Dense", "linear", "Linear", "fully_connected", "fc"],
        doc: Words::SECTION.doc,
        main: Some("units"),
        fields: Words::SECTION.fields,
        example: "dense: {units: 64, activation: relu}",
    },
    joins: false,
    read: |node: &Node| Box::new(Dense(Words::read(node))),
};

#[derive(Debug)]
struct Dense(Words);

impl Layer for Dense {
    fn output(&self, inputs: &[Dims]) -> Result<Dims, Refusal> {
        match inputs[0].as_slice() {
            [_] => Ok(vec![self.0.units]),
            dims => Err(Refusal::new(format!("takes a vector, not an image {}", show(dims)))
                .help("put `flatten` or `global_average_pool2d` before it")),
        }
    }

    fn parameters(&self, inputs: &[Dims]) -> Vec<Array> {
        let (kernel, bias) = self.0.init.both();
        let units = self.0.units;
        let bias = self.0.bias.then(|| Array::trained("bias", &[units], bias));
        std::iter::once(Array::trained("kernel", &[units, inputs[0][0]], kernel)).chain(bias).collect()
    }

    fn build(&self, build: &mut Build<'_>, inputs: &[NodeId]) -> NodeId {
        let kernel = build.array("kernel").expect("a dense layer has a kernel");
        let mut y = build.g.push(Op::Dense, &[inputs[0], kernel]);
        if let Some(bias) = build.array("bias") {
            y = build.g.push(Op::AddBias, &[y, bias]);
        }
        activation::apply(build.g, self.0.activation.as_ref(), y)
    }

    fn is_softmax(&self) -> bool {
        activation::is_softmax(self.0.activation.as_ref())
    }
}
