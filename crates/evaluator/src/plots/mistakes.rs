//! A sheet of the most confident mistakes: the image, what it is, what the network took it for and how sure it was.

use engine::Predictions;

use super::PlotError;
use super::sheet::{Line, Pixels, sheet, short};
use crate::judged::Judged;

/// A wrong decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mistake {
    /// Place in the predictions.
    pub place: usize,
    /// Index of the sample in its data.
    pub sample: u32,
    pub label: u32,
    pub prediction: u32,
    /// Probability of the prediction.
    pub confidence: f32,
}

/// The `count` wrong decisions with the highest confidence, the surest first; of equal ones the earlier.
pub fn most_confident(predictions: &Predictions, count: usize) -> Vec<Mistake> {
    let judged = Judged::new(predictions);
    let mut mistakes: Vec<Mistake> = (0..judged.len()).filter_map(|place| mistake(&judged, place)).collect();
    mistakes.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(a.place.cmp(&b.place)));
    mistakes.truncate(count);
    mistakes
}

fn mistake(judged: &Judged<'_>, place: usize) -> Option<Mistake> {
    let (label, prediction) = (judged.label(place), judged.decisions[place]);
    let (sample, confidence) = (judged.predictions.samples[place], judged.confidence(place));
    (label != prediction).then_some(Mistake { place, sample, label, prediction, confidence })
}

/// The sheet; `image` gives the pixels of a mistake.
pub fn mistakes(
    mistakes: &[Mistake],
    classes: &[String],
    image: &mut dyn FnMut(&Mistake) -> Option<Pixels>,
) -> Result<Vec<u8>, PlotError> {
    let title = match mistakes.is_empty() {
        true => "no mistakes",
        false => "the most confident mistakes: the label, and below it what was decided and how surely",
    };
    let name = |class: u32| short(classes.get(class as usize).map_or("?", String::as_str));
    let lines = |mistake: &Mistake| {
        let taken = format!("{}, {:.1} %", name(mistake.prediction), mistake.confidence * 100.0);
        vec![Line::Plain(name(mistake.label)), Line::Wrong(taken)]
    };
    let lines: Vec<Vec<Line>> = mistakes.iter().map(lines).collect();
    sheet(title, &lines, &mut |index| image(&mistakes[index]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surest_mistake_comes_first() {
        let predictions = Predictions {
            n_classes: 2,
            samples: vec![10, 11, 12],
            labels: vec![0, 0, 1],
            probabilities: vec![0.4, 0.6, 0.9, 0.1, 0.95, 0.05],
            ..Predictions::default()
        };
        let found: Vec<(u32, u32)> = most_confident(&predictions, 5).iter().map(|m| (m.sample, m.prediction)).collect();
        assert_eq!(found, [(12, 0), (10, 1)]);
        assert_eq!(most_confident(&predictions, 1).len(), 1);
    }
}
