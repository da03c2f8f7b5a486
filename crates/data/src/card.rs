//! Dataset cards: what a dataset is, where its publisher keeps it, how it may lie on disk.

use std::collections::BTreeMap;

use spec::Node;

use crate::card_words::{Hex, ImageShape, RelativePath};
use crate::formats::Format;

/// A card, checked.
#[derive(Clone)]
pub struct Card {
    /// The name that experiments use.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// What a sample consists of, by name.
    pub fields: Vec<CardField>,
    /// How many samples each split has, where the card says so.
    pub samples: BTreeMap<String, usize>,
    pub licence: Option<String>,
    pub citation: Option<String>,
    /// Where the publisher keeps the files.
    pub sources: Vec<Source>,
    /// How the files may lie on disk; the first that is there is read.
    pub layouts: Vec<Layout>,
    /// Mean and standard deviation of the channels of the training images, of unit values.
    pub statistics: Option<Statistics>,
    /// Which of several labels is the class: `fine` of CIFAR-100.
    pub label: Option<String>,
    /// Whether the experiment describes it itself: its folder is then also looked for where the program runs.
    pub in_place: bool,
}

/// One field of a sample.
#[derive(Clone, Debug, PartialEq)]
pub struct CardField {
    pub name: String,
    pub kind: FieldKind,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldKind {
    /// 8-bit pixels.
    Image { shape: ImageShape },
    /// One of the classes; their names are not known where a folder that names them is not there.
    Class { classes: Option<Vec<String>> },
}

/// A file of the publisher.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    pub url: String,
    pub bytes: Option<u64>,
    pub sha256: Option<Hex<64>>,
    pub md5: Option<Hex<32>>,
}

/// One way in which the files may lie on disk.
#[derive(Clone)]
pub struct Layout {
    /// How they are read.
    pub format: &'static Format,
    /// The folder below a data folder; none where the program holds the images itself.
    pub folder: Option<RelativePath>,
    /// The names of its splits, in the card's order; not known where a folder that names them is not there.
    pub splits: Option<Vec<String>>,
    /// The format's own words, resolved.
    pub(crate) parameters: Node,
}

spec::section! {
    /// Mean and standard deviation of each channel, of values from 0 to 1.
    pub struct Statistics {
        /// The mean of each channel.
        pub mean: Vec<f64> = required, example "[0.4914, 0.4822, 0.4465]";
        /// The standard deviation of each channel.
        pub std: Vec<f64> = required, example "[0.2470, 0.2435, 0.2616]";
    }
}

impl Card {
    /// The shape of the images.
    pub fn image(&self) -> ImageShape {
        let shape = self.fields.iter().find_map(|f| match f.kind {
            FieldKind::Image { shape } => Some(shape),
            FieldKind::Class { .. } => None,
        });
        shape.expect("a checked card has an image")
    }

    /// The names of the classes, in the order of the labels, where they are known.
    pub fn classes(&self) -> Option<&[String]> {
        self.fields.iter().find_map(|f| match &f.kind {
            FieldKind::Class { classes } => classes.as_deref(),
            FieldKind::Image { .. } => None,
        })
    }

    /// The names of the splits, where they are known: those of the first layout, which the others share.
    pub fn splits(&self) -> Option<&[String]> {
        self.layouts.first().and_then(|l| l.splits.as_deref())
    }
}
