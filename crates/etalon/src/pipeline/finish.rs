//! After training: judged on every part, tables, plots, export, proof, and what people are told at the end.

use std::collections::BTreeMap;

use data::{Mode, PartName};
use engine::{Predictions, Variables};
use evaluator::words::Weights;
use evaluator::{Measured, plots};
use record::{ProofRecord, RunDirectory, RunFile, files};

use super::export::record_of;
use super::{Measurer, Prepared, export, prove, said_of};
use crate::cli::Common;
use crate::failure::Failure;
use crate::{report, terminal};

/// How many of the most confident mistakes are shown.
const MISTAKES: usize = 20;

/// What was measured of a network.
pub struct Judgement {
    /// The part whose predictions are kept.
    pub part: PartName,
    pub predictions: Predictions,
    pub measured: Measured,
    /// Loss and metrics by `part/name`, of every part.
    pub values: BTreeMap<String, f64>,
}

/// Everything behind training. `run` takes in what `run.json` says of it.
pub fn finish(
    prepared: &Prepared,
    directory: &RunDirectory,
    common: &Common,
    run: &mut RunFile,
) -> Result<(), Failure> {
    let checkpoint = match prepared.checked.evaluation.weights {
        Weights::Last => files::LAST,
        Weights::Best => files::BEST,
    };
    let network = prepared.network();
    let mut variables = trainer::load(network, &directory.file(checkpoint)).map_err(Failure::work)?;
    let judgement = judge(prepared, &mut variables, prepared.checked.judged_part())?;
    run.metrics.extend(judgement.metrics());
    keep(prepared, directory, &judgement)?;
    directory.save_run_file(run).map_err(Failure::work)?;
    if !common.quiet {
        terminal::notice(&final_text(prepared, &judgement, run));
    }
    let said = export_and_prove(prepared, directory, &variables, &judgement, run)?;
    if !common.quiet {
        terminal::notice(&said);
        terminal::notice(&format!("everything lies in {}", directory.path().display()));
    }
    Ok(())
}

/// Measures every part; the one that is judged with intervals.
pub fn judge(prepared: &Prepared, variables: &mut Variables, part: PartName) -> Result<Judgement, Failure> {
    let evaluation = &prepared.checked.evaluation;
    let mut measurer = Measurer::new(prepared);
    let mut values = BTreeMap::new();
    let mut kept = None;
    let parts: Vec<_> = prepared.dataset.parts().collect();
    for one in &parts {
        let twin = parts
            .iter()
            .find(|other| other.name < one.name && other.splits == one.splits && other.indices == one.indices);
        if let (Some(twin), false) = (twin, one.name == part) {
            let same: Vec<(String, f64)> = values_of(&values, twin.name.name());
            values.extend(same.into_iter().map(|(name, value)| (format!("{}/{name}", one.name.name()), value)));
            continue;
        }
        let said = measurer.measure(variables, one.name)?;
        let metrics = evaluation.quick(&said.predictions);
        let all = std::iter::once(("loss".to_string(), said.loss)).chain(metrics);
        values.extend(all.map(|(name, value)| (format!("{}/{name}", one.name.name()), value)));
        if one.name == part {
            kept = Some(said.predictions);
        }
    }
    let predictions = kept.ok_or_else(|| Failure::Work(format!("the experiment has no {} part", part.name())))?;
    let measured = evaluation.measure(&predictions, &prepared.dataset.classes, prepared.checked.experiment.seed);
    Ok(Judgement { part, predictions, measured, values })
}

fn values_of(values: &BTreeMap<String, f64>, part: &str) -> Vec<(String, f64)> {
    let of = |(name, value): (&String, &f64)| {
        name.strip_prefix(part)?.strip_prefix('/').map(|name| (name.to_string(), *value))
    };
    values.iter().filter_map(of).collect()
}

