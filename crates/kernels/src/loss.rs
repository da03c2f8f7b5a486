//! Losses against a class label, one number a sample, and their gradients.
//!
//! Cross-entropy: `weight[label] * -sum of target * ln p`, `target = (1 - s) * onehot(label) + s / K`, with p the softmax of
//! the scores or the scores themselves. Squared error: `weight[label] * mean of (p - onehot(label))^2`. scores and p:
//! `[n, classes]`; labels, losses, dy: `[n]`; weights: `[classes]`.

use crate::Isa;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::softmax::{exponentials, exponentials_from, largest, load};

/// Probabilities that do not come from logits count as at least this, in the logarithm and in the gradient: a network
/// that is sure and wrong gets a large loss and a large push, no infinity. The number is that of Keras.
pub const SMALLEST_PROBABILITY: f32 = 1e-7;

/// What a cross-entropy is of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossEntropy {
    pub classes: usize,
    pub label_smoothing: f32,
    /// Whether scores are logits, not probabilities.
    pub from_logits: bool,
}

/// The loss of every sample.
///
/// # Panics
/// If lengths disagree or a label is no class.
pub fn cross_entropy(
    isa: Isa,
    loss: &CrossEntropy,
    scores: &[f32],
    labels: &[u32],
    weights: Option<&[f32]>,
    losses: &mut [f32],
) {
    check(loss.classes, scores.len(), labels, weights);
    assert_eq!(losses.len(), labels.len());
    isa.run(Losses { loss, scores, labels, weights, losses });
}

/// The gradient of the scores, from that of every sample's loss.
///
/// # Panics
/// If lengths disagree or a label is no class.
pub fn cross_entropy_gradient(
    isa: Isa,
    loss: &CrossEntropy,
    scores: &[f32],
    labels: &[u32],
    weights: Option<&[f32]>,
    dy: &[f32],
    dscores: &mut [f32],
) {
    check(loss.classes, scores.len(), labels, weights);
    assert_eq!((dy.len(), dscores.len()), (labels.len(), scores.len()));
    isa.run(Gradients { loss, scores, labels, weights, dy, dscores });
}

/// The squared error of every sample.
///
/// # Panics
/// If lengths disagree or a label is no class.
pub fn squared_error(isa: Isa, classes: usize, p: &[f32], labels: &[u32], weights: Option<&[f32]>, losses: &mut [f32]) {
    check(classes, p.len(), labels, weights);
    assert_eq!(losses.len(), labels.len());
    isa.run(SquaredErrors { classes, p, labels, weights, losses });
}

/// The gradient of the probabilities, from that of every sample's loss.
///
/// # Panics
/// If lengths disagree or a label is no class.
pub fn squared_error_gradient(
    isa: Isa,
    classes: usize,
    p: &[f32],
    labels: &[u32],
    weights: Option<&[f32]>,
    dy: &[f32],
    dp: &mut [f32],
) {
    check(classes, p.len(), labels, weights);
    assert_eq!((dy.len(), dp.len()), (labels.len(), p.len()));
    isa.run(SquaredErrorGradients { classes, p, labels, weights, dy, dp });
}

fn check(classes: usize, scores: usize, labels: &[u32], weights: Option<&[f32]>) {
    assert!(classes > 0 && scores == labels.len() * classes);
    assert!(weights.is_none_or(|w| w.len() == classes));
    assert!(labels.iter().all(|&label| (label as usize) < classes), "a label is one of {classes} classes");
}

#[inline(always)]
fn weight(weights: Option<&[f32]>, label: u32) -> f32 {
    weights.map_or(1.0, |weights| weights[label as usize])
}

/// At least the smallest probability; what is not a number stays so.
#[inline(always)]
fn floored(p: f32) -> f32 {
    if p < SMALLEST_PROBABILITY { SMALLEST_PROBABILITY } else { p }
}

struct Losses<'a> {
    loss: &'a CrossEntropy,
    scores: &'a [f32],
    labels: &'a [u32],
    weights: Option<&'a [f32]>,
    losses: &'a mut [f32],
}

