//! `factor = factor ^ (number of milestones behind)`.
//!
//! `milestones: [82, 123]` changes the rate after 82 epochs, that is for the 83rd, as PyTorch's MultiStepLR; `every: 30` is
//! its StepLR. `at_steps` and `every_steps` count steps.

use spec::{Kind, Word};

use super::milestones::{self, Jumps};
use super::{Curve, Position, ScheduleRow};

spec::section! {
    /// The rate is multiplied by a factor at milestones.
    /// Example: `{type: step, milestones: [82, 123], factor: 0.1}`.
    pub struct Step {
        /// The epochs after which the rate changes.
        pub milestones: Option<Vec<u64>> = none, unit "epochs", synonyms &["boundaries", "at_epochs"], example "[82, 123]";
        /// The number of epochs after which the rate changes, again and again.
        pub every: Option<u64> = none, min 1.0, unit "epochs", synonyms &["step_size", "every_epochs"], example "30";
        /// The steps after which the rate changes.
        pub at_steps: Option<Vec<u64>> = none, unit "steps", example "[32000, 48000]";
        /// The number of steps after which the rate changes, again and again.
        pub every_steps: Option<u64> = none, min 1.0, unit "steps", synonyms &["decay_steps"], example "10000";
        /// What the rate is multiplied by each time.
        pub factor: f64 = 0.1, min 0.0, synonyms &["gamma", "decay_rate"];
    }
}

/// The row of the table.
pub static ROW: ScheduleRow = ScheduleRow {
    kind: Kind {
        name: "step",
        synonyms: &["multi_step", "MultiStepLR", "StepLR", "exponential", "exponential_decay"],
        doc: Step::SECTION.doc,
        main: None,
        fields: Step::SECTION.fields,
        example: "{type: step, milestones: [82, 123], factor: 0.1}",
    },
    read: |node| {
        let step = Step::read(node);
        Box::new(Steps { factor: step.factor, jumps: step.jumps() })
    },
    check: |node, faults| milestones::check(node, &["milestones", "every", "at_steps", "every_steps"], faults),
};

/// A factor at each jump.
#[derive(Debug)]
struct Steps {
    jumps: Jumps,
    factor: f64,
}

impl Step {
    fn jumps(self) -> Jumps {
        match (self.milestones, self.every, self.at_steps, self.every_steps) {
            (Some(epochs), ..) => Jumps::Epochs(epochs),
            (_, Some(every), ..) => Jumps::EveryEpochs(every),
            (_, _, Some(steps), _) => Jumps::Steps(steps),
            (_, _, _, every) => Jumps::EverySteps(every.expect("checked: one of the four is set")),
        }
    }
}

impl Curve for Steps {
    fn factor(&self, at: &Position, _: f64) -> f64 {
        self.factor.powf(self.jumps.behind(at) as f64)
    }
}
