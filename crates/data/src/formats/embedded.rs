//! Images that the program carries: the digits of the UCI repository.

use std::collections::BTreeMap;

use spec::{Kind, Node, Word};

use crate::card_words::Named;
use crate::formats::Format;

spec::choice! {
    /// What the program carries.
    pub enum Carried {
        /// The 1,797 test images of the Optical Recognition of Handwritten Digits (Alpaydin and Kaynak 1998).
        Digits = "digits",
    }
}

spec::section! {
    /// Images that the program carries.
    pub struct EmbeddedLayout {
        /// What each split is: `digits`.
        pub splits: Named<Carried> = required;
    }
}

/// The row of `embedded`.
pub const FORMAT: Format = Format {
    kind: Kind {
        name: "embedded",
        synonyms: &[],
        doc: EmbeddedLayout::SECTION.doc,
        main: None,
        fields: EmbeddedLayout::SECTION.fields,
        example: "{format: embedded, splits: {all: digits}}",
    },
    built_in: true,
    samples,
};

/// How many digits there are.
const N_DIGITS: usize = 1797;

fn samples(parameters: &Node) -> BTreeMap<String, usize> {
    let splits = EmbeddedLayout::read(parameters).splits;
    splits.0.into_iter().map(|(name, Carried::Digits)| (name, N_DIGITS)).collect()
}
