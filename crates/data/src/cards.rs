//! All cards that are known: those that come with the program, and those of the user's data folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use spec::{Bindings, Fault, Faults, Known, Map, Node, Place, Sources, Value, Word};

use crate::card::{Card, CardField, FieldKind, Layout};
use crate::card_section::{CardSection, LayoutWords};
use crate::dataset_words::{FolderInPlace, Form, NamedCard};
use crate::formats::image_folder;

/// The cards of the project, so that an installed program knows them too.
const OURS: [(&str, &str); 6] = [
    ("cifar10", include_str!("../../../datasets/cifar10.yaml")),
    ("cifar100", include_str!("../../../datasets/cifar100.yaml")),
    ("digits", include_str!("../../../datasets/digits.yaml")),
    ("fashion_mnist", include_str!("../../../datasets/fashion_mnist.yaml")),
    ("mnist", include_str!("../../../datasets/mnist.yaml")),
    ("shapes10", include_str!("../../../datasets/shapes10.yaml")),
];

/// Names of folders that are taken as splits in a folder of one's own, and the splits that they are.
const SPLIT_FOLDERS: [(&str, &str); 5] = [
    ("train", "train"),
    ("validation", "validation"),
    ("val", "validation"),
    ("valid", "validation"),
    ("test", "test"),
];

/// All cards, by name.
pub struct Cards {
    /// The resolved card, and what is wrong with it.
    cards: BTreeMap<String, (Node, Vec<Fault>)>,
    /// Where folders of one's own are looked for.
    folders: Vec<PathBuf>,
}

impl Cards {
    /// Our cards and every `*.yaml` in these data folders; of two of the same name the first folder's. What is wrong with
    /// a card is told when it is used.
    pub fn load(data_dirs: &[PathBuf], sources: &mut Sources) -> Cards {
        let mut cards = BTreeMap::new();
        for path in data_dirs.iter().flat_map(|folder| yaml_files(folder)) {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            cards.entry(stem.clone()).or_insert_with(|| from_file(&path, &stem, sources));
        }
        for (name, text) in OURS {
            let file = format!("datasets/{name}.yaml");
            cards.entry(name.into()).or_insert_with(|| from_text(&file, name, text.as_bytes(), sources));
        }
        Cards { cards, folders: data_dirs.to_vec() }
    }

    /// The names of all cards.
    pub fn names(&self) -> Vec<&str> {
        self.cards.keys().map(String::as_str).collect()
    }

    /// The card of this name; `None` where there is none or it has faults.
    pub fn named(&self, name: &str) -> Option<Card> {
        self.cards.get(name).and_then(|(node, _)| Card::of(node, &mut Faults::new()))
    }

    /// The card that a resolved value of [`crate::DATASET`] means.
    pub fn find(&self, dataset: &Node, faults: &mut Faults) -> Option<Card> {
        // `$classes` stands for what the card says, so that it cannot stand in it.
        let dataset = &spec::substitute(dataset, &Bindings::closed(), faults);
        if !dataset.is_sound() {
            return None;
        }
        if let Some(name) = dataset.text() {
            return self.by_name(name, None, dataset.place, faults);
        }
        match Form::of(dataset) {
            Form::Named => {
                let words = NamedCard::read(dataset);
                let label = dataset.find("label").filter(|_| words.label.is_some());
                self.by_name(&words.card, label, dataset.place_of("card"), faults)
            }
            Form::Folder => Some(self.folder(&FolderInPlace::read(dataset), dataset)),
            Form::Card => Card::of(dataset, faults).map(|card| Card { in_place: true, ..card }),
        }
    }

    fn by_name(&self, name: &str, label: Option<&Node>, place: Place, faults: &mut Faults) -> Option<Card> {
        let Some((node, wrong)) = self.cards.get(name) else {
            let known: Vec<Known> = self.cards.keys().map(|name| Known { name, synonyms: &[] }).collect();
            faults.push(spec::unknown(place, "dataset", name, &known).0);
            return None;
        };
        if !wrong.is_empty() {
            wrong.iter().for_each(|fault| faults.push(fault.clone()));
            return None;
        }
        let mut node = node.clone();
        if let (Some(label), Some(map)) = (label, node.map_mut()) {
            map.set("label", label.place, label.clone());
        }
        Card::of(&node, faults)
    }

