//! Data: dataset cards, where the bytes come from, how they are read, and what becomes of them on the way to a batch.
//!
//! What comes in: a card and the folders to look in. What goes out: [`Stored`] splits of 8-bit images and labels, checked
//! and fingerprinted. This crate is the only one that knows OpenCV; it knows no layer and no loss.

mod batch;
mod card;
mod card_check;
mod card_section;
mod card_words;
mod cards;
mod check;
mod check_folds;
mod check_parts;
mod checksum;
mod dataset;
mod dataset_words;
mod download;
mod duplicates;
mod error;
mod formats;
mod gate;
mod groups;
mod loader;
mod normalize;
mod parts;
mod places;
mod preview;
mod read;
mod statistics;
mod steps;
mod stored;
mod summary;
mod unpack;
mod words;

pub use batch::{Batch, Field, Values};
pub use card::{Card, CardField, FieldKind, Layout, Source, Statistics};
pub use card_section::{CardSection, FIELD_KINDS};
pub use card_words::{Hex, ImageShape, Named, RelativePath};
pub use cards::Cards;
pub use check::{Checked, Choice, Validation, check};
pub use dataset::{Dataset, InsteadOf};
pub use dataset_words::DATASET;
pub use duplicates::Copies;
pub use error::{Error, Problem};
pub use formats::{FORMATS, Format};
pub use gate::Findings;
pub use loader::{Batches, Loader, LoaderSettings};
pub use normalize::{NORMALIZATIONS, Normalize};
pub use parts::{Folds, Part, PartName};
pub use places::{Places, Progress};
pub use preview::preview;
pub use read::{find, read};
pub use steps::{AUGMENT, Key, Mode, PREPROCESS, Scratch, Steps};
pub use stored::{Images, Pixels, Published, Split, Stored};
pub use summary::summary;
pub use words::{DataSection, Duplicates, PartSection, Splits, Take};
