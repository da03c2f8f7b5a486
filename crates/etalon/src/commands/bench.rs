//! `etalon bench`: how fast an experiment is on this machine.

use std::path::PathBuf;

use clap::Args;

use crate::bench::{self, Input, Order, Phase};
use crate::cli::{Common, Format};
use crate::experiment;
use crate::failure::Outcome;
use crate::terminal;

/// Arguments of `etalon bench`.
#[derive(Args)]
pub struct BenchArguments {
    /// The experiment file; it needs no data, random images have the right shape
    pub file: PathBuf,
    /// Overrides, key.path=value
    #[arg(value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Measure with the experiment's data and loader too, and say whether loading or computing is the limit
    #[arg(long, conflicts_with = "inference")]
    pub with_data: bool,
    /// Measure how fast the network answers instead of how fast it trains
    #[arg(long)]
    pub inference: bool,
    /// How long each rate is measured
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    pub seconds: f64,
    /// `json` ends with one line for programs
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// Measures and prints.
pub fn bench(arguments: &BenchArguments, common: &Common) -> Outcome {
    let checked = experiment::read(&arguments.file, &arguments.overrides, &common.data_dirs())?;
    let order = Order {
        phase: if arguments.inference { Phase::Inference } else { Phase::Training },
        input: if arguments.with_data { Input::Data } else { Input::Random },
        seconds: arguments.seconds,
    };
    let report = bench::bench(checked, &order, common)?;
    match arguments.format {
        Format::Text => terminal::print(&report.text()),
        Format::Json => terminal::print(&report.json().to_string()),
    }
    Ok(())
}

/// More than none and at most an hour.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number is expected".to_string())?;
    if seconds > 0.0 && seconds <= 3600.0 { Ok(seconds) } else { Err("more than 0 and at most 3600".to_string()) }
}
