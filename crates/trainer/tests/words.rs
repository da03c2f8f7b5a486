//! The tables: every row documented, its example right; and every fault between the words at its place.

use spec::{FaultLine, Faults, Field, KindTable, Node, Sources, Type, Word, parse, resolve, to_yaml};
use trainer::words::{BASES, LOSSES, OPTIMIZERS, SCHEDULES, TrainSection};
use trainer::{Direction, Facts, Monitor, Training, Validation, check};

spec::section! {
    /// The part of an experiment that training reads.
    struct Words {
        /// What is made small.
        loss: spec::Chosen = required, kinds &LOSSES;
        /// How.
        optimizer: spec::Chosen = required, kinds &OPTIMIZERS;
        /// How long.
        train: TrainSection = required;
    }
}

fn resolved(text: &str, ty: &Type) -> (Node, Sources, Faults) {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let tree = parse("t.yaml", text.as_bytes(), &mut sources, &mut faults);
    let node = tree.map(|tree| resolve(&tree, ty, &mut faults));
    let Some(node) = node else { panic!("{}", faults.render(&sources, false)) };
    (node, sources, faults)
}

fn facts(validation: Validation) -> Facts<'static> {
    static METRICS: std::sync::OnceLock<Vec<(String, Direction)>> = std::sync::OnceLock::new();
    let metrics =
        METRICS.get_or_init(|| vec![("accuracy".into(), Direction::Larger), ("log_loss".into(), Direction::Smaller)]);
    Facts { n_classes: Some(3), ends_in_softmax: Some(false), validation, metrics, n_train: None, evaluates_best: None }
}

fn checked(text: &str, facts: &Facts<'_>) -> (Option<Training>, Vec<String>) {
    let (node, sources, mut faults) = resolved(text, &Words::TYPE);
    let part = |key| node.find(key).unwrap();
    let training = check(part("loss"), part("optimizer"), part("train"), facts, &mut faults);
    let line =
        |f: &FaultLine| format!("{}:{} {} ({})", f.line, f.column, f.message, f.help.as_deref().unwrap_or_default());
    (training, faults.lines(&sources).iter().map(line).collect())
}

fn faults(text: &str, facts: &Facts<'_>) -> String {
    // What stands under a wrong name is checked as what it means, so there may be settings; whoever counts faults refuses.
    let (_, faults) = checked(text, facts);
    assert!(!faults.is_empty(), "{text} is wrong");
    faults.join("\n")
}

#[test]
fn every_row_is_documented_and_its_example_is_right() {
    for table in [&LOSSES, &OPTIMIZERS, &SCHEDULES, &BASES] {
        let names = table.names();
        assert!(names.is_sorted(), "{}: {names:?}", table.what);
        for kind in (table.kinds)() {
            assert!(!kind.doc.trim().is_empty(), "{}", kind.name);
            let fields: Vec<&Field> = kind.fields.iter().chain(table.common).collect();
            for (index, field) in fields.iter().enumerate() {
                assert!(field.doc.trim().ends_with('.'), "{}.{}", kind.name, field.name);
                assert!(fields[..index].iter().all(|other| other.name != field.name), "{}.{}", kind.name, field.name);
            }
        }
    }
    for table in [&LOSSES, &OPTIMIZERS, &SCHEDULES] {
        for kind in (table.kinds)() {
            prints_back(kind.example, &Type::Kind(table));
        }
    }
}

fn prints_back(example: &str, ty: &Type) {
    let (node, sources, faults) = resolved(example, ty);
    assert!(faults.is_empty(), "{}", faults.render(&sources, false));
    let written = to_yaml(&node);
    let (again, sources, faults) = resolved(&written, ty);
    assert!(faults.is_empty(), "{}", faults.render(&sources, false));
    assert_eq!(to_yaml(&again), written);
}

#[test]
fn no_synonym_means_two_things() {
    fn synonyms(table: &KindTable) -> Vec<&'static str> {
        (table.kinds)().iter().flat_map(|kind| kind.synonyms.iter().copied().chain([kind.name])).collect()
    }
    for table in [&LOSSES, &OPTIMIZERS, &SCHEDULES] {
        let mut all = synonyms(table);
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "{}: {all:?}", table.what);
    }
}

