//! What `data.dataset` may be: the name of a card, a card with a choice among its labels, a folder of one's own, or a
//! whole card in place.

use spec::{Faults, Node, Own, Type, Word};

use crate::card::Statistics;
use crate::card_section::CardSection;
use crate::card_words::{ImageShape, Named, RelativePath};

spec::section! {
    /// A card by its name, with a choice among its labels.
    pub struct NamedCard {
        /// The name of the card.
        pub card: String = required, ty Type::Name, example "cifar100";
        /// Which of its labels is the class, where it has several.
        pub label: Option<String> = none, example "coarse";
    }
}

spec::choice! {
    /// What needs no card.
    pub enum FolderFormat {
        /// A folder for each class.
        ImageFolder = "image_folder",
    }
}

spec::section! {
    /// A folder of one's own: in it a folder for each class, or `train`, `validation` and `test` with those.
    pub struct FolderInPlace {
        /// How the files lie: `image_folder`.
        pub format: FolderFormat = image_folder, example "image_folder";
        /// The folder, below the current one or a data folder.
        pub path: RelativePath = required, synonyms &["folder", "root", "dir", "directory"], example "photos";
        /// The shape of the images.
        pub image: ImageShape = [any, any, 3];
        /// The class folders, in the order of the labels; left out, all there are, in the order of their names.
        pub classes: Option<Vec<String>> = none, example "[cat, dog]";
        /// The folder of each split; left out, `train`, `validation` (or `val`) and `test` where these are there, else `all`.
        pub splits: Option<Named<RelativePath>> = none, example "{train: train, test: test}";
        /// Mean and standard deviation of the training images.
        pub statistics: Option<Statistics> = none, example "{mean: [0.49, 0.48, 0.45], std: [0.25, 0.24, 0.26]}";
    }
}

/// What stands behind `dataset` or `fallback`.
pub const DATASET: Type = Type::Own(&Own {
    expects: "the name of a dataset, or a card in place",
    forms: &[
        spec::Form::Type(Type::Name),
        spec::Form::Type(NamedCard::TYPE),
        spec::Form::Type(FolderInPlace::TYPE),
        spec::Form::Type(CardSection::TYPE),
    ],
    resolve: dataset,
});

/// The three forms of a mapping, told apart by a key that only they have.
pub(crate) enum Form {
    Named,
    Folder,
    Card,
}

impl Form {
    pub(crate) fn of(node: &Node) -> Form {
        if node.find("card").is_some() {
            Form::Named
        } else if node.find("layouts").is_some() || node.find("name").is_some() {
            Form::Card
        } else {
            Form::Folder
        }
    }
}

fn dataset(node: &Node, fill: bool, faults: &mut Faults) -> Node {
    let ty = match (node.map(), Form::of(node)) {
        (None, _) => Type::Name,
        (_, Form::Named) => NamedCard::TYPE,
        (_, Form::Card) => CardSection::TYPE,
        (_, Form::Folder) => FolderInPlace::TYPE,
    };
    if fill { spec::resolve(node, &ty, faults) } else { spec::normalize(node, &ty) }
}
