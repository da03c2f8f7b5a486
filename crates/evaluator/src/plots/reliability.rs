//! The reliability diagram (DeGroot and Fienberg 1983; Guo et al. 2017): how often decisions of a given confidence are
//! right, and how many there are of each.

use engine::Predictions;
use plotters::prelude::*;

use super::PlotError;
use super::canvas::{Area, BLUE, Drawn, GRID, INK, ORANGE, png, text};
use crate::intervals::{Interval, wilson};
use crate::judged::Judged;
use crate::metrics::{BINS, Bin, bins};

/// Confidence of the intervals that are drawn, whatever the tables use: the legend says so.
const CONFIDENCE: f64 = 0.95;

/// Accuracy above, counts below.
pub fn reliability(predictions: &Predictions) -> Result<Vec<u8>, PlotError> {
    let bins = bins(&Judged::new(predictions));
    png(620, 700, |area| {
        let (upper, lower) = area.split_vertically(500);
        accuracy(&upper, &bins)?;
        counts(&lower, &bins)
    })
}

fn accuracy(area: &Area<'_>, bins: &[Bin; BINS]) -> Drawn {
    let mut chart = ChartBuilder::on(area)
        .caption("reliability: is a decision as often right as it is sure?", text(19))
        .margin(14)
        .margin_right(24)
        .x_label_area_size(28)
        .y_label_area_size(66)
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .axis_style(INK)
        .y_desc("share that is right")
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|x| format!("{x:.1}"))
        .y_label_formatter(&|y| format!("{y:.1}"))
        .label_style(text(15))
        .axis_desc_style(text(16))
        .draw()?;
    chart.draw_series(bars(bins, |bin| bin.right / bin.n))?;
    let even = LineSeries::new([(0.0, 0.0), (1.0, 1.0)], ORANGE.stroke_width(2));
    chart.draw_series(even)?.label("as often as sure").legend(|(x, y)| stroke(x, y, ORANGE));
    let filled = || bins.iter().filter(|bin| bin.n > 0.0);
    chart.draw_series(filled().map(whisker))?.label("95 % interval").legend(|(x, y)| stroke(x, y, INK));
    chart.draw_series(filled().map(|bin| Circle::new((bin.confidence / bin.n, bin.right / bin.n), 4, INK.filled())))?;
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .label_font(text(15))
        .draw()?;
    Ok(())
}

fn stroke(x: i32, y: i32, colour: RGBColor) -> PathElement<(i32, i32)> {
    PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2))
}

/// The interval of a bin's share, at its mean confidence.
fn whisker(bin: &Bin) -> PathElement<(f64, f64)> {
    let Interval { low, high } = wilson(bin.right as usize, bin.n as usize, CONFIDENCE);
    let x = bin.confidence / bin.n;
    PathElement::new([(x, low), (x, high)], INK.stroke_width(2))
}

fn counts(area: &Area<'_>, bins: &[Bin; BINS]) -> Drawn {
    let most = bins.iter().map(|bin| bin.n).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .margin(14)
        .margin_top(0)
        .margin_right(24)
        .x_label_area_size(46)
        .y_label_area_size(66)
        .build_cartesian_2d(0.0..1.0, 0.0..most * 1.05)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .axis_style(INK)
        .x_desc("confidence: the probability of what was decided")
        .y_desc("samples")
        .x_labels(6)
        .y_labels(4)
        .x_label_formatter(&|x| format!("{x:.1}"))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .label_style(text(15))
        .axis_desc_style(text(16))
        .draw()?;
    chart.draw_series(bars(bins, |bin| bin.n))?;
    Ok(())
}

fn bars(bins: &[Bin; BINS], height: impl Fn(&Bin) -> f64) -> Vec<Rectangle<(f64, f64)>> {
    let edge = |index: usize| index as f64 / BINS as f64;
    let bar = |(index, bin): (usize, &Bin)| {
        let mut bar = Rectangle::new([(edge(index), 0.0), (edge(index + 1), height(bin))], BLUE.mix(0.5).filled());
        bar.set_margin(0, 0, 1, 1);
        bar
    };
    bins.iter().enumerate().filter(|(_, bin)| bin.n > 0.0).map(bar).collect()
}
