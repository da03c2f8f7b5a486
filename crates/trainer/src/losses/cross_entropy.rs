//! Cross-entropy of the predicted probabilities with the label.
//!
//! `loss = weight[label] · −Σ_k target[k] · ln p[k]` with `target = (1 − s) · onehot(label) + s / K` for a label smoothing
//! of s (Szegedy et al. 2015, section 7). Class weights multiply a sample's loss, and the mean over the batch divides by
//! the number of samples, not by the sum of their weights: a batch of rare classes counts more than another.

use graph::{Graph, NodeId, Op};
use spec::{Kind, Node, Range, Type, Word};

use super::{Loss, LossRow};

spec::choice! {
    /// Class weights that have a name.
    pub enum Weighting {
        /// Every sample counts the same.
        None = "none",
        /// Every class counts the same in the sum: n / (classes · n_class) over the training part.
        Balanced = "balanced",
    }
}

/// How much a sample of each class counts.
#[derive(Clone, Debug, PartialEq)]
pub enum ClassWeights {
    /// By a rule.
    Rule(Weighting),
    /// One number a class.
    List(Vec<f64>),
}

spec::section! {
    /// Cross-entropy of the predicted probabilities with the label.
    /// Example: `{type: cross_entropy, label_smoothing: 0.1}`.
    pub struct CrossEntropy {
        /// Whether the scores are logits, of which softmax makes probabilities; otherwise the network ends in softmax.
        pub from_logits: bool = true;
        /// Share of the target that is spread evenly over all classes (Szegedy et al. 2015).
        pub label_smoothing: f64 = 0.0, min 0.0, below 1.0;
        /// How much a sample of each class counts: `none`, `balanced`, or a list with one number a class.
        pub class_weights: ClassWeights = none, synonyms &["class_weight", "weights"];
    }
}

/// The row of the table.
pub static ROW: LossRow = LossRow {
    kind: Kind {
        name: "cross_entropy",
        synonyms: &[
            "sparse_categorical_crossentropy",
            "categorical_crossentropy",
            "crossentropy",
            "cross_entropy_loss",
            "CrossEntropyLoss",
            "nll_loss",
            "softmax_cross_entropy",
        ],
        doc: CrossEntropy::SECTION.doc,
        main: None,
        fields: CrossEntropy::SECTION.fields,
        example: "{type: cross_entropy, label_smoothing: 0.1}",
    },
    read: |node| Box::new(CrossEntropy::read(node)),
};

impl Loss for CrossEntropy {
    fn takes_logits(&self) -> bool {
        self.from_logits
    }

    fn class_weights(&self) -> &ClassWeights {
        &self.class_weights
    }

    fn of_samples(&self, g: &mut Graph, scores: NodeId, labels: NodeId, weights: Option<NodeId>) -> NodeId {
        let op = Op::CrossEntropy { label_smoothing: self.label_smoothing as f32, from_logits: self.from_logits };
        let operands: Vec<NodeId> = [scores, labels].into_iter().chain(weights).collect();
        g.push(op, &operands)
    }
}

impl Word for ClassWeights {
    const TYPE: Type = Type::Either(&[
        Weighting::TYPE,
        Type::List { of: &Type::Number(Range { low: 0.0, ..Range::ANY }), lone: false },
    ]);

    fn read(node: &Node) -> ClassWeights {
        match node.list() {
            Some(items) => ClassWeights::List(items.iter().map(f64::read).collect()),
            None => ClassWeights::Rule(Weighting::read(node)),
        }
    }
}

impl ClassWeights {
    /// The weight of each class `[K]`; `counts` are the samples of each class in the training part. None where every
    /// sample counts the same. A class without samples weighs nothing: nobody asks.
    pub fn values(&self, counts: &[usize]) -> Option<Vec<f32>> {
        let total: usize = counts.iter().sum();
        let balanced = |&count: &usize| match count {
            0 => 0.0,
            count => total as f64 / (counts.len() * count) as f64,
        };
        match self {
            ClassWeights::Rule(Weighting::None) => None,
            ClassWeights::Rule(Weighting::Balanced) => Some(counts.iter().map(|n| balanced(n) as f32).collect()),
            ClassWeights::List(weights) => Some(weights.iter().map(|&w| w as f32).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_weights_make_classes_count_the_same() {
        let counts = [10, 30, 0];
        let weights = ClassWeights::Rule(Weighting::Balanced).values(&counts).unwrap();
        assert_eq!(weights, [40.0 / 30.0, 40.0 / 90.0, 0.0]);
        assert_eq!(ClassWeights::Rule(Weighting::None).values(&counts), None);
        assert_eq!(ClassWeights::List(vec![1.0, 2.0, 0.5]).values(&counts), Some(vec![1.0, 2.0, 0.5]));
    }
}
