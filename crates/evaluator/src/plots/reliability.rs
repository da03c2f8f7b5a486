//! The reliability diagram (DeGroot and Fienberg 1983; Guo et al. 2017): how often predictions of a given confidence are
//! right, and how many there are of each.

use engine::Predictions;
use plotters::prelude::*;

use super::PlotError;
use super::canvas::{Area, BLUE, Drawn, GRID, INK, ORANGE, png, text};

const BINS: usize = 15;

/// One bin of confidence.
#[derive(Clone, Copy, Default)]
struct Bin {
    n: usize,
    confidence: f64,
    right: usize,
}

/// Accuracy above, counts below.
pub fn reliability(predictions: &Predictions) -> Result<Vec<u8>, PlotError> {
    let bins = bins(predictions);
    png(560, 640, |area| {
        let (upper, lower) = area.split_vertically(460);
        accuracy(&upper, &bins)?;
        counts(&lower, &bins)
    })
}

fn bins(predictions: &Predictions) -> [Bin; BINS] {
    let mut bins = [Bin::default(); BINS];
    for index in 0..predictions.len() {
        let row = predictions.row(index);
        let (class, confidence) =
            row.iter().enumerate().fold((0, f32::MIN), |best, (class, &p)| if p > best.1 { (class, p) } else { best });
        let place = ((f64::from(confidence) * BINS as f64) as usize).min(BINS - 1);
        let bin = &mut bins[place];
        bin.n += 1;
        bin.confidence += f64::from(confidence);
        bin.right += usize::from(class as u32 == predictions.labels[index]);
    }
    bins
}

fn accuracy(area: &Area<'_>, bins: &[Bin; BINS]) -> Drawn {
    let mut chart = ChartBuilder::on(area)
        .caption("reliability", text(20))
        .margin(14)
        .x_label_area_size(28)
        .y_label_area_size(58)
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
        .label_style(text(14))
        .axis_desc_style(text(15))
        .draw()?;
    chart.draw_series(bars(bins, |bin| bin.right as f64 / bin.n as f64))?;
    chart.draw_series(DashedLineSeries::new([(0.0, 0.0), (1.0, 1.0)], 6, 5, ORANGE.stroke_width(2)))?;
    let dot =
        |bin: &Bin| Circle::new((bin.confidence / bin.n as f64, bin.right as f64 / bin.n as f64), 3, INK.filled());
    chart.draw_series(bins.iter().filter(|bin| bin.n > 0).map(dot))?;
    Ok(())
}

fn counts(area: &Area<'_>, bins: &[Bin; BINS]) -> Drawn {
    let most = bins.iter().map(|bin| bin.n).max().unwrap_or(0).max(1) as f64;
    let mut chart = ChartBuilder::on(area)
        .margin(14)
        .margin_top(0)
        .x_label_area_size(44)
        .y_label_area_size(58)
        .build_cartesian_2d(0.0..1.0, 0.0..most * 1.05)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .axis_style(INK)
        .x_desc("confidence")
        .y_desc("samples")
        .x_labels(6)
        .y_labels(3)
        .x_label_formatter(&|x| format!("{x:.1}"))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .label_style(text(14))
        .axis_desc_style(text(15))
        .draw()?;
    chart.draw_series(bars(bins, |bin| bin.n as f64))?;
    Ok(())
}

fn bars(bins: &[Bin; BINS], height: impl Fn(&Bin) -> f64) -> Vec<Rectangle<(f64, f64)>> {
    let edge = |index: usize| index as f64 / BINS as f64;
    let bar = |(index, bin): (usize, &Bin)| {
        let mut bar = Rectangle::new([(edge(index), 0.0), (edge(index + 1), height(bin))], BLUE.mix(0.55).filled());
        bar.set_margin(0, 0, 1, 1);
        bar
    };
    bins.iter().enumerate().filter(|(_, bin)| bin.n > 0).map(bar).collect()
}
