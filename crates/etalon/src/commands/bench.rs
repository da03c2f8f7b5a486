//! `etalon bench`: how fast an experiment is on this machine.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::bench::{self, Input, Order, Phase};
use crate::cli::{Common, Format};
use crate::experiment;
use crate::failure::Outcome;
use crate::terminal;

/// Arguments of `etalon bench`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct BenchArguments {
    #[command(subcommand)]
    pub what: Option<What>,
    /// The experiment file; it needs no data, random images have the right shape
    #[arg(required = true)]
    pub file: Option<PathBuf>,
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

/// What else can be measured.
#[derive(Subcommand)]
pub enum What {
    /// Every way to compute the convolutions and dense layers of an experiment, and which its plan takes
    #[command(after_help = "Example:\n  etalon bench kernels experiments/cifar_cnn.yaml engine.arithmetic=strict")]
    Kernels {
        /// The experiment file
        file: PathBuf,
        /// Overrides, key.path=value
        #[arg(value_name = "KEY=VALUE")]
        overrides: Vec<String>,
        /// `json` ends with one line for programs
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
}

/// Measures and prints.
pub fn bench(arguments: &BenchArguments, common: &Common) -> Outcome {
    if let Some(What::Kernels { file, overrides, format }) = &arguments.what {
        let checked = experiment::read(file, overrides, &common.data_dirs())?;
        let found = bench::kernels(&checked, common);
        match format {
            Format::Text => terminal::print(&found.text()),
            Format::Json => terminal::print(&found.json().to_string()),
        }
        return Ok(());
    }
    let file = arguments.file.as_ref().expect("without a subcommand there is a file");
    let checked = experiment::read(file, &arguments.overrides, &common.data_dirs())?;
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
