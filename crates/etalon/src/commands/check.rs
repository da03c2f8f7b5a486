//! `etalon check`: everything that is wrong with experiment files, without data.

use std::path::Path;

use clap::Args;
use serde_json::json;
use spec::{Faults, Sources};

use crate::cli::{Common, Format};
use crate::experiment;
use crate::failure::{Failure, Outcome};
use crate::network_table::network_table;
use crate::terminal;

/// Arguments of `etalon check`.
#[derive(Args)]
pub struct CheckArguments {
    /// Experiment files; what holds a `=` is an override for all of them
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,
    /// `json` prints {"faults": [...]}
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// Checks every file with the same overrides and shows the faults of all.
pub fn check(arguments: &CheckArguments, common: &Common) -> Outcome {
    let (overrides, files): (Vec<&String>, Vec<&String>) = arguments.files.iter().partition(|word| word.contains('='));
    if files.is_empty() {
        return Err(Failure::Work("no experiment file is named".to_string()));
    }
    let overrides: Vec<String> = overrides.into_iter().cloned().collect();
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    for file in files {
        let checked = experiment::check(Path::new(file), &overrides, &common.data_dirs(), &mut sources, &mut faults)?;
        if let (Some(checked), Format::Text) = (checked, arguments.format) {
            let table = if common.verbose > 0 { network_table(&checked.network) } else { String::new() };
            terminal::print(&format!("{table}{file}: nothing is wrong; {}", checked.in_a_line()));
        }
    }
    match (arguments.format, faults.is_empty()) {
        (Format::Text, true) => Ok(()),
        (Format::Text, false) => Err(Failure::Experiment { faults, sources }),
        (Format::Json, right) => {
            terminal::print(&json!({ "faults": faults.lines(&sources) }).to_string());
            if right { Ok(()) } else { Err(Failure::Told) }
        }
    }
}
