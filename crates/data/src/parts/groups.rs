//! Whole groups of samples, such as the frames of one video, dealt out by shares: no group straddles two.

use std::collections::BTreeMap;

use kernels::random::{Stream, purpose};

use super::Free;

/// A group and how much of each class it has.
struct Group {
    numbers: Vec<u32>,
    /// Of each class the share that is in this group.
    shares: Vec<f64>,
}

impl Group {
    /// How much it weighs: large groups, and those of few classes, are the hardest to place.
    fn weight(&self) -> f64 {
        self.shares.iter().map(|share| share * share).sum()
    }
}

/// Deals whole groups out to bins that are to have these shares of every class, all positive; each bin ascending.
///
/// Greedy, the heaviest group first and equal ones in an order that `split_seed` shuffles: each goes where the bins' shares
/// of the classes come closest to what they are to be, by the sum over bins and classes of (share − wanted)² / wanted.
/// That is how scikit-learn's `StratifiedGroupKFold` deals, with the bins' own wanted shares in place of equal ones.
pub(super) fn deal(samples: &[Free], wanted: &[f64], split_seed: u64, what_for: &str) -> Vec<Vec<u32>> {
    let groups = groups(samples, split_seed, what_for);
    let n_classes = groups.first().map_or(0, |group| group.shares.len());
    let mut filled = vec![vec![0.0; n_classes]; wanted.len()];
    let mut bins = vec![Vec::new(); wanted.len()];
    for group in groups {
        // What the sum changes by, up to the group's own part, then how full the bin is.
        let cost = |bin: usize| {
            let change = |(share, filled): (&f64, &f64)| share * (share - 2.0 * (wanted[bin] - filled));
            let change: f64 = group.shares.iter().zip(&filled[bin]).map(change).sum();
            (change / wanted[bin], filled[bin].iter().sum::<f64>() / wanted[bin])
        };
        let better = |a: &usize, b: &usize| {
            let ((a, a_full), (b, b_full)) = (cost(*a), cost(*b));
            a.total_cmp(&b).then(a_full.total_cmp(&b_full))
        };
        let bin = (0..wanted.len()).min_by(better).expect("there is a bin");
        filled[bin].iter_mut().zip(&group.shares).for_each(|(filled, share)| *filled += share);
        bins[bin].extend(group.numbers);
    }
    bins.iter_mut().for_each(|bin| bin.sort_unstable());
    bins
}

/// The groups in the order in which they are dealt out.
fn groups(samples: &[Free], split_seed: u64, what_for: &str) -> Vec<Group> {
    let mut totals: BTreeMap<u32, usize> = BTreeMap::new();
    samples.iter().for_each(|sample| *totals.entry(sample.class).or_default() += 1);
    let classes: BTreeMap<u32, usize> = totals.keys().enumerate().map(|(index, &class)| (class, index)).collect();
    let mut groups: BTreeMap<u32, Group> = BTreeMap::new();
    for sample in samples {
        let empty = || Group { numbers: Vec::new(), shares: vec![0.0; classes.len()] };
        let group = groups.entry(sample.group).or_insert_with(empty);
        group.numbers.push(sample.number);
        group.shares[classes[&sample.class]] += 1.0 / totals[&sample.class] as f64;
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    Stream::new(split_seed, purpose(&format!("parts/groups/{what_for}")), 0, 0).draws().shuffle(&mut groups);
    groups.sort_by(|a, b| b.weight().total_cmp(&a.weight()));
    groups
}
