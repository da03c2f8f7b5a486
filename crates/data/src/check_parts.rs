//! What must hold between the parts of an experiment and the splits of its dataset.

use spec::{Fault, Faults, Known, Node, Place, Word};

use crate::error::grouped;
use crate::parts::{Division, PartName, Words, divide, validation_is_test};
use crate::words::{PartSection, Splits, Take};
use crate::{Card, check_folds};

/// Above so many samples the sizes are checked when the dataset is there: a card may say any number.
const MOST_SAMPLES: usize = 1 << 26;

/// Checks the parts of a resolved section `data`. Those without faults come back, with those that stand by default.
pub(crate) fn check(data: &Node, card: &Card, faults: &mut Faults) -> Words {
    let before = faults.len();
    let mut words = Words::new();
    let mut sound = true;
    for name in PartName::ALL {
        let Some(node) = data.find(name.name()).filter(|node| !node.is_word("none")) else { continue };
        sound &= node.is_sound();
        if known_splits(node, card, faults) && node.is_sound() {
            let section = PartSection::read(node);
            check_one(&section, node, card, faults);
            words.insert(name, section);
        }
    }
    add_defaults(data, card, &mut words, faults);
    check_folds::check(data, card, faults);
    if sound && faults.len() == before {
        check_together(data, &words, faults);
    }
    if sound && faults.len() == before {
        check_sizes(data, card, &words, faults);
    }
    words
}

/// Why the parts cannot be taken out of a card's splits.
pub(crate) fn unfit(data: &Node, card: &Card) -> Option<String> {
    let mut faults = Faults::new();
    check(data, card, &mut faults);
    faults.sorted().first().map(|fault| fault.message.clone())
}

/// Whether every split that a part names is there, once; the others are faults.
fn known_splits(part: &Node, card: &Card, faults: &mut Faults) -> bool {
    let Some(items) = part.find("split").and_then(Node::list) else { return false };
    let before = faults.len();
    if items.is_empty() {
        faults.push(Fault::new(part.place_of("split"), "a part takes from at least one split"));
    }
    for (index, item) in items.iter().enumerate() {
        let Some(name) = item.text() else { continue };
        if let Some(splits) = card.splits().filter(|splits| !splits.iter().any(|s| s == name)) {
            let known: Vec<Known> = splits.iter().map(|name| Known { name, synonyms: &[] }).collect();
            faults.push(spec::unknown(item.place, &format!("split of `{}`:", card.name), name, &known).0);
        }
        if let Some(first) = items[..index].iter().find(|other| other.text() == Some(name)) {
            let fault = Fault::new(item.place, format!("the split `{name}` stands twice"));
            faults.push(fault.related(first.place, "first here").help("take one out"));
        }
    }
    faults.len() == before
}

fn check_one(section: &PartSection, node: &Node, card: &Card, faults: &mut Faults) {
    if section.fraction.is_some() && section.count.is_some() {
        let fault = Fault::new(node.place_of("count"), "the share is given twice, as fraction and as count");
        faults.push(fault.related(node.place_of("fraction"), "as fraction").help("take one of the two out"));
    }
    if section.take == Take::Last && section.is_rest() {
        let fault = Fault::new(node.place_of("take"), "`take` says which samples a share is, and there is no share");
        faults.push(fault.help("give the part a `fraction` or a `count`"));
    }
    if let (Some(count), Some(all)) = (section.count, samples(section, card))
        && count > all
    {
        let of = section.splits_in_words();
        let [count, all] = [count, all].map(|n| grouped(n as u64));
        let message = format!("the part takes {count} samples of {of}, which has {all}");
        faults.push(Fault::new(node.place_of("count"), message).help(format!("at most {all}, or a `fraction`")));
    }
}

/// How many samples the splits of a part have together, where the card says so.
fn samples(section: &PartSection, card: &Card) -> Option<usize> {
    section.split.0.iter().map(|split| card.samples.get(split).copied()).sum()
}

