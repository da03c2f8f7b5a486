//! How often 95 % intervals hold the truth: a thousand evaluations of an overconfident classifier whose true values are
//! known from four million samples, for every metric of the table and every average of it.

use std::collections::BTreeMap;

use engine::Predictions;
use evaluator::Evaluation;
use evaluator::metrics::{METRICS, Measure, Metric};
use evaluator::words::{Part, Weights};
use kernels::random::{Draws, Stream, purpose};
use rayon::prelude::*;

/// Classes, the later the rarer.
const CLASSES: usize = 4;

/// Evaluations, and samples of each.
const EVALUATIONS: u64 = 1000;
const SAMPLES: usize = 1000;

/// The truth is measured on as many samples, in parts that fit the memory.
const TRUTH_PARTS: u64 = 16;
const TRUTH_SAMPLES: usize = 250_000;

/// A sample: the label's class scores higher by 1.6 on average; probabilities are the softmax of 1.4 times the scores,
/// which is surer than it should be.
fn sample(draws: &mut Draws, probabilities: &mut Vec<f32>) -> u32 {
    let weights = [0.4, 0.3, 0.2, 0.1];
    let place = draws.uniform();
    let label = (0..CLASSES - 1).find(|class| place < weights[..=*class].iter().sum()).unwrap_or(CLASSES - 1);
    let score = |class: usize, draws: &mut Draws| draws.normal() + if class == label { 1.6 } else { 0.0 };
    let scores: Vec<f64> = (0..CLASSES).map(|class| (1.4 * score(class, draws)).exp()).collect();
    let sum: f64 = scores.iter().sum();
    probabilities.extend(scores.iter().map(|score| (score / sum) as f32));
    label as u32
}

fn predictions(stream: &str, number: u64, n: usize) -> Predictions {
    let mut draws = Stream::new(7, purpose(stream), 0, number).draws();
    let mut made = Predictions { n_classes: CLASSES, samples: (0..n as u32).collect(), ..Predictions::default() };
    for _ in 0..n {
        made.labels.push(sample(&mut draws, &mut made.probabilities));
    }
    made
}

/// Every metric that has a value, under all its names.
fn evaluation() -> Evaluation {
    let valued = METRICS.iter().filter(|row| !matches!(row.measure, Measure::Picture));
    let name = |name: String| if name == "top_5_accuracy" { "top_2_accuracy".to_string() } else { name };
    let metrics = valued.flat_map(|row| row.names()).map(|each| Metric::find(&name(each)).unwrap()).collect();
    Evaluation { part: Part::Test, weights: Weights::Last, metrics, interval: 0.95 }
}

fn classes() -> Vec<String> {
    (0..CLASSES).map(|class| class.to_string()).collect()
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let evaluation = evaluation();
    let mut truth: BTreeMap<String, f64> = BTreeMap::new();
    for part in 0..TRUTH_PARTS {
        for (name, value) in evaluation.quick(&predictions("truth", part, TRUTH_SAMPLES)) {
            *truth.entry(name).or_default() += value / TRUTH_PARTS as f64;
        }
    }
    let holds = |number: u64| {
        let measured = evaluation.measure(&predictions("evaluation", number, SAMPLES), &classes(), number);
        let whole = measured.rows.into_iter().filter(|row| row.class.is_none());
        whole.map(|row| (row.low..=row.high).contains(&truth[&row.metric])).collect::<Vec<bool>>()
    };
    let all: Vec<Vec<bool>> = (0..EVALUATIONS).into_par_iter().map(holds).collect();
    let held = |at: usize| all.iter().filter(|evaluation| evaluation[at]).count();
    let held: Vec<(&str, usize)> =
        evaluation.metrics.iter().enumerate().map(|(at, metric)| (metric.name.as_str(), held(at))).collect();
    assert!(held.len() >= 17 && held.iter().all(|(_, held)| (930..=970).contains(held)), "of 1000: {held:?}");
}
