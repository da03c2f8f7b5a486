//! Cuts out the middle of an image. Where it does not lie in the middle exactly, it lies nearer to the top and left.

use spec::{Kind, Word};

use super::{Draws, Row, Stage, Step, mat};
use crate::{ImageShape, Pixels};

spec::section! {
    /// Cuts out the middle of an image.
    /// Example: `- center_crop: {size: 224, mode: evaluate}`.
    pub struct CenterCrop {
        /// Height and width of what is kept.
        pub size: [usize; 2] = required, min 1.0, unit "pixels", synonyms &["crop_size"], example "28";
    }
}

/// The row of the table.
pub static ROW: Row = Row {
    stage: Stage::Preprocess,
    kind: Kind {
        name: "center_crop",
        synonyms: &["CenterCrop", "centre_crop", "central_crop"],
        doc: CenterCrop::SECTION.doc,
        main: Some("size"),
        fields: CenterCrop::SECTION.fields,
        example: "- center_crop: 28",
    },
    read: |node| Box::new(CenterCrop::read(node)),
};

impl Step for CenterCrop {
    fn shape(&self, input: ImageShape) -> Result<ImageShape, String> {
        input.holds([0, 0], self.size)?;
        Ok(input.sides(Some(self.size[0]), Some(self.size[1])))
    }

    fn apply(&self, from: &Pixels, to: &mut Pixels, _: &mut Draws) -> opencv::Result<()> {
        let corner = [(from.height - to.height) / 2, (from.width - to.width) / 2];
        mat::copy_window(&mat::borrow(from)?, corner, to)
    }
}
