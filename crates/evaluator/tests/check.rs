//! The words of `evaluate`, and what is said of wrong ones.

use evaluator::words::{EvaluateSection, Part, Weights};
use evaluator::{Direction, Evaluation, Facts, asks_for_best, check};
use spec::{FaultLine, Faults, Node, Sources, Word, parse, resolve, to_yaml};

fn resolved(text: &str) -> (Node, Sources, Faults) {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let tree = parse("t.yaml", text.as_bytes(), &mut sources, &mut faults).expect("YAML");
    (resolve(&tree, &EvaluateSection::TYPE, &mut faults), sources, faults)
}

const ALL: Facts<'static> = Facts { n_classes: Some(10), parts: Some(&["train", "validation", "test"]) };

fn checked(text: &str, facts: &Facts<'_>) -> (Option<Evaluation>, String) {
    let (node, sources, mut faults) = resolved(text);
    let evaluation = check(&node, facts, &mut faults);
    let line =
        |f: &FaultLine| format!("{}:{} {} ({})\n", f.line, f.column, f.message, f.help.as_deref().unwrap_or_default());
    (evaluation, faults.lines(&sources).iter().map(line).collect())
}

#[test]
fn good_words_give_settings() {
    let text = "{checkpoint: best, metrics: [accuracy, top_5_accuracy, confusion, brier], interval: 0.9}";
    let (evaluation, faults) = checked(text, &ALL);
    assert_eq!(faults, "");
    let evaluation = evaluation.unwrap();
    assert_eq!((evaluation.part, evaluation.weights, evaluation.interval), (Part::Test, Weights::Best, 0.9));
    let expected =
        [("accuracy", Direction::Larger), ("top_5_accuracy", Direction::Larger), ("brier", Direction::Smaller)];
    assert_eq!(evaluation.directions(), expected.map(|(name, direction)| (name.to_string(), direction)));
    assert!(asks_for_best(&resolved(text).0).is_some());
    assert!(asks_for_best(&resolved("{part: validation}").0).is_none());
}

#[test]
fn defaults_are_written_out_and_read_the_same() {
    let (node, ..) = resolved("{metrics: accuracy}");
    let written = to_yaml(&node);
    assert_eq!(written, "part: test\ncheckpoint: last\nmetrics:\n- accuracy\ninterval: 0.95\n");
    assert_eq!(to_yaml(&resolved(&written).0), written);
    let (evaluation, faults) = checked("{interval: 0.95}", &ALL);
    assert_eq!((faults.as_str(), evaluation.unwrap().metrics.len()), ("", 4));
}

#[test]
fn what_is_wrong_is_said_at_its_place() {
    let no_test = Facts { n_classes: Some(2), parts: Some(&["train"]) };
    let all = [
        checked("{metrics: [acuracy, top_20_accuracy, f1], part: tests}", &ALL),
        checked(
            "{metrics: [ece, loss, roc_auc, top_k_accuracy, zzz, brier, brier, accuracy_macro], interval: 1}",
            &ALL,
        ),
        checked("{metrics: top_2_accuracy}", &no_test),
        checked("{metrics: [], split: test}", &no_test),
    ];
    let text = all.map(|(evaluation, faults)| {
        assert!(evaluation.is_none());
        faults
    });
    insta::assert_snapshot!(text.join("---\n"));
}

#[test]
fn what_is_not_known_is_no_fault() {
    let (evaluation, faults) = checked("{metrics: [top_500_accuracy]}", &Facts { n_classes: None, parts: None });
    assert_eq!(faults, "");
    assert_eq!(evaluation.unwrap().directions().len(), 1);
}
