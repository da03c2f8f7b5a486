//! The confusion matrix: a row a label, a column a prediction, darker where a larger share of the label goes.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::PlotError;
use super::canvas::{Area, BLUE, Drawn, GRID, INK, png, text};

/// More classes than this are drawn without numbers, in smaller cells.
const MOST_WITH_NUMBERS: usize = 25;

/// `counts[label * classes.len() + prediction]`.
pub fn confusion(counts: &[u64], classes: &[String]) -> Result<Vec<u8>, PlotError> {
    let n = classes.len();
    let cell = if n <= 12 {
        52
    } else if n <= MOST_WITH_NUMBERS {
        40
    } else {
        10
    };
    let left = 60 + if n <= MOST_WITH_NUMBERS { longest(classes) * 8 } else { 0 };
    let (width, height) = (left + n as i32 * cell + 24, left + n as i32 * cell + 24);
    png(width.max(300) as u32, height.max(300) as u32, |area| {
        area.draw(&Text::new("label down, prediction across", (14, 14), text(15)))?;
        for label in 0..n {
            draw_row(area, &counts[label * n..][..n], left, left + label as i32 * cell, cell)?;
        }
        if n <= MOST_WITH_NUMBERS { draw_names(area, classes, left, cell) } else { Ok(()) }
    })
}

fn longest(classes: &[String]) -> i32 {
    classes.iter().map(|name| name.chars().count().min(16)).max().unwrap_or(0) as i32
}

fn draw_row(area: &Area<'_>, counts: &[u64], left: i32, top: i32, cell: i32) -> Drawn {
    let total: u64 = counts.iter().sum();
    for (prediction, &count) in counts.iter().enumerate() {
        let share = count as f64 / total.max(1) as f64;
        let x = left + prediction as i32 * cell;
        let corners = [(x, top), (x + cell, top + cell)];
        area.draw(&Rectangle::new(corners, shade(share).filled()))?;
        area.draw(&Rectangle::new(corners, GRID.stroke_width(1)))?;
        if counts.len() <= MOST_WITH_NUMBERS && count > 0 {
            let colour = if share > 0.55 { WHITE } else { INK };
            let style = text(14).color(&colour).pos(Pos::new(HPos::Center, VPos::Center));
            area.draw(&Text::new(count.to_string(), (x + cell / 2, top + cell / 2), style))?;
        }
    }
    Ok(())
}

/// White to blue; the root makes rare confusions visible.
fn shade(share: f64) -> RGBColor {
    let part = share.sqrt();
    let mix = |from: u8, to: u8| (f64::from(from) + (f64::from(to) - f64::from(from)) * part) as u8;
    RGBColor(mix(255, BLUE.0), mix(255, BLUE.1), mix(255, BLUE.2))
}

fn draw_names(area: &Area<'_>, classes: &[String], left: i32, cell: i32) -> Drawn {
    for (index, name) in classes.iter().enumerate() {
        let short: String = name.chars().take(16).collect();
        let middle = left + index as i32 * cell + cell / 2;
        let row = text(14).pos(Pos::new(HPos::Right, VPos::Center));
        area.draw(&Text::new(short.clone(), (left - 8, middle), row))?;
        // Turned text is anchored at its own left end, which then points down.
        let column = text(14).transform(FontTransform::Rotate270).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(short, (middle, left - 8), column))?;
    }
    Ok(())
}
