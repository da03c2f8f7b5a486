//! `etalon data`: what an experiment's data is, and a sheet of it before and after augmentation.

use std::path::PathBuf;

use clap::Args;
use data::{Dataset, Mode, PartName};
use serde_json::{Map, Value, json};

use crate::cli::{Common, Format};
use crate::experiment;
use crate::failure::{Failure, Outcome};
use crate::pipeline::{self, Prepared};
use crate::terminal;

/// Arguments of `etalon data`.
#[derive(Args)]
pub struct DataArguments {
    /// The experiment file
    pub file: PathBuf,
    /// Overrides, key.path=value
    #[arg(value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Where to write the preview sheet
    #[arg(long, value_name = "FILE", default_value = "preview.png")]
    pub preview: PathBuf,
    /// `json` prints the summary for programs
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// Prints the summary and writes the sheet.
pub fn data(arguments: &DataArguments, common: &Common) -> Outcome {
    let checked = experiment::read(&arguments.file, &arguments.overrides, &common.data_dirs())?;
    let Prepared { checked, dataset, .. } = Prepared::open(checked, common)?;
    data::preview(&dataset, checked.experiment.seed, &arguments.preview).map_err(Failure::work)?;
    let text = match arguments.format {
        Format::Text => data::summary(&dataset),
        Format::Json => json(&dataset),
    };
    terminal::print(&text.map_err(Failure::work)?);
    terminal::notice(&format!("the sheet lies in {}", arguments.preview.display()));
    Ok(())
}

/// The summary for programs, in one line.
fn json(dataset: &Dataset) -> Result<String, data::Error> {
    let (mean, std) = dataset.statistics()?;
    let by_part = |of: &dyn Fn(PartName) -> Value| -> Value {
        dataset.parts().map(|part| (part.name.name().to_string(), of(part.name))).collect::<Map<_, _>>().into()
    };
    let groups = dataset
        .groups()
        .map(|(column, counts)| json!({"column": column, "counts": by_part(&|part| json!(counts[&part]))}));
    let summary = json!({
        "dataset": dataset.name,
        "published": dataset.published == data::Published::Yes,
        "instead_of": dataset.instead_of.as_ref().map(|wanted| &wanted.name),
        "fingerprint": dataset.fingerprint,
        "classes": dataset.classes,
        "counts": by_part(&|part| json!(dataset.class_counts(part))),
        "image": {"train": dataset.shape(Mode::Train), "evaluate": dataset.shape(Mode::Evaluate)},
        "mean": mean,
        "std": std,
        "findings": pipeline::findings(dataset),
        "groups": groups,
        "fold": dataset.fold.map(|of| of.fold),
        "folds": dataset.fold_class_counts(),
    });
    Ok(summary.to_string())
}
