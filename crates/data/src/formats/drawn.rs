//! Images that the program draws: ten classes of shapes.

use std::collections::BTreeMap;

use spec::{Kind, Node, Word};

use crate::card_words::Named;
use crate::formats::Format;

spec::section! {
    /// Shapes that the program draws, the same each time.
    pub struct DrawnLayout {
        /// How many images each split has.
        pub splits: Named<usize> = required;
    }
}

/// The row of `drawn`.
pub const FORMAT: Format = Format {
    kind: Kind {
        name: "drawn",
        synonyms: &["generated", "synthetic"],
        doc: DrawnLayout::SECTION.doc,
        main: None,
        fields: DrawnLayout::SECTION.fields,
        example: "{format: drawn, splits: {train: 5000, test: 1000}}",
    },
    built_in: true,
    samples,
};

fn samples(parameters: &Node) -> BTreeMap<String, usize> {
    DrawnLayout::read(parameters).splits.0.into_iter().collect()
}
