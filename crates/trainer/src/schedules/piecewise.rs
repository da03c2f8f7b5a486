//! `factor = factors[number of milestones behind]`: one factor more than milestones.

use spec::{Fault, Faults, Kind, Node, Word};

use super::milestones::{self, Jumps};
use super::{Curve, Position, ScheduleRow};

spec::section! {
    /// The rate has a factor of its own between milestones.
    /// Example: `{type: piecewise, milestones: [30, 60], factors: [1, 0.1, 0.01]}`.
    pub struct Piecewise {
        /// The epochs after which the factor changes.
        pub milestones: Option<Vec<u64>> = none, unit "epochs", synonyms &["boundaries", "at_epochs"], example "[60, 120]";
        /// The steps after which the factor changes.
        pub at_steps: Option<Vec<u64>> = none, unit "steps", example "[20000, 40000]";
        /// The factors, one more than there are milestones.
        pub factors: Vec<f64> = required, synonyms &["values"], example "[0.1, 0.01]";
    }
}

/// The row of the table.
pub static ROW: ScheduleRow = ScheduleRow {
    kind: Kind {
        name: "piecewise",
        synonyms: &["piecewise_constant", "PiecewiseConstantDecay"],
        doc: Piecewise::SECTION.doc,
        main: None,
        fields: Piecewise::SECTION.fields,
        example: "{type: piecewise, at_steps: [500, 1000], factors: [1, 0.5, 0.1]}",
    },
    read: |node| {
        let Piecewise { milestones, at_steps, factors } = Piecewise::read(node);
        let steps = || Jumps::Steps(at_steps.expect("checked: one of the two is set"));
        Box::new(Pieces { jumps: milestones.map_or_else(steps, Jumps::Epochs), factors })
    },
    check,
};

/// A factor for each piece.
#[derive(Debug)]
struct Pieces {
    jumps: Jumps,
    factors: Vec<f64>,
}

fn check(node: &Node, faults: &mut Faults) {
    milestones::check(node, &["milestones", "at_steps"], faults);
    let Piecewise { milestones, at_steps, factors } = Piecewise::read(node);
    let place = node.place_of("factors");
    if let (Some(jumps), None) | (None, Some(jumps)) = (milestones, at_steps)
        && factors.len() != jumps.len() + 1
    {
        let message = format!("{} milestones need {} factors, found {}", jumps.len(), jumps.len() + 1, factors.len());
        faults.push(Fault::new(place, message).help("the first factor holds before the first milestone"));
    }
    if let Some(negative) = factors.iter().find(|factor| **factor < 0.0) {
        faults.push(Fault::new(place, format!("a factor is at least 0, found {negative}")));
    }
}

impl Curve for Pieces {
    fn factor(&self, at: &Position, _: f64) -> f64 {
        self.factors[self.jumps.behind(at)]
    }
}
