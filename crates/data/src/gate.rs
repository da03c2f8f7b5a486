//! The gate before the first step: what was read is held against what the experiment makes of it, and all that keeps the
//! parts from being learned is told together. What only lessens a measurement is noted, never passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rayon::prelude::*;

use crate::dataset::Store;
use crate::duplicates::{self, Copies};
use crate::error::{Problem, grouped, one_line};
use crate::steps::Mode;
use crate::words::Duplicates;
use crate::{Error, ImageShape, Part, PartName};

/// Most classes or groups that are named in a line.
const MAX_NAMED: usize = 5;

/// What was noted about a dataset that may be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Pairs of parts with exact copies, as they were before any were dropped.
    pub copies: Vec<Copies>,
    /// The samples that `duplicates: drop` took out of train, ascending.
    pub dropped: Vec<u32>,
    /// The classes of which validation or test has no sample.
    pub absent_classes: BTreeMap<PartName, Vec<u32>>,
}

/// What the experiment asks of its data.
pub(crate) struct Demands<'a> {
    /// The dataset's name.
    pub name: &'a str,
    /// The shape that its card promises.
    pub image: ImageShape,
    pub classes: &'a [String],
    pub duplicates: Duplicates,
    /// Two parts that are the same samples on purpose.
    pub same: Option<[PartName; 2]>,
}

/// Lets a dataset pass, without the samples that are dropped, or lists what is in its way.
pub(crate) fn pass(store: &mut Store, demands: &Demands) -> Result<Findings, Error> {
    let mut problems = wrong_sizes(store, demands.image);
    let found = duplicates::find(store, demands.same)?;
    let mut dropped = Vec::new();
    match demands.duplicates {
        Duplicates::Report => {}
        Duplicates::Refuse => problems.extend(found.copies.iter().filter(|c| c.crosses()).map(|c| refusal(store, c))),
        Duplicates::Drop => {
            store.drop_from(PartName::Train, &found.of_train);
            dropped = found.of_train;
        }
    }
    problems.extend(straddling(store, demands.same));
    problems.extend(alone_in_a_fold(store, demands.classes));
    let mut absent_classes = absent(store, demands.classes.len());
    for class in absent_classes.remove(&PartName::Train).unwrap_or_default() {
        let class = one_line(&demands.classes[class as usize]);
        let why = format!("the class `{class}` has no sample to learn from; add some, or leave the class out");
        problems.push(Problem::new(PartName::Train.name(), why));
    }
    match problems.is_empty() {
        true => Ok(Findings { copies: found.copies, dropped, absent_classes }),
        false => Err(Error::in_the_way(demands.name, problems)),
    }
}

impl Findings {
    /// In words, a line each; `classes` are the names of the classes.
    pub fn describe(&self, classes: &[String]) -> Vec<String> {
        let mut lines: Vec<String> = self.copies.iter().map(Copies::describe).collect();
        if !self.dropped.is_empty() {
            let n = grouped(self.dropped.len() as u64);
            lines.push(format!("dropped from train, because they stand in validation or test: {n}"));
        }
        for (part, absent) in &self.absent_classes {
            let names: Vec<&str> = absent.iter().map(|&class| classes[class as usize].as_str()).collect();
            lines.push(format!("{} has no sample of {}", part.name(), named(&names)));
        }
        lines
    }
}

fn refusal(store: &Store, copies: &Copies) -> Problem {
    let remedy = match copies.first {
        PartName::Train => "`duplicates: drop` leaves them out of train",
        PartName::Validation | PartName::Test => "take them out of one of the two",
    };
    let example = copies.describe_example(store);
    Problem::new(copies.first.name(), format!("{}; {example}; {remedy}", copies.describe()))
}

