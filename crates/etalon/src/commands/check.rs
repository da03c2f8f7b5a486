//! `etalon check`: everything that is wrong with experiment files, without data.

use std::path::Path;

use clap::Args;
use kernels::Isa;
use serde_json::{Map, json};
use spec::{Faults, Sources};

use crate::cli::{Common, Format};
use crate::estimate::Estimate;
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
    /// `json` prints {"faults": [...], "estimates": {...}, "unreadable": [...]}
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// Checks every file with the same overrides and shows the faults of all; a file that cannot be read hides no other's.
pub fn check(arguments: &CheckArguments, common: &Common) -> Outcome {
    let (overrides, files): (Vec<&String>, Vec<&String>) = arguments.files.iter().partition(|word| word.contains('='));
    if files.is_empty() {
        return Err(Failure::Work("no experiment file is named".to_string()));
    }
    let overrides: Vec<String> = overrides.into_iter().cloned().collect();
    let (mut estimates, mut unreadable) = (Map::new(), Vec::new());
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    for file in files {
        let checked = experiment::check(Path::new(file), &overrides, &common.data_dirs(), &mut sources, &mut faults);
        let checked = checked.unwrap_or_else(|failure| {
            unreadable.push(failure.line());
            None
        });
        if let Some(checked) = checked {
            let (isa, threads) = (common.instruction_set.unwrap_or_else(Isa::best), common.n_threads());
            let estimate = Estimate::new(&checked, isa, threads);
            estimates.insert(file.clone(), estimate.json());
            if arguments.format == Format::Json {
                continue;
            }
            let table = if common.verbose > 0 { network_table(&checked.network) } else { String::new() };
            terminal::print(&format!(
                "{table}{file}: nothing is wrong; {}\n  estimate: {}",
                checked.in_a_line(),
                estimate.in_a_line(threads)
            ));
        }
    }
    let is_json = arguments.format == Format::Json;
    if is_json {
        let lines = faults.lines(&sources);
        let said = json!({ "faults": lines, "estimates": estimates, "unreadable": unreadable });
        terminal::print(&said.to_string());
    }
    match (faults.is_empty(), unreadable.is_empty()) {
        (true, true) => Ok(()),
        (true, false) => Err(Failure::Work(unreadable.join("\nerror: "))),
        (false, _) if is_json => Err(Failure::Told),
        (false, _) => {
            unreadable.iter().for_each(|line| terminal::notice(&format!("error: {line}\n")));
            Err(Failure::Experiment { faults, sources })
        }
    }
}
