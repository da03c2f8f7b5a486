//! Cross-validation: what trains is cut into k folds, each class by its share; each fold in turn is the validation part,
//! and the others train.

use std::collections::BTreeMap;

use kernels::random::{Stream, purpose};

use super::{Free, groups};

/// How many folds there are, and which of them validates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folds {
    /// At least 2.
    pub count: usize,
    /// From 1.
    pub fold: usize,
}

/// Cuts samples into `k` folds, each ascending.
pub(super) fn cut(samples: &[Free], k: usize, grouped: bool, split_seed: u64) -> Vec<Vec<u32>> {
    match grouped {
        true => groups::deal(samples, &vec![1.0 / k as f64; k], split_seed, "folds"),
        false => deal(samples, k, split_seed),
    }
}

/// Deals the samples out in turn, one class after the other, each shuffled: the sizes of the folds differ by at most one,
/// and so do their counts of every class. These are the counts of scikit-learn's `StratifiedKFold`.
fn deal(samples: &[Free], k: usize, split_seed: u64) -> Vec<Vec<u32>> {
    let mut classes: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    samples.iter().for_each(|sample| classes.entry(sample.class).or_default().push(sample.number));
    let mut folds = vec![Vec::with_capacity(samples.len().div_ceil(k)); k];
    let mut turn = 0;
    for (class, mut numbers) in classes {
        Stream::new(split_seed, purpose("parts/folds"), 0, u64::from(class)).draws().shuffle(&mut numbers);
        for number in numbers {
            folds[turn % k].push(number);
            turn += 1;
        }
    }
    folds.iter_mut().for_each(|fold| fold.sort_unstable());
    folds
}

#[cfg(test)]
mod tests;
