//! A sheet of images with lines of text below each.

use plotters::prelude::*;

use super::PlotError;
use super::canvas::{Area, Drawn, GRID, RED, png, text};

/// Images side by side.
const COLUMNS: usize = 5;
/// Width of an image and its surroundings on the sheet.
const CELL: i32 = 170;
/// Height of a line of text.
const LINE: i32 = 19;
/// Longest name of a class that is shown whole.
const LONGEST: usize = 14;
/// Side of the square that an image is fitted into.
const SIDE: i32 = 150;

/// 8-bit pixels `[height, width, channels]`, one or three channels.
pub struct Pixels {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub bytes: Vec<u8>,
}

/// A line below an image.
pub(super) enum Line {
    Plain(String),
    /// Something wrong, in red.
    Wrong(String),
}

/// The sheet as PNG: a title, and the `n` images with the lines of each, as many for every image.
pub(super) fn sheet(
    title: &str,
    lines: &[Vec<Line>],
    image: &mut dyn FnMut(usize) -> Option<Pixels>,
) -> Result<Vec<u8>, PlotError> {
    let caption = 12 + LINE * lines.iter().map(Vec::len).max().unwrap_or(0) as i32;
    let rows = lines.len().div_ceil(COLUMNS) as i32;
    let (width, height) = (COLUMNS as i32 * CELL + 20, 60 + rows * (CELL + caption));
    png(width as u32, height as u32, |area| {
        area.draw(&Text::new(title, (20, 14), text(19)))?;
        for (index, lines) in lines.iter().enumerate() {
            let x = 10 + (index % COLUMNS) as i32 * CELL + (CELL - SIDE) / 2;
            let y = 50 + (index / COLUMNS) as i32 * (CELL + caption);
            if let Some(pixels) = image(index) {
                draw_image(area, &pixels, x, y)?;
            }
            for (row, line) in lines.iter().enumerate() {
                let at = (x, y + SIDE + 6 + row as i32 * LINE);
                match line {
                    Line::Plain(words) => area.draw(&Text::new(words.as_str(), at, text(16)))?,
                    Line::Wrong(words) => area.draw(&Text::new(words.as_str(), at, text(16).color(&RED)))?,
                }
            }
        }
        Ok(())
    })
}

/// The beginning of a name that is too long for a line.
pub(super) fn short(name: &str) -> String {
    name.chars().take(LONGEST).collect()
}

/// Every pixel as a square block, so that small images stay sharp; larger ones are thinned.
fn draw_image(area: &Area<'_>, pixels: &Pixels, left: i32, top: i32) -> Drawn {
    let largest = pixels.height.max(pixels.width).max(1) as f64;
    let (height, width) = (pixels.height as f64 / largest, pixels.width as f64 / largest);
    let (rows, columns) = ((f64::from(SIDE) * height) as i32, (f64::from(SIDE) * width) as i32);
    for y in 0..rows {
        for x in 0..columns {
            let source = (y as usize * pixels.height / rows as usize, x as usize * pixels.width / columns as usize);
            let start = (source.0 * pixels.width + source.1) * pixels.channels;
            let colour = match &pixels.bytes[start..start + pixels.channels] {
                [red, green, blue, ..] => RGBColor(*red, *green, *blue),
                [grey, ..] => RGBColor(*grey, *grey, *grey),
                [] => WHITE,
            };
            area.draw_pixel((left + x, top + y), &colour)?;
        }
    }
    let frame = Rectangle::new([(left - 1, top - 1), (left + columns, top + rows)], GRID.stroke_width(1));
    area.draw(&frame)?;
    Ok(())
}
