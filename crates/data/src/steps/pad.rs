//! Adds rows and columns around an image.

use opencv::core;
use spec::{Kind, Word};

use super::{Draws, Fill, Row, Stage, Step, mat};
use crate::{ImageShape, Pixels};

spec::section! {
    /// Adds rows and columns around an image.
    /// Example: `- pad: {padding: 2, fill: edge}`.
    pub struct Pad {
        /// Rows above and as many below, columns at the left and as many at the right.
        pub padding: [usize; 2] = required, max 4096.0, unit "pixels", synonyms &["size"], example "4";
        /// What they hold: a value from 0 to 255, one a channel, `mean` (of the image), `edge` or `reflect`.
        pub fill: Fill = 0, synonyms &["value", "padding_mode"];
    }
}

/// The row of the table.
pub static ROW: Row = Row {
    stage: Stage::Preprocess,
    kind: Kind {
        name: "pad",
        synonyms: &["Pad", "zero_padding", "zero_padding2d"],
        doc: Pad::SECTION.doc,
        main: Some("padding"),
        fields: Pad::SECTION.fields,
        example: "- pad: {padding: [2, 4], fill: edge}",
    },
    read: |node| Box::new(Pad::read(node)),
};

impl Step for Pad {
    fn shape(&self, input: ImageShape) -> Result<ImageShape, String> {
        self.fill.fits(input.channels)?;
        Ok(input.padded(self.padding))
    }

    fn apply(&self, from: &Pixels, to: &mut Pixels, _: &mut Draws) -> opencv::Result<()> {
        let from = mat::borrow(from)?;
        let (border, colour) = self.fill.border(&from)?;
        let [rows, cols] = self.padding.map(|side| side as i32);
        mat::write(to, |to| core::copy_make_border(&from, to, rows, rows, cols, cols, border, colour))
    }
}
