//! `etalon export`: a run's network as an ONNX file elsewhere, with other options.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Common;
use crate::failure::{Failure, Outcome};
use crate::pipeline::{self, FinishedRun};
use crate::terminal;

/// Arguments of `etalon export`.
#[derive(Args)]
pub struct ExportArguments {
    /// A run directory, or the name of an experiment for its latest run
    pub run: PathBuf,
    /// Overrides of the export section, export.onnx.softmax=true
    #[arg(value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Where to write it
    #[arg(short, long, value_name = "FILE", default_value = "model.onnx")]
    pub output: PathBuf,
}

/// Writes the file and proves it on the part that the run was judged on.
pub fn export(arguments: &ExportArguments, common: &Common) -> Outcome {
    let finished = FinishedRun::open(&arguments.run, &arguments.overrides, common)?;
    let mut variables = finished.variables()?;
    let (run, prepared) = finished.prepare(common)?;
    let section = &prepared.checked.experiment.export;
    let Some(options) = &section.onnx else {
        return Err(Failure::Work("`export.onnx: none` exports nothing; say export.onnx={}".to_string()));
    };
    let onnx = pipeline::export(&prepared, &variables, options, &run.file)?;
    record::whole::write(&arguments.output, &onnx).map_err(Failure::work)?;
    terminal::print(&format!("{}: {} bytes", arguments.output.display(), onnx.len()));
    let Some(proof) = &section.proof else { return Ok(()) };
    let part = prepared.checked.judged_part();
    let judgement = pipeline::judge(&prepared, &mut variables, part)?;
    let proof = pipeline::prove(&prepared, &variables, (options, proof), &onnx, part, &judgement.predictions)?;
    terminal::print(&pipeline::said_of(&proof)?);
    Ok(())
}
