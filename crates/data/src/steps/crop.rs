//! Cuts a window out of an image, at the same place in each.

use spec::{Kind, Word};

use super::{Draws, Row, Stage, Step, mat};
use crate::{ImageShape, Pixels};

spec::section! {
    /// Cuts a window out of an image, at the same place in each.
    /// Example: `- crop: {size: [20, 32], top: 4}`.
    pub struct Crop {
        /// Height and width of what is kept.
        pub size: [usize; 2] = required, min 1.0, unit "pixels", synonyms &["crop_size"], example "[24, 24]";
        /// The row of the image that becomes the first.
        pub top: usize = 0, unit "pixels", synonyms &["y"];
        /// The column of the image that becomes the first.
        pub left: usize = 0, unit "pixels", synonyms &["x"];
    }
}

/// The row of the table.
pub static ROW: Row = Row {
    stage: Stage::Preprocess,
    kind: Kind {
        name: "crop",
        synonyms: &["Crop"],
        doc: Crop::SECTION.doc,
        main: Some("size"),
        fields: Crop::SECTION.fields,
        example: "- crop: {size: [20, 32], top: 4}",
    },
    read: |node| Box::new(Crop::read(node)),
};

impl Step for Crop {
    fn shape(&self, input: ImageShape) -> Result<ImageShape, String> {
        input.holds([self.top, self.left], self.size)?;
        Ok(input.sides(Some(self.size[0]), Some(self.size[1])))
    }

    fn apply(&self, from: &Pixels, to: &mut Pixels, _: &mut Draws) -> opencv::Result<()> {
        mat::copy_window(&mat::borrow(from)?, [self.top, self.left], to)
    }
}
