//! Who is in which part: train, validation and test out of a dataset's splits, disjoint, each class by its share.
//!
//! Everything here is a function of the words, the labels and `split_seed`. Shares are taken in the order test, validation,
//! train, those of `take: last` before those at random; then parts without a share take what is left. Within a share each
//! class has its quota by largest remainder (Hamilton's method), of what is still there.

use std::collections::BTreeMap;

use kernels::random::{Stream, purpose};

use crate::error::grouped;
use crate::words::{PartSection, Take};

/// One of the three parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartName {
    /// What the network learns from.
    Train,
    /// What choices are made by.
    Validation,
    /// What the last numbers are measured on.
    Test,
}

impl PartName {
    /// All of them.
    pub const ALL: [PartName; 3] = [PartName::Train, PartName::Validation, PartName::Test];

    /// The word in the file.
    pub fn name(self) -> &'static str {
        match self {
            PartName::Train => "train",
            PartName::Validation => "validation",
            PartName::Test => "test",
        }
    }
}

/// The samples of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which one.
    pub name: PartName,
    /// The splits that it takes from, joined in this order.
    pub splits: Vec<String>,
    /// The numbers of its samples in the joined splits, ascending.
    pub indices: Vec<u32>,
}

/// The words of the parts that there are.
pub type Words = BTreeMap<PartName, PartSection>;

/// What a part cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The part.
    pub part: PartName,
    /// What it takes, and of what.
    pub message: String,
}

impl PartSection {
    /// Whether it takes what the others leave.
    pub fn is_rest(&self) -> bool {
        self.fraction.is_none() && self.count.is_none()
    }

    /// Whether both take from one split.
    pub fn meets(&self, other: &PartSection) -> bool {
        self.split.0.iter().any(|split| other.split.0.contains(split))
    }

    /// The splits in a fixed order.
    fn sorted(&self) -> Vec<&str> {
        let mut splits: Vec<&str> = self.split.0.iter().map(String::as_str).collect();
        splits.sort_unstable();
        splits
    }

    /// The splits in words.
    pub(crate) fn splits_in_words(&self) -> String {
        self.split.0.iter().map(|split| format!("`{split}`")).collect::<Vec<_>>().join(" and ")
    }
}

/// Whether validation is the whole test part itself.
pub fn validation_is_test(words: &Words) -> bool {
    match (words.get(&PartName::Validation), words.get(&PartName::Test)) {
        (Some(validation), Some(test)) => is_same_whole(words, validation, test),
        _ => false,
    }
}

/// Whether two parts without a share take the same splits, from which no other part takes.
fn is_same_whole(words: &Words, validation: &PartSection, test: &PartSection) -> bool {
    let train_meets = words.get(&PartName::Train).is_some_and(|train| train.meets(test));
    validation.is_rest() && test.is_rest() && validation.sorted() == test.sorted() && !train_meets
}

/// Divides the samples; `labels` gives the class of each sample of a split.
pub fn divide<'a>(
    words: &Words,
    labels: &dyn Fn(&str) -> &'a [u32],
    split_seed: u64,
) -> Result<Vec<Part>, Vec<Shortage>> {
    let mut pools = Pools { labels, taken: BTreeMap::new(), split_seed };
    for section in words.values() {
        if let Some(limit) = section.limit {
            pools.thin(section, limit);
        }
    }
    let limited: BTreeMap<PartName, usize> = words.iter().map(|(name, s)| (*name, pools.free(s).len())).collect();
    let mut parts: BTreeMap<PartName, Vec<u32>> = BTreeMap::new();
    let mut shortages = Vec::new();
    for take in [Take::Last, Take::Random] {
        for (&name, section) in words.iter().rev().filter(|(_, s)| !s.is_rest() && s.take == take) {
            let wanted = section.count.unwrap_or_else(|| share(section.fraction, limited[&name]));
            let free = pools.free(section);
            if wanted > free.len() || wanted == 0 {
                shortages.push(shortage(name, section, wanted, limited[&name], free.len()));
                continue;
            }
            let chosen = match take {
                Take::Last => free[free.len() - wanted..].iter().map(|sample| sample.number).collect(),
                Take::Random => pools.stratified(&free, wanted, name.name()),
            };
            pools.mark(section, &chosen);
            parts.insert(name, chosen);
        }
    }
    let rests: Vec<(PartName, Vec<u32>)> = (words.iter().filter(|(_, s)| s.is_rest()))
        .map(|(&name, s)| (name, pools.free(s).iter().map(|sample| sample.number).collect()))
        .collect();
    for (name, chosen) in rests {
        if chosen.is_empty() && shortages.is_empty() {
            let message = format!("nothing is left of {} for `{}`", words[&name].splits_in_words(), name.name());
            shortages.push(Shortage { part: name, message });
        }
        parts.insert(name, chosen);
    }
    if !shortages.is_empty() {
        return Err(shortages);
    }
    let part = |(name, indices)| Part { name, splits: words[&name].split.0.clone(), indices };
    Ok(parts.into_iter().map(part).collect())
}

