//! Makes three channels of one, for networks that want red, green and blue.

use opencv::imgproc::{self, COLOR_GRAY2RGB};
use spec::{Kind, Word};

use super::{Draws, Row, Stage, Step, mat};
use crate::{ImageShape, Pixels};

spec::section! {
    /// Makes an image of three channels; of a grey one each is the same. A coloured one stays as it is.
    /// Example: `- color`.
    pub struct Color {}
}

/// The row of the table.
pub static ROW: Row = Row {
    stage: Stage::Preprocess,
    kind: Kind {
        name: "color",
        synonyms: &["colour", "rgb", "to_rgb", "grayscale_to_rgb"],
        doc: Color::SECTION.doc,
        main: None,
        fields: Color::SECTION.fields,
        example: "- color",
    },
    read: |node| Box::new(Color::read(node)),
};

impl Step for Color {
    fn shape(&self, input: ImageShape) -> Result<ImageShape, String> {
        Ok(ImageShape { channels: 3, ..input })
    }

    fn apply(&self, from: &Pixels, to: &mut Pixels, _: &mut Draws) -> opencv::Result<()> {
        if from.channels == 3 {
            to.bytes.copy_from_slice(&from.bytes);
            return Ok(());
        }
        let from = mat::borrow(from)?;
        mat::write(to, |to| imgproc::cvt_color_def(&from, to, COLOR_GRAY2RGB))
    }
}
