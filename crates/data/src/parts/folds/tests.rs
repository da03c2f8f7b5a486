//! Folds and whole groups: against scikit-learn, against the definition, and in what must hold for any samples.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn samples(labels: &[u32], groups: &[u32]) -> Vec<Free> {
    let all = labels.iter().zip(groups).enumerate();
    all.map(|(number, (&class, &group))| Free { number: number as u32, class, group }).collect()
}

/// How many samples of each class.
fn counts(numbers: &[u32], labels: &[u32]) -> Vec<usize> {
    let mut counts = vec![0; *labels.iter().max().unwrap() as usize + 1];
    numbers.iter().for_each(|&number| counts[labels[number as usize] as usize] += 1);
    counts
}

/// The largest difference between a bin's share of a class and what it is to be; then of all samples.
fn unevenness(bins: &[Vec<u32>], wanted: &[f64], labels: &[u32]) -> [f64; 2] {
    let totals = counts(&(0..labels.len() as u32).collect::<Vec<_>>(), labels);
    let mut worst = [0.0f64; 2];
    for (bin, wanted) in bins.iter().zip(wanted) {
        for (n, total) in counts(bin, labels).into_iter().zip(&totals) {
            worst[0] = worst[0].max((n as f64 / *total as f64 - wanted).abs());
        }
        worst[1] = worst[1].max((bin.len() as f64 / labels.len() as f64 - wanted).abs());
    }
    worst
}

fn is_partition(bins: &[Vec<u32>], n: usize) -> bool {
    let mut all: Vec<u32> = bins.concat();
    all.sort_unstable();
    bins.iter().all(|bin| bin.is_sorted()) && all.into_iter().eq(0..n as u32)
}

#[derive(serde::Deserialize)]
struct Case {
    labels: Vec<u32>,
    groups: Vec<u32>,
    k: usize,
    stratified: Vec<Vec<usize>>,
    grouped: Grouped,
}

#[derive(serde::Deserialize)]
struct Grouped {
    classes: f64,
    samples: f64,
}

fn cases() -> Vec<Case> {
    let mut file: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/references/folds.json")).unwrap();
    serde_json::from_value(file["cases"].take()).unwrap()
}

#[test]
fn folds_have_the_class_counts_of_scikit_learn() {
    for case in cases() {
        for seed in 0..3 {
            let folds = cut(&samples(&case.labels, &case.groups), case.k, false, seed);
            assert!(is_partition(&folds, case.labels.len()));
            let counts: Vec<Vec<usize>> = folds.iter().map(|fold| counts(fold, &case.labels)).collect();
            assert_eq!(counts, case.stratified);
        }
    }
}

#[test]
fn grouped_folds_are_about_as_even_as_those_of_scikit_learn() {
    let (mut ours, mut theirs) = ([0.0; 2], [0.0; 2]);
    for case in cases() {
        let wanted = vec![1.0 / case.k as f64; case.k];
        let folds = cut(&samples(&case.labels, &case.groups), case.k, true, 0);
        assert!(is_partition(&folds, case.labels.len()));
        let [classes, of_all] = unevenness(&folds, &wanted, &case.labels);
        println!("{classes:.3} {of_all:.3}, theirs {:.3} {:.3}", case.grouped.classes, case.grouped.samples);
        ours = [ours[0] + classes, ours[1] + of_all];
        theirs = [theirs[0] + case.grouped.classes, theirs[1] + case.grouped.samples];
    }
    assert!(ours[0] <= 1.1 * theirs[0] && ours[1] <= 1.1 * theirs[1], "{ours:?} {theirs:?}");
}

/// The rule in its plainest form: what the whole sum would be with the group in each bin.
fn by_definition(groups: &[Vec<u32>], labels: &[u32], wanted: &[f64]) -> Vec<Vec<u32>> {
    let mut bins = vec![Vec::new(); wanted.len()];
    let totals = counts(&(0..labels.len() as u32).collect::<Vec<_>>(), labels);
    for group in groups {
        let sum = |at: usize| -> f64 {
            let mut with = bins.clone();
            with[at].extend(group);
            let of_bin = |(bin, wanted): (&Vec<u32>, &f64)| -> f64 {
                let shares = counts(bin, labels).into_iter().zip(&totals).map(|(n, total)| n as f64 / *total as f64);
                shares.map(|share| (share - wanted).powi(2) / wanted).sum()
            };
            with.iter().zip(wanted).map(of_bin).sum()
        };
        let sums: Vec<f64> = (0..wanted.len()).map(sum).collect();
        let best = sums.iter().copied().fold(f64::INFINITY, f64::min);
        let near: Vec<usize> = (0..wanted.len()).filter(|&at| sums[at] < best + 1e-9).collect();
        let fill = |at: &usize| bins[*at].len() as f64 / wanted[*at];
        let at = near.into_iter().min_by(|a, b| fill(a).total_cmp(&fill(b))).unwrap();
        bins[at].extend(group);
    }
    bins.iter_mut().for_each(|bin: &mut Vec<u32>| bin.sort_unstable());
    bins
}

