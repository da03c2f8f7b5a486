//! All losses on every instruction set against plain loops in f64.

use super::*;
use crate::truth::{assert_close, numbers};

/// Loss and gradient (for a dy of one) of a sample, in f64.
fn truth(loss: &CrossEntropy, scores: &[f32], label: u32, weight: f64) -> (f64, Vec<f64>) {
    let (classes, smoothing) = (loss.classes as f64, f64::from(loss.label_smoothing));
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f64> = scores.iter().map(|&s| (f64::from(s) - f64::from(largest)).exp()).collect();
    let total: f64 = exponentials.iter().sum();
    let mut value = 0.0;
    let gradient = scores.iter().enumerate().map(|(class, &score)| {
        let target = smoothing / classes + if class == label as usize { 1.0 - smoothing } else { 0.0 };
        if loss.from_logits {
            value -= weight * target * (f64::from(score) - f64::from(largest) - total.ln());
            weight * (exponentials[class] / total - target)
        } else {
            let p = f64::from(score).max(f64::from(SMALLEST_PROBABILITY));
            value -= weight * target * p.ln();
            -weight * target / p
        }
    });
    let gradient = gradient.collect();
    (value, gradient)
}

#[test]
fn cross_entropies_agree_with_f64() {
    for (n, classes, label_smoothing, from_logits, weighted) in [
        (1, 1, 0.0, true, false),
        (3, 10, 0.0, true, false),
        (4, 17, 0.1, true, false),
        (5, 3, 0.1, true, true),
        (2, 1000, 0.1, true, true),
        (3, 10, 0.0, false, false),
        (2, 5, 0.2, false, true),
    ] {
        let loss = CrossEntropy { classes, label_smoothing, from_logits };
        let low = if from_logits { -20.0 } else { -0.01 };
        let scores = numbers(1, n * classes, low, if from_logits { 20.0 } else { 1.0 });
        let labels: Vec<u32> = numbers(2, n, 0.0, classes as f64).into_iter().map(|x| x as u32).collect();
        let (weights, dy) = (numbers(3, classes, 0.5, 2.0), numbers(4, n, -1.0, 1.0));
        let weights = weighted.then_some(&weights[..]);
        let (mut values, mut gradients) = (vec![], vec![]);
        for (index, scores) in scores.chunks(classes).enumerate() {
            let weight = weights.map_or(1.0, |w| f64::from(w[labels[index] as usize]));
            let (value, gradient) = truth(&loss, scores, labels[index], weight);
            values.push(value);
            gradients.extend(gradient.into_iter().map(|g| g * f64::from(dy[index])));
        }
        for isa in Isa::available() {
            let name = format!("{loss:?} on {}", isa.name());
            let (mut losses, mut dscores) = (vec![9.0; n], vec![9.0; scores.len()]);
            cross_entropy(isa, &loss, &scores, &labels, weights, &mut losses);
            assert_close(&name, &losses, &values, 1e-6, 1e-6);
            cross_entropy_gradient(isa, &loss, &scores, &labels, weights, &dy, &mut dscores);
            assert_close(&name, &dscores, &gradients, 2e-6, 1e-7);
        }
    }
}

#[test]
fn squared_errors_agree_with_f64() {
    for (n, classes, weighted) in [(1, 2, false), (3, 10, false), (4, 17, true)] {
        let p = numbers(1, n * classes, 0.0, 1.0);
        let labels: Vec<u32> = numbers(2, n, 0.0, classes as f64).into_iter().map(|x| x as u32).collect();
        let (weights, dy) = (numbers(3, classes, 0.5, 2.0), numbers(4, n, -1.0, 1.0));
        let weights = weighted.then_some(&weights[..]);
        let (mut values, mut gradients) = (vec![], vec![]);
        for (index, p) in p.chunks(classes).enumerate() {
            let weight = weights.map_or(1.0, |w| f64::from(w[labels[index] as usize])) / classes as f64;
            let one_hot = |class: usize| f64::from(u8::from(class == labels[index] as usize));
            let differences: Vec<f64> = p.iter().enumerate().map(|(c, &p)| f64::from(p) - one_hot(c)).collect();
            values.push(weight * differences.iter().map(|d| d * d).sum::<f64>());
            gradients.extend(differences.iter().map(|d| weight * 2.0 * d * f64::from(dy[index])));
        }
        for isa in Isa::available() {
            let (mut losses, mut dp) = (vec![9.0; n], vec![9.0; p.len()]);
            squared_error(isa, classes, &p, &labels, weights, &mut losses);
            assert_close(isa.name(), &losses, &values, 1e-6, 0.0);
            squared_error_gradient(isa, classes, &p, &labels, weights, &dy, &mut dp);
            assert_close(isa.name(), &dp, &gradients, 1e-6, 1e-7);
        }
    }
}

#[test]
fn scores_that_are_large_or_no_numbers() {
    let loss = CrossEntropy { classes: 3, label_smoothing: 0.0, from_logits: true };
    for (isa, from_logits) in Isa::available().into_iter().flat_map(|isa| [(isa, true), (isa, false)]) {
        let mut losses = [0.0; 2];
        cross_entropy(isa, &loss, &[1e30, -1e30, 0.0, 1e30, -1e30, 1e30], &[0, 1], None, &mut losses);
        assert!(losses[0] == 0.0 && losses[1] == 2e30, "{losses:?}");
        let loss = CrossEntropy { from_logits, ..loss };
        let (mut losses, mut dscores) = ([0.0], [0.0; 3]);
        cross_entropy(isa, &loss, &[0.5, f32::NAN, 0.5], &[1], None, &mut losses);
        cross_entropy_gradient(isa, &loss, &[0.5, f32::NAN, 0.5], &[1], None, &[1.0], &mut dscores);
        assert!(losses[0].is_nan() && dscores[1].is_nan(), "{losses:?} {dscores:?}");
    }
}

#[test]
#[should_panic(expected = "a label is one of 3 classes")]
fn a_label_is_a_class() {
    squared_error(Isa::best(), 3, &[0.0; 3], &[3], None, &mut [0.0]);
}
