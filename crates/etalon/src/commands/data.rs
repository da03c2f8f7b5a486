//! `etalon data`: what an experiment's data is, and a sheet of it before and after augmentation.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::cli::{Common, Format};
use crate::experiment;
use crate::failure::{Failure, Outcome};
use crate::pipeline::Prepared;
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
    match arguments.format {
        Format::Text => terminal::print(&data::summary(&dataset)),
        Format::Json => {
            let parts: serde_json::Map<String, serde_json::Value> = dataset
                .parts()
                .map(|part| (part.name.name().to_string(), json!(dataset.class_counts(part.name))))
                .collect();
            let summary = json!({
                "dataset": dataset.name,
                "published": dataset.published == data::Published::Yes,
                "instead_of": dataset.instead_of.as_ref().map(|wanted| &wanted.name),
                "fingerprint": dataset.fingerprint,
                "classes": dataset.classes,
                "counts": parts,
            });
            terminal::print(&summary.to_string());
        }
    }
    terminal::notice(&format!("the sheet lies in {}", arguments.preview.display()));
    Ok(())
}
