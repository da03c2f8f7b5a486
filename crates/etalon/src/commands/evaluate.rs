//! `etalon evaluate`: a finished run, measured again, on the part and with the weights that are asked for.

use std::path::PathBuf;

use clap::Args;

use crate::cli::{Common, Format};
use crate::failure::Outcome;
use crate::pipeline::{self, FinishedRun};
use crate::{report, terminal};

/// Arguments of `etalon evaluate`.
#[derive(Args)]
pub struct EvaluateArguments {
    /// A run directory, or the name of an experiment for its latest run
    pub run: PathBuf,
    /// Which part: train, validation or test
    #[arg(long)]
    pub part: Option<String>,
    /// Which checkpoint: last or best
    #[arg(long)]
    pub checkpoint: Option<String>,
    /// `json` ends with one line for programs
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// Prints tables, or the line for programs; changes nothing in the run.
pub fn evaluate(arguments: &EvaluateArguments, common: &Common) -> Outcome {
    let wanted = [("part", &arguments.part), ("checkpoint", &arguments.checkpoint)];
    let overrides: Vec<String> = wanted
        .iter()
        .filter_map(|(key, value)| value.as_ref().map(|value| format!("evaluate.{key}={value}")))
        .collect();
    let finished = FinishedRun::open(&arguments.run, &overrides, common)?;
    let mut variables = finished.variables()?;
    let (run, prepared) = finished.prepare(common)?;
    let part = prepared.checked.judged_part();
    let judgement = pipeline::judge(&prepared, &mut variables, part)?;
    match arguments.format {
        Format::Json => {
            let mut file = run.file.clone();
            file.metrics = judgement.metrics();
            terminal::print(&file.summary(&run.directory).to_json());
        }
        Format::Text => {
            let table = report::metrics(&judgement.values, part.name(), &judgement.measured);
            terminal::print(&format!("{table}\n{}", report::classes(&judgement.measured)));
        }
    }
    Ok(())
}
