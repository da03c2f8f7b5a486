//! Makes one channel of three: `0.299 R + 0.587 G + 0.114 B` (ITU-R BT.601), in OpenCV's fixed point.

use opencv::imgproc::{self, COLOR_RGB2GRAY};
use spec::{Kind, Word};

use super::{Draws, Row, Stage, Step, mat};
use crate::{ImageShape, Pixels};

spec::section! {
    /// Makes a grey image of one channel. A grey one stays as it is.
    /// Example: `- grayscale`.
    pub struct Grayscale {}
}

/// The row of the table.
pub static ROW: Row = Row {
    stage: Stage::Preprocess,
    kind: Kind {
        name: "grayscale",
        synonyms: &["Grayscale", "greyscale", "gray", "grey", "to_grayscale"],
        doc: Grayscale::SECTION.doc,
        main: None,
        fields: Grayscale::SECTION.fields,
        example: "- grayscale",
    },
    read: |node| Box::new(Grayscale::read(node)),
};

impl Step for Grayscale {
    fn shape(&self, input: ImageShape) -> Result<ImageShape, String> {
        Ok(ImageShape { channels: 1, ..input })
    }

    fn apply(&self, from: &Pixels, to: &mut Pixels, _: &mut Draws) -> opencv::Result<()> {
        if from.channels == 1 {
            to.bytes.copy_from_slice(&from.bytes);
            return Ok(());
        }
        let from = mat::borrow(from)?;
        mat::write(to, |to| imgproc::cvt_color_def(&from, to, COLOR_RGB2GRAY))
    }
}