impl Kernel for Losses<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let CrossEntropy { classes, label_smoothing, from_logits } = *self.loss;
        let smoothing = f64::from(label_smoothing);
        for ((scores, &label), to) in self.scores.chunks_exact(classes).zip(self.labels).zip(self.losses) {
            let of_label = scores[label as usize];
            // The logarithm of p of the label, and the mean of all.
            let (logarithm, mean) = if from_logits {
                let (largest, total, sum) = moments::<L>(scores);
                let total = f64::from(total).ln();
                let mean = sum / classes as f64 - total;
                (f64::from(of_label) - f64::from(largest) - total, mean)
            } else {
                let ln = |&p: &f32| f64::from(floored(p)).ln();
                let mean = scores.iter().map(ln).sum::<f64>() / classes as f64;
                (ln(&of_label), mean)
            };
            // Without smoothing the mean does not count, even if it is infinite.
            let smoothed = if smoothing == 0.0 { 0.0 } else { smoothing * mean };
            let value = -(1.0 - smoothing) * logarithm - smoothed;
            *to = (f64::from(weight(self.weights, label)) * value) as f32;
        }
    }
}

/// The largest score; the sums of the exponentials of differences from it, and of the differences.
#[inline(always)]
fn moments<L: Lanes>(scores: &[f32]) -> (f32, f32, f64) {
    let largest = largest::<L>(scores);
    let (mut total, mut sum) = (0.0, 0.0);
    let mut part = [0.0; PART];
    for scores in scores.chunks(PART) {
        let part = &mut part[..scores.len()];
        total += exponentials_from::<L>(scores, largest, part);
        sum += scores.iter().map(|&x| f64::from(x) - f64::from(largest)).sum::<f64>();
    }
    (largest, total, sum)
}

/// Scores that are taken at a time.
const PART: usize = 64;

struct Gradients<'a> {
    loss: &'a CrossEntropy,
    scores: &'a [f32],
    labels: &'a [u32],
    weights: Option<&'a [f32]>,
    dy: &'a [f32],
    dscores: &'a mut [f32],
}

impl Kernel for Gradients<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let CrossEntropy { classes, label_smoothing, from_logits } = *self.loss;
        let (one_hot, everywhere) = (1.0 - label_smoothing, label_smoothing / classes as f32);
        let rows = self.scores.chunks_exact(classes).zip(self.dscores.chunks_exact_mut(classes));
        for ((scores, to), (&label, &dy)) in rows.zip(self.labels.iter().zip(self.dy)) {
            let factor = dy * weight(self.weights, label);
            let at = label as usize;
            if from_logits {
                let (_, total) = exponentials::<L>(scores, to);
                let share = 1.0 / total;
                let of_label = factor * (to[at] * share - one_hot - everywhere);
                let (factor, share, target) = (L::splat(factor), L::splat(share), L::splat(everywhere));
                for to in to.chunks_mut(L::N) {
                    let value = load::<L>(to).mul(share).sub(target).mul(factor);
                    // SAFETY: as many numbers as the slice has, at most `N`.
                    unsafe { value.store_first(to.as_mut_ptr(), to.len()) }
                }
                to[at] = of_label;
            } else {
                for (class, (to, &p)) in to.iter_mut().zip(scores).enumerate() {
                    let target = everywhere + if class == at { one_hot } else { 0.0 };
                    *to = -factor * target / floored(p);
                }
            }
        }
    }
}

struct SquaredErrors<'a> {
    classes: usize,
    p: &'a [f32],
    labels: &'a [u32],
    weights: Option<&'a [f32]>,
    losses: &'a mut [f32],
}

impl Kernel for SquaredErrors<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        for ((p, &label), to) in self.p.chunks_exact(self.classes).zip(self.labels).zip(self.losses) {
            let mut sum = 0.0;
            for (class, &p) in p.iter().enumerate() {
                let difference = f64::from(p) - f64::from(u8::from(class == label as usize));
                sum += difference * difference;
            }
            *to = (f64::from(weight(self.weights, label)) * sum / self.classes as f64) as f32;
        }
    }
}

struct SquaredErrorGradients<'a> {
    classes: usize,
    p: &'a [f32],
    labels: &'a [u32],
    weights: Option<&'a [f32]>,
    dy: &'a [f32],
    dp: &'a mut [f32],
}

impl Kernel for SquaredErrorGradients<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let rows = self.p.chunks_exact(self.classes).zip(self.dp.chunks_exact_mut(self.classes));
        for ((p, to), (&label, &dy)) in rows.zip(self.labels.iter().zip(self.dy)) {
            let factor = dy * weight(self.weights, label) * 2.0 / self.classes as f32;
            for (to, &p) in to.iter_mut().zip(p) {
                *to = factor * p;
            }
            let at = label as usize;
            to[at] = factor * (p[at] - 1.0);
        }
    }
}

#[cfg(test)]
mod tests;