fn share(fraction: Option<f64>, n: usize) -> usize {
    (fraction.expect("a part with a share has a fraction or a count") * n as f64).round() as usize
}

fn shortage(part: PartName, section: &PartSection, wanted: usize, all: usize, left: usize) -> Shortage {
    let (name, splits) = (part.name(), section.splits_in_words());
    let [wanted_text, all_text, left_text] = [wanted, all, left].map(|n| grouped(n as u64));
    let message = if wanted == 0 {
        format!("`{name}` takes so small a share of the {all_text} samples of {splits} that it is none")
    } else if left == all {
        format!("`{name}` takes {wanted_text} samples of {splits}, which has {all_text}")
    } else {
        format!("`{name}` takes {wanted_text} samples of {splits}, of which {left_text} of {all_text} are left")
    };
    Shortage { part, message }
}

/// A sample that no part has yet.
#[derive(Clone, Copy)]
struct Free {
    /// In the joined splits of the part that asks.
    number: u32,
    class: u32,
}

/// What is left of each split.
struct Pools<'a, 'b> {
    labels: &'b dyn Fn(&str) -> &'a [u32],
    taken: BTreeMap<String, Vec<bool>>,
    split_seed: u64,
}

impl<'a> Pools<'a, '_> {
    fn taken(&mut self, split: &str) -> &mut Vec<bool> {
        let n = (self.labels)(split).len();
        self.taken.entry(split.to_string()).or_insert_with(|| vec![false; n])
    }

    /// The samples that are left for a part.
    fn free(&mut self, section: &PartSection) -> Vec<Free> {
        let mut free = Vec::new();
        let mut start = 0;
        for split in &section.split.0 {
            let labels: &'a [u32] = (self.labels)(split);
            let taken = self.taken(split);
            let left = labels.iter().enumerate().filter(|(i, _)| !taken[*i]);
            free.extend(left.map(|(i, &class)| Free { number: (start + i) as u32, class }));
            start += labels.len();
        }
        free
    }

    /// Takes samples away from the parts to come.
    fn mark(&mut self, section: &PartSection, numbers: &[u32]) {
        let mut rest = numbers;
        let mut start = 0;
        for split in &section.split.0 {
            let taken = self.taken(split);
            let here = rest.partition_point(|&number| (number as usize) < start + taken.len());
            rest[..here].iter().for_each(|&number| taken[number as usize - start] = true);
            (rest, start) = (&rest[here..], start + taken.len());
        }
    }

    /// Leaves `limit` samples of a part's splits, each class by its share.
    fn thin(&mut self, section: &PartSection, limit: usize) {
        let mut ordered = section.clone();
        ordered.split.0.sort_unstable();
        let free = self.free(&ordered);
        if limit < free.len() {
            let kept = self.stratified(&free, limit, "limit");
            let others: Vec<u32> =
                free.iter().map(|sample| sample.number).filter(|n| kept.binary_search(n).is_err()).collect();
            self.mark(&ordered, &others);
        }
    }

    /// `wanted` samples at random, each class by its share, ascending.
    fn stratified(&self, free: &[Free], wanted: usize, what_for: &str) -> Vec<u32> {
        let mut classes: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        free.iter().for_each(|sample| classes.entry(sample.class).or_default().push(sample.number));
        let sizes: Vec<usize> = classes.values().map(Vec::len).collect();
        let purpose = purpose(&format!("parts/{what_for}"));
        let mut chosen = Vec::with_capacity(wanted);
        for ((class, mut numbers), quota) in classes.into_iter().zip(quotas(&sizes, wanted)) {
            Stream::new(self.split_seed, purpose, 0, u64::from(class)).draws().shuffle(&mut numbers);
            chosen.extend(&numbers[..quota]);
        }
        chosen.sort_unstable();
        chosen
    }
}

/// `wanted` seats for groups of these sizes: the whole shares, then one each by largest remainder, ties by order.
fn quotas(sizes: &[usize], wanted: usize) -> Vec<usize> {
    let total: u128 = sizes.iter().map(|&n| n as u128).sum();
    let exact: Vec<(u128, u128)> =
        sizes.iter().map(|&n| n as u128 * wanted as u128).map(|n| (n / total, n % total)).collect();
    let mut quotas: Vec<usize> = exact.iter().map(|(whole, _)| *whole as usize).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(exact[i].1));
    let missing = wanted - quotas.iter().sum::<usize>();
    order.into_iter().take(missing).for_each(|i| quotas[i] += 1);
    quotas
}

#[cfg(test)]
mod tests;
