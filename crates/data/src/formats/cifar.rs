//! The binary files of CIFAR-10 and CIFAR-100: records of label bytes, then the red, green and blue plane, each 32 rows
//! of 32 (or as the card's shape says).

use spec::Kind;

use crate::card_words::{Hex, Named, RelativePath};
use crate::formats::{Format, samples_unknown};

spec::section! {
    /// Records of label bytes and planes of pixels.
    pub struct CifarLayout {
        /// The folder of the files.
        pub folder: RelativePath = required;
        /// What the bytes before the pixels are, in order; the card's `label` picks one.
        pub labels: Vec<String> = [label];
        /// The files of each split, in order.
        pub splits: Named<Vec<RelativePath>> = required;
        /// SHA-256 of each published file.
        pub sha256: Named<Hex<64>> = {};
        /// MD5 of each published file.
        pub md5: Named<Hex<32>> = {};
    }
}

/// The row of `cifar`.
pub const FORMAT: Format = Format {
    kind: Kind {
        name: "cifar",
        synonyms: &["cifar10", "cifar100", "cifar_binary"],
        doc: CifarLayout::SECTION.doc,
        main: None,
        fields: CifarLayout::SECTION.fields,
        example: "{format: cifar, folder: cifar-10-batches-bin, splits: {test: [test_batch.bin]}}",
    },
    built_in: false,
    samples: samples_unknown,
};