/// Groups that stand in two parts, which happens where parts take from different splits.
fn straddling(store: &Store, same: Option<[PartName; 2]>) -> Vec<Problem> {
    let Some(groups) = store.groups() else { return Vec::new() };
    let of_parts: Vec<(PartName, BTreeSet<u32>)> =
        store.parts().map(|part| (part.name, store.groups_of(part))).collect();
    let mut problems = Vec::new();
    for (index, (first, ours)) in of_parts.iter().enumerate() {
        for (second, theirs) in of_parts[index + 1..].iter().filter(|(second, _)| same != Some([*first, *second])) {
            let shared: Vec<&str> =
                ours.intersection(theirs).map(|&group| groups.names[group as usize].as_str()).collect();
            if !shared.is_empty() {
                let (names, column, second) = (named(&shared), &groups.column, second.name());
                let why = format!("{names} of `{column}` also stand in {second}; let both take from the same splits");
                problems.push(Problem::new(first.name(), why));
            }
        }
    }
    problems
}

/// The classes that one fold has alone, so that nothing teaches them in the run where it validates.
fn alone_in_a_fold(store: &Store, classes: &[String]) -> Vec<Problem> {
    let folds = store.fold_class_counts(classes.len());
    let alone = |(class, name): (usize, &String)| {
        let mut having = folds.iter().enumerate().filter(|(_, counts)| counts[class] > 0).map(|(fold, _)| fold + 1);
        let (Some(fold), None) = (having.next(), having.next()) else { return None };
        let why = format!("all samples of the class `{}` are in one fold; nothing else teaches it", one_line(name));
        Some(Problem::new(format!("fold {fold}"), why))
    };
    classes.iter().enumerate().filter_map(alone).collect()
}

/// Some names, and how many more there are.
fn named(names: &[&str]) -> String {
    let some: Vec<String> = names.iter().take(MAX_NAMED).map(|name| format!("`{}`", one_line(name))).collect();
    match names.len().saturating_sub(MAX_NAMED) {
        0 => some.join(", "),
        more => format!("{} and {} more", some.join(", "), grouped(more as u64)),
    }
}

/// The classes without a sample, of each part that lacks some.
fn absent(store: &Store, n_classes: usize) -> BTreeMap<PartName, Vec<u32>> {
    let of_part = |part: &Part| {
        let mut seen = vec![false; n_classes];
        part.indices.iter().for_each(|&sample| seen[store.label(part, sample) as usize] = true);
        let absent: Vec<u32> = (0..n_classes as u32).filter(|&class| !seen[class as usize]).collect();
        (part.name, absent)
    };
    store.parts().map(of_part).filter(|(_, absent)| !absent.is_empty()).collect()
}

/// The images that do not come to the size that was checked, where the card's images differ in size.
fn wrong_sizes(store: &Store, image: ImageShape) -> Vec<Problem> {
    if image.fixed().is_some() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for part in store.parts() {
        let modes = if part.name == PartName::Train { &[Mode::Train, Mode::Evaluate][..] } else { &[Mode::Evaluate] };
        let wrong = |&sample: &u32| {
            let (split, index) = store.locate(part, sample);
            let path = &split.files.as_ref()?[index];
            let (height, width) = dimensions(path)?;
            let shape = ImageShape { height: Some(height), width: Some(width), channels: image.channels };
            modes.iter().find_map(|&mode| match store.shape_after(mode, shape) {
                Err(why) => Some(Problem::new(path, why)),
                Ok(after) if after.fixed() != Some(store.shape(mode)) => {
                    Some(Problem::new(path, format!("an image of {shape} comes to {after}")))
                }
                Ok(_) => None,
            })
        };
        problems.par_extend(part.indices.par_iter().filter_map(wrong));
    }
    problems.sort();
    problems.dedup();
    problems
}

/// Height and width of an image file, where its header says so.
fn dimensions(path: &Path) -> Option<(usize, usize)> {
    let reader = image::ImageReader::open(path).ok()?.with_guessed_format().ok()?;
    let (width, height) = reader.into_dimensions().ok()?;
    Some((height as usize, width as usize))
}
