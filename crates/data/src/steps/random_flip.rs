//! Mirrors an image, or does not.

use opencv::core;
use spec::{Kind, Word};

use super::{Draws, Row, Stage, Step, mat};
use crate::{ImageShape, Pixels};

spec::choice! {
    /// What an image is mirrored into.
    pub enum Direction {
        /// Left and right are exchanged.
        Horizontal = "horizontal",
        /// Top and bottom are exchanged.
        Vertical = "vertical",
    }
}

spec::section! {
    /// Mirrors an image with a probability.
    /// Example: `- random_flip: horizontal`.
    pub struct RandomFlip {
        /// `horizontal` exchanges left and right, `vertical` top and bottom.
        pub direction: Direction = horizontal, synonyms &["mode", "axis"];
        /// How probable it is.
        pub probability: f64 = 0.5, min 0.0, max 1.0, synonyms &["p", "prob"];
    }
}

/// The row of the table.
pub static ROW: Row = Row {
    stage: Stage::Augment,
    kind: Kind {
        name: "random_flip",
        synonyms: &["flip", "RandomFlip", "RandomHorizontalFlip", "horizontal_flip", "random_horizontal_flip"],
        doc: RandomFlip::SECTION.doc,
        main: Some("direction"),
        fields: RandomFlip::SECTION.fields,
        example: "- random_flip: horizontal",
    },
    read: |node| Box::new(RandomFlip::read(node)),
};

impl Step for RandomFlip {
    fn shape(&self, input: ImageShape) -> Result<ImageShape, String> {
        Ok(input)
    }

    fn apply(&self, from: &Pixels, to: &mut Pixels, draws: &mut Draws) -> opencv::Result<()> {
        if draws.uniform() >= self.probability {
            to.bytes.copy_from_slice(&from.bytes);
            return Ok(());
        }
        let from = mat::borrow(from)?;
        let code = match self.direction {
            Direction::Horizontal => 1,
            Direction::Vertical => 0,
        };
        mat::write(to, |to| core::flip(&from, to, code))
    }
}