#[test]
fn groups_are_dealt_as_the_rule_says() {
    // The weights of the groups, sums of squared shares, are all different, so that their order is theirs.
    let sizes: [[usize; 2]; 6] = [[9, 1], [1, 8], [6, 2], [2, 5], [3, 1], [1, 1]];
    let (mut labels, mut of_group, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for (group, size) in sizes.iter().enumerate() {
        let first = labels.len() as u32;
        for (class, n) in size.iter().enumerate() {
            labels.extend(vec![class as u32; *n]);
            of_group.extend(vec![group as u32; *n]);
        }
        groups.push((first..labels.len() as u32).collect::<Vec<u32>>());
    }
    let weight = |size: &[usize; 2]| (size[0] as f64 / 22.0).powi(2) + (size[1] as f64 / 18.0).powi(2);
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by(|&a, &b| weight(&sizes[b]).total_cmp(&weight(&sizes[a])));
    let ordered: Vec<Vec<u32>> = order.into_iter().map(|at| groups[at].clone()).collect();
    for wanted in [vec![0.5, 0.5], vec![0.2, 0.8], vec![1.0 / 3.0; 3]] {
        let expected = by_definition(&ordered, &labels, &wanted);
        for seed in 0..4 {
            assert_eq!(groups::deal(&samples(&labels, &of_group), &wanted, seed, "test"), expected, "{wanted:?}");
        }
    }
}

#[test]
fn the_split_seed_decides_about_equal_groups() {
    let of_group: Vec<u32> = (0..60).map(|i| i / 5).collect();
    let of = samples(&[0; 60], &of_group);
    let deal = |seed| groups::deal(&of, &[0.25, 0.75], seed, "test");
    assert_eq!(deal(1), deal(1));
    assert_ne!(deal(1), deal(2));
    assert_eq!(deal(1)[0].len(), 15);
}

proptest! {
    #[test]
    fn every_sample_is_in_one_fold_and_folds_are_even(
        labels in prop::collection::vec(0u32..5, 2..300), k in 2usize..12, seed in 0u64..4,
    ) {
        let folds = cut(&samples(&labels, &vec![0; labels.len()]), k, false, seed);
        prop_assert!(folds.len() == k && is_partition(&folds, labels.len()));
        let within_one = |values: Vec<usize>| values.iter().max().unwrap() - values.iter().min().unwrap() <= 1;
        prop_assert!(within_one(folds.iter().map(Vec::len).collect()));
        for class in 0..=*labels.iter().max().unwrap() {
            prop_assert!(within_one(folds.iter().map(|fold| counts(fold, &labels)[class as usize]).collect()));
        }
    }

    #[test]
    fn no_group_straddles_and_one_class_is_off_by_less_than_its_largest_group(
        groups in prop::collection::vec(0u32..25, 2..300), k in 2usize..6, seed in 0u64..4,
    ) {
        let labels = vec![0; groups.len()];
        let folds = cut(&samples(&labels, &groups), k, true, seed);
        prop_assert!(is_partition(&folds, groups.len()));
        let of_folds: Vec<BTreeSet<u32>> =
            folds.iter().map(|fold| fold.iter().map(|&n| groups[n as usize]).collect()).collect();
        for (index, ours) in of_folds.iter().enumerate() {
            prop_assert!(of_folds[index + 1..].iter().all(|theirs| ours.is_disjoint(theirs)));
        }
        let largest = *counts(&(0..groups.len() as u32).collect::<Vec<_>>(), &groups).iter().max().unwrap();
        let sizes: Vec<usize> = folds.iter().map(Vec::len).collect();
        prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= largest);
    }
}
