//! `etalon run`: the whole job.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::{Common, Format};
use crate::experiment;
use crate::failure::{Failure, Outcome};
use crate::interrupt;
use crate::pipeline::{self, Finished, Identity, Prepared, Reach};
use crate::sweep::conduct::{self, Order};
use crate::terminal;

/// Arguments of `etalon run`.
#[derive(Args)]
pub struct RunArguments {
    /// The experiment file
    #[arg(required_unless_present = "resume")]
    pub file: Option<PathBuf>,
    /// Overrides, key.path=value
    #[arg(value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Go on with an interrupted run, to the bit as if it had not stopped
    #[arg(long, value_name = "RUN", conflicts_with_all = ["file", "overrides"])]
    pub resume: Option<PathBuf>,
    /// Stop after so many epochs, to go on later with --resume
    #[arg(long, value_name = "EPOCHS", value_parser = clap::value_parser!(u64).range(1..))]
    pub pause_after: Option<u64>,
    /// Train and pause there; --resume then measures, exports and proves
    #[arg(long)]
    pub train_only: bool,
    /// Stop, as after Ctrl-C, at the end of standard input
    #[arg(long, hide = true)]
    pub stop_at_end_of_input: bool,
    /// Take a finished run whose experiment, data, code and instruction set are the same, instead of running again
    #[arg(long, conflicts_with_all = ["resume", "again"])]
    pub reuse: bool,
    /// Run again what seeds and sweeps would take from finished runs
    #[arg(long, conflicts_with = "resume")]
    pub again: bool,
    /// Say which part differs from the runs that are there when none can be reused
    #[arg(long, requires = "reuse")]
    pub why: bool,
    /// `json` ends with one line for programs
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// Starts a run, or all runs that the file asks for, or goes on with one.
pub fn run(arguments: &RunArguments, common: &Common) -> Outcome {
    if arguments.stop_at_end_of_input {
        interrupt::stop_at_end_of_input();
    }
    let finished = match (&arguments.resume, &arguments.file) {
        (Some(run), _) => pipeline::resume(run, common, arguments.reach())?,
        (None, Some(file)) => match start(file, arguments, common)? {
            Some(finished) => finished,
            None => return Ok(()),
        },
        (None, None) => return Err(Failure::Work("an experiment file is missing".to_string())),
    };
    let Finished { directory, run, outcome } = finished;
    if arguments.format == Format::Json {
        terminal::print(&run.summary(directory.path()).to_json());
    }
    outcome
}

/// The run, where one was started.
fn start(file: &Path, arguments: &RunArguments, common: &Common) -> Result<Option<Finished>, Failure> {
    let checked = experiment::read(file, &arguments.overrides, &common.data_dirs())?;
    if checked.family.is_some() {
        if arguments.format == Format::Json || arguments.pause_after.is_some() || arguments.train_only {
            let why = "the file asks for several runs; --format json, --pause-after and --train-only are for one";
            return Err(Failure::Work(format!("{why}; add seeds=none sweep=none")));
        }
        let order = Order { file, overrides: &arguments.overrides, again: arguments.again, common };
        conduct::conduct(&order, checked)?;
        return Ok(None);
    }
    let prepared = Prepared::open(checked, common)?;
    if arguments.reuse && reused(&prepared, arguments, common) {
        return Ok(None);
    }
    pipeline::start(&prepared, common, arguments.reach()).map(Some)
}

impl RunArguments {
    fn reach(&self) -> Reach {
        Reach { pause_after: self.pause_after, train_only: self.train_only }
    }
}

/// Whether a run that is there stands for this one; says so.
fn reused(prepared: &Prepared, arguments: &RunArguments, common: &Common) -> bool {
    let checked = &prepared.checked;
    let fingerprints = pipeline::fingerprints(checked, &prepared.dataset.fingerprint);
    let identity = Identity { fingerprints, instruction_set: prepared.settings.isa.name().to_string() };
    let runs = pipeline::runs_of(&checked.experiment.name, &common.runs_dir);
    let Some(run) = pipeline::finished(&runs, &identity) else {
        if arguments.why {
            terminal::notice(&pipeline::why_not(&runs, &identity));
        }
        return false;
    };
    terminal::notice(&format!("this run is there already: {}", run.directory.display()));
    if arguments.format == Format::Json {
        terminal::print(&run.file.summary(&run.directory).to_json());
    }
    true
}
