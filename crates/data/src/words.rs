//! The words of the section `data`: which dataset, who is in which part, and what becomes of the images.

use spec::{Chosen, Node, Reserved, Type, Word};

use crate::DATASET;
use crate::normalize::NORMALIZATIONS;
use crate::steps::{AUGMENT, PREPROCESS};

spec::choice! {
    /// What is done about images that stand in two parts, pixel by pixel the same. Copies within a part are told.
    pub enum Duplicates {
        /// They are counted and told.
        Report = "report",
        /// The run is refused.
        Refuse = "refuse",
        /// Those of training are left out of it.
        Drop = "drop",
    }
}

spec::choice! {
    /// Which samples of a split a part takes.
    pub enum Take {
        /// Any, each class by its share.
        Random = "random",
        /// The last ones, in the dataset's order.
        Last = "last",
    }
}

spec::section! {
    /// One of the three parts: where its samples come from and how many they are.
    pub struct PartSection {
        /// The split of the dataset, or a list of splits that are joined.
        pub split: Splits = required, synonyms &["splits", "from", "subset"], example "train";
        /// The share of the split that this part takes; without a share it takes what the other parts leave.
        pub fraction: Option<f64> = none, above 0.0, max 1.0, synonyms &["share", "ratio", "percent"], example "0.1";
        /// How many samples of the split this part takes.
        pub count: Option<usize> = none, min 1.0, unit "samples", synonyms &["n", "size", "n_samples"], example "5000";
        /// Which ones: `random`, each class by its share, or `last`.
        pub take: Take = random;
        /// Thins the split to so many samples, each class by its share, before any part takes from it.
        pub limit: Option<usize> = none, min 1.0, unit "samples", synonyms &["max_samples", "subsample"], example "2000";
    }
}

spec::section! {
    /// Which dataset, who is in which part, and what becomes of the images.
    pub struct DataSection {
        /// What is learned from. A name, `cifar10`, or a card in place.
        pub dataset: Node = required, ty DATASET, synonyms &["name"], example "cifar10";
        /// The dataset that is used, and announced, where the first is neither here nor downloadable.
        pub fallback: Option<Node> = none, ty DATASET, example "shapes10";
        /// What trains. Where it is left out: the split `train`.
        pub train: Option<PartSection> = none, synonyms &["training"], example "{split: train}";
        /// What is measured after every epoch, and chosen by.
        pub validation: Option<PartSection> = none, synonyms &["val", "valid", "dev"], example "{split: train, fraction: 0.1}";
        /// What the last numbers are measured on. Where it is left out: the split `test`, if the dataset has one.
        pub test: Option<PartSection> = none, synonyms &["testing"], example "{split: test}";
        /// Cuts what trains into so many folds, each class by its share, and makes one run for each: the fold is the
        /// validation part, and the others train.
        pub folds: Option<usize> = none, min 2.0, max 1000.0, unit "folds", synonyms &["k_folds", "k", "cross_validation", "n_splits"], example "5";
        /// The fold that validates, from 1; left out, every fold has its run.
        pub fold: Option<usize> = none, min 1.0, example "1";
        /// The column of `samples.csv`, beside the images, that says which samples belong together: no group is in two parts.
        pub group: Option<String> = none, synonyms &["groups", "group_by"], example "video";
        /// Decides who is in which part; the run's seed does not, so that repeated runs compare on the same samples.
        pub split_seed: u64 = 0;
        /// Allows choosing by the test part, which every table then shows.
        pub choose_on_test: bool = false;
        /// What is done about images that stand in two parts: `report` tells, `refuse` refuses the run, `drop` takes them out of train.
        pub duplicates: Duplicates = report;
        /// Steps for every part.
        pub preprocess: Vec<Chosen> = [], steps &PREPROCESS, synonyms &["preprocessing", "transform", "transforms"];
        /// Steps for training only, after `preprocess`.
        pub augment: Vec<Chosen> = [], steps &AUGMENT, synonyms &["augmentation", "augmentations"];
        /// How 8-bit values become numbers: `unit`, `symmetric`, `{mean: […], std: […]}`, `dataset`, `per_image` or `none`.
        pub normalize: Chosen = unit, kinds &NORMALIZATIONS, synonyms &["normalization", "normalise"];
        /// Steps that need other samples.
        pub mix: Reserved = none;
        /// Several images of a sample, augmented apart.
        pub views: Reserved = none;
        /// How samples are drawn.
        pub draw: Reserved = none;
        /// In which order and how often samples come.
        pub sampler: Reserved = none;
        /// What is done about files that cannot be read.
        pub unreadable: Reserved = none;
    }
}

/// One split, or several that are joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splits(pub Vec<String>);

impl Word for Splits {
    const TYPE: Type = Type::List { of: &Type::Text, lone: true };

    fn read(node: &Node) -> Splits {
        Splits(Vec::read(node))
    }
}
