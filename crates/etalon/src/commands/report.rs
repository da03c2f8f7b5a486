//! `etalon report`: runs as one page of HTML that opens anywhere.

use std::path::PathBuf;

use clap::Args;
use evaluator::compare::readable;
use evaluator::report::{Bounds, Report, report as page};

use super::compare::chosen;
use crate::cli::Common;
use crate::failure::{Failure, Outcome};
use crate::terminal;

/// Arguments of `etalon report`.
#[derive(Args)]
pub struct ReportArguments {
    /// Run directories, names of experiments, or folders of runs [default: the runs folder]
    pub runs: Vec<PathBuf>,
    /// Where to write the page
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    pub output: PathBuf,
}

/// Writes the page whole or not at all; what could not be shown is named.
pub fn report(arguments: &ReportArguments, common: &Common) -> Outcome {
    let (runs, damaged) = readable(chosen(&arguments.runs, common)?);
    damaged.iter().for_each(|warning| terminal::notice(&format!("warning: {warning}")));
    if runs.is_empty() {
        return Err(Failure::Work("no run is left to be reported; `etalon run` makes one".to_string()));
    }
    let Report { html, warnings } = page(&runs, Bounds::USUAL).map_err(Failure::work)?;
    warnings.iter().for_each(|warning| terminal::notice(&format!("warning: {warning}")));
    record::whole::write(&arguments.output, html.as_bytes()).map_err(Failure::work)?;
    terminal::print(&format!("the page is {}", arguments.output.display()));
    Ok(())
}
