//! Changes brightness, contrast, saturation and hue, in this order, as torchvision's ColorJitter does each.
//!
//! With f uniform in 1 ± value (never below 0), x a pixel and g its grey value (BT.601): brightness `f · x`; contrast
//! `f · x + (1 − f) · mean(g)`; saturation `f · x + (1 − f) · g`. The hue is turned by an angle uniform in ± value of a
//! whole turn, in 256 steps. Every result is rounded to 8 bits and kept within 0 to 255.

use opencv::core::{self, Mat, MatTraitConst};
use opencv::imgproc::{self, COLOR_GRAY2RGB, COLOR_HSV2RGB_FULL, COLOR_RGB2GRAY, COLOR_RGB2HSV_FULL};
use spec::{Kind, Word};

use super::{Draws, Row, Stage, Step, mat};
use crate::{ImageShape, Pixels};

spec::section! {
    /// Changes brightness, contrast, saturation and hue, in this order.
    /// Example: `- random_color_jitter: {brightness: 0.2, contrast: 0.2}`.
    pub struct RandomColorJitter {
        /// The pixels are multiplied by a factor uniform in 1 ± this.
        pub brightness: f64 = 0.0, min 0.0;
        /// The distances from the image's mean grey are multiplied by a factor uniform in 1 ± this.
        pub contrast: f64 = 0.0, min 0.0;
        /// The distances from each pixel's grey are multiplied by a factor uniform in 1 ± this.
        pub saturation: f64 = 0.0, min 0.0;
        /// The hue is turned by an angle uniform in ± this share of a turn.
        pub hue: f64 = 0.0, min 0.0, max 0.5, unit "turns";
    }
}

/// The row of the table.
pub static ROW: Row = Row {
    stage: Stage::Augment,
    kind: Kind {
        name: "random_color_jitter",
        synonyms: &["color_jitter", "ColorJitter", "colour_jitter", "random_colour_jitter", "random_color"],
        doc: RandomColorJitter::SECTION.doc,
        main: None,
        fields: RandomColorJitter::SECTION.fields,
        example: "- random_color_jitter: {brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.05}",
    },
    read: |node| Box::new(RandomColorJitter::read(node)),
};

impl Step for RandomColorJitter {
    fn shape(&self, input: ImageShape) -> Result<ImageShape, String> {
        for (name, value) in [("saturation", self.saturation), ("hue", self.hue)] {
            if value > 0.0 && input.channels == 1 {
                return Err(format!("`{name}` changes colours, and the image is grey: {input}"));
            }
        }
        Ok(input)
    }

    fn apply(&self, from: &Pixels, to: &mut Pixels, draws: &mut Draws) -> opencv::Result<()> {
        to.bytes.copy_from_slice(&from.bytes);
        let mut factor = |value: f64| draws.range((1.0 - value).max(0.0), 1.0 + value);
        let (brightness, contrast, saturation) =
            (factor(self.brightness), factor(self.contrast), factor(self.saturation));
        let hue = draws.range(-self.hue, self.hue);
        if self.brightness > 0.0 {
            change(to, |image, to| image.convert_to(to, -1, brightness, 0.0))?;
        }
        if self.contrast > 0.0 {
            let middle = core::mean_def(&grey(&mat::borrow(to)?)?)?[0];
            change(to, |image, to| image.convert_to(to, -1, contrast, (1.0 - contrast) * middle))?;
        }
        if self.saturation > 0.0 {
            let mut greys = Mat::default();
            imgproc::cvt_color_def(&grey(&mat::borrow(to)?)?, &mut greys, COLOR_GRAY2RGB)?;
            change(to, |image, to| core::add_weighted_def(image, saturation, &greys, 1.0 - saturation, 0.0, to))?;
        }
        if self.hue > 0.0 {
            turn_hue(to, hue)?;
        }
        Ok(())
    }
}

/// The grey values of an image.
fn grey(image: &(impl MatTraitConst + core::ToInputArray)) -> opencv::Result<Mat> {
    let mut grey = Mat::default();
    match image.channels() {
        1 => image.copy_to(&mut grey)?,
        _ => imgproc::cvt_color_def(image, &mut grey, COLOR_RGB2GRAY)?,
    }
    Ok(grey)
}

/// Replaces an image by what `work` makes of it.
fn change(
    image: &mut Pixels,
    work: impl FnOnce(&Mat, &mut opencv::boxed_ref::BoxedRefMut<'_, Mat>) -> opencv::Result<()>,
) -> opencv::Result<()> {
    let before = mat::borrow(image)?.try_clone()?;
    mat::write(image, |to| work(&before, to))
}

/// Turns the hue by a share of a turn.
fn turn_hue(image: &mut Pixels, turn: f64) -> opencv::Result<()> {
    let steps = (turn * 256.0).round() as i32 as u8;
    change(image, |before, to| imgproc::cvt_color_def(before, to, COLOR_RGB2HSV_FULL))?;
    image.bytes.chunks_exact_mut(3).for_each(|pixel| pixel[0] = pixel[0].wrapping_add(steps));
    change(image, |before, to| imgproc::cvt_color_def(before, to, COLOR_HSV2RGB_FULL))
}
