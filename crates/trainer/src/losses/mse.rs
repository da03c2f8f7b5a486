//! Mean squared error of the predicted probabilities against the one-hot label.
//!
//! `loss = mean over k of (p[k] − onehot(label)[k])²`; the Brier score (Brier 1950) is the sum instead of the mean.

use graph::{Graph, NodeId, Op};
use spec::{Kind, Word};

use super::{ClassWeights, Loss, LossRow, Weighting};

spec::section! {
    /// Mean squared error of the predicted probabilities against the one-hot label, mean over classes.
    /// Example: `mse`.
    pub struct Mse {
        /// Whether the scores are logits, of which softmax makes probabilities; otherwise the network ends in softmax.
        pub from_logits: bool = true;
    }
}

/// The row of the table.
pub static ROW: LossRow = LossRow {
    kind: Kind {
        name: "mse",
        synonyms: &["mean_squared_error", "MSELoss", "mse_loss", "l2", "squared_error"],
        doc: Mse::SECTION.doc,
        main: None,
        fields: Mse::SECTION.fields,
        example: "{type: mse, from_logits: false}",
    },
    read: |node| Box::new(Mse::read(node)),
};

impl Loss for Mse {
    fn takes_logits(&self) -> bool {
        self.from_logits
    }

    fn class_weights(&self) -> &ClassWeights {
        &ClassWeights::Rule(Weighting::None)
    }

    fn of_samples(&self, g: &mut Graph, scores: NodeId, labels: NodeId, weights: Option<NodeId>) -> NodeId {
        let probabilities = if self.from_logits { g.push(Op::Softmax, &[scores]) } else { scores };
        let operands: Vec<NodeId> = [probabilities, labels].into_iter().chain(weights).collect();
        g.push(Op::SquaredError, &operands)
    }
}
