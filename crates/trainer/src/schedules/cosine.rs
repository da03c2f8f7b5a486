//! Half a cosine (Loshchilov and Hutter 2017, equation 5, without restarts).
//!
//! `factor = final + (1 − final) · (1 + cos(π · progress)) / 2`, progress from 0 after the warm-up to 1 at the end.

use std::f64::consts::PI;

use spec::Kind;

use super::{Curve, Position, ScheduleRow, progress};

/// The rate falls along half a cosine, each step.
#[derive(Clone, Debug)]
pub struct Cosine {
    /// The factor at the end of training.
    pub last: f64,
}

/// The row of the table.
pub static ROW: ScheduleRow = ScheduleRow {
    kind: Kind {
        name: "cosine",
        synonyms: &["cosine_decay", "CosineDecay", "cosine_annealing", "CosineAnnealingLR"],
        doc: "The rate falls along half a cosine, each step (Loshchilov and Hutter 2017). Example: `{type: cosine, warmup_epochs: 1}`.",
        main: None,
        fields: &[super::linear::FINAL],
        example: "{type: cosine, final: 0.01, warmup_epochs: 5}",
    },
    read: |node| Box::new(Cosine { last: super::linear::read_final(node) }),
    check: |_, _| (),
};

impl Curve for Cosine {
    fn factor(&self, at: &Position, warmup: f64) -> f64 {
        self.last + (1.0 - self.last) * (1.0 + (PI * progress(at, warmup)).cos()) / 2.0
    }
}
