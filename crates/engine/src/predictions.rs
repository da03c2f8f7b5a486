//! What a network said about samples, as it goes from the engine to who judges it.

/// Class probabilities of samples, with their labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// The name of the network's output.
    pub output: String,
    /// The field that holds the labels.
    pub field: String,
    /// The number of classes.
    pub n_classes: usize,
    /// Indices of the samples in their data.
    pub samples: Vec<u32>,
    /// The label of each sample.
    pub labels: Vec<u32>,
    /// `[n, n_classes]`, each row with sum 1.
    pub probabilities: Vec<f32>,
}

impl Predictions {
    /// The number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The probabilities of the sample at `index`.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.probabilities[index * self.n_classes..][..self.n_classes]
    }
}
