//! Losses against class labels, one number a sample, and their gradients. A sample is a few numbers: they are computed
//! in f64.

use crate::Isa;

/// Probabilities that do not come from logits count as at least this (Keras has the same number).
const SMALLEST_PROBABILITY: f64 = 1e-7_f32 as f64;

/// Cross-entropy with the smoothed one-hot label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossEntropy {
    pub classes: usize,
    pub label_smoothing: f32,
    /// Whether scores are logits; else they are probabilities.
    pub from_logits: bool,
}

impl CrossEntropy {
    fn target(&self, class: usize, label: usize) -> f64 {
        let smoothing = f64::from(self.label_smoothing);
        smoothing / self.classes as f64 + if class == label { 1.0 - smoothing } else { 0.0 }
    }
}

/// `losses[n] = weight[label] * -sum of target * ln p`
///
/// # Panics
/// If lengths do not fit or a label is none of the classes.
pub fn cross_entropy(
    _isa: Isa,
    kind: &CrossEntropy,
    scores: &[f32],
    labels: &[u32],
    weights: Option<&[f32]>,
    losses: &mut [f32],
) {
    for ((scores, label), loss) in samples(kind.classes, scores, labels, losses.len()).zip(losses) {
        let (largest, total) = normalizer(scores);
        let logarithm = |score: f32| match kind.from_logits {
            true => f64::from(score) - largest - total.ln(),
            false => floored(score).ln(),
        };
        let terms = scores.iter().enumerate().map(|(class, score)| match kind.target(class, label) {
            0.0 => 0.0,
            target => target * logarithm(*score),
        });
        *loss = (-weight(weights, label) * terms.sum::<f64>()) as f32;
    }
}

/// `dscores` from `dy`, one number a sample.
///
/// # Panics
/// If lengths do not fit or a label is none of the classes.
pub fn cross_entropy_gradient(
    _isa: Isa,
    kind: &CrossEntropy,
    scores: &[f32],
    labels: &[u32],
    weights: Option<&[f32]>,
    dy: &[f32],
    dscores: &mut [f32],
) {
    assert_eq!(dscores.len(), scores.len());
    let rows = dscores.chunks_exact_mut(kind.classes).zip(dy);
    for ((scores, label), (dscores, dy)) in samples(kind.classes, scores, labels, dy.len()).zip(rows) {
        let factor = f64::from(*dy) * weight(weights, label);
        let (largest, total) = normalizer(scores);
        for (class, (dscore, score)) in dscores.iter_mut().zip(scores).enumerate() {
            let target = kind.target(class, label);
            let slope = match kind.from_logits {
                true => (f64::from(*score) - largest).exp() / total - target,
                false => -target / floored(*score),
            };
            *dscore = (factor * slope) as f32;
        }
    }
}

/// `losses[n] = weight[label] * mean of (p - onehot)^2`
///
/// # Panics
/// If lengths do not fit or a label is none of the classes.
pub fn squared_error(
    _isa: Isa,
    classes: usize,
    p: &[f32],
    labels: &[u32],
    weights: Option<&[f32]>,
    losses: &mut [f32],
) {
    for ((p, label), loss) in samples(classes, p, labels, losses.len()).zip(losses) {
        let squares = p.iter().enumerate().map(|(class, p)| difference(*p, class, label).powi(2));
        *loss = (weight(weights, label) * squares.sum::<f64>() / classes as f64) as f32;
    }
}

/// `dp = dy * weight * 2 * (p - onehot) / classes`
///
/// # Panics
/// If lengths do not fit or a label is none of the classes.
pub fn squared_error_gradient(
    _isa: Isa,
    classes: usize,
    p: &[f32],
    labels: &[u32],
    weights: Option<&[f32]>,
    dy: &[f32],
    dp: &mut [f32],
) {
    assert_eq!(dp.len(), p.len());
    let rows = dp.chunks_exact_mut(classes).zip(dy);
    for ((p, label), (dp, dy)) in samples(classes, p, labels, dy.len()).zip(rows) {
        let factor = f64::from(*dy) * weight(weights, label) * 2.0 / classes as f64;
        for (class, (dp, p)) in dp.iter_mut().zip(p).enumerate() {
            *dp = (factor * difference(*p, class, label)) as f32;
        }
    }
}

/// Scores and label of each sample.
fn samples<'a>(
    classes: usize,
    scores: &'a [f32],
    labels: &'a [u32],
    n: usize,
) -> impl Iterator<Item = (&'a [f32], usize)> {
    assert_eq!((scores.len(), labels.len()), (n * classes, n));
    scores.chunks_exact(classes).zip(labels).map(move |(scores, label)| {
        assert!((*label as usize) < classes, "label {label} is one of {classes} classes");
        (scores, *label as usize)
    })
}

/// The largest score, and the sum of the exponentials of scores less it.
fn normalizer(scores: &[f32]) -> (f64, f64) {
    let largest = f64::from(scores.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    (largest, scores.iter().map(|score| (f64::from(*score) - largest).exp()).sum())
}

fn floored(probability: f32) -> f64 {
    let probability = f64::from(probability);
    if probability < SMALLEST_PROBABILITY { SMALLEST_PROBABILITY } else { probability }
}

fn difference(p: f32, class: usize, label: usize) -> f64 {
    f64::from(p) - if class == label { 1.0 } else { 0.0 }
}

fn weight(weights: Option<&[f32]>, label: usize) -> f64 {
    weights.map_or(1.0, |weights| f64::from(weights[label]))
}