#[test]
fn good_words_give_settings() {
    let text = "loss: {type: cross_entropy, class_weights: [1, 2, 0.5]}\n\
        optimizer: {type: sgd, learning_rate: 0.1, momentum: 0.9, schedule: {type: reduce_on_plateau, monitor: validation/accuracy}}\n\
        train: {epochs: 3, early_stopping: {patience: 2}, checkpoint: {monitor: train/accuracy}}\n";
    let (training, faults) = checked(text, &facts(Validation::Chooses));
    assert!(faults.is_empty(), "{faults:?}");
    let training = training.unwrap();
    let larger = |name: &str| Monitor { name: name.into(), direction: Direction::Larger };
    assert_eq!(training.best, larger("train/accuracy"));
    assert_eq!(training.plateau, Some(larger("validation/accuracy")));
    assert_eq!(training.stopping.unwrap().direction, Direction::Smaller);
    assert_eq!((training.train.epochs, training.train.batch_size), (Some(3), 32));
    let optimizer = &training.updates[0].optimizer;
    assert_eq!((optimizer.learning_rate, optimizer.rule.state()), (0.1, vec!["velocity"]));
}

#[test]
fn the_best_epoch_is_chosen_by_what_may_choose() {
    let text = "loss: mse\noptimizer: {type: adam, learning_rate: 0.1}\ntrain: {steps: 3}\n";
    for (validation, expected) in [
        (Validation::Chooses, "validation/loss"),
        (Validation::Absent, "train/loss"),
        (Validation::IsTest, "train/loss"),
    ] {
        let (training, faults) = checked(text, &facts(validation));
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(training.unwrap().best.name, expected);
    }
}

#[test]
fn words_of_other_tools_are_answered_with_ours() {
    let text = "loss: sparse_categorical_crossentropy\n\
        optimizer: {type: AdamW, lr: 0.1}\n\
        train: {n_epochs: 3, batch: 8}\n";
    insta::assert_snapshot!(faults(text, &facts(Validation::Chooses)));
}

#[test]
fn what_does_not_go_together_is_said_at_its_place() {
    let text = "loss: {type: cross_entropy, from_logits: false, class_weights: [1, 2]}\n\
        optimizer:\n  type: sgd\n  learning_rate: 0.1\n  nesterov: true\n  groups: []\n\
        \x20 schedule: {type: piecewise, milestones: [3, 3], at_steps: [1], factors: [1, 2], warmup_epochs: 1, warmup_steps: 2}\n\
        train: {epochs: 3, steps: 4, freeze: [conv2d]}\n";
    let adam = "loss: [mse]\noptimizer: {type: adam, learning_rate: 0, momentum: 0.9}\ntrain: {epochs: 3}\n";
    let step = "loss: {type: mse, weight: 2}\noptimizer: {type: extragradient, learning_rate: 1, base: {type: adam, learning_rate: 1}, schedule: step}\ntrain: {batch_size: 2}\n";
    let piecewise = "loss: mse\noptimizer: {type: extragradient, learning_rate: 1, base: {type: sgd, nesterov: true}, schedule: {type: piecewise, milestones: [3, 3], factors: [1, -1]}}\ntrain: {epochs: 2}\n";
    let facts = facts(Validation::Chooses);
    let all = [text, adam, step, piecewise].map(|text| faults(text, &facts)).join("\n---\n");
    let softmax = Facts { ends_in_softmax: Some(true), ..facts };
    let logits = faults("loss: mse\noptimizer: {type: adam, learning_rate: 0.1}\ntrain: {epochs: 3}\n", &softmax);
    insta::assert_snapshot!([all, logits].join("\n---\n"));
}

#[test]
fn monitors_must_be_computed_and_may_not_be_the_test_part() {
    let text = "loss: mse\n\
        optimizer: {type: adam, learning_rate: 0.1, schedule: reduce_on_plateau}\n\
        train: {epochs: 3, early_stopping: {monitor: validation/f1, patience: 2}, checkpoint: {monitor: validation/acuracy}}\n";
    let others = "loss: mse\n\
        optimizer: {type: adam, learning_rate: 0.1, schedule: {type: reduce_on_plateau, monitor: test/loss}}\n\
        train: {epochs: 3, early_stopping: {monitor: accuracy, patience: 2}, checkpoint: {monitor: train/f1}}\n";
    let plain =
        "loss: mse\noptimizer: {type: adam, learning_rate: 0.1}\ntrain: {epochs: 3, checkpoint: {monitor: dev/loss}}\n";
    let mut all = Vec::new();
    for validation in [Validation::Chooses, Validation::Absent, Validation::IsTest] {
        all.push(format!("{validation:?}\n{}", faults(text, &facts(validation))));
    }
    all.push(faults(others, &facts(Validation::Chooses)));
    all.push(faults(plain, &facts(Validation::Chooses)));
    insta::assert_snapshot!(all.join("\n---\n"));
}
