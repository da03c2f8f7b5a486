//! `etalon verify`: the proof of a run's ONNX file, again.

use std::path::PathBuf;

use clap::Args;
use record::files;
use serde_json::json;

use crate::cli::{Common, Format};
use crate::failure::{Failure, Outcome};
use crate::pipeline::{self, FinishedRun};
use crate::terminal;

/// Arguments of `etalon verify`.
#[derive(Args)]
pub struct VerifyArguments {
    /// A run directory, or the name of an experiment for its latest run
    pub run: PathBuf,
    /// Another ONNX file to prove against the run
    #[arg(long, value_name = "FILE")]
    pub onnx: Option<PathBuf>,
    /// `json` prints the proof for programs
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// Proves the run's file, or another one, against the run.
pub fn verify(arguments: &VerifyArguments, common: &Common) -> Outcome {
    let finished = FinishedRun::open(&arguments.run, &[], common)?;
    let mut variables = finished.variables()?;
    let (run, prepared) = finished.prepare(common)?;
    let path: PathBuf = arguments.onnx.clone().unwrap_or_else(|| run.path(files::ONNX));
    let onnx = std::fs::read(&path).map_err(|e| Failure::Work(format!("cannot read {}: {e}", path.display())))?;
    let section = &prepared.checked.experiment.export;
    let (Some(options), Some(proof)) = (&section.onnx, &section.proof) else {
        return Err(Failure::Work("the experiment asks for no export, or for no proof of it".to_string()));
    };
    let part = prepared.checked.judged_part();
    let judgement = pipeline::judge(&prepared, &mut variables, part)?;
    let proof = pipeline::prove(&prepared, &variables, (options, proof), &onnx, part, &judgement.predictions)?;
    let said = pipeline::said_of(&proof);
    match arguments.format {
        Format::Json => {
            let record = pipeline::record_of(&proof);
            let summary = json!({ "verdict": record.verdict, "proof": proof });
            terminal::print(&summary.to_string());
        }
        Format::Text => said.iter().for_each(|line| terminal::print(line)),
    }
    said.map(|_| ())
}
