//! Cuts a window out of an image, anywhere in it, after adding rows and columns around it.

use opencv::core::{self, Mat};
use spec::{Kind, Word};

use super::{Draws, Fill, Row, Stage, Step, mat};
use crate::{ImageShape, Pixels};

spec::section! {
    /// Cuts a window out of an image, every place equally likely, after adding `padding` around it.
    /// Example: `- random_crop: {padding: 4}`.
    pub struct RandomCrop {
        /// Height and width of the window. Where it is left out, those of the image before padding.
        pub size: Option<[usize; 2]> = none, min 1.0, unit "pixels", synonyms &["crop_size"], example "32";
        /// Rows added above and as many below, columns at the left and as many at the right.
        pub padding: [usize; 2] = 0, max 4096.0, unit "pixels", synonyms &["pad"];
        /// What they hold: a value from 0 to 255, one a channel, `mean` (of the image), `edge` or `reflect`.
        pub fill: Fill = 0, synonyms &["padding_mode", "value"];
    }
}

/// The row of the table.
pub static ROW: Row = Row {
    stage: Stage::Augment,
    kind: Kind {
        name: "random_crop",
        synonyms: &["RandomCrop", "random_shift", "random_translation", "RandomTranslation"],
        doc: RandomCrop::SECTION.doc,
        main: Some("size"),
        fields: RandomCrop::SECTION.fields,
        example: "- random_crop: {padding: 4}",
    },
    read: |node| Box::new(RandomCrop::read(node)),
};

impl Step for RandomCrop {
    fn shape(&self, input: ImageShape) -> Result<ImageShape, String> {
        self.fill.fits(input.channels)?;
        let Some(size) = self.size else { return Ok(input) };
        input.padded(self.padding).holds([0, 0], size)?;
        Ok(input.sides(Some(size[0]), Some(size[1])))
    }

    fn apply(&self, from: &Pixels, to: &mut Pixels, draws: &mut Draws) -> opencv::Result<()> {
        let [rows, cols] = self.padding;
        let room = [from.height + 2 * rows - to.height, from.width + 2 * cols - to.width];
        let corner = room.map(|n| draws.below(n as u64 + 1) as usize);
        let from = mat::borrow(from)?;
        if self.padding == [0, 0] {
            return mat::copy_window(&from, corner, to);
        }
        let (border, colour) = self.fill.border(&from)?;
        let [rows, cols] = [rows as i32, cols as i32];
        let mut padded = Mat::default();
        core::copy_make_border(&from, &mut padded, rows, rows, cols, cols, border, colour)?;
        mat::copy_window(&padded, corner, to)
    }
}
