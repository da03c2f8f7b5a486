//! A dataset that was opened: what was read, who is in which part, and every image as a network gets it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use kernels::input::Normalization;

use crate::gate::{self, Demands, Findings};
use crate::groups::Groups;
use crate::normalize::{Normalize, of_statistics};
use crate::parts::{Divided, Division, divide, validation_is_test};
use crate::statistics::statistics;
use crate::steps::{Key, Mode, Scratch, Steps};
use crate::{
    Checked, Choice, Error, FieldKind, Folds, ImageShape, Part, PartName, Pixels, Places, Progress, Published,
};
use crate::{Split, Stored, checksum, read};

/// A dataset, ready to be learned from.
#[derive(Clone)]
pub struct Dataset {
    /// The card's name.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// The dataset that this one stands in for.
    pub instead_of: Option<InsteadOf>,
    /// Whether the bytes are the publisher's.
    pub published: Published,
    /// The format of the layout that was read.
    pub layout: &'static str,
    /// BLAKE3 of what was read, and of what of it was dropped, in hexadecimal digits.
    pub fingerprint: String,
    /// The names of the classes, in the order of the labels.
    pub classes: Vec<String>,
    /// Whether the experiment allows choosing by the test part, which every table shows.
    pub choose_on_test: bool,
    /// The folds that train was cut into, and which of them is the validation part.
    pub fold: Option<Folds>,
    /// What was noted before the first step.
    pub findings: Findings,
    store: Arc<Store>,
}

/// The dataset that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InsteadOf {
    /// Its name.
    pub name: String,
    /// Why it is not the one.
    pub why: String,
}

/// What loaders share.
pub(crate) struct Store {
    splits: BTreeMap<String, Split>,
    parts: BTreeMap<PartName, Part>,
    /// The samples of every fold, numbered as those of train.
    folds: Vec<Vec<u32>>,
    groups: Option<Groups>,
    steps: Arc<Steps>,
    shapes: [[usize; 3]; 2],
    normalize: Normalize,
    measured: OnceLock<Result<Normalization, String>>,
    /// The names of the image and of the label in a sample.
    pub(crate) fields: [String; 2],
}

impl Dataset {
    /// Reads what was checked; where the dataset is neither here nor downloadable, its fallback.
    ///
    /// # Panics
    /// If the check found faults: a bug.
    pub fn open(checked: &Checked, places: &Places, progress: &mut dyn FnMut(Progress)) -> Result<Dataset, Error> {
        let first = checked.choices.first().expect("the check found no fault");
        match (read(&first.card, places, progress), checked.choices.get(1)) {
            (Err(error), Some(second)) if error.is_absent() => {
                let instead_of = InsteadOf { name: first.card.name.clone(), why: error.to_string() };
                let stored = read(&second.card, places, progress)?;
                Dataset::of(stored, second, checked, Some(instead_of))
            }
            (result, _) => Dataset::of(result?, first, checked, None),
        }
    }

    fn of(stored: Stored, choice: &Choice, checked: &Checked, instead_of: Option<InsteadOf>) -> Result<Dataset, Error> {
        fits(&stored, choice, checked)?;
        let groups = checked.group.as_deref().map(|column| Groups::read(&stored, column)).transpose()?;
        let mut fingerprint =
            groups.as_ref().map_or(stored.fingerprint.clone(), |g| g.fingerprint(&stored.fingerprint));
        let Divided { parts, folds } = divided(&stored, choice, checked, groups.as_ref())?;
        let shape = |shape: Option<[usize; 3]>| shape.expect("the check found no fault");
        let mut store = Store {
            splits: stored.splits,
            parts: parts.into_iter().map(|part| (part.name, part)).collect(),
            folds,
            groups,
            steps: checked.steps.clone(),
            shapes: [shape(choice.train_shape), shape(choice.evaluation_shape)],
            normalize: checked.normalize.clone(),
            measured: OnceLock::new(),
            fields: field_names(choice),
        };
        let same = validation_is_test(&choice.parts).then_some([PartName::Validation, PartName::Test]);
        let (name, image, classes) = (&stored.name, choice.card.image(), &stored.classes);
        let demands = Demands { name, image, classes, duplicates: checked.duplicates, same };
        let findings = gate::pass(&mut store, &demands)?;
        if !findings.dropped.is_empty() {
            fingerprint = checksum::with(&fingerprint, "dropped", findings.dropped.iter().map(|&s| u64::from(s)));
        }
        Ok(Dataset {
            name: stored.name,
            title: choice.card.title.clone(),
            instead_of,
            published: stored.published,
            layout: stored.layout,
            fingerprint,
            classes: stored.classes,
            choose_on_test: checked.choose_on_test,
            fold: checked.folds,
            findings,
            store: Arc::new(store),
        })
    }

