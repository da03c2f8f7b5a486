//! Brings an image to a size: stretched, by its shorter side, or with bars around it.
//!
//! Pixel centres lie at halves, as in OpenCV's `resize`: output pixel i looks at `(i + 0.5) · input / output − 0.5`. OpenCV
//! looks at as many pixels however much smaller an image becomes; `antialias` widens the filter by the factor.

use fast_image_resize::FilterType;
use opencv::core::{self, BORDER_CONSTANT, Size};
use opencv::imgproc::{self, INTER_AREA, INTER_CUBIC, INTER_LANCZOS4, INTER_LINEAR, INTER_NEAREST};
use spec::{Kind, Word};

use super::{Colour, Draws, Row, Stage, Step, antialias, mat};
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
        /// The mean of the area that a pixel covers: no aliases when an image is made smaller.
        Area = "area",
        /// Over eight pixels along each axis.
        Lanczos = "lanczos",
    }
}

spec::choice! {
    /// What becomes of the proportions.
    pub enum Fit {
        /// They follow the size.
        Stretch = "stretch",
        /// They stay, and the image just covers the size: with one number, its shorter side has it.
        ShorterSide = "shorter_side",
        /// They stay, and the image lies in the middle of the size with `fill` around it.
        Letterbox = "letterbox",
    }
}

spec::section! {
    /// Brings an image to a size.
    /// Example: `- resize: {size: 224, fit: letterbox}`.
    pub struct Resize {
        /// Height and width.
        pub size: [usize; 2] = required, min 1.0, max 16384.0, unit "pixels", synonyms &["shape", "output_size"], example "[224, 224]";
        /// How pixels between pixels are found: `nearest`, `linear`, `cubic`, `area` or `lanczos`.
        pub interpolation: Interpolation = linear, synonyms &["method", "filter"];
        /// What becomes of the proportions: `stretch`, `shorter_side` or `letterbox`.
        pub fit: Fit = stretch;
        /// Whether the filter widens where an image becomes smaller, so that no pixel is passed over: as Pillow resizes, and torchvision by itself. For `linear`, `cubic` (a = −0.5 here, as there) and `lanczos` (six pixels).
        pub antialias: bool = false;
        /// The colour around the image where it is fitted as `letterbox`.
        pub fill: Colour = 0;
    }
}

/// The row of the table.
pub static ROW: Row = Row {
    stage: Stage::Preprocess,
    kind: Kind {
        name: "resize",
        synonyms: &["Resize", "Resizing", "resizing", "scale"],
        doc: Resize::SECTION.doc,
        main: Some("size"),
        fields: Resize::SECTION.fields,
        example: "- resize: {size: [50, 200], antialias: true}",
    },
    read: |node| Box::new(Resize::read(node)),
};

impl Step for Resize {
    fn shape(&self, input: ImageShape) -> Result<ImageShape, String> {
        if self.fit == Fit::Letterbox {
            self.fill.fits(input.channels)?;
        }
        if self.antialias && self.interpolation.filter().is_none() {
            return Err(format!(
                "`antialias` widens a filter, and `{}` has none: write `interpolation: linear`, `cubic` or `lanczos`, or leave \
                 `antialias` out",
                self.interpolation.name()
            ));
        }
        match (self.fit, input.fixed()) {
            (Fit::Stretch | Fit::Letterbox, _) => Ok(input.sides(Some(self.size[0]), Some(self.size[1]))),
            (Fit::ShorterSide, Some([height, width, _])) => {
                let [height, width] = covering([height, width], self.size);
                Ok(input.sides(Some(height), Some(width)))
            }
            (Fit::ShorterSide, None) => Ok(input.sides(None, None)),
        }
    }

    fn apply(&self, from: &Pixels, to: &mut Pixels, _: &mut Draws) -> opencv::Result<()> {
        if self.fit != Fit::Letterbox {
            return self.stretch(from, to);
        }
        let [height, width] = inside([from.height, from.width], self.size);
        let mut small = Pixels::of_size([height, width, from.channels]);
        self.stretch(from, &mut small)?;
        let [top, left] = [(to.height - height) / 2, (to.width - width) / 2].map(|side| side as i32);
        let [bottom, right] =
            [(to.height - height).div_ceil(2), (to.width - width).div_ceil(2)].map(|side| side as i32);
        let small = mat::borrow(&small)?;
        let colour = self.fill.of(&small)?;
        mat::write(to, |to| core::copy_make_border(&small, to, top, bottom, left, right, BORDER_CONSTANT, colour))
    }
}

impl Resize {
    /// Fills all of `to`.
    fn stretch(&self, from: &Pixels, to: &mut Pixels) -> opencv::Result<()> {
        match self.interpolation.filter().filter(|_| self.antialias) {
            Some(filter) => {
                antialias::resize(from, to, filter);
                Ok(())
            }
            None => {
                let size = Size::new(to.width as i32, to.height as i32);
                let from = mat::borrow(from)?;
                mat::write(to, |to| imgproc::resize(&from, to, size, 0.0, 0.0, self.interpolation.code()))
            }
        }
    }
}

impl Interpolation {
    fn code(self) -> i32 {
        match self {
            Interpolation::Nearest => INTER_NEAREST,
            Interpolation::Linear => INTER_LINEAR,
            Interpolation::Cubic => INTER_CUBIC,
            Interpolation::Area => INTER_AREA,
            Interpolation::Lanczos => INTER_LANCZOS4,
        }
    }

    /// What `antialias` widens.
    fn filter(self) -> Option<FilterType> {
        match self {
            Interpolation::Nearest | Interpolation::Area => None,
            Interpolation::Linear => Some(FilterType::Bilinear),
            Interpolation::Cubic => Some(FilterType::CatmullRom),
            Interpolation::Lanczos => Some(FilterType::Lanczos3),
        }
    }
}

/// The smallest size of the image's proportions that covers `size`; sides are rounded to the nearest pixel.
fn covering([height, width]: [usize; 2], size: [usize; 2]) -> [usize; 2] {
    // height · s >= size[0] and width · s >= size[1], with s the larger of the two quotients.
    if size[0] * width >= size[1] * height {
        [size[0], rounded(width * size[0], height).max(size[1])]
    } else {
        [rounded(height * size[1], width).max(size[0]), size[1]]
    }
}

/// The largest size of the image's proportions within `size`.
fn inside([height, width]: [usize; 2], size: [usize; 2]) -> [usize; 2] {
    if size[0] * width <= size[1] * height {
        [size[0], rounded(width * size[0], height).clamp(1, size[1])]
    } else {
        [rounded(height * size[1], width).clamp(1, size[0]), size[1]]
    }
}

fn rounded(numerator: usize, denominator: usize) -> usize {
    (2 * numerator + denominator) / (2 * denominator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportions_are_kept() {
        assert_eq!(covering([100, 200], [50, 50]), [50, 100]);
        assert_eq!(covering([200, 100], [50, 50]), [100, 50]);
        assert_eq!(covering([100, 100], [50, 70]), [70, 70]);
        assert_eq!(inside([100, 200], [50, 50]), [25, 50]);
        assert_eq!(inside([200, 100], [50, 60]), [50, 25]);
        assert_eq!(inside([1, 1000], [50, 50]), [1, 50]);
    }
}
