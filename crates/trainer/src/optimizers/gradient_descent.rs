//! Gradient descent (Cauchy 1847): one step an epoch on the mean gradient over the training part.
//!
//! `p ← p − learning_rate · mean over all samples of ∇loss`. The gradient is gathered batch by batch, so the batch size
//! changes memory, not the result, but for batch norm, which sees batches. Clipping and decay apply to the gathered
//! gradient, and the schedule counts its steps.

use graph::Graph;
use spec::{Kind, Word};

use super::{At, Method, Moved, OptimizerRow, Rule};

spec::section! {
    /// One step an epoch on the mean gradient over the training part (Cauchy 1847).
    /// Example: `{type: gradient_descent, learning_rate: 0.5}`.
    pub struct GradientDescent {}
}

/// The row of the table.
pub static ROW: OptimizerRow = OptimizerRow {
    kind: Kind {
        name: "gradient_descent",
        synonyms: &["gd", "full_batch", "batch_gradient_descent", "GradientDescent"],
        doc: GradientDescent::SECTION.doc,
        main: None,
        fields: GradientDescent::SECTION.fields,
        example: "{type: gradient_descent, learning_rate: 0.5}",
    },
    method: Method::WholePart,
    read: |node| Box::new(GradientDescent::read(node)),
};

impl Rule for GradientDescent {
    fn name(&self) -> &'static str {
        "gradient_descent"
    }

    fn state(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn numbers(&self, _: u64) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    fn direction(&self, _: &mut Graph, at: &At<'_>) -> Moved {
        Moved { direction: at.gradient, state: Vec::new() }
    }
}
