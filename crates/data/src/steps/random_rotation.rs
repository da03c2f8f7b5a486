//! Turns an image about its middle by an angle; its size stays.

use opencv::core::{Point2f, Size};
use opencv::imgproc::{self, INTER_CUBIC, INTER_LINEAR, INTER_NEAREST};
use spec::{Kind, Word};

use super::{Draws, Fill, Row, Stage, Step, mat};
use crate::{ImageShape, Pixels};

spec::choice! {
    /// How pixels between pixels are found.
    pub enum Interpolation {
        /// The nearest pixel.
        Nearest = "nearest",
        /// Between two pixels along each axis.
        Linear = "linear",
        /// Over four pixels along each axis (Keys 1981, a = −0.75).
        Cubic = "cubic",
    }
}

spec::section! {
    /// Turns an image about its middle by an angle that is uniform in ± `degrees`; its size stays.
    /// Example: `- random_rotation: 15`.
    pub struct RandomRotation {
        /// The largest angle to either side.
        pub degrees: f64 = required, min 0.0, max 180.0, unit "degrees", synonyms &["angle", "factor"], example "15";
        /// What stands in the corners: a value from 0 to 255, one a channel, `mean` (of the image), `edge` or `reflect`.
        pub fill: Fill = 0, synonyms &["fill_mode", "fill_value"];
        /// How pixels between pixels are found: `nearest`, `linear` or `cubic`.
        pub interpolation: Interpolation = linear;
    }
}

/// The row of the table.
pub static ROW: Row = Row {
    stage: Stage::Augment,
    kind: Kind {
        name: "random_rotation",
        synonyms: &["rotate", "rotation", "random_rotate", "RandomRotation"],
        doc: RandomRotation::SECTION.doc,
        main: Some("degrees"),
        fields: RandomRotation::SECTION.fields,
        example: "- random_rotation: {degrees: 15, fill: edge}",
    },
    read: |node| Box::new(RandomRotation::read(node)),
};

impl Step for RandomRotation {
    fn shape(&self, input: ImageShape) -> Result<ImageShape, String> {
        self.fill.fits(input.channels)?;
        Ok(input)
    }

    fn apply(&self, from: &Pixels, to: &mut Pixels, draws: &mut Draws) -> opencv::Result<()> {
        let angle = draws.range(-self.degrees, self.degrees);
        let middle = Point2f::new((from.width as f32 - 1.0) / 2.0, (from.height as f32 - 1.0) / 2.0);
        let turn = imgproc::get_rotation_matrix_2d(middle, angle, 1.0)?;
        let size = Size::new(from.width as i32, from.height as i32);
        let from = mat::borrow(from)?;
        let (border, colour) = self.fill.border(&from)?;
        let code = match self.interpolation {
            Interpolation::Nearest => INTER_NEAREST,
            Interpolation::Linear => INTER_LINEAR,
            Interpolation::Cubic => INTER_CUBIC,
        };
        mat::write(to, |to| imgproc::warp_affine(&from, to, &turn, size, code, border, colour))
    }
}
