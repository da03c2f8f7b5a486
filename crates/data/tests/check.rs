//! What is wrong with the section `data` is said at its place, before any image is read.

use data::{Cards, Checked, DataSection, Folds, PartName, Validation, check};
use spec::{FaultLine, Faults, Sources, Word, parse, resolve, to_yaml};

/// Checks the text of a section `data`, and gives what is wrong with it.
fn checked(text: &str) -> (Checked, String) {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let cards = Cards::load(&[], &mut sources);
    let node = parse("data.yaml", text.as_bytes(), &mut sources, &mut faults).unwrap();
    let node = resolve(&node, &DataSection::TYPE, &mut faults);
    let checked = check(&node, &cards, &mut faults);
    let line = |f: FaultLine| {
        let help = f.help.map(|h| format!("\n    {h}")).unwrap_or_default();
        format!("{}:{} {}{help}", f.line, f.column, f.message)
    };
    (checked, faults.lines(&sources).into_iter().map(line).collect::<Vec<_>>().join("\n"))
}

fn sound(text: &str) -> Checked {
    let (checked, faults) = checked(text);
    assert_eq!(faults, "");
    checked
}

#[test]
fn every_key_of_a_section_is_documented_and_its_normal_form_reads_back() {
    for field in DataSection::SECTION.fields.iter().chain(data::PartSection::SECTION.fields) {
        assert!(field.doc.trim().ends_with('.') && !field.doc.contains('\n'), "{}", field.name);
    }
    let text = "dataset: cifar10\nvalidation: {split: train, fraction: 0.1}\naugment: [random_flip]\nnormalize: {mean: [0.1, 0.2, 0.3], std: [1, 1, 1]}\n";
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let mut round = |text: &str| {
        let node = parse("data.yaml", text.as_bytes(), &mut sources, &mut faults).unwrap();
        let node = resolve(&node, &DataSection::TYPE, &mut faults);
        assert!(faults.is_empty(), "{}", faults.render(&sources, false));
        to_yaml(&node)
    };
    let written = round(text);
    assert_eq!(round(&written), written);
    sound(&written);
}

#[test]
fn shapes_go_through_the_steps() {
    let text = "dataset: cifar10\npreprocess:\n  - resize: 40\n  - center_crop: {size: 36, mode: evaluate}\n  - grayscale\naugment: [random_crop: 24]\nnormalize: {mean: [0.5], std: [0.5]}\n";
    let choice = &sound(text).choices[0];
    assert_eq!(choice.train_shape, Some([24, 24, 1]));
    assert_eq!(choice.evaluation_shape, Some([36, 36, 1]));
    assert_eq!(choice.classes.as_ref().unwrap().len(), 10);
}

#[test]
fn folds_and_groups_fit_the_other_words() {
    let folds = |text: &str| sound(&format!("dataset: digits\ntrain: {{split: all}}\n{text}")).folds;
    assert_eq!(folds(""), None);
    assert_eq!(folds("folds: 5\n"), Some(Folds { count: 5, fold: 1 }));
    assert_eq!(folds("folds: 5\nfold: 4\n"), Some(Folds { count: 5, fold: 4 }));
    let wrong = [
        "dataset: cifar10\nfold: 2",
        "dataset: cifar10\nfolds: 5\nfold: 6",
        "dataset: cifar10\nfolds: 1\nfold: 0",
        "dataset: cifar10\nfolds: 5\nvalidation: {split: test}",
        "dataset: digits\ntrain: {split: all, count: 20}\nfolds: 21",
        "dataset: cifar10\ngroup: video\ntrain: {split: train, count: 9, take: last}",
        "dataset: digits\ntrain: {split: all}\ngroup: writer",
    ];
    insta::assert_snapshot!(wrong.map(|text| format!("{text}\n  {}", checked(text).1)).join("\n\n"));
}

