//! A checked experiment with its data read and its network ready for it.

use std::time::Instant;

use data::{Dataset, Places, Progress};
use engine::{Arithmetic, Settings, Threads};
use indicatif::{ProgressBar, ProgressStyle};
use kernels::Isa;
use model::Network;

use crate::cli::Common;
use crate::experiment::{self, Checked};
use crate::failure::Failure;
use crate::terminal;

/// What all work on an experiment starts from.
pub struct Prepared {
    pub checked: Checked,
    pub dataset: Dataset,
    pub settings: Settings,
}

impl Prepared {
    /// Reads the data; what is not here is downloaded, and a stand-in is announced.
    pub fn open(mut checked: Checked, common: &Common) -> Result<Prepared, Failure> {
        let dataset = open(&checked, common)?;
        checked.network.normalization = dataset.normalization().map_err(Failure::work)?;
        Ok(Prepared { checked, dataset, settings: settings(common) })
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.checked.network
    }
}

/// The threads and the instruction set of this machine, and arithmetic for everything that judges a network.
pub fn settings(common: &Common) -> Settings {
    let isa = common.instruction_set.unwrap_or_else(Isa::best);
    Settings { isa, threads: Threads::new(common.n_threads()), arithmetic: Arithmetic::Accurate, keep_all: false }
}

/// The same for training, with the arithmetic that the experiment asks for.
pub fn training_settings(checked: &Checked, settings: &Settings) -> Settings {
    let arithmetic = match checked.experiment.engine.arithmetic {
        experiment::Arithmetic::Strict => Arithmetic::Strict,
        experiment::Arithmetic::Accurate => Arithmetic::Accurate,
        experiment::Arithmetic::Fast => Arithmetic::Fast,
    };
    Settings { arithmetic, ..settings.clone() }
}

fn open(checked: &Checked, common: &Common) -> Result<Dataset, Failure> {
    let places = Places { data_dirs: common.data_dirs(), download: true };
    let begun = Instant::now();
    let mut bar: Option<ProgressBar> = None;
    let dataset = Dataset::open(&checked.data, &places, &mut |progress| show(progress, common, &mut bar));
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let dataset = dataset.map_err(Failure::work)?;
    tracing::info!(
        dataset = dataset.described(),
        layout = dataset.layout,
        seconds = begun.elapsed().as_secs_f64(),
        "data is read"
    );
    if let Some(wanted) = &dataset.instead_of {
        announce(&dataset.name, wanted);
    }
    Ok(dataset)
}

/// Unmissable: every number of this run is of other data than was asked for.
fn announce(name: &str, wanted: &data::InsteadOf) {
    let line = "!".repeat(76);
    let why = wanted.why.lines().next().unwrap_or_default();
    terminal::notice(&format!(
        "{line}\n!! NOT {}: this run uses {name} instead, as `fallback` says.\n!! {why}\n{line}",
        wanted.name
    ));
}

fn show(progress: Progress<'_>, common: &Common, bar: &mut Option<ProgressBar>) {
    match progress {
        Progress::Download { url, done_bytes, total_bytes } if !common.quiet => {
            let bar = bar.get_or_insert_with(|| download_bar(url));
            bar.set_length(total_bytes.unwrap_or(done_bytes));
            bar.set_position(done_bytes);
        }
        Progress::Download { .. } => {}
        Progress::Unpack { file, n_files } => tracing::debug!(file, n_files, "unpacking"),
        Progress::Read { folder, split } => tracing::debug!(folder = %folder.display(), split, "reading"),
        Progress::Draw { split, n_images } => tracing::debug!(split, n_images, "drawing"),
    }
}

fn download_bar(url: &str) -> ProgressBar {
    terminal::notice(&format!("downloading {url}"));
    let style = "{bar:30} {bytes:>11}/{total_bytes:<11} {bytes_per_sec}  left {eta}";
    ProgressBar::new(0).with_style(ProgressStyle::with_template(style).expect("the template is constant"))
}
