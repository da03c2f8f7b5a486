//! The IDX files of MNIST, plain or gzip: magic number, sizes, then one byte a pixel or label (LeCun, Cortes and Burges,
//! "The MNIST database of handwritten digits").

use spec::Kind;

use crate::card_words::{Hex, Named, RelativePath};
use crate::formats::{Format, samples_unknown};

spec::section! {
    /// The two files of a split, without `.gz`.
    pub struct IdxSplit {
        /// The file of the images.
        pub images: RelativePath = required;
        /// The file of the labels.
        pub labels: RelativePath = required;
    }
}

spec::section! {
    /// A file of images and a file of labels for each split, plain or gzip.
    pub struct IdxLayout {
        /// The folder of the files.
        pub folder: RelativePath = required;
        /// The files of each split, named without `.gz`.
        pub splits: Named<IdxSplit> = required;
        /// SHA-256 of each published file, by its name: with `.gz` of the packed bytes, else of the unpacked ones.
        pub sha256: Named<Hex<64>> = {};
        /// MD5 of each published file, by its name: with `.gz` of the packed bytes, else of the unpacked ones.
        pub md5: Named<Hex<32>> = {};
    }
}

/// The row of `idx`.
pub const FORMAT: Format = Format {
    kind: Kind {
        name: "idx",
        synonyms: &["mnist", "ubyte"],
        doc: IdxLayout::SECTION.doc,
        main: None,
        fields: IdxLayout::SECTION.fields,
        example: "{format: idx, folder: mnist, splits: {test: {images: t10k-images-idx3-ubyte, labels: t10k-labels-idx1-ubyte}}}",
    },
    built_in: false,
    samples: samples_unknown,
};
