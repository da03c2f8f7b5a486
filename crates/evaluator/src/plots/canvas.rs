//! Where plots are drawn: a white picture in memory, one typeface, one set of colours, PNG at the end.

use std::error::Error;
use std::io::Cursor;
use std::sync::Once;

use image::{ImageFormat, RgbImage};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;

use super::PlotError;
use super::fine::{FineBackend, averaged, n_bytes};

/// A part of the picture.
pub type Area<'a> = DrawingArea<FineBackend<'a>, Shift>;

/// What drawing gives.
pub type Drawn = Result<(), Box<dyn Error>>;

/// Text.
pub const INK: RGBColor = RGBColor(24, 27, 33);
/// Lines behind the data.
pub const GRID: RGBColor = RGBColor(225, 228, 232);
/// Training, or what is first.
pub const BLUE: RGBColor = RGBColor(31, 111, 180);
/// Validation, or what is second.
pub const ORANGE: RGBColor = RGBColor(224, 113, 23);

/// What is wrong.
pub const RED: RGBColor = RGBColor(190, 40, 40);

/// The one typeface, known to the drawing library by this name.
pub const FONT: &str = "sans-serif";

/// Text of this size in pixels.
pub fn text(size: u32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK)
}

/// Draws on a white picture and gives the bytes of a PNG file.
pub fn png(width: u32, height: u32, draw: impl FnOnce(&Area<'_>) -> Drawn) -> Result<Vec<u8>, PlotError> {
    static FONTS: Once = Once::new();
    FONTS.call_once(|| {
        // Refused only for bytes that are no typeface.
        let _ = register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
    });
    let mut dots = vec![255; n_bytes(width, height)];
    {
        let area = FineBackend::new(&mut dots, (width, height)).into_drawing_area();
        let drawn = area.fill(&WHITE).map_err(Into::into).and_then(|()| draw(&area));
        let drawn = drawn.and_then(|()| area.present().map_err(Into::into));
        drawn.map_err(|e| PlotError(e.to_string()))?;
    }
    let picture =
        RgbImage::from_raw(width, height, averaged(&dots, width, height)).expect("the buffer has the picture's size");
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png).map_err(|e| PlotError(e.to_string()))?;
    Ok(file.into_inner())
}
