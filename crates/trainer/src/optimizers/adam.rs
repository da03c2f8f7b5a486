//! Adam (Kingma and Ba 2015, algorithm 1).
//!
//! `m ← beta1 · m + (1 − beta1) · g`, `v ← beta2 · v + (1 − beta2) · g²`,
//! `p ← p − learning_rate · (m / (1 − beta1^t)) / (√(v / (1 − beta2^t)) + epsilon)`, t counted from 1. Epsilon stands
//! outside the corrected root, as in the paper and PyTorch. The corrections are computed in f64 and handed in.

use graph::{Graph, NodeId};
use spec::{Kind, Word};

use super::{At, Method, Moved, OptimizerRow, Rule};

spec::section! {
    /// Adam: steps scaled by running means of the gradient and of its square (Kingma and Ba 2015).
    /// Example: `{type: adam, learning_rate: 0.001}`.
    pub struct Adam {
        /// Share of the mean gradient that stays from step to step.
        pub beta1: f64 = 0.9, min 0.0, below 1.0, synonyms &["beta_1", "betas"];
        /// Share of the mean squared gradient that stays from step to step.
        pub beta2: f64 = 0.999, min 0.0, below 1.0, synonyms &["beta_2"];
        /// Added to the root of the mean square, so that nothing is divided by zero.
        pub epsilon: f64 = 1e-8, above 0.0, synonyms &["eps"];
    }
}

/// The row of the table.
pub static ROW: OptimizerRow = OptimizerRow {
    kind: Kind {
        name: "adam",
        synonyms: &["Adam"],
        doc: Adam::SECTION.doc,
        main: None,
        fields: Adam::SECTION.fields,
        example: "{type: adam, learning_rate: 0.001, clip_norm: 1.0}",
    },
    method: Method::EachBatch,
    read: |node| Box::new(Adam::read(node)),
};

impl Rule for Adam {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn state(&self) -> Vec<&'static str> {
        vec!["m", "v"]
    }

    fn numbers(&self, step: u64) -> Vec<(&'static str, f64)> {
        self.corrections(step)
    }

    fn direction(&self, g: &mut Graph, at: &At<'_>) -> Moved {
        self.adaptive_direction(g, at)
    }
}

impl Adam {
    /// What the mean and the root of the mean square are multiplied by, since both began at zero.
    pub(super) fn corrections(&self, step: u64) -> Vec<(&'static str, f64)> {
        let of = |beta: f64| 1.0 - beta.powf(step as f64);
        vec![("m_correction", 1.0 / of(self.beta1)), ("v_correction", 1.0 / of(self.beta2).sqrt())]
    }

    /// `m · m_correction / (√v · v_correction + epsilon)`
    pub(super) fn adaptive_direction(&self, g: &mut Graph, at: &At<'_>) -> Moved {
        let (&[m, v], &[m_correction, v_correction]) = (at.state, at.numbers) else {
            unreachable!("two arrays and two numbers, as asked for")
        };
        let square = g.multiply(at.gradient, at.gradient);
        let m = running_mean(g, m, at.gradient, self.beta1);
        let v = running_mean(g, v, square, self.beta2);
        let mean = g.multiply(m, m_correction);
        let root = g.sqrt(v);
        let root = g.multiply(root, v_correction);
        let divisor = g.offset(root, self.epsilon);
        Moved { direction: g.divide(mean, divisor), state: vec![m, v] }
    }
}

/// `beta · mean + (1 − beta) · value`
fn running_mean(g: &mut Graph, mean: NodeId, value: NodeId, beta: f64) -> NodeId {
    let kept = g.scale(mean, beta);
    let taken = g.scale(value, 1.0 - beta);
    g.add(kept, taken)
}
