//! `factor = 1`.

use spec::{Kind, Word};

use super::{Curve, Position, ScheduleRow};

spec::section! {
    /// The rate stays as it is.
    /// Example: `constant`.
    pub struct Constant {}
}

/// The row of the table.
pub static ROW: ScheduleRow = ScheduleRow {
    kind: Kind {
        name: "constant",
        synonyms: &["fixed", "ConstantLR"],
        doc: Constant::SECTION.doc,
        main: None,
        fields: Constant::SECTION.fields,
        example: "{type: constant, warmup_steps: 100}",
    },
    read: |node| Box::new(Constant::read(node)),
    check: |_, _| (),
};

impl Curve for Constant {
    fn factor(&self, _: &Position, _: f64) -> f64 {
        1.0
    }
}
