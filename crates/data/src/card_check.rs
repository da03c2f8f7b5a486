//! From the words of a card to a card: what only the whole of it can tell is checked.

use std::collections::BTreeMap;

use spec::{Fault, Faults, Known, Node, Place, Word};

use crate::card::{Card, CardField, FieldKind, Layout, Source};
use crate::card_section::{CardSection, Classes, FieldWords, LayoutWords};
use crate::card_words::ImageShape;

impl Card {
    /// Reads a resolved card. `None` where it has faults.
    pub(crate) fn of(node: &Node, faults: &mut Faults) -> Option<Card> {
        let before = faults.len();
        if !node.is_sound() {
            return None;
        }
        let words = CardSection::read(node);
        let layouts: Vec<Layout> = words.layouts.iter().map(Layout::of).collect();
        let mut check = Check { node, faults };
        let fields = check.fields(&words)?;
        let mut card = Card {
            title: words.title.clone().unwrap_or_else(|| words.name.clone()),
            name: words.name,
            fields,
            samples: words.samples.0.into_iter().collect(),
            licence: words.licence,
            citation: words.citation,
            sources: words.sources.into_iter().map(source).collect(),
            layouts,
            statistics: words.statistics,
            label: words.label,
            in_place: false,
        };
        check.layouts(&card, &words.layouts);
        check.statistics(&card);
        if card.samples.is_empty() {
            card.samples = card.layouts.first().map_or_else(BTreeMap::new, |l| (l.format.samples)(&l.parameters));
        }
        (faults.len() == before).then_some(card)
    }
}

fn source(words: crate::card_section::SourceSection) -> Source {
    Source { url: words.url, bytes: words.bytes, sha256: words.sha256, md5: words.md5 }
}

struct Check<'a> {
    node: &'a Node,
    faults: &'a mut Faults,
}

impl Check<'_> {
    fn fault(&mut self, place: Place, message: impl Into<String>, help: &str) {
        self.faults.push(Fault::new(place, message).help(help));
    }

    /// The fields, from `fields` or its short form.
    fn fields(&mut self, words: &CardSection) -> Option<Vec<CardField>> {
        let place = self.node.place;
        let both = "an image and a class: `image: [32, 32, 3]` and `classes: [cat, dog]`, or both under `fields`";
        let mut fields = Vec::new();
        match (&words.fields, words.image, &words.classes) {
            (Some(named), None, None) => {
                for (name, field) in &named.0 {
                    let at = self.node.find("fields").map_or(place, |n| n.place_of(name));
                    let kind = match field {
                        FieldWords::Image(image) => FieldKind::Image { shape: image.shape },
                        FieldWords::Class(class) => self.class(&class.classes, words, at)?,
                    };
                    fields.push(CardField { name: name.clone(), kind });
                }
            }
            (None, Some(shape), Some(classes)) => {
                fields.push(CardField { name: "image".into(), kind: FieldKind::Image { shape } });
                let kind = self.class(classes, words, self.node.place_of("classes"))?;
                fields.push(CardField { name: "label".into(), kind });
            }
            _ => {
                self.fault(place, "a card says what a sample consists of, once", both);
                return None;
            }
        }
        let images = fields.iter().filter(|f| matches!(f.kind, FieldKind::Image { .. })).count();
        if (images, fields.len()) != (1, 2) {
            self.fault(self.node.place_of("fields"), "a sample is one image and one class as yet", both);
            return None;
        }
        Some(fields)
    }

    fn class(&mut self, classes: &Classes, words: &CardSection, place: Place) -> Option<FieldKind> {
        let list = match (classes, &words.label) {
            (Classes::One(list), None) => list,
            (Classes::One(_), Some(_)) => {
                let place = self.node.place_of("label");
                self.fault(place, "`label` chooses among several lists of classes, but there is one", "take it out");
                return None;
            }
            (Classes::Several(lists), None) => {
                let names: Vec<&str> = lists.0.iter().map(|(n, _)| n.as_str()).collect();
                let message = format!("`label` is missing: which is the class, {}?", spec::one_of(names));
                self.fault(place, message, "for example `label: fine`");
                return None;
            }
            (Classes::Several(lists), Some(label)) => match lists.find(label) {
                Some(list) => list,
                None => {
                    let known: Vec<Known> = lists.0.iter().map(|(name, _)| Known { name, synonyms: &[] }).collect();
                    let place = self.node.place_of("label");
                    self.faults.push(spec::unknown(place, "label", label, &known).0);
                    return None;
                }
            },
        };
        if list.len() < 2 {
            self.fault(place, "a dataset has at least two classes", "list the names of all of them");
            return None;
        }
        let mut sorted: Vec<&String> = list.iter().collect();
        sorted.sort();
        if let Some(twice) = sorted.windows(2).find(|w| w[0] == w[1]) {
            self.fault(place, format!("the class `{}` stands twice", twice[0]), "names of classes must differ");
            return None;
        }
        Some(FieldKind::Class { classes: Some(list.clone()) })
    }

    fn layouts(&mut self, card: &Card, words: &[LayoutWords]) {
        if card.layouts.is_empty() {
            let place = self.node.place_of("layouts");
            self.fault(place, "a card says how its files lie on disk", "give at least one layout");
        }
        let names = |l: &Layout| {
            let mut names = l.splits.clone().unwrap_or_default();
            names.sort();
            names
        };
        for (layout, LayoutWords(node)) in card.layouts.iter().zip(words) {
            if names(layout) != names(&card.layouts[0]) {
                self.fault(node.place_of("splits"), "the layouts of a card have the same splits", "name all of them");
            }
            if names(layout).is_empty() {
                self.fault(
                    node.place_of("splits"),
                    "a layout has at least one split",
                    "for example `train` and `test`",
                );
            }
            if let Err(message) = (layout.format.takes)(card, &layout.parameters) {
                self.faults.push(Fault::new(node.place, message));
            }
        }
    }

    fn statistics(&mut self, card: &Card) {
        let Some(statistics) = &card.statistics else { return };
        let ImageShape { channels, .. } = card.image();
        let place = self.node.place_of("statistics");
        if statistics.mean.len() != channels || statistics.std.len() != channels {
            let message = format!("`mean` and `std` have one number a channel: {channels} of them");
            self.fault(place, message, "give one number a channel");
        }
        if statistics.std.iter().any(|s| *s <= 0.0) {
            self.fault(place, "a standard deviation is above 0", "compute it from the training images");
        }
    }
}
