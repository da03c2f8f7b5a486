//! The area under the receiver operating characteristic of a class against the rest: the chance that a sample of the
//! class has a larger probability of it than a sample of another, equal ones counting half (Hanley and McNeil 1982).
//!
//! Samples are sorted once; with weights the area is one walk over that order. A class that is the label of none or of
//! all samples has no value and is left out of averages.

use rayon::prelude::*;

use super::average::{Average, Form, fill_averages};
use super::{Direction, Judged, Measure, MetricRow, Statistic};
use crate::intervals::Interval;

pub static ROW: MetricRow = MetricRow {
    name: "auroc",
    synonyms: &["auc", "roc_auc", "roc", "roc_auc_score", "auc_roc"],
    doc: "The chance that a sample of a class gets a larger probability of it than one of another class.",
    direction: Direction::Larger,
    measure: Measure::Classes(|judged, forms| Box::new(Areas::of(judged, forms))),
};

/// The samples in the order of a class's probability, smallest first: the index, times four, plus two for a sample of the
/// class, plus one for the last of equal probabilities.
type Order = Vec<u32>;

struct Areas {
    /// Of every class.
    classes: Vec<Order>,
    /// Samples of each class.
    supports: Vec<usize>,
    /// Of all pairs of sample and class thrown together, where asked for.
    micro: Option<Order>,
    labels: Vec<u32>,
    n: usize,
}

impl Areas {
    fn of(judged: &Judged<'_>, forms: &[Form]) -> Areas {
        let (n, n_classes) = (judged.len(), judged.n_classes());
        assert!(n < 1 << 30, "the index of a sample fits 30 bits");
        let probabilities = &judged.predictions.probabilities;
        let class = |class: usize| {
            let scores =
                (0..n).map(|i| (probabilities[i * n_classes + class], i as u32, judged.label(i) as usize == class));
            order(scores.collect())
        };
        let micro = forms.contains(&Form::Average(Average::Micro)).then(|| {
            let is_label = |pair: usize| judged.label(pair / n_classes) as usize == pair % n_classes;
            order(probabilities.iter().enumerate().map(|(i, &p)| (p, (i / n_classes) as u32, is_label(i))).collect())
        });
        let mut supports = vec![0; n_classes];
        judged.predictions.labels.iter().for_each(|&label| supports[label as usize] += 1);
        let classes = (0..n_classes).into_par_iter().map(class).collect();
        Areas { classes, supports, micro, labels: judged.predictions.labels.clone(), n }
    }
}

/// Sorts (probability, index, whether it is of the class).
fn order(mut scores: Vec<(f32, u32, bool)>) -> Order {
    scores.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let is_last = |at: usize| scores.get(at + 1).is_none_or(|next| next.0 != scores[at].0);
    (0..scores.len()).map(|at| scores[at].1 << 2 | u32::from(scores[at].2) << 1 | u32::from(is_last(at))).collect()
}

/// The area where sample i counts `weights[i]` times.
fn area(order: &[u32], weights: &[u32]) -> f64 {
    let (mut inside, mut outside, mut doubled) = (0u64, 0u64, 0u128);
    let mut tied = [0u64; 2];
    for &entry in order {
        tied[(entry >> 1 & 1) as usize] += u64::from(weights[(entry >> 2) as usize]);
        if entry & 1 == 1 {
            doubled += u128::from(tied[1]) * u128::from(2 * outside + tied[0]);
            inside += tied[1];
            outside += tied[0];
            tied = [0; 2];
        }
    }
    doubled as f64 / (2.0 * inside as f64 * outside as f64)
}

impl Statistic for Areas {
    fn n_values(&self) -> usize {
        Average::ALL.len() + self.classes.len()
    }

    fn values(&self, weights: &[u32], values: &mut [f64]) {
        for (value, order) in values[Average::ALL.len()..].iter_mut().zip(&self.classes) {
            *value = area(order, weights);
        }
        let mut supports = vec![0.0; self.classes.len()];
        self.labels.iter().zip(weights).for_each(|(&label, &weight)| supports[label as usize] += f64::from(weight));
        fill_averages(values, supports.into_iter());
        values[Form::Average(Average::Micro).place()] =
            self.micro.as_ref().map_or(f64::NAN, |order| area(order, weights));
    }

    fn n(&self, place: usize) -> usize {
        place.checked_sub(Average::ALL.len()).map_or(self.n, |class| self.supports[class])
    }

    fn interval(&self, _: usize, _: f64, _: u64) -> Option<Interval> {
        None
    }
}