    /// The parts that there are.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.store.parts()
    }

    /// One of the parts, where the experiment has it.
    pub fn part(&self, name: PartName) -> Option<&Part> {
        self.store.parts.get(&name)
    }

    /// The classes of a part's samples, in their order.
    ///
    /// # Panics
    /// If there is no such part.
    pub fn labels(&self, part: PartName) -> Vec<u32> {
        let part = self.store.part(part);
        part.indices.iter().map(|&sample| self.store.label(part, sample)).collect()
    }

    /// How many samples of each class a part has.
    ///
    /// # Panics
    /// If there is no such part.
    pub fn class_counts(&self, part: PartName) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        self.labels(part).into_iter().for_each(|label| counts[label as usize] += 1);
        counts
    }

    /// How many samples of each class each fold has; empty without folds.
    pub fn fold_class_counts(&self) -> Vec<Vec<usize>> {
        self.store.fold_class_counts(self.classes.len())
    }

    /// The column that says which samples belong together, and how many groups each part has.
    pub fn groups(&self) -> Option<(&str, BTreeMap<PartName, usize>)> {
        let groups = self.store.groups()?;
        let count = |part: &Part| (part.name, self.store.groups_of(part).len());
        Some((&groups.column, self.store.parts().map(count).collect()))
    }

    /// The file of a sample, where it is one of its own.
    ///
    /// # Panics
    /// If there is no such part or sample.
    pub fn file(&self, part: PartName, sample: u32) -> Option<&Path> {
        let (split, index) = self.store.locate(self.store.part(part), sample);
        split.files.as_ref().map(|files| files[index].as_path())
    }

    /// Height, width and channels of every image that a network gets.
    pub fn shape(&self, mode: Mode) -> [usize; 3] {
        self.store.shape(mode)
    }

    /// A sample's image as it is stored.
    ///
    /// # Panics
    /// If there is no such part or sample.
    pub fn original(&self, part: PartName, sample: u32) -> Result<Pixels, Error> {
        let (split, index) = self.store.locate(self.store.part(part), sample);
        split.image(index)
    }

    /// A sample's image as a network gets it; `sample` is its number in the part's splits.
    ///
    /// # Panics
    /// If there is no such part or sample.
    pub fn image_for(&self, part: PartName, sample: u32, mode: Mode, seed: u64, epoch: u64) -> Result<Pixels, Error> {
        let mut scratch = Scratch::default();
        self.store.prepare(self.store.part(part), mode, Key { seed, epoch, sample }, &mut scratch)?;
        Ok(scratch.image().clone())
    }

    /// Mean and standard deviation of each channel over the training part after `preprocess`, of values from 0 to 1.
    pub fn statistics(&self) -> Result<(Vec<f64>, Vec<f64>), Error> {
        let [_, _, channels] = self.shape(Mode::Evaluate);
        statistics(&self.store, channels)
    }

    /// What is done to the values of images; `normalize: dataset` measures the training part, once.
    pub fn normalization(&self) -> Result<Normalization, Error> {
        let [_, _, channels] = self.shape(Mode::Evaluate);
        if let Some(known) = self.store.normalize.known(channels) {
            return Ok(known);
        }
        let measured = self.store.measured.get_or_init(|| {
            let (mean, std) = self.statistics().map_err(|error| error.to_string())?;
            if let Some(channel) = std.iter().position(|&s| s == 0.0) {
                let name = &self.name;
                return Err(format!(
                    "{name} cannot be normalized: channel {channel} is the same in all images of train"
                ));
            }
            Ok(of_statistics(&mean, &std))
        });
        measured.clone().map_err(Error::plain)
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }
}

/// What the check could not know of a dataset that was not there.
fn fits(stored: &Stored, choice: &Choice, checked: &Checked) -> Result<(), Error> {
    let name = &stored.name;
    if let Some(n) = checked.n_classes().filter(|&n| n != stored.classes.len()) {
        let found = stored.classes.len();
        return Err(Error::plain(format!("{name} has {found} classes, and the experiment was checked with {n}")));
    }
    if let Some(split) = choice.parts.values().flat_map(|p| &p.split.0).find(|s| !stored.splits.contains_key(*s)) {
        let splits = spec::one_of(stored.splits.keys().map(String::as_str));
        return Err(Error::plain(format!("{name} has no split `{split}`: it has {splits}")));
    }
    Ok(())
}