impl Judgement {
    /// As `run.json` keeps them: `test/accuracy`.
    pub fn metrics(&self) -> BTreeMap<String, record::Metric> {
        let whole = self.measured.rows.iter().filter(|row| row.class.is_none());
        whole.map(|row| (format!("{}/{}", self.part.name(), row.metric), row.into())).collect()
    }
}

/// Tables and plots.
fn keep(prepared: &Prepared, directory: &RunDirectory, judgement: &Judgement) -> Result<(), Failure> {
    let (dataset, Judgement { predictions, measured, part, .. }) = (&prepared.dataset, judgement);
    let write = |name: &str, bytes: Vec<u8>| directory.write(name, &bytes).map_err(Failure::work);
    let file = |sample: u32| dataset.file(*part, sample).map(|path| path.display().to_string());
    let classes = &dataset.classes;
    write(files::PREDICTIONS, evaluator::tables::predictions(predictions, classes, &file).map_err(Failure::work)?)?;
    write(files::METRICS, evaluator::tables::metrics(measured).map_err(Failure::work)?)?;
    write(files::CONFUSION, evaluator::tables::confusion(measured).map_err(Failure::work)?)?;
    let history = record::history::read(&directory.file(files::HISTORY)).map_err(Failure::work)?;
    let plot = |name: &str| format!("{}/{name}.png", files::PLOTS);
    write(&plot("curves"), plots::curves(&history).map_err(Failure::work)?)?;
    write(&plot("confusion"), plots::confusion(&measured.confusion, classes).map_err(Failure::work)?)?;
    write(&plot("reliability"), plots::reliability(predictions).map_err(Failure::work)?)?;
    let mistakes = plots::most_confident(predictions, MISTAKES);
    let mut image = |mistake: &plots::Mistake| {
        let pixels = dataset.image_for(*part, mistake.sample, Mode::Evaluate, 0, 0).ok()?;
        let data::Pixels { height, width, channels, bytes } = pixels;
        Some(plots::Pixels { height, width, channels, bytes })
    };
    write(&plot("mistakes"), plots::mistakes(&mistakes, classes, &mut image).map_err(Failure::work)?)
}

fn export_and_prove(
    prepared: &Prepared,
    directory: &RunDirectory,
    variables: &Variables,
    judgement: &Judgement,
    run: &mut RunFile,
) -> Result<String, Failure> {
    let export_section = &prepared.checked.experiment.export;
    run.proof = ProofRecord::SKIPPED;
    let Some(options) = &export_section.onnx else {
        return Ok("onnx: not exported, as `export.onnx: none` says".into());
    };
    let onnx = export(prepared, variables, options, run)?;
    directory.write(files::ONNX, &onnx).map_err(Failure::work)?;
    let Some(section) = &export_section.proof else {
        return Ok("onnx: not proven, as `export.proof: none` says".into());
    };
    let proof = prove(prepared, variables, (options, section), &onnx, judgement.part, &judgement.predictions)?;
    let json = serde_json::to_vec_pretty(&proof).map_err(Failure::work)?;
    directory.write(files::PROOF, &json).map_err(Failure::work)?;
    run.proof = record_of(&proof);
    tracing::info!(passed = proof.passed, max_error = proof.max_error, "proof");
    said_of(&proof)
}

/// The tables at the end of a run.
fn final_text(prepared: &Prepared, judgement: &Judgement, run: &RunFile) -> String {
    let epoch = match (prepared.checked.evaluation.weights, run.best_epoch) {
        (Weights::Last, Some(best)) => format!("weights of the last epoch, {} (the best was {best})", run.epochs),
        (Weights::Best, Some(best)) => format!("weights of the best epoch, {best} of {}", run.epochs),
        (_, None) => format!("weights of epoch {}", run.epochs),
    };
    let part = judgement.part.name();
    let table = report::metrics(&judgement.values, part, &judgement.measured);
    format!("\n{epoch}\n\n{table}\n{}", report::classes(&judgement.measured))
}