    /// A card for a folder of one's own. Where it is not there its classes and splits are not known; reading it says so.
    fn folder(&self, words: &FolderInPlace, dataset: &Node) -> Card {
        let path = words.path.as_path();
        let here = std::iter::once(Path::new("")).chain(self.folders.iter().map(PathBuf::as_path));
        let root = here.map(|folder| folder.join(path)).find(|p| p.is_dir());
        let splits = match &words.splits {
            Some(named) => Some(named.0.iter().map(|(name, path)| (name.clone(), path.0.clone())).collect()),
            None => root.as_ref().map(|r| splits_of(r)),
        };
        let classes = words.classes.clone().or_else(|| {
            let folders = splits.as_ref()?.iter().map(|(_, folder)| folder.as_str());
            image_folder::class_names(root.as_ref()?, folders)
        });
        let name = path.file_name().map_or_else(|| "folder".into(), |n| n.to_string_lossy().into_owned());
        let layout = folder_layout(words, dataset.place, splits.as_deref());
        Card {
            title: name.clone(),
            name,
            fields: vec![
                CardField { name: "image".into(), kind: FieldKind::Image { shape: words.image } },
                CardField { name: "label".into(), kind: FieldKind::Class { classes } },
            ],
            samples: BTreeMap::new(),
            licence: None,
            citation: None,
            sources: Vec::new(),
            layouts: vec![layout],
            statistics: words.statistics.clone(),
            label: None,
            in_place: true,
        }
    }
}

fn folder_layout(words: &FolderInPlace, place: Place, splits: Option<&[(String, String)]>) -> Layout {
    let mut folders = Map::default();
    for (name, folder) in splits.unwrap_or_default() {
        folders.set(name, place, Node::word(folder, place));
    }
    let mut map = Map::default();
    map.set("format", place, Node::word("image_folder", place));
    map.set("folder", place, Node::word(&words.path.0, place));
    map.set("splits", place, Node { value: Value::Map(folders), place });
    let layout = Layout::of(&LayoutWords(Node { value: Value::Map(map), place }));
    Layout { splits: layout.splits.filter(|_| splits.is_some()), ..layout }
}

/// The splits of a folder of one's own, each with its folder: its subfolders where all are splits, else the whole.
fn splits_of(root: &Path) -> Vec<(String, String)> {
    let split_of = |folder: &String| SPLIT_FOLDERS.iter().find(|(name, _)| name == folder);
    let folders = image_folder::subfolders(root).unwrap_or_default();
    let splits: Option<BTreeMap<String, String>> =
        folders.iter().map(|f| split_of(f).map(|(_, split)| (split.to_string(), f.clone()))).collect();
    match splits {
        Some(splits) if splits.len() == folders.len() && !splits.is_empty() => splits.into_iter().collect(),
        _ => vec![("all".into(), ".".into())],
    }
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "yaml") && p.is_file()).collect();
    files.sort();
    files
}

fn from_file(path: &Path, stem: &str, sources: &mut Sources) -> (Node, Vec<Fault>) {
    let name = path.display().to_string();
    match read_bounded(path) {
        Ok(bytes) => from_text(&name, stem, &bytes, sources),
        Err(error) => {
            let place = Place::new(sources.add(&name, ""), 0..0);
            let message = format!("the card cannot be read: {}", crate::error::reason(&error));
            (Node::bad(place), vec![Fault::new(place, message)])
        }
    }
}

/// At most one byte more than a card may have, which the parser then refuses.
fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(spec::MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn from_text(file: &str, stem: &str, bytes: &[u8], sources: &mut Sources) -> (Node, Vec<Fault>) {
    let mut faults = Faults::new();
    let node = spec::parse(file, bytes, sources, &mut faults);
    let node = node.map(|n| spec::substitute(&n, &Bindings::closed(), &mut faults));
    let node = node.map(|n| spec::resolve(&n, &CardSection::TYPE, &mut faults));
    if let Some(node) = &node {
        let card = Card::of(node, &mut faults);
        if card.is_some_and(|c| c.name != stem) {
            let fault =
                Fault::new(node.place_of("name"), format!("this card is `{stem}.yaml`, so its name is `{stem}`"));
            faults.push(fault.help("rename the file or the card"));
        }
    }
    let faults: Vec<Fault> = faults.sorted().into_iter().cloned().collect();
    let place = faults.first().map(|f| f.place).or(node.as_ref().map(|n| n.place));
    (node.unwrap_or_else(|| Node::bad(place.expect("what is no node has a fault"))), faults)
}