fn divided(stored: &Stored, choice: &Choice, checked: &Checked, groups: Option<&Groups>) -> Result<Divided, Error> {
    let labels = stored.splits.iter().map(|(name, split)| (name.as_str(), split.labels.as_slice())).collect();
    let (words, groups) = (&choice.parts, groups.map(|groups| &groups.by_split));
    let division = Division { words, folds: checked.folds, split_seed: checked.split_seed, labels, groups };
    divide(&division).map_err(|shortages| {
        let messages: Vec<String> = shortages.into_iter().map(|s| s.message).collect();
        Error::plain(format!("{} has too few samples: {}", stored.name, messages.join("; ")))
    })
}

fn field_names(choice: &Choice) -> [String; 2] {
    let name = |is: fn(&FieldKind) -> bool| {
        let field = choice.card.fields.iter().find(|field| is(&field.kind));
        field.expect("a checked card has an image and a class").name.clone()
    };
    [name(|kind| matches!(kind, FieldKind::Image { .. })), name(|kind| matches!(kind, FieldKind::Class { .. }))]
}

impl Store {
    /// One of the parts.
    ///
    /// # Panics
    /// If there is no such part.
    pub(crate) fn part(&self, name: PartName) -> &Part {
        self.parts.get(&name).unwrap_or_else(|| panic!("the experiment has no part {}", name.name()))
    }

    /// The parts that there are.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.values()
    }

    /// Takes samples, given ascending, out of a part.
    pub(crate) fn drop_from(&mut self, name: PartName, samples: &[u32]) {
        if let Some(part) = self.parts.get_mut(&name) {
            part.indices.retain(|sample| samples.binary_search(sample).is_err());
        }
    }

    /// The split of a sample, and its number there.
    pub(crate) fn locate(&self, part: &Part, sample: u32) -> (&Split, usize) {
        let mut index = sample as usize;
        for name in &part.splits {
            let split = &self.splits[name];
            if index < split.len() {
                return (split, index);
            }
            index -= split.len();
        }
        panic!("part {} has no sample {sample}", part.name.name());
    }

    /// The class of a sample.
    pub(crate) fn label(&self, part: &Part, sample: u32) -> u32 {
        let (split, index) = self.locate(part, sample);
        split.labels[index]
    }

    /// How many samples of each class each fold has.
    pub(crate) fn fold_class_counts(&self, n_classes: usize) -> Vec<Vec<usize>> {
        let count = |fold: &Vec<u32>| {
            let mut counts = vec![0; n_classes];
            fold.iter().for_each(|&sample| counts[self.label(self.part(PartName::Train), sample) as usize] += 1);
            counts
        };
        self.folds.iter().map(count).collect()
    }

    /// The groups of the samples, where they come in groups.
    pub(crate) fn groups(&self) -> Option<&Groups> {
        self.groups.as_ref()
    }

    /// The numbers of the groups that a part's samples are of.
    pub(crate) fn groups_of(&self, part: &Part) -> BTreeSet<u32> {
        let Some(groups) = &self.groups else { return BTreeSet::new() };
        let all: Vec<u32> = part.splits.iter().flat_map(|split| groups.by_split[split].iter().copied()).collect();
        part.indices.iter().map(|&sample| all[sample as usize]).collect()
    }

    /// Height, width and channels of the images of a mode.
    pub(crate) fn shape(&self, mode: Mode) -> [usize; 3] {
        match mode {
            Mode::Train => self.shapes[0],
            Mode::Evaluate => self.shapes[1],
        }
    }

    /// What the steps of a mode make of an image of this shape, or why they cannot take it.
    pub(crate) fn shape_after(&self, mode: Mode, shape: ImageShape) -> Result<ImageShape, String> {
        self.steps.shape(mode, shape)
    }

    /// Whether images of a mode are bytes in memory that no step changes.
    pub(crate) fn is_plain(&self, part: &Part, mode: Mode) -> bool {
        let in_memory = |name: &String| self.splits[name].is_empty() || self.splits[name].in_memory(0).is_some();
        self.steps.is_empty(mode) && part.splits.iter().all(in_memory)
    }

    /// Makes a sample's image in `scratch`.
    pub(crate) fn prepare(&self, part: &Part, mode: Mode, key: Key, scratch: &mut Scratch) -> Result<(), Error> {
        let (split, index) = self.locate(part, key.sample);
        split.image_into(index, scratch.image_mut())?;
        let named = |error: Error| match &split.files {
            Some(files) => Error::plain(format!("{}: {error}", files[index].display())),
            None => Error::plain(format!("sample {} of {}: {error}", key.sample, part.name.name())),
        };
        self.steps.run(mode, scratch, key).map_err(named)
    }
}
