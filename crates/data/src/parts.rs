//! Who is in which part: train, validation and test out of a dataset's splits, disjoint, each class by its share.
//!
//! Everything here is a function of the words, the labels and `split_seed`. Shares are taken in the order test, validation,
//! train, those of `take: last` before those at random; then parts without a share take what is left. Within a share each
//! class has its quota by largest remainder (Hamilton's method), of what is still there. Where samples come in groups,
//! shares are made of whole groups. Last, `folds` cut what trains.

mod folds;
mod groups;

use std::collections::BTreeMap;

use kernels::random::{Stream, purpose};

use crate::error::grouped;
use crate::words::{PartSection, Take};

pub use folds::Folds;

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
    /// The part; none where the folds are too many.
    pub part: Option<PartName>,
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

/// What decides who is in which part.
pub struct Division<'a> {
    /// The words of the parts; with folds none for validation.
    pub words: &'a Words,
    pub folds: Option<Folds>,
    pub split_seed: u64,
    /// The class of each sample of a split.
    pub labels: BTreeMap<&'a str, &'a [u32]>,
    /// The group of each sample of a split, where samples come in groups.
    pub groups: Option<&'a BTreeMap<String, Vec<u32>>>,
}

/// Who is in which part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divided {
    /// The parts that there are, in their order.
    pub parts: Vec<Part>,
    /// The samples of each fold, numbered as those of train; empty without folds.
    pub folds: Vec<Vec<u32>>,
}

/// Divides the samples, or says all that cannot be had.
pub fn divide(division: &Division) -> Result<Divided, Vec<Shortage>> {
    let words = division.words;
    let mut pools = Pools { division, taken: BTreeMap::new() };
    for section in words.values() {
        if let Some(limit) = section.limit {
            pools.thin(section, limit);
        }
    }
    let mut parts = pools.shares()?;
    let rests: Vec<(PartName, Vec<u32>)> =
        (words.iter().filter(|(_, s)| s.is_rest())).map(|(&name, s)| (name, numbers(&pools.free(s)))).collect();
    let empty = rests.iter().find(|(_, chosen)| chosen.is_empty()).map(|(name, _)| {
        let message = format!("nothing is left of {} for `{}`", words[name].splits_in_words(), name.name());
        Shortage { part: Some(*name), message }
    });
    if let Some(shortage) = empty {
        return Err(vec![shortage]);
    }
    parts.extend(rests);
    let part = |(name, indices)| Part { name, splits: words[&name].split.0.clone(), indices };
    let mut divided = Divided { parts: parts.into_iter().map(part).collect(), folds: Vec::new() };
    if let Some(folds) = division.folds {
        pools.cut(&mut divided, folds).map_err(|shortage| vec![shortage])?;
    }
    Ok(divided)
}

fn numbers(samples: &[Free]) -> Vec<u32> {
    samples.iter().map(|sample| sample.number).collect()
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
    Shortage { part: Some(part), message }
}

/// A sample that a part may take.
#[derive(Clone, Copy)]
struct Free {
    /// In the joined splits of the part that asks.
    number: u32,
    class: u32,
    /// Zero where there are no groups.
    group: u32,
}

/// What is left of each split.
struct Pools<'a> {
    division: &'a Division<'a>,
    taken: BTreeMap<String, Vec<bool>>,
}

impl<'a> Pools<'a> {
    fn taken(&mut self, split: &str) -> &mut Vec<bool> {
        let n = self.division.labels[split].len();
        self.taken.entry(split.to_string()).or_insert_with(|| vec![false; n])
    }

    /// The parts that take a share, or all that cannot have theirs.
    fn shares(&mut self) -> Result<BTreeMap<PartName, Vec<u32>>, Vec<Shortage>> {
        let words = self.division.words;
        let limited: BTreeMap<PartName, usize> = words.iter().map(|(name, s)| (*name, self.free(s).len())).collect();
        let (mut parts, mut shortages) = (BTreeMap::new(), Vec::new());
        for take in [Take::Last, Take::Random] {
            for (&name, section) in words.iter().rev().filter(|(_, s)| !s.is_rest() && s.take == take) {
                let wanted = section.count.unwrap_or_else(|| share(section.fraction, limited[&name]));
                let free = self.free(section);
                if wanted > free.len() || wanted == 0 {
                    shortages.push(shortage(name, section, wanted, limited[&name], free.len()));
                    continue;
                }
                let chosen = self.choose(&free, wanted, take, name);
                if chosen.is_empty() {
                    let splits = section.splits_in_words();
                    let message = format!("`{}` takes so small a share of {splits} that no group fits", name.name());
                    shortages.push(Shortage { part: Some(name), message });
                }
                self.mark(section, &chosen);
                parts.insert(name, chosen);
            }
        }
        if shortages.is_empty() { Ok(parts) } else { Err(shortages) }
    }

    /// So many of these samples, or whole groups of about so many.
    fn choose(&self, free: &[Free], wanted: usize, take: Take, part: PartName) -> Vec<u32> {
        match (take, self.division.groups) {
            (Take::Last, _) => numbers(&free[free.len() - wanted..]),
            (Take::Random, None) => self.stratified(free, wanted, part.name()),
            (Take::Random, Some(_)) if wanted == free.len() => numbers(free),
            (Take::Random, Some(_)) => {
                let share = wanted as f64 / free.len() as f64;
                groups::deal(free, &[share, 1.0 - share], self.division.split_seed, part.name()).swap_remove(0)
            }
        }
    }

    /// Cuts train into folds, of which one becomes validation.
    fn cut(&self, divided: &mut Divided, Folds { count, fold }: Folds) -> Result<(), Shortage> {
        let train =
            divided.parts.iter_mut().find(|part| part.name == PartName::Train).expect("every experiment trains");
        let all = self.samples(&train.splits);
        let samples: Vec<Free> = train.indices.iter().map(|&number| all[number as usize]).collect();
        let folds = folds::cut(&samples, count, self.division.groups.is_some(), self.division.split_seed);
        if folds.iter().any(Vec::is_empty) {
            let what = if self.division.groups.is_some() { "groups" } else { "samples" };
            let message = format!("`train` has too few {what} for {count} folds");
            return Err(Shortage { part: None, message });
        }
        let held = folds[fold - 1].clone();
        train.indices.retain(|number| held.binary_search(number).is_err());
        let validation = Part { name: PartName::Validation, splits: train.splits.clone(), indices: held };
        divided.parts.insert(1, validation);
        divided.folds = folds;
        Ok(())
    }

    /// All samples of these splits, joined.
    fn samples(&self, splits: &[String]) -> Vec<Free> {
        let mut samples: Vec<Free> = Vec::new();
        for split in splits {
            let start = samples.len();
            let labels = self.division.labels[split.as_str()];
            let groups = self.division.groups.map(|groups| &groups[split]);
            samples.extend(labels.iter().enumerate().map(|(i, &class)| {
                let group = groups.map_or(0, |groups| groups[i]);
                Free { number: (start + i) as u32, class, group }
            }));
        }
        samples
    }

    /// The samples that are left for a part.
    fn free(&mut self, section: &PartSection) -> Vec<Free> {
        let mut taken = Vec::new();
        section.split.0.iter().for_each(|split| taken.extend_from_slice(self.taken(split)));
        let mut samples = self.samples(&section.split.0);
        samples.retain(|sample| !taken[sample.number as usize]);
        samples
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
            Stream::new(self.division.split_seed, purpose, 0, u64::from(class)).draws().shuffle(&mut numbers);
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
