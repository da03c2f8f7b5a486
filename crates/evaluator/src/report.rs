//! One page of HTML that shows runs and opens anywhere, without a network: what they were, what they reached, where they
//! are wrong.
//!
//! Everything is inside: scripts that the page's own policy names by their hash, styles, pictures. Texts from files are
//! escaped by the template. The page stays bounded: of many runs the tables and curves have all, the details some, and the
//! page says what it leaves out.

mod curves;
mod details;
mod overview;
mod page;

use record::Run;

use crate::compare::Known;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The page could not be made of what was read: a bug.
    #[error("the page could not be made: {0:#}")]
    Page(#[from] minijinja::Error),
}

/// What a page shows of many runs.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Runs with details of their own: tables by class, proof, experiment.
    pub details: usize,
    /// Runs with pictures.
    pub pictures: usize,
}

impl Bounds {
    /// Some megabytes at most.
    pub const USUAL: Bounds = Bounds { details: 40, pictures: 10 };
}

/// A page, and what could not be shown, a line each.
#[derive(Debug)]
pub struct Report {
    pub html: String,
    pub warnings: Vec<String>,
}

/// The page of runs whose experiments can be read; see [`crate::compare::readable`].
pub fn report(known: &[Known], bounds: Bounds) -> Result<Report, ReportError> {
    let mut warnings = Vec::new();
    let runs: Vec<Run> = known.iter().map(|one| one.run.clone()).collect();
    let groups = overview::groups(known);
    let curves = curves::curves(&runs, &mut warnings);
    let details = runs.iter().enumerate().take(bounds.details).map(|(index, run)| {
        let pictures = if index < bounds.pictures { details::Pictures::Shown } else { details::Pictures::LeftOut };
        details::details(index + 1, run, pictures, &mut warnings)
    });
    let details = details.collect();
    let left_out = left_out(runs.len(), bounds);
    let html = page::render(&page::Page { groups, curves, details, left_out, warnings: warnings.clone() }, &runs)?;
    Ok(Report { html, warnings })
}

/// In words, what the page does not show.
fn left_out(runs: usize, bounds: Bounds) -> Vec<String> {
    let mut lines = Vec::new();
    if runs > bounds.details {
        lines.push(format!(
            "details are those of the first {} of {runs} runs; tables and curves have all",
            bounds.details
        ));
    }
    if runs > bounds.pictures {
        lines.push(format!("pictures are those of the first {} of {runs} runs", bounds.pictures));
    }
    lines
}
