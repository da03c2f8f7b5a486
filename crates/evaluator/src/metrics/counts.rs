//! How often each class is label, decision and both: what precision, recall and F1 are made of.
//!
//! A class that is neither label nor decision of any sample has no value and is left out of averages; one whose
//! denominator alone is zero has the value 0, as in scikit-learn.

use super::average::{Average, Form, fill_averages};
use super::{Judged, Statistic};
use crate::intervals::{Interval, wilson};

/// Of one class, or of all classes thrown together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Samples that are of the class and were decided so.
    pub both: usize,
    /// Samples of the class.
    pub labels: usize,
    /// Samples decided so.
    pub decisions: usize,
}

impl Counts {
    /// `both / whole`, for a `whole` of labels or decisions.
    pub fn share_of(&self, whole: usize) -> f64 {
        match (self.labels + self.decisions, whole) {
            (0, _) => f64::NAN,
            (_, 0) => 0.0,
            _ => self.both as f64 / whole as f64,
        }
    }
}

/// What is made of the counts of a class.
pub struct Ratio {
    /// The value.
    pub value: fn(&Counts) -> f64,
    /// The number of samples that it rests on.
    pub n: fn(&Counts) -> usize,
    /// Whether the value is the share `both` of `n` independent samples.
    pub is_share: bool,
}

/// A ratio of every class, and its averages.
pub struct Ratios {
    ratio: Ratio,
    labels: Vec<u32>,
    decisions: Vec<u32>,
    classes: Vec<Counts>,
}

impl Ratios {
    /// Of these predictions.
    pub fn boxed(judged: &Judged<'_>, ratio: Ratio) -> Box<dyn Statistic> {
        let (labels, decisions) = (judged.predictions.labels.clone(), judged.decisions.clone());
        let mut ratios = Ratios { ratio, labels, decisions, classes: vec![Counts::default(); judged.n_classes()] };
        ratios.classes = ratios.count(&vec![1; judged.len()]);
        Box::new(ratios)
    }

    fn count(&self, weights: &[u32]) -> Vec<Counts> {
        let mut classes = vec![Counts::default(); self.classes.len()];
        for ((&label, &decision), &weight) in self.labels.iter().zip(&self.decisions).zip(weights) {
            let weight = weight as usize;
            classes[label as usize].labels += weight;
            classes[decision as usize].decisions += weight;
            classes[label as usize].both += if label == decision { weight } else { 0 };
        }
        classes
    }

    /// The counts behind the value at a place; the averages rest on all samples.
    fn counts(&self, place: usize) -> Counts {
        match place.checked_sub(Average::ALL.len()) {
            Some(class) => self.classes[class],
            None => together(&self.classes),
        }
    }
}

fn together(classes: &[Counts]) -> Counts {
    let mut sum = Counts::default();
    for class in classes {
        sum.both += class.both;
        sum.labels += class.labels;
        sum.decisions += class.decisions;
    }
    sum
}

impl Statistic for Ratios {
    fn n_values(&self) -> usize {
        Average::ALL.len() + self.classes.len()
    }

    fn values(&self, weights: &[u32], values: &mut [f64]) {
        let classes = self.count(weights);
        for (value, counts) in values[Average::ALL.len()..].iter_mut().zip(&classes) {
            *value = (self.ratio.value)(counts);
        }
        fill_averages(values, classes.iter().map(|counts| counts.labels as f64));
        values[Form::Average(Average::Micro).place()] = (self.ratio.value)(&together(&classes));
    }

    fn n(&self, place: usize) -> usize {
        (self.ratio.n)(&self.counts(place))
    }

    fn interval(&self, place: usize, confidence: f64, _: u64) -> Option<Interval> {
        let is_class = place >= Average::ALL.len();
        // Thrown together, every one of the three is the share of right decisions.
        let is_micro = place == Form::Average(Average::Micro).place();
        let is_share = is_micro || is_class && self.ratio.is_share;
        let counts = self.counts(place);
        let is_defined = !(self.ratio.value)(&counts).is_nan();
        (is_share && is_defined).then(|| wilson(counts.both, (self.ratio.n)(&counts), confidence))
    }
}
