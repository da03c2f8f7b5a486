//! Images that the program carries: the digits of the UCI repository.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;
use spec::{Kind, Node, Word};

use crate::card::Card;
use crate::card_words::Named;
use crate::checksum;
use crate::error::Problem;
use crate::formats::{Contents, Format, Reading};
use crate::stored::{Images, Published, Split};

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
    has_files: false,
    takes,
    samples,
    read,
};

/// How many digits there are.
const N_DIGITS: usize = 1797;

fn samples(parameters: &Node) -> BTreeMap<String, usize> {
    let splits = EmbeddedLayout::read(parameters).splits;
    splits.0.into_iter().map(|(name, Carried::Digits)| (name, N_DIGITS)).collect()
}

/// Made by `crates/data/digits/make`; see the notice there.
const DIGITS: &[u8] = include_bytes!("../../digits/digits.bin.gz");
/// Pixels of a digit.
const SHAPE: [usize; 3] = [8, 8, 1];

fn takes(card: &Card, _: &Node) -> Result<(), String> {
    let classes = card.classes().map_or(0, <[String]>::len);
    match (card.image().fixed(), classes) {
        (Some(SHAPE), 10) => Ok(()),
        _ => Err("the embedded digits are ten classes of images of [8, 8, 1]".into()),
    }
}

fn read(reading: &mut Reading) -> Result<Contents, Vec<Problem>> {
    let words = EmbeddedLayout::read(reading.parameters);
    let split = digits();
    let splits: BTreeMap<_, _> =
        words.splits.0.into_iter().map(|(name, Carried::Digits)| (name, split.clone())).collect();
    let fingerprint = checksum::of_memory(&splits);
    Ok(Contents { splits, published: Published::Yes, fingerprint })
}

/// The digits, their pixels scaled from 0..16 to 0..255.
fn digits() -> Split {
    let mut columns = Vec::new();
    GzDecoder::new(DIGITS).read_to_end(&mut columns).expect("the program's own bytes are whole");
    let (pixels, classes) = columns.split_at(64 * N_DIGITS);
    let scaled = |value: u8| ((u32::from(value) * 255 + 8) / 16) as u8;
    let bytes = (0..N_DIGITS).flat_map(|i| (0..64).map(move |pixel| scaled(pixels[pixel * N_DIGITS + i]))).collect();
    let labels = classes.iter().map(|class| u32::from(*class)).collect();
    Split { images: Images::Memory { shape: SHAPE, bytes }, labels, files: None }
}
