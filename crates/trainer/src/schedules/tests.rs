//! Every schedule against its formula, and against PyTorch's schedulers.

use serde_json::Value as Json;
use spec::{Sources, Type, parse, resolve};

use super::*;

/// The schedule that a text says.
fn read(text: &str) -> Schedule {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let tree = parse("schedule.yaml", text.as_bytes(), &mut sources, &mut faults).unwrap();
    let node = resolve(&tree, &Type::Kind(&SCHEDULES), &mut faults);
    check_schedule(&node, &mut faults);
    assert!(faults.is_empty(), "{}", faults.render(&sources, false));
    schedule(&<Chosen as Word>::read(&node))
}

fn at(step: u64, steps_per_epoch: u64, total_steps: u64) -> Position {
    Position { step, steps_per_epoch, total_steps, plateaus: 0 }
}

fn factors(text: &str, steps_per_epoch: u64, total_steps: u64) -> Vec<f64> {
    let schedule = read(text);
    (0..total_steps).map(|step| schedule.factor(&at(step, steps_per_epoch, total_steps))).collect()
}

fn check(text: &str, expected: &[f64]) {
    let found = factors(text, 2, expected.len() as u64);
    for (step, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() < 1e-12, "{text} at step {step}: {found}, expected {expected}");
    }
}

#[test]
fn factors_are_those_of_their_formulas() {
    check("constant", &[1.0; 4]);
    check("{type: constant, warmup_steps: 4}", &[0.0, 0.25, 0.5, 0.75, 1.0, 1.0]);
    check("{type: constant, warmup_epochs: 1, warmup_from: 0.5}", &[0.5, 0.75, 1.0, 1.0]);
    check("{type: linear, final: 0.5}", &[1.0, 0.875, 0.75, 0.625]);
    check("{type: linear, warmup_steps: 2}", &[0.0, 0.5, 1.0, 0.75, 0.5, 0.25]);
    let r = 0.5_f64.sqrt();
    check("cosine", &[1.0, (1.0 + r) / 2.0, 0.5, (1.0 - r) / 2.0]);
    check("{type: cosine, final: 0.2}", &[1.0, 0.6]);
    check("{type: step, milestones: [1, 2], factor: 0.5}", &[1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25]);
    check("{type: step, every: 2}", &[1.0, 1.0, 1.0, 1.0, 0.1, 0.1]);
    check("{type: step, at_steps: [1], factor: 0.5}", &[1.0, 0.5, 0.5]);
    check("{type: step, every_steps: 2, factor: 0.5, warmup_steps: 4}", &[0.0, 0.25, 0.25, 0.375, 0.25]);
    check("{type: piecewise, milestones: [1], factors: [0.5, 2]}", &[0.5, 0.5, 2.0, 2.0]);
    check("{type: piecewise, at_steps: [1, 3], factors: [1, 0.5, 0]}", &[1.0, 0.5, 0.5, 0.0]);
}

#[test]
fn a_plateau_multiplies_once_each_time() {
    let schedule = read("{type: reduce_on_plateau, factor: 0.5}");
    let factor = |plateaus| schedule.factor(&Position { plateaus, ..at(7, 2, 10) });
    assert_eq!([factor(0), factor(1), factor(3)], [1.0, 0.5, 0.125]);
    assert_eq!(schedule.plateau().unwrap().patience, 10);
    assert!(read("cosine").plateau().is_none());
}

/// `tests/references/schedules.py` makes the numbers.
#[test]
fn factors_are_those_of_pytorch() {
    let reference: Json = serde_json::from_str(include_str!("../../tests/references/schedules.json")).unwrap();
    for case in reference.as_array().unwrap() {
        let text = case["schedule"].as_str().unwrap();
        let expected: Vec<f64> = case["factors"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        let steps_per_epoch = case["steps_per_epoch"].as_u64().unwrap();
        let found = factors(text, steps_per_epoch, expected.len() as u64);
        for (step, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!((found - expected).abs() < 1e-9, "{text} at step {step}: {found}, PyTorch has {expected}");
        }
    }
}
