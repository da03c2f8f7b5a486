//! Learning curves: the loss of every epoch, and beside it the first other metric, for training and validation.

use plotters::prelude::*;
use record::Epoch;

use super::PlotError;
use super::canvas::{Area, BLUE, Drawn, GRID, INK, ORANGE, png, text};

/// Labels on an axis of values.
const VALUES: usize = 8;

/// Two panels; the second is left out where nothing but the loss was measured.
pub fn curves(history: &[Epoch]) -> Result<Vec<u8>, PlotError> {
    let metric = second_metric(history);
    let width = if metric.is_some() { 1000 } else { 520 };
    png(width, 400, |area| match &metric {
        Some(metric) => {
            let (left, right) = area.split_horizontally(500);
            panel(&left, history, "loss")?;
            panel(&right, history, metric)
        }
        None => panel(area, history, "loss"),
    })
}

/// `accuracy` where there is one, else the first metric but the loss.
fn second_metric(history: &[Epoch]) -> Option<String> {
    let names = history.iter().flat_map(|epoch| epoch.metrics.keys()).filter_map(|name| name.split_once('/'));
    let names: Vec<&str> = names.map(|(_, name)| name).filter(|name| *name != "loss").collect();
    let chosen = names.iter().find(|name| **name == "accuracy").or(names.first());
    chosen.map(|name| name.to_string())
}

/// A part with its colour and points: epoch, value.
type Line = (&'static str, RGBColor, Vec<(f64, f64)>);

fn panel(area: &Area<'_>, history: &[Epoch], metric: &str) -> Drawn {
    let lines: Vec<Line> = [("train", BLUE), ("validation", ORANGE)]
        .into_iter()
        .map(|(part, colour)| (part, colour, points(history, &format!("{part}/{metric}"))))
        .filter(|(_, _, points)| !points.is_empty())
        .collect();
    let values = lines.iter().flat_map(|(_, _, points)| points.iter().map(|p| p.1));
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (low.min(y), high.max(y)));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let margin = ((high - low) * 0.06).max(1e-3);
    // Labels are at least this far apart, by 1, 2 or 5 of a power of ten.
    let apart = (high - low + 2.0 * margin) / VALUES as f64;
    let decimals = (-apart.log10().floor()).clamp(0.0, 6.0) as usize;
    let last = history.len().max(2) as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(metric, text(20))
        .margin(14)
        .margin_right(26)
        .x_label_area_size(46)
        .y_label_area_size(70)
        .build_cartesian_2d(1.0..last, low - margin..high + margin)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .axis_style(INK)
        .x_desc("epoch")
        .x_labels(history.len().clamp(2, 10))
        .y_labels(VALUES)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.decimals$}"))
        .label_style(text(15))
        .axis_desc_style(text(16))
        .draw()?;
    for (part, colour, points) in lines {
        let dots = points.iter().map(|&p| Circle::new(p, 3, colour.filled())).collect::<Vec<_>>();
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(part)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        chart.draw_series(dots)?;
    }
    let corner = if metric == "loss" { SeriesLabelPosition::UpperRight } else { SeriesLabelPosition::LowerRight };
    chart
        .configure_series_labels()
        .position(corner)
        .background_style(WHITE.mix(0.85))
        .border_style(GRID)
        .label_font(text(15))
        .draw()?;
    Ok(())
}

fn points(history: &[Epoch], name: &str) -> Vec<(f64, f64)> {
    let point = |epoch: &Epoch| Some((epoch.epoch as f64, *epoch.metrics.get(name)?));
    history.iter().filter_map(point).filter(|(_, y)| y.is_finite()).collect()
}
