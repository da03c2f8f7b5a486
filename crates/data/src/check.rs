//! What must hold between the words of `data`, the cards and the steps, each fault at its place, before any image is read.

use std::collections::BTreeSet;
use std::sync::Arc;

use spec::{Fault, Faults, Node, Place, Word};

use crate::normalize::{self, Normalize};
use crate::parts::{Folds, PartName, Words, validation_is_test};
use crate::steps::{Mode, Steps};
use crate::words::{Duplicates, PartSection};
use crate::{Card, Cards, check_folds, check_parts};

/// What there is to choose by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// There is no validation part.
    Absent,
    /// Samples of its own, or `choose_on_test` allows the test part.
    Chooses,
    /// It is the test part, by which nothing may be chosen.
    IsTest,
}

/// What the file says of data. Where it has faults, what depends on them is left out, so that the rest of the experiment
/// can be checked all the same.
#[derive(Clone)]
pub struct Checked {
    /// The dataset, then the fallback where there is one. Empty where the dataset has faults.
    pub choices: Vec<Choice>,
    /// What becomes of images.
    pub steps: Arc<Steps>,
    /// What becomes of their values.
    pub normalize: Normalize,
    /// What there is to choose by.
    pub validation: Validation,
    /// Whether the file allows choosing by the test part.
    pub choose_on_test: bool,
    /// The folds that train is cut into, and which of them validates.
    pub folds: Option<Folds>,
    /// The column of the table beside the images whose groups are kept whole.
    pub group: Option<String>,
    /// Decides who is in which part.
    pub split_seed: u64,
    /// What is done about images that stand in two parts.
    pub duplicates: Duplicates,
    /// Place of the dataset's name.
    pub place: Place,
}

/// One dataset that may be read.
#[derive(Clone)]
pub struct Choice {
    /// Its card.
    pub card: Card,
    /// The names of its classes, where they are known.
    pub classes: Option<Vec<String>>,
    /// Height, width and channels of what the network trains on; none where a step is at fault.
    pub train_shape: Option<[usize; 3]>,
    /// Height, width and channels of what the network is evaluated on; none where a step is at fault.
    pub evaluation_shape: Option<[usize; 3]>,
    /// Its parts.
    pub parts: Words,
}

impl Choice {
    /// How many samples a part has, where the card says how many the splits have. Shares are rounded class by class when
    /// the data is there, so this may be off by a few.
    pub fn n_samples(&self, name: PartName) -> Option<usize> {
        let part = self.parts.get(&name)?;
        let all: usize = part.split.0.iter().map(|split| self.card.samples.get(split).copied()).sum::<Option<_>>()?;
        let all = part.limit.map_or(all, |limit| limit.min(all));
        let share =
            |part: &PartSection| part.count.or(part.fraction.map(|fraction| (fraction * all as f64).round() as usize));
        let others = self.parts.iter().filter(|(other, section)| **other != name && section.split == part.split);
        let taken: usize = others.filter_map(|(_, section)| share(section)).sum();
        Some(share(part).unwrap_or(all.saturating_sub(taken)))
    }
}

/// Checks the resolved section `data`.
pub fn check(data: &Node, cards: &Cards, faults: &mut Faults) -> Checked {
    let before = faults.len();
    let node = |key: &str| data.find(key).filter(|node| node.is_sound() && !node.is_word("none"));
    let steps = Arc::new(Steps::of(data));
    let mut choices = Vec::new();
    // `none` is a word for what may be left out, which a dataset may not.
    if let Some(dataset) = data.find("dataset").filter(|node| node.is_sound())
        && let Some(card) = cards.find(dataset, faults)
    {
        choices.push(choice(card, data, &steps, faults));
    }
    if let Some(fallback) = node("fallback")
        && let Some(card) = cards.find(fallback, faults)
        && let Some(first) = choices.first()
    {
        choices.extend(fitting(card, first, fallback, data, &steps, faults));
    }
    let evaluated = choices.first().and_then(|choice| choice.evaluation_shape);
    if let Some(normalize) = node("normalize") {
        normalize::check(normalize, evaluated.map(|[_, _, channels]| channels), faults);
    }
    let choose_on_test = node("choose_on_test").is_some_and(bool::read);
    if let Some(first) = choices.first().filter(|_| faults.len() == before) {
        check_unread(data, first, faults);
    }
    Checked {
        validation: validation(data, choices.first(), choose_on_test),
        steps,
        normalize: node("normalize").map_or(Normalize::Unit, Normalize::of),
        choose_on_test,
        folds: check_folds::folds(data),
        group: node("group").map(String::read),
        split_seed: node("split_seed").map_or(0, u64::read),
        duplicates: node("duplicates").map_or(Duplicates::Report, Duplicates::read),
        place: data.place_of("dataset"),
        choices,
    }
}

impl Checked {
    /// The names of the parts that there will be, validation among them where it is a fold; none where the dataset has
    /// faults.
    pub fn part_names(&self) -> Option<BTreeSet<PartName>> {
        let validation = (self.validation != Validation::Absent).then_some(PartName::Validation);
        Some(self.choices.first()?.parts.keys().copied().chain(validation).collect())
    }

