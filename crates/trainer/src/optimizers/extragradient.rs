//! Extragradient (Korpelevich 1976): the base optimizer's step, taken with the gradient at the point that the same step
//! would lead to.
//!
//! `p' = p − learning_rate · direction(∇loss(p), state)`, then `p ← p − learning_rate · direction(∇loss(p'), state)`. Both
//! gradients are of the same batch with the same dropout; both directions start from the same state, and the state and
//! the running statistics after the step are those of the second. With base adam this differs from ExtraAdam (Gidel et
//! al. 2019), whose first step moves the state too.

use spec::{Chosen, Kind, Word};

use super::{BASES, Method, OptimizerRow, rule};

spec::section! {
    /// The base optimizer's step with the gradient at the point that the same step would lead to (Korpelevich 1976).
    /// Example: `{type: extragradient, learning_rate: 0.01, base: adam}`.
    pub struct Extragradient {
        /// The optimizer whose step is taken; the learning rate and all else stand beside it.
        pub base: Chosen = sgd, kinds &BASES;
    }
}

/// The row of the table.
pub static ROW: OptimizerRow = OptimizerRow {
    kind: Kind {
        name: "extragradient",
        synonyms: &["extra_gradient", "extraadam", "ExtraAdam", "extrasgd"],
        doc: Extragradient::SECTION.doc,
        main: None,
        fields: Extragradient::SECTION.fields,
        example: "{type: extragradient, learning_rate: 0.001, base: {type: adam, beta1: 0.5}}",
    },
    method: Method::LookAhead,
    read: |node| rule(&Extragradient::read(node).base).1,
};
