//! Stochastic gradient descent (Robbins and Monro 1951) with momentum (Polyak 1964; Nesterov 1983 in the form of
//! Sutskever et al. 2013).
//!
//! `v ← momentum · v + g`, `p ← p − learning_rate · v`; with `nesterov` `p ← p − learning_rate · (g + momentum · v)`. The
//! learning rate is outside the velocity, as in PyTorch: where it falls, the velocity falls with it at once.

use graph::Graph;
use spec::{Kind, Word};

use super::{At, Method, Moved, OptimizerRow, Rule};

spec::section! {
    /// Stochastic gradient descent with momentum (Polyak 1964).
    /// Example: `{type: sgd, learning_rate: 0.1, momentum: 0.9}`.
    pub struct Sgd {
        /// Share of the velocity that stays from step to step.
        pub momentum: f64 = 0.0, min 0.0, below 1.0;
        /// Whether to step from where the velocity leads to (Nesterov 1983); needs momentum.
        pub nesterov: bool = false;
    }
}

/// The row of the table.
pub static ROW: OptimizerRow = OptimizerRow {
    kind: Kind {
        name: "sgd",
        synonyms: &["SGD", "momentum", "nesterov", "stochastic_gradient_descent"],
        doc: Sgd::SECTION.doc,
        main: None,
        fields: Sgd::SECTION.fields,
        example: "{type: sgd, learning_rate: 0.1, momentum: 0.9, nesterov: true}",
    },
    method: Method::EachBatch,
    read: |node| Box::new(Sgd::read(node)),
};

impl Rule for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn state(&self) -> Vec<&'static str> {
        if self.momentum > 0.0 { vec!["velocity"] } else { Vec::new() }
    }

    fn numbers(&self, _: u64) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    fn direction(&self, g: &mut Graph, at: &At<'_>) -> Moved {
        let &[velocity] = at.state else { return Moved { direction: at.gradient, state: Vec::new() } };
        let kept = g.scale(velocity, self.momentum);
        let velocity = g.add(kept, at.gradient);
        let direction = if self.nesterov {
            let ahead = g.scale(velocity, self.momentum);
            g.add(at.gradient, ahead)
        } else {
            velocity
        };
        Moved { direction, state: vec![velocity] }
    }
}