    /// How many samples a part has of the dataset that is asked for, as [`Choice::n_samples`] knows it; of folds, which
    /// are equal but for one sample, the part of the first.
    pub fn n_samples(&self, name: PartName) -> Option<usize> {
        let of_words = |name| self.choices.first()?.n_samples(name);
        let Some(Folds { count, .. }) = self.folds else { return of_words(name) };
        let pool = of_words(PartName::Train)?;
        match name {
            PartName::Train => Some(pool - pool.div_ceil(count)),
            PartName::Validation => Some(pool.div_ceil(count)),
            PartName::Test => of_words(name),
        }
    }

    /// How many classes the dataset has, where that is known.
    pub fn n_classes(&self) -> Option<usize> {
        self.choices.first()?.classes.as_ref().map(Vec::len)
    }
}

/// What nothing reads, for the parts that there are.
fn check_unread(data: &Node, choice: &Choice, faults: &mut Faults) {
    let node = |key: &str| data.find(key).filter(|node| node.is_sound() && !node.is_word("none"));
    if node("choose_on_test").is_some_and(bool::read) && !validation_is_test(&choice.parts) {
        let fault = Fault::new(data.place_of("choose_on_test"), "the validation part is not the test part");
        faults.push(fault.help("take it out: there is nothing to allow"));
    }
    let draws = |part: &PartSection| part.fraction.is_some() || part.count.is_some() || part.limit.is_some();
    let is_drawn = node("folds").is_some() || choice.parts.values().any(draws);
    if node("split_seed").is_some_and(|seed| u64::read(seed) != 0) && !is_drawn {
        let fault = Fault::new(data.place_of("split_seed"), "no part is drawn, so `split_seed` is read by nothing");
        faults.push(fault.help("give a part a `fraction` or a `count`, or take it out"));
    }
}

fn validation(data: &Node, choice: Option<&Choice>, choose_on_test: bool) -> Validation {
    let absent = |key: &str| data.find(key).is_none_or(|node| node.is_word("none"));
    if absent("validation") && absent("folds") {
        Validation::Absent
    } else if choice.is_some_and(|choice| validation_is_test(&choice.parts)) && !choose_on_test {
        Validation::IsTest
    } else {
        Validation::Chooses
    }
}

fn choice(card: Card, data: &Node, steps: &Steps, faults: &mut Faults) -> Choice {
    let mut shape = |mode| shape(&card, data, steps, mode, faults);
    let (train_shape, evaluation_shape) = (shape(Mode::Train), shape(Mode::Evaluate));
    let parts = check_parts::check(data, &card, faults);
    Choice { classes: card.classes().map(<[String]>::to_vec), train_shape, evaluation_shape, parts, card }
}

/// The shape that images have after the steps of a mode, if every step can take them and one size comes out.
fn shape(card: &Card, data: &Node, steps: &Steps, mode: Mode, faults: &mut Faults) -> Option<[usize; 3]> {
    let shape = steps.check(mode, card.image(), faults)?;
    if shape.fixed().is_none() {
        if card.in_place && card.splits().is_none() {
            let message = format!("the data folders hold no folder `{}`", card.name);
            let fault = Fault::new(data.place_of("dataset"), message);
            faults.push(fault.help("name one that lies in --data-dir, ETALON_DATA_DIR or datasets/"));
            return None;
        }
        let message = format!("the images of `{}` differ in size, and a network takes one size", card.name);
        let fault = Fault::new(data.place_of("dataset"), message);
        faults.push(fault.help("bring them to one size, for example `preprocess: [{resize: 224}]`"));
    }
    shape.fixed()
}

/// The fallback, if it can stand in for the dataset. What is wrong with it is one fault at its name.
fn fitting(
    card: Card,
    first: &Choice,
    fallback: &Node,
    data: &Node,
    steps: &Steps,
    faults: &mut Faults,
) -> Option<Choice> {
    let (name, first_name) = (card.name.clone(), first.card.name.clone());
    let (image, first_image) = (card.image(), first.card.image());
    let mut alone = Faults::new();
    let second = choice(card, data, steps, &mut alone);
    let mut unfit = |why: String| {
        let message = format!("the fallback `{name}` cannot stand in for `{first_name}`: {why}");
        let fault = Fault::new(fallback.place, message);
        faults.push(fault.help("choose a fallback that fits, or take it out"));
    };
    let before = (first.train_shape, first.evaluation_shape);
    let after = (second.train_shape, second.evaluation_shape);
    let unknown = first.train_shape.is_none() || first.evaluation_shape.is_none();
    if !unknown && before != after {
        unfit(format!("its images are {image}, those of `{first_name}` are {first_image}"));
        return None;
    }
    if let (Some(ours), Some(theirs)) = (&first.classes, &second.classes)
        && ours.len() != theirs.len()
    {
        unfit(format!("it has {} classes, not {}", theirs.len(), ours.len()));
        return None;
    }
    let parts = check_parts::unfit(data, &second.card).filter(|_| check_parts::unfit(data, &first.card).is_none());
    if let Some(why) = parts {
        unfit(why);
        return None;
    }
    Some(second)
}