#[test]
fn parts_stand_by_default_where_the_card_has_such_splits() {
    let parts = |text: &str| sound(text).choices[0].parts.keys().copied().collect::<Vec<_>>();
    assert_eq!(parts("dataset: cifar10"), [PartName::Train, PartName::Test]);
    assert_eq!(parts("dataset: digits\ntrain: {split: all}"), [PartName::Train]);
    assert_eq!(parts("dataset: mnist\ntrain: {split: [train, test]}"), [PartName::Train]);
    assert_eq!(parts("dataset: mnist\nvalidation: {split: test}"), PartName::ALL);
}

#[test]
fn validation_says_what_may_be_chosen_by() {
    let validation = |text: &str| sound(text).validation;
    assert_eq!(validation("dataset: cifar10"), Validation::Absent);
    assert_eq!(validation("dataset: cifar10\nvalidation: {split: train, count: 5000}"), Validation::Chooses);
    assert_eq!(validation("dataset: cifar10\nvalidation: {split: test}"), Validation::IsTest);
    assert_eq!(validation("dataset: cifar10\nfolds: 5"), Validation::Chooses);
    assert_eq!(validation("dataset: cifar10\nvalidation: {split: test}\nchoose_on_test: true"), Validation::Chooses);
    assert_eq!(validation("dataset: cifar10\nvalidation: {split: test, count: 5000}"), Validation::Chooses);
}

#[test]
fn a_fallback_that_fits_is_the_second_choice() {
    let checked = sound("dataset: cifar10\nfallback: shapes10");
    assert_eq!(checked.choices.iter().map(|c| c.card.name.as_str()).collect::<Vec<_>>(), ["cifar10", "shapes10"]);
    let resized = "dataset: mnist\nfallback: shapes10\npreprocess: [resize: 32, color]";
    assert_eq!(sound(resized).choices.len(), 2);
}

#[test]
fn what_is_wrong_is_said_at_its_place() {
    let texts = [
        "dataset: cifar11",
        "normalize: unit",
        "dataset: cifar10\ntrain: {split: training}\nvalidation: {split: train, fraction: 1.5}\ntest: {split: train, count: 60000}",
        "dataset: cifar10\npreprocess:\n  - center_crop: 40\n  - resize: {size: 28, interpolation: bicubic}\naugment:\n  - random_flip: sideways\n  - mixup: 0.2",
        "dataset: cifar10\npreprocess:\n  - center_crop: 40\naugment: [random_color_jitter: {hue: 0.2}]",
        "dataset: mnist\naugment: [random_color_jitter: {hue: 0.2}]",
        "dataset: mnist\nnormalize: {mean: [125.3, 123.0, 113.9], std: [63.0, 62.1, 66.7]}",
        "dataset: mnist\nnormalize: {mean: [-0.1], std: [0]}",
        "dataset: mnist\nnormalize: minmax",
        "dataset: mnist\nfallback: shapes10",
        "dataset: mnist\nfallback: digits\npreprocess: [resize: 28]",
        "dataset: cifar10\nfallback: cifar100",
        "dataset: digits",
        "dataset: cifar10\nvalidation: {split: train}\ntest: {split: [train, test]}",
        "dataset: cifar10\nvalidation: {split: train, fraction: 0.6}\ntest: {split: train, fraction: 0.6}",
        "dataset: cifar10\nvalidation: {split: train, fraction: 0.1, count: 5}\ntest: {split: test, take: last}",
        "dataset: cifar10\ntrain: {split: train, limit: 100}\nvalidation: {split: train, limit: 200, count: 5}",
        "dataset: cifar10\ntrain: {split: [train, train]}\ntest: {split: []}",
        "dataset: cifar10\nval: {split: train}\nsampler: balanced\nduplicates: keep\ntrain: train",
        "dataset: {path: photos}\nvalidation: {split: train, fraction: 0.1}",
        "dataset: cifar10\ntrain: {split: train, count: 50000}\nvalidation: {split: train}",
    ];
    let all: Vec<String> = texts.iter().map(|text| format!("{text}\n=>\n{}\n", checked(text).1)).collect();
    insta::assert_snapshot!(all.join("\n---\n\n"));
}
