//! Covers one square of an image (DeVries and Taylor 2017, cutout).

use opencv::core::Rect;
use opencv::imgproc::{self, FILLED, LINE_8};
use spec::{Kind, Word};

use super::{Colour, Draws, Row, Stage, Step, mat};
use crate::{ImageShape, Pixels};

spec::section! {
    /// Covers one square of an image; its centre is anywhere in the image, so that a part of it may lie outside.
    /// Example: `- random_erasing: 8`.
    pub struct RandomErasing {
        /// The side of the square.
        pub size: usize = required, min 1.0, max 16384.0, unit "pixels", synonyms &["length", "side"], example "8";
        /// The colour of the square: a value from 0 to 255, one a channel, or `mean` (of the image).
        pub fill: Colour = 0, synonyms &["value"];
    }
}

/// The row of the table.
pub static ROW: Row = Row {
    stage: Stage::Augment,
    kind: Kind {
        name: "random_erasing",
        synonyms: &["cutout", "Cutout", "coarse_dropout", "random_erase", "RandomErasing"],
        doc: RandomErasing::SECTION.doc,
        main: Some("size"),
        fields: RandomErasing::SECTION.fields,
        example: "- random_erasing: {size: 8, fill: mean}",
    },
    read: |node| Box::new(RandomErasing::read(node)),
};

impl Step for RandomErasing {
    fn shape(&self, input: ImageShape) -> Result<ImageShape, String> {
        self.fill.fits(input.channels)?;
        Ok(input)
    }

    fn apply(&self, from: &Pixels, to: &mut Pixels, draws: &mut Draws) -> opencv::Result<()> {
        let [y, x] = [from.height, from.width].map(|side| draws.below(side as u64) as i32);
        let (half, side) = (self.size as i32 / 2, self.size as i32);
        let colour = self.fill.of(&mat::borrow(from)?)?;
        to.bytes.copy_from_slice(&from.bytes);
        let square = Rect::new(x - half, y - half, side, side);
        mat::write(to, |to| imgproc::rectangle(to, square, colour, FILLED, LINE_8, 0))
    }
}
