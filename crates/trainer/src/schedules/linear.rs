//! `factor = 1 + (final − 1) · progress`, progress from 0 after the warm-up to 1 at the end.

use spec::{Field, Kind, Node, Word};

use super::{Curve, Position, ScheduleRow, progress};

/// The rate falls along a line, each step.
#[derive(Clone, Debug)]
pub struct Linear {
    /// The factor at the end of training.
    pub last: f64,
}

/// The key `final`, of which Rust makes no field name.
pub(super) const FINAL: Field =
    Field::with_default("final", "The factor at the end of training.", <f64 as Word>::TYPE, "0").min(0.0).synonyms(&[
        "end_factor",
        "alpha",
        "eta_min",
        "end",
    ]);

/// The value of [`FINAL`].
pub(super) fn read_final(node: &Node) -> f64 {
    f64::read_key(node, FINAL.name)
}

/// The row of the table.
pub static ROW: ScheduleRow = ScheduleRow {
    kind: Kind {
        name: "linear",
        synonyms: &["linear_decay", "LinearLR", "polynomial"],
        doc: "The rate falls along a line, each step. Example: `{type: linear, final: 0.1}`.",
        main: None,
        fields: &[FINAL],
        example: "{type: linear, final: 0.1}",
    },
    read: |node| Box::new(Linear { last: read_final(node) }),
    check: |_, _| (),
};

impl Curve for Linear {
    fn factor(&self, at: &Position, warmup: f64) -> f64 {
        1.0 + (self.last - 1.0) * progress(at, warmup)
    }
}