/// Adds the parts that stand by default: `train`, which every experiment has, and `test`, where there is such a split.
fn add_defaults(data: &Node, card: &Card, words: &mut Words, faults: &mut Faults) {
    let whole = |split: &str| PartSection {
        split: Splits(vec![split.into()]),
        fraction: None,
        count: None,
        take: Take::Random,
        limit: None,
    };
    let left_out = |part: &str| data.find(part).is_none_or(|node| node.is_word("none"));
    let has = |split: &str| card.splits().is_none_or(|splits| splits.iter().any(|s| s == split));
    if left_out("train") && has("train") {
        words.insert(PartName::Train, whole("train"));
    } else if left_out("train") {
        let splits = spec::one_of(card.splits().unwrap_or_default().iter().map(String::as_str));
        let message = format!("`train` is missing, and `{}` has no split of that name", card.name);
        let fault = Fault::new(data.place_of("dataset"), message);
        faults.push(fault.help(format!("say what trains, `train: {{split: …}}` with {splits}")));
    }
    let test = whole("test");
    let trained_on = words.get(&PartName::Train).is_some_and(|train| train.meets(&test));
    if left_out("test") && card.splits().is_some() && has("test") && !trained_on {
        words.insert(PartName::Test, test);
    }
}

/// Of one split only one part may take what is left, and it is thinned once.
fn check_together(data: &Node, words: &Words, faults: &mut Faults) {
    let place = |name: PartName, key: &str| place(data, name, key);
    let pairs = [
        (PartName::Train, PartName::Validation),
        (PartName::Train, PartName::Test),
        (PartName::Validation, PartName::Test),
    ];
    for (first, second) in pairs {
        let (Some(a), Some(b)) = (words.get(&first), words.get(&second)) else { continue };
        if !a.meets(b) {
            continue;
        }
        let same = second == PartName::Test && first == PartName::Validation && validation_is_test(words);
        if a.is_rest() && b.is_rest() && !same {
            let [one, other] = [first, second].map(PartName::name);
            let message = format!("`{one}` and `{other}` both take all that is left of {}", a.splits_in_words());
            let fault = Fault::new(place(second, "split"), message).related(place(first, "split"), "the other one");
            faults.push(fault.help("give one of them a share: `fraction: 0.1` or `count: 5000`"));
        }
        if let (Some(a), Some(b)) = (a.limit, b.limit)
            && a != b
        {
            let fault = Fault::new(place(second, "limit"), format!("the split is thinned to {b} samples and to {a}"));
            faults.push(fault.related(place(first, "limit"), "the other one").help("say it once"));
        }
    }
}

/// Whether there are as many samples as the parts take, where the card says how many there are.
fn check_sizes(data: &Node, card: &Card, words: &Words, faults: &mut Faults) {
    if words.values().any(|section| samples(section, card).is_none()) {
        return;
    }
    let most = card.samples.values().copied().max().unwrap_or(0);
    if most > MOST_SAMPLES {
        return;
    }
    let zeros = vec![0; most];
    let labels = card.samples.iter().map(|(split, &n)| (split.as_str(), &zeros[..n])).collect();
    // Which sample is in which group only the table knows.
    let (folds, groups) = (check_folds::folds(data), None);
    let division = Division { words, folds, split_seed: 0, labels, groups };
    for shortage in divide(&division).err().unwrap_or_default() {
        let Some(part) = shortage.part else {
            let fault = Fault::new(data.place_of("folds"), shortage.message);
            faults.push(fault.help("every fold has at least one sample"));
            continue;
        };
        let key = match &words[&part] {
            section if section.count.is_some() => "count",
            section if section.fraction.is_some() => "fraction",
            _ => "split",
        };
        let fault = Fault::new(place(data, part, key), shortage.message);
        faults.push(fault.help("the parts of a split are disjoint: together they have what it has"));
    }
}

/// Place of a key of a part; of the dataset where the part stands by default.
fn place(data: &Node, name: PartName, key: &str) -> Place {
    match data.find(name.name()).filter(|node| !node.is_word("none")) {
        Some(node) => node.place_of(key),
        None => data.place_of("dataset"),
    }
}
