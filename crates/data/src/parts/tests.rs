//! Parts are disjoint, stratified and of the size that the words say.

use std::collections::BTreeSet;

use proptest::prelude::*;
use spec::{Faults, Sources, Word, parse, resolve};

use super::*;

fn words(text: &str) -> Words {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let node = parse("parts.yaml", text.as_bytes(), &mut sources, &mut faults).unwrap();
    let section = |name: PartName| {
        let node = resolve(node.find(name.name())?, &PartSection::TYPE, &mut faults);
        assert!(faults.is_empty(), "{}", faults.render(&sources, false));
        Some((name, PartSection::read(&node)))
    };
    PartName::ALL.into_iter().filter_map(section).collect()
}

/// Classes in turn: 0, 1, 2, 0, 1, 2 and so on.
fn labels(n: usize, n_classes: u32) -> Vec<u32> {
    (0..n as u32).map(|i| i % n_classes).collect()
}

fn divided(text: &str, sizes: &[(&str, usize)], seed: u64) -> Result<Vec<Part>, Vec<Shortage>> {
    let splits: BTreeMap<&str, Vec<u32>> = sizes.iter().map(|(name, n)| (*name, labels(*n, 3))).collect();
    let labels = splits.iter().map(|(split, labels)| (*split, labels.as_slice())).collect();
    let words = words(text);
    let division = Division { words: &words, folds: None, split_seed: seed, labels, groups: None };
    divide(&division).map(|divided| divided.parts)
}

#[test]
fn shares_are_taken_and_the_rest_trains() {
    let parts = divided(
        "train: {split: all}\nvalidation: {split: all, fraction: 0.15}\ntest: {split: all, count: 40}",
        &[("all", 100)],
        0,
    );
    let parts = parts.unwrap();
    let sizes: Vec<usize> = parts.iter().map(|p| p.indices.len()).collect();
    assert_eq!(sizes, [45, 15, 40]);
    let all: BTreeSet<u32> = parts.iter().flat_map(|p| p.indices.iter().copied()).collect();
    assert_eq!(all.len(), 100);
    // 34, 33 and 33 of the classes: 40 samples are 13.6, 13.2 and 13.2 of them.
    let counts = [0, 1, 2].map(|class| parts[2].indices.iter().filter(|&&i| i % 3 == class).count());
    assert_eq!(counts, [14, 13, 13]);
    assert!(parts.iter().all(|p| p.indices.is_sorted()));
}

#[test]
fn the_split_seed_decides_and_nothing_else() {
    let text = "train: {split: all}\ntest: {split: all, fraction: 0.3}";
    let again = |seed| divided(text, &[("all", 90)], seed).unwrap();
    assert_eq!(again(0), again(0));
    assert_ne!(again(0), again(1));
}

#[test]
fn the_last_samples_may_be_taken() {
    // The last seven of the joined splits are all five of `b` and two of `a`.
    let text = "train: {split: [a, b]}\nvalidation: {split: [a, b], count: 7, take: last}";
    let parts = divided(text, &[("a", 10), ("b", 5)], 0).unwrap();
    assert_eq!(parts[1].indices, [8, 9, 10, 11, 12, 13, 14]);
    let text = format!("{text}\ntest: {{split: b, count: 2}}");
    let shortage = &divided(&text, &[("a", 10), ("b", 5)], 0).unwrap_err()[0];
    assert_eq!(shortage.message, "`test` takes 2 samples of `b`, of which 0 of 5 are left");
}

#[test]
fn joined_splits_are_numbered_through() {
    let parts =
        divided("train: {split: [a, b]}\nvalidation: {split: b, count: 3, take: last}", &[("a", 4), ("b", 6)], 0)
            .unwrap();
    assert_eq!(parts[0].indices, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(parts[1].indices, [3, 4, 5]);
}

#[test]
fn a_limit_thins_the_split_before_any_part_takes() {
    let text = "train: {split: all, limit: 30}\ntest: {split: all, fraction: 0.5}";
    let parts = divided(text, &[("all", 300)], 0).unwrap();
    assert_eq!(parts.iter().map(|p| p.indices.len()).collect::<Vec<_>>(), [15, 15]);
    let counts = [0, 1, 2].map(|class| parts.iter().flat_map(|p| &p.indices).filter(|&&i| i % 3 == class).count());
    assert_eq!(counts, [10, 10, 10]);
}

#[test]
fn validation_may_be_the_whole_test_split() {
    let same = words("train: {split: train}\nvalidation: {split: test}\ntest: {split: test}");
    assert!(validation_is_test(&same));
    let shared = words("train: {split: train}\nvalidation: {split: test, count: 3}\ntest: {split: test}");
    assert!(!validation_is_test(&shared));
    let all = words("train: {split: all, count: 3}\nvalidation: {split: all}\ntest: {split: all}");
    assert!(!validation_is_test(&all));
}

#[test]
fn shortages_are_named() {
    let messages = |text: &str, n| {
        let shortages = divided(text, &[("all", n)], 0).unwrap_err();
        shortages.into_iter().map(|s| s.message).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        messages("test: {split: all, count: 60000}", 50000),
        "`test` takes 60,000 samples of `all`, which has 50,000"
    );
    let both = "validation: {split: all, fraction: 0.6}\ntest: {split: all, fraction: 0.6}";
    assert_eq!(messages(both, 10), "`validation` takes 6 samples of `all`, of which 4 of 10 are left");
    assert_eq!(
        messages("train: {split: all}\ntest: {split: all, count: 9}", 9),
        "nothing is left of `all` for `train`"
    );
    let tiny = "`test` takes so small a share of the 9 samples of `all` that it is none";
    assert_eq!(messages("test: {split: all, fraction: 0.001}", 9), tiny);
}

#[test]
fn quotas_add_up() {
    assert_eq!(quotas(&[5, 3, 2], 5), [3, 1, 1]);
    assert_eq!(quotas(&[1, 1, 1], 2), [1, 1, 0]);
    assert_eq!(quotas(&[4, 6], 10), [4, 6]);
}

proptest! {
    #[test]
    fn parts_are_disjoint_and_stratified(
        n in 30usize..400, n_classes in 1u32..6, validation in 0.05f64..0.4, test in 0.05f64..0.4, seed in 0u64..5,
    ) {
        let text = format!("train: {{split: all}}\nvalidation: {{split: all, fraction: {validation}}}\ntest: {{split: all, fraction: {test}}}");
        let labels = labels(n, n_classes);
        let words = words(&text);
        let of_split = BTreeMap::from([("all", labels.as_slice())]);
        let division = Division { words: &words, folds: None, split_seed: seed, labels: of_split, groups: None };
        let parts = divide(&division).unwrap().parts;
        let mut all: Vec<u32> = parts.iter().flat_map(|p| p.indices.iter().copied()).collect();
        all.sort_unstable();
        prop_assert!(all.iter().copied().eq(0..n as u32));
        for (part, fraction) in [(&parts[1], validation), (&parts[2], test)] {
            prop_assert_eq!(part.indices.len(), (fraction * n as f64).round() as usize);
            for class in 0..n_classes {
                let of_class = |numbers: &[u32]| numbers.iter().filter(|&&i| labels[i as usize] == class).count() as f64;
                let all: Vec<u32> = (0..n as u32).collect();
                let expected = part.indices.len() as f64 * of_class(&all) / n as f64;
                prop_assert!((of_class(&part.indices) - expected).abs() < 2.0);
            }
        }
    }
}
