//! The steps that images go through before they are numbers: preprocessing, for every part, and augmentation, for training
//! only. All of it on 8-bit pixels `[height, width, channels]`, the arithmetic by OpenCV but where it has none.
//!
//! A random step draws from a stream of its own, keyed by (seed, its name, epoch, sample): what comes out does not depend
//! on who computes it or when. The second step of a kind in a list is `random_flip_2`, as layers are named.

mod antialias;
mod center_crop;
mod color;
mod crop;
mod fill;
mod grayscale;
pub(crate) mod mat;
mod pad;
mod random_color_jitter;
mod random_crop;
mod random_erasing;
mod random_flip;
mod random_rotation;
mod resize;
mod run;
mod shape;

pub use fill::{Colour, Fill};
pub use run::{Key, Mode, Scratch, Steps};

use kernels::random::Draws;
use spec::{Kind, KindTable, Node};

use crate::{ImageShape, Pixels};

/// A step with its parameters.
pub trait Step: std::fmt::Debug + Send + Sync {
    /// The shape it gives for images of a shape, or why it cannot take them.
    fn shape(&self, input: ImageShape) -> Result<ImageShape, String>;

    /// Writes what it makes of `from` into `to`, which has the size that [`Step::shape`] says.
    fn apply(&self, from: &Pixels, to: &mut Pixels, draws: &mut Draws) -> opencv::Result<()>;
}

/// When a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// For every part.
    Preprocess,
    /// For training only.
    Augment,
}

/// One step of the table.
pub struct Row {
    /// The list that it may stand in.
    pub stage: Stage,
    /// Its words.
    pub kind: Kind,
    /// The step with these parameters.
    pub read: fn(&Node) -> Box<dyn Step>,
}

static ROWS: [&Row; 11] = [
    &center_crop::ROW,
    &color::ROW,
    &crop::ROW,
    &grayscale::ROW,
    &pad::ROW,
    &random_color_jitter::ROW,
    &random_crop::ROW,
    &random_erasing::ROW,
    &random_flip::ROW,
    &random_rotation::ROW,
    &resize::ROW,
];

spec::section! {
    /// What every step of preprocessing takes.
    pub struct Only {
        /// Where training and evaluation differ: `train` or `evaluate` (validation, test, prediction and proof). Without it the step is for both.
        pub mode: Option<Mode> = none;
    }
}

/// What the list `preprocess` chooses among.
pub static PREPROCESS: KindTable =
    KindTable { what: "step", kinds: || of(Stage::Preprocess), common: Only::SECTION.fields, untyped: None };

/// What the list `augment` chooses among.
pub static AUGMENT: KindTable = KindTable { what: "step", kinds: || of(Stage::Augment), common: &[], untyped: None };

fn of(stage: Stage) -> Vec<&'static Kind> {
    ROWS.iter().filter(|row| row.stage == stage).map(|row| &row.kind).collect()
}

/// The row of a kind.
fn row(kind: &str) -> &'static Row {
    ROWS.iter().find(|row| row.kind.name == kind).expect("the kind was checked against the table")
}

#[cfg(test)]
mod tests;
