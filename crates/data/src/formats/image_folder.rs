//! A folder a class, an image a file.

use spec::Kind;

use crate::card_words::{Named, RelativePath};
use crate::formats::{Format, samples_unknown};

spec::section! {
    /// A folder for each class, with its images as PNG, JPEG, BMP or WebP.
    pub struct ImageFolderLayout {
        /// The folder of the splits.
        pub folder: RelativePath = required;
        /// The folder of each split's class folders; `.` is the folder itself.
        pub splits: Named<RelativePath> = required;
    }
}

/// The row of `image_folder`.
pub const FORMAT: Format = Format {
    kind: Kind {
        name: "image_folder",
        synonyms: &["folder", "imagefolder", "image_directory"],
        doc: ImageFolderLayout::SECTION.doc,
        main: None,
        fields: ImageFolderLayout::SECTION.fields,
        example: "{format: image_folder, folder: cifar10, splits: {train: train, test: test}}",
    },
    built_in: false,
    samples: samples_unknown,
};
