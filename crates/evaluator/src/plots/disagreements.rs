//! A sheet of samples that one run has right and another wrong.

use super::PlotError;
use super::sheet::{Line, Pixels, sheet, short};
use crate::compare::Flip;

/// The sheet; `image` gives the pixels of a sample.
pub fn disagreements(flips: &[Flip], image: &mut dyn FnMut(&Flip) -> Option<Pixels>) -> Result<Vec<u8>, PlotError> {
    let title = match flips.is_empty() {
        true => "no sample is right in one run and wrong in the other",
        false => "right in one run and wrong in the other: the label, and what A and B decided and how surely",
    };
    let answer = |run: &str, label: &str, (decision, confidence): &(String, f64)| {
        let words = format!("{run}: {}, {:.0} %", short(decision), confidence * 100.0);
        if decision == label { Line::Plain(words) } else { Line::Wrong(words) }
    };
    let lines = |flip: &Flip| {
        vec![
            Line::Plain(short(&flip.label)),
            answer("A", &flip.label, &flip.first),
            answer("B", &flip.label, &flip.second),
        ]
    };
    let lines: Vec<Vec<Line>> = flips.iter().map(lines).collect();
    sheet(title, &lines, &mut |index| image(&flips[index]))
}
