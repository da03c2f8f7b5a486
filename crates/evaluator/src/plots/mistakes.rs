//! A sheet of the most confident mistakes: the image, what it is, what the network took it for and how sure it was.

use engine::Predictions;
use plotters::prelude::*;

use super::PlotError;
use super::canvas::{Area, Drawn, GRID, RED, png, text};
use crate::judged::Judged;

/// Images side by side.
const COLUMNS: usize = 5;
/// Width of an image and its surroundings on the sheet.
const CELL: i32 = 170;
/// Space for two lines of text.
const CAPTION: i32 = 50;
/// Longest name of a class that is shown whole.
const LONGEST: usize = 14;
/// Side of the square that an image is fitted into.
const SIDE: i32 = 150;

/// A wrong decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mistake {
    /// Place in the predictions.
    pub place: usize,
    /// Index of the sample in its data.
    pub sample: u32,
    pub label: u32,
    pub prediction: u32,
    /// Probability of the prediction.
    pub confidence: f32,
}

/// 8-bit pixels `[height, width, channels]`, one or three channels.
pub struct Pixels {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub bytes: Vec<u8>,
}

/// The `count` wrong decisions with the highest confidence, the surest first; of equal ones the earlier.
pub fn most_confident(predictions: &Predictions, count: usize) -> Vec<Mistake> {
    let judged = Judged::new(predictions);
    let mut mistakes: Vec<Mistake> = (0..judged.len()).filter_map(|place| mistake(&judged, place)).collect();
    mistakes.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then(a.place.cmp(&b.place)));
    mistakes.truncate(count);
    mistakes
}

fn mistake(judged: &Judged<'_>, place: usize) -> Option<Mistake> {
    let (label, prediction) = (judged.label(place), judged.decisions[place]);
    let (sample, confidence) = (judged.predictions.samples[place], judged.confidence(place));
    (label != prediction).then_some(Mistake { place, sample, label, prediction, confidence })
}

/// The sheet; `image` gives the pixels of a mistake.
pub fn mistakes(
    mistakes: &[Mistake],
    classes: &[String],
    image: &mut dyn FnMut(&Mistake) -> Option<Pixels>,
) -> Result<Vec<u8>, PlotError> {
    let rows = mistakes.len().div_ceil(COLUMNS) as i32;
    let (width, height) = (COLUMNS as i32 * CELL + 20, 60 + rows * (CELL + CAPTION));
    png(width as u32, height as u32, |area| {
        let title = match mistakes.is_empty() {
            true => "no mistakes",
            false => "the most confident mistakes: the label, and below it what was decided and how surely",
        };
        area.draw(&Text::new(title, (20, 14), text(19)))?;
        for (index, mistake) in mistakes.iter().enumerate() {
            let x = 10 + (index % COLUMNS) as i32 * CELL + (CELL - SIDE) / 2;
            let y = 50 + (index / COLUMNS) as i32 * (CELL + CAPTION);
            if let Some(pixels) = image(mistake) {
                draw_image(area, &pixels, x, y)?;
            }
            let name = |class: u32| classes.get(class as usize).map_or("?", String::as_str);
            let short = |class: u32| name(class).chars().take(LONGEST).collect::<String>();
            area.draw(&Text::new(short(mistake.label), (x, y + SIDE + 6), text(16)))?;
            let taken = format!("{}, {:.1} %", short(mistake.prediction), mistake.confidence * 100.0);
            area.draw(&Text::new(taken, (x, y + SIDE + 25), text(16).color(&RED)))?;
        }
        Ok(())
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surest_mistake_comes_first() {
        let predictions = Predictions {
            n_classes: 2,
            samples: vec![10, 11, 12],
            labels: vec![0, 0, 1],
            probabilities: vec![0.4, 0.6, 0.9, 0.1, 0.95, 0.05],
            ..Predictions::default()
        };
        let found: Vec<(u32, u32)> = most_confident(&predictions, 5).iter().map(|m| (m.sample, m.prediction)).collect();
        assert_eq!(found, [(12, 0), (10, 1)]);
        assert_eq!(most_confident(&predictions, 1).len(), 1);
    }
}
