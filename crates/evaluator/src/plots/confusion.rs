//! The confusion matrix: a row a label, a column a decision, darker where a larger share of the label goes.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::PlotError;
use super::canvas::{Area, BLUE, Drawn, GRID, INK, png, text};

/// Longest name of a class that is shown whole.
const LONGEST: usize = 18;

/// Pixels above the names of the columns and left of those of the rows: title and axis.
const TITLE: i32 = 62;
const AXIS: i32 = 34;
const MARGIN: i32 = 20;

/// How the matrix of so many classes is drawn.
struct Look {
    /// Side of a cell, in pixels.
    cell: i32,
    /// Size of the names, and of the counts; without a size there are none.
    names: Option<u32>,
    counts: Option<u32>,
}

impl Look {
    fn of(n_classes: usize) -> Look {
        match n_classes {
            0..=12 => Look { cell: 54, names: Some(16), counts: Some(15) },
            13..=25 => Look { cell: 44, names: Some(15), counts: Some(13) },
            26..=120 => Look { cell: 13, names: Some(12), counts: None },
            _ => Look { cell: (1500 / n_classes as i32).max(1), names: None, counts: None },
        }
    }

    /// Pixels for the longest name.
    fn label_space(&self, classes: &[String]) -> i32 {
        let longest = classes.iter().map(|name| name.chars().count().min(LONGEST)).max().unwrap_or(0) as i32;
        self.names.map_or(0, |size| longest * size as i32 * 5 / 9 + 14)
    }
}

/// `counts[label * classes.len() + decision]`.
pub fn confusion(counts: &[u64], classes: &[String]) -> Result<Vec<u8>, PlotError> {
    let n = classes.len();
    let look = Look::of(n);
    let space = look.label_space(classes);
    let (left, top, side) = (AXIS + space, TITLE + space, n as i32 * look.cell);
    let (width, height) = ((left + side + MARGIN).max(340), top + side + MARGIN);
    png(width as u32, height as u32, |area| {
        area.draw(&Text::new("confusion: what was decided of each label", (14, 12), text(19)))?;
        for label in 0..n {
            draw_row(area, &counts[label * n..][..n], (left, top + label as i32 * look.cell), &look)?;
        }
        area.draw(&Rectangle::new([(left, top), (left + side, top + side)], INK.mix(0.5).stroke_width(1)))?;
        let across = text(16).pos(Pos::new(HPos::Center, VPos::Center));
        area.draw(&Text::new("decision", (left + side / 2, TITLE - 12), across))?;
        let down = text(16).transform(FontTransform::Rotate270).pos(Pos::new(HPos::Center, VPos::Center));
        area.draw(&Text::new("label", (AXIS / 2 + 2, top + side / 2), down))?;
        look.names.map_or(Ok(()), |size| draw_names(area, classes, (left, top), look.cell, size))
    })
}

fn draw_row(area: &Area<'_>, counts: &[u64], (left, top): (i32, i32), look: &Look) -> Drawn {
    let total: u64 = counts.iter().sum();
    for (decision, &count) in counts.iter().enumerate() {
        let share = count as f64 / total.max(1) as f64;
        let x = left + decision as i32 * look.cell;
        area.draw(&Rectangle::new([(x, top), (x + look.cell, top + look.cell)], shade(share).filled()))?;
        if look.cell > 4 {
            area.draw(&Rectangle::new([(x, top), (x + look.cell, top + look.cell)], GRID.stroke_width(1)))?;
        }
        if let (Some(size), true) = (look.counts, count > 0) {
            // Wide counts are written smaller, so that they stay in their cell.
            let size = if count > 99_999 { size - 4 } else { size };
            let colour = if share > 0.4 { WHITE } else { INK };
            let style = text(size).color(&colour).pos(Pos::new(HPos::Center, VPos::Center));
            area.draw(&Text::new(count.to_string(), (x + look.cell / 2, top + look.cell / 2), style))?;
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

fn draw_names(area: &Area<'_>, classes: &[String], (left, top): (i32, i32), cell: i32, size: u32) -> Drawn {
    for (index, name) in classes.iter().enumerate() {
        let along = index as i32 * cell + cell / 2;
        let row = text(size).pos(Pos::new(HPos::Right, VPos::Center));
        area.draw(&Text::new(short(name), (left - 7, top + along), row))?;
        // Turned text is anchored at its own left end, which then points down.
        let column = text(size).transform(FontTransform::Rotate270).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(short(name), (left + along, top - 7), column))?;
    }
    Ok(())
}

fn short(name: &str) -> String {
    if name.chars().count() <= LONGEST {
        return name.to_string();
    }
    name.chars().take(LONGEST - 1).chain(['…']).collect()
}
