//! The formats in which a dataset may lie on disk: one row, one file each.

mod cifar;
mod drawn;
mod embedded;
mod idx;
mod image_folder;

use std::collections::BTreeMap;

use spec::{Kind, Node};

/// A way of laying a dataset out.
pub struct Format {
    /// Its name in a card's `layouts`, and its words.
    pub kind: Kind,
    /// Whether the program holds the images itself, so that nothing is looked for.
    pub built_in: bool,
    /// How many samples each split has, where the format itself knows.
    pub samples: fn(&Node) -> BTreeMap<String, usize>,
}

/// All formats.
pub const FORMATS: [&Format; 5] =
    [&cifar::FORMAT, &idx::FORMAT, &image_folder::FORMAT, &embedded::FORMAT, &drawn::FORMAT];

/// For formats whose files alone know how many samples there are.
fn samples_unknown(_: &Node) -> BTreeMap<String, usize> {
    BTreeMap::new()
}
