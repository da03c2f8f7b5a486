//! AdamW: Adam with weight decay apart from the gradient (Loshchilov and Hutter 2019, algorithm 2).
//!
//! As [`super::adam`], but weight decay does not pass through the running means: `p` also loses
//! `learning_rate · weight_decay · p`.

use graph::Graph;
use spec::{Kind, Node, Type, Word};

use super::{Adam, At, Method, Moved, OptimizerRow, Rule};

/// Adam with weight decay apart from the gradient. Its keys are those of [`Adam`].
#[derive(Clone, Debug)]
pub struct AdamW(pub Adam);

/// The row of the table.
pub static ROW: OptimizerRow = OptimizerRow {
    kind: Kind {
        name: "adamw",
        synonyms: &["AdamW", "adam_w"],
        doc: "Adam with weight decay apart from the gradient (Loshchilov and Hutter 2019). Example: `{type: adamw, learning_rate: 0.001, weight_decay: 0.05}`.",
        main: None,
        fields: Adam::SECTION.fields,
        example: "{type: adamw, learning_rate: 0.001, weight_decay: 0.05}",
    },
    method: Method::EachBatch,
    read: |node| Box::new(AdamW::read(node)),
};

impl Word for AdamW {
    const TYPE: Type = Adam::TYPE;

    fn read(node: &Node) -> AdamW {
        AdamW(Adam::read(node))
    }
}

impl Rule for AdamW {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn state(&self) -> Vec<&'static str> {
        self.0.state()
    }

    fn numbers(&self, step: u64) -> Vec<(&'static str, f64)> {
        self.0.corrections(step)
    }

    fn direction(&self, g: &mut Graph, at: &At<'_>) -> Moved {
        self.0.adaptive_direction(g, at)
    }

    fn decays_apart(&self) -> bool {
        true
    }
}
