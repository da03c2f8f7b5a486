//! `factor = factor ^ (number of plateaus met)`; a plateau is met after `patience` epochs in a row that bring no better
//! value, and then the count begins anew (Keras's ReduceLROnPlateau).

use spec::{Kind, Word};

use super::{Curve, Position, ScheduleRow};

spec::section! {
    /// The rate is multiplied by a factor whenever a metric stops getting better.
    /// Example: `{type: reduce_on_plateau, patience: 5}`.
    pub struct ReduceOnPlateau {
        /// The metric that is watched.
        pub monitor: String = "validation/loss";
        /// The number of epochs in a row without a better value after which the rate changes.
        pub patience: usize = 10, min 1.0, unit "epochs";
        /// What the rate is multiplied by each time.
        pub factor: f64 = 0.1, min 0.0, below 1.0, synonyms &["gamma"];
    }
}

/// The row of the table.
pub static ROW: ScheduleRow = ScheduleRow {
    kind: Kind {
        name: "reduce_on_plateau",
        synonyms: &["ReduceLROnPlateau", "plateau", "reduce_lr_on_plateau"],
        doc: ReduceOnPlateau::SECTION.doc,
        main: None,
        fields: ReduceOnPlateau::SECTION.fields,
        example: "{type: reduce_on_plateau, monitor: validation/loss, patience: 5, factor: 0.1}",
    },
    read: |node| Box::new(ReduceOnPlateau::read(node)),
    check: |_, _| (),
};

impl Curve for ReduceOnPlateau {
    fn factor(&self, at: &Position, _: f64) -> f64 {
        self.factor.powf(f64::from(at.plateaus))
    }

    fn plateau(&self) -> Option<&ReduceOnPlateau> {
        Some(self)
    }
}
