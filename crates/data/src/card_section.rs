//! The words of a card, and a card out of them.

use spec::{Chosen, Entry, Fault, Faults, Form, Kind, KindTable, Known, Map, Node, Own, Type, Value, Word};

use crate::card::{Layout, Statistics};
use crate::card_words::{Hex, ImageShape, Named, RelativePath};
use crate::formats::FORMATS;

spec::section! {
    /// One file of the publisher.
    pub struct SourceSection {
        /// Where it is; an archive (`.tar.gz`) is unpacked.
        pub url: String = required, example "https://example.org/flowers.tar.gz";
        /// Its size.
        pub bytes: Option<u64> = none, unit "bytes", example "170498071";
        /// Its SHA-256.
        pub sha256: Option<Hex<64>> = none, example "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce";
        /// Its MD5, where the publisher gives no other.
        pub md5: Option<Hex<32>> = none, example "c58f30108f718f92721af3b95e74349a";
    }
}

spec::section! {
    /// A dataset: what it is, where its publisher keeps it, how it may lie on disk.
    pub struct CardSection {
        /// The name that experiments use.
        pub name: String = required, ty Type::Name, example "flowers";
        /// The name for people.
        pub title: Option<String> = none, example "Flowers of my garden";
        /// The shape of the images; with `classes` short for `fields`.
        pub image: Option<ImageShape> = none, example "[32, 32, 3]";
        /// The names of the classes; of several labels, each with its list.
        pub classes: Option<Classes> = none, example "[rose, tulip]";
        /// Which of several labels is the class.
        pub label: Option<String> = none, example "fine";
        /// What a sample consists of: an image and a class.
        pub fields: Option<Named<FieldWords>> = none, example "{image: {type: image, shape: [32, 32, 3]}, label: {type: class, classes: [rose, tulip]}}";
        /// How many samples each split has.
        pub samples: Named<usize> = {}, example "{train: 50000, test: 10000}";
        /// What may be done with it.
        pub licence: Option<String> = none, synonyms &["license"], example "CC BY 4.0";
        /// What to cite.
        pub citation: Option<String> = none, example "Doe 2026";
        /// The publisher's files.
        pub sources: Vec<SourceSection> = [], synonyms &["urls", "download"], example "[{url: https://example.org/flowers.tar.gz, bytes: 170498071}]";
        /// How the files may lie on disk; the first that is there is read.
        pub layouts: Vec<LayoutWords> = required, example "[{format: image_folder, folder: flowers, splits: {train: train, test: test}}]";
        /// Mean and standard deviation of the training images.
        pub statistics: Option<Statistics> = none, example "{mean: [0.49, 0.48, 0.45], std: [0.25, 0.24, 0.26]}";
    }
}

spec::section! {
    /// 8-bit pixels.
    pub struct ImageField {
        /// Height, width and channels.
        pub shape: ImageShape = required, example "[32, 32, 3]";
    }
}

spec::section! {
    /// One of the classes.
    pub struct ClassField {
        /// The names of the classes; of several labels, each with its list.
        pub classes: Classes = required, example "[rose, tulip]";
    }
}

/// The kinds of fields that a sample may have.
pub const FIELD_KINDS: KindTable =
    KindTable { what: "field", kinds: || vec![&IMAGE, &CLASS], common: &[], untyped: None };

static IMAGE: Kind = Kind {
    name: "image",
    synonyms: &["picture", "pixels"],
    doc: ImageField::SECTION.doc,
    main: None,
    fields: ImageField::SECTION.fields,
    example: "{type: image, shape: [32, 32, 3]}",
};

static CLASS: Kind = Kind {
    name: "class",
    synonyms: &["label", "category"],
    doc: ClassField::SECTION.doc,
    main: None,
    fields: ClassField::SECTION.fields,
    example: "{type: class, classes: [cat, dog]}",
};

/// One field of a sample, as written.
#[derive(Clone, Debug)]
pub enum FieldWords {
    Image(ImageField),
    Class(ClassField),
}

impl Word for FieldWords {
    const TYPE: Type = Type::Kind(&FIELD_KINDS);

    fn read(node: &Node) -> FieldWords {
        let chosen: Chosen = Word::read(node);
        match chosen.kind.as_str() {
            "image" => FieldWords::Image(chosen.read()),
            "class" => FieldWords::Class(chosen.read()),
            other => unreachable!("{other} was checked against the table"),
        }
    }
}

/// The names of the classes: one list, or one for each of several labels.
#[derive(Clone, Debug)]
pub enum Classes {
    One(Vec<String>),
    Several(Named<Vec<String>>),
}

impl Word for Classes {
    const TYPE: Type = Type::Either(&[Vec::<String>::TYPE, Named::<Vec<String>>::TYPE]);

    fn read(node: &Node) -> Classes {
        match &node.value {
            Value::List(_) => Classes::One(Word::read(node)),
            _ => Classes::Several(Word::read(node)),
        }
    }
}

/// A layout: `format` and that format's words.
#[derive(Clone, Debug)]
pub struct LayoutWords(pub Node);

impl Word for LayoutWords {
    const TYPE: Type = Type::Own(&Own {
        expects: "a layout (`format` and its words)",
        forms: &[Form::Named(Type::Free)],
        resolve: layout,
    });

    fn read(node: &Node) -> LayoutWords {
        LayoutWords(node.clone())
    }
}

fn layout(node: &Node, fill: bool, faults: &mut Faults) -> Node {
    let mut refuse = |fault| {
        if !fill {
            return node.clone();
        }
        faults.push(fault);
        Node::bad(node.place)
    };
    let Some(map) = node.map() else {
        return refuse(Fault::new(node.place, format!("expected a layout, found {}", node.describe())));
    };
    let names: Vec<&str> = FORMATS.iter().map(|f| f.kind.name).collect();
    let Some(name) = map.find("format") else {
        let help = format!("one of {}", spec::one_of(names));
        return refuse(Fault::new(node.place, "`format` is missing: how are the files read?").help(help));
    };
    let text = name.text().unwrap_or_default();
    let Some(format) = FORMATS.iter().find(|f| f.kind.name == text) else {
        let known: Vec<Known> =
            FORMATS.iter().map(|f| Known { name: f.kind.name, synonyms: f.kind.synonyms }).collect();
        return refuse(spec::unknown(name.place, "format", text, &known).0);
    };
    let rest = Map { entries: map.entries.iter().filter(|e| e.key != "format").cloned().collect() };
    let parameters = Node { value: Value::Map(rest), place: node.place };
    let mut resolved = spec::resolve_kind(&parameters, &format.kind, &[], fill, faults);
    if let Some(map) = resolved.map_mut() {
        let entry = Entry { key: "format".into(), key_place: name.place, node: name.clone() };
        map.entries.insert(0, entry);
    }
    resolved
}

impl Layout {
    /// Reads a resolved layout.
    pub(crate) fn of(words: &LayoutWords) -> Layout {
        let node = &words.0;
        let name = node.find("format").and_then(Node::text).expect("resolved to a format");
        let format = FORMATS.into_iter().find(|f| f.kind.name == name).expect("resolved to a row");
        let splits = node.find("splits").and_then(Node::map);
        Layout {
            format,
            folder: node.find("folder").map(RelativePath::read),
            splits: splits.map(|m| m.entries.iter().map(|e| e.key.clone()).collect()),
            parameters: node.clone(),
        }
    }
}
