//! Predictions with the decision of every sample: what all metrics start from.

use engine::Predictions;

/// Predictions and what was decided by them.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// What the network said.
    pub predictions: &'a Predictions,
    /// The class with the largest probability of each sample.
    pub decisions: Vec<u32>,
}

impl<'a> Judged<'a> {
    /// Decides every sample.
    ///
    /// # Panics
    /// If a label is no class, or the lengths do not agree: a bug.
    pub fn new(predictions: &'a Predictions) -> Judged<'a> {
        let (n, n_classes) = (predictions.len(), predictions.n_classes);
        assert_eq!(predictions.labels.len(), n, "one label a sample");
        assert_eq!(predictions.probabilities.len(), n * n_classes, "one probability a sample and class");
        assert!(predictions.labels.iter().all(|&label| (label as usize) < n_classes), "labels are classes");
        let decisions = (0..n).map(|index| decision(predictions.row(index))).collect();
        Judged { predictions, decisions }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.decisions.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.decisions.is_empty()
    }

    /// The number of classes.
    pub fn n_classes(&self) -> usize {
        self.predictions.n_classes
    }

    /// The label of a sample.
    pub fn label(&self, index: usize) -> u32 {
        self.predictions.labels[index]
    }

    /// Whether a sample was decided right.
    pub fn is_right(&self, index: usize) -> bool {
        self.decisions[index] == self.label(index)
    }

    /// The probability of what was decided.
    pub fn confidence(&self, index: usize) -> f32 {
        self.predictions.row(index)[self.decisions[index] as usize]
    }

    /// `counts[label * n_classes + decision]`.
    pub fn confusion(&self) -> Vec<u64> {
        let mut counts = vec![0; self.n_classes() * self.n_classes()];
        for (label, decision) in self.predictions.labels.iter().zip(&self.decisions) {
            counts[*label as usize * self.n_classes() + *decision as usize] += 1;
        }
        counts
    }
}

/// The class with the largest probability; of equal ones the first.
pub fn decision(row: &[f32]) -> u32 {
    let largest = |best: (usize, f32), (class, &p): (usize, &f32)| if p > best.1 { (class, p) } else { best };
    row.iter().enumerate().fold((0, f32::NEG_INFINITY), largest).0 as u32
}
