//! Metrics against scikit-learn's numbers on the same predictions (references/metrics.py), and what holds of any.

use std::collections::BTreeMap;

use engine::Predictions;
use evaluator::metrics::{METRICS, Measure, Metric};
use evaluator::words::{Part, Weights};
use evaluator::{Evaluation, Measured};
use serde::Deserialize;

#[derive(Deserialize)]
struct References {
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    n_classes: usize,
    labels: Vec<u32>,
    sixty_fourths: Vec<u8>,
    values: BTreeMap<String, f64>,
    by_class: BTreeMap<String, Vec<f64>>,
    confusion: Vec<u64>,
}

impl Case {
    fn predictions(&self) -> Predictions {
        Predictions {
            output: "scores".into(),
            field: "label".into(),
            n_classes: self.n_classes,
            samples: (0..self.labels.len() as u32).collect(),
            labels: self.labels.clone(),
            probabilities: self.sixty_fourths.iter().map(|&parts| f32::from(parts) / 64.0).collect(),
        }
    }
}

fn references() -> BTreeMap<String, Case> {
    let references: References = serde_json::from_str(include_str!("references/metrics.json")).unwrap();
    references.cases
}

fn evaluation<'a>(names: impl IntoIterator<Item = &'a str>) -> Evaluation {
    let metrics = names.into_iter().map(|name| Metric::find(name).unwrap_or_else(|| panic!("{name}"))).collect();
    Evaluation { part: Part::Test, weights: Weights::Last, metrics, interval: 0.95 }
}

fn classes(n: usize) -> Vec<String> {
    (0..n).map(|class| format!("class {class}")).collect()
}

/// Sums of at most a few hundred terms in f64, in another order.
#[track_caller]
fn close(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() < 1e-12, "{what}: {found}, expected {expected}");
}

#[test]
fn values_are_those_of_scikit_learn() {
    for (title, case) in references() {
        let evaluation = evaluation(case.values.keys().map(String::as_str));
        let predictions = case.predictions();
        let measured = evaluation.measure(&predictions, &classes(case.n_classes), 1);
        for (name, &expected) in &case.values {
            close(measured.find(name).unwrap().value, expected, &format!("{title}: {name}"));
        }
        for (name, value) in evaluation.quick(&predictions) {
            close(value, case.values[&name], &format!("{title}: quick {name}"));
        }
        assert_eq!(measured.confusion, case.confusion, "{title}");
    }
}

#[test]
fn values_of_classes_are_those_of_scikit_learn() {
    for (title, case) in references() {
        let measured = evaluation(["auroc_macro"]).measure(&case.predictions(), &classes(case.n_classes), 1);
        for (family, values) in &case.by_class {
            for (class, &expected) in classes(case.n_classes).iter().zip(values) {
                let row = measured.find_class(family, class).unwrap();
                close(row.value, expected, &format!("{title}: {family} of {class}"));
            }
        }
    }
}

fn perfect(n: usize) -> Predictions {
    let labels: Vec<u32> = (0..n as u32).map(|index| index % 3).collect();
    let probabilities = labels.iter().flat_map(|&label| (0..3).map(move |c| f32::from(c == label))).collect();
    Predictions { n_classes: 3, samples: (0..n as u32).collect(), labels, probabilities, ..Predictions::default() }
}

#[test]
fn every_metric_has_its_best_value_for_perfect_predictions() {
    let names: Vec<String> = METRICS.iter().flat_map(|row| row.names()).collect();
    let evaluation = evaluation(names.iter().map(String::as_str));
    let measured = evaluation.measure(&perfect(30), &classes(3), 1);
    for (name, direction) in evaluation.directions() {
        let best = if direction == evaluator::Direction::Larger { 1.0 } else { 0.0 };
        assert_eq!(measured.find(&name).unwrap().value, best, "{name}");
    }
}

#[test]
fn intervals_hold_their_values_and_follow_from_the_seed_alone() {
    let case = &references()["five classes"];
    let evaluation = evaluation(case.values.keys().map(String::as_str));
    let measure = |threads: usize, seed: u64| -> Measured {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| evaluation.measure(&case.predictions(), &classes(5), seed))
    };
    let once = measure(1, 7);
    assert_eq!(once, measure(3, 7), "threads change nothing");
    assert_ne!(once, measure(1, 8), "another seed draws other samples");
    for row in &once.rows {
        assert!(row.n > 0 && row.low < row.high, "{row:?}");
        // The calibration error of a resample is larger than that of the samples: its noise does not cancel.
        let holds = row.low <= row.value && row.value <= row.high;
        assert!(holds || row.metric == "calibration_error", "{row:?}");
    }
}

#[test]
fn nothing_and_one_class_are_no_panic() {
    let names: Vec<String> = METRICS.iter().flat_map(|row| row.names()).collect();
    let evaluation = evaluation(names.iter().map(String::as_str));
    let measured = evaluation.measure(&Predictions { n_classes: 2, ..Predictions::default() }, &classes(2), 1);
    assert!(measured.rows.iter().all(|row| row.value.is_nan() && row.n == 0), "{:?}", measured.rows);
    let mut one = perfect(3);
    one.labels = vec![0; 3];
    let measured = evaluation.measure(&one, &classes(3), 1);
    let auroc = measured.find("auroc_macro").unwrap();
    assert!(auroc.value.is_nan() && auroc.low.is_nan(), "{auroc:?}");
}

#[test]
fn the_table_is_in_order_and_its_names_lead_back() {
    assert!(METRICS.windows(2).all(|pair| pair[0].name < pair[1].name));
    for row in METRICS {
        assert!(row.doc.ends_with('.') && spec::is_name(row.name), "{}", row.name);
        for name in row.names() {
            assert_eq!(Metric::find(&name).unwrap().row.name, row.name, "{name}");
        }
        for synonym in row.synonyms {
            assert!(Metric::find(synonym).is_none(), "{synonym} is a name already");
            let others = METRICS.iter().filter(|other| other.synonyms.contains(synonym));
            assert_eq!(others.count(), 1, "{synonym} stands once");
        }
    }
    assert!(Metric::find("top_k_accuracy").is_none() && Metric::find("top_05_accuracy").is_none());
    assert!(METRICS.iter().any(|row| matches!(row.measure, Measure::Picture)));
}
