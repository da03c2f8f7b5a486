//! Recording for the tools that people already have: each is told the epoch lines of `history.jsonl`, and how a run ended.
//!
//! None of them decides anything: one that cannot be told gives one warning and is told nothing more, and the run goes on.

mod event;
mod mlflow;
mod tensorboard;

use record::{Epoch, RunDirectory, RunFile, files};
use trainer::TrainSection;

use crate::terminal;
use mlflow::Mlflow;
use tensorboard::TensorBoard;

/// A tool that is told of a run. What it cannot take is said in one line.
trait Recorder {
    /// An epoch is done.
    fn epoch(&mut self, epoch: &Epoch) -> Result<(), String>;

    /// The run ended, as `run` says.
    fn end(&mut self, run: &RunFile) -> Result<(), String>;
}

/// The tools that an experiment asks for.
#[derive(Default)]
pub struct Recorders {
    all: Vec<Box<dyn Recorder>>,
}

/// A run that is about to be trained.
pub struct Beginning<'a> {
    pub directory: &'a RunDirectory,
    pub run: &'a RunFile,
    /// What was trained before, where the run is resumed.
    pub done: &'a [Epoch],
}

impl Recorders {
    /// Opens what the experiment asks for and tells it what was done before.
    pub fn begin(train: &TrainSection, beginning: &Beginning<'_>) -> Recorders {
        let mut recorders = Recorders::default();
        if train.tensorboard {
            recorders.add(TensorBoard::begin(&beginning.directory.file(files::EVENTS), beginning));
        }
        if let Some(section) = &train.mlflow {
            recorders.add(Mlflow::begin(section, beginning));
        }
        recorders
    }

    fn add<R: Recorder + 'static>(&mut self, begun: Result<R, String>) {
        match begun {
            Ok(recorder) => self.all.push(Box::new(recorder)),
            Err(why) => warn(&why),
        }
    }

    /// Tells all of them of an epoch.
    pub fn epoch(&mut self, epoch: &Epoch) {
        self.tell(|recorder| recorder.epoch(epoch));
    }

    /// Tells all of them how the run ended.
    pub fn end(&mut self, run: &RunFile) {
        self.tell(|recorder| recorder.end(run));
    }

    fn tell(&mut self, mut what: impl FnMut(&mut dyn Recorder) -> Result<(), String>) {
        self.all.retain_mut(|recorder| match what(recorder.as_mut()) {
            Ok(()) => true,
            Err(why) => {
                warn(&why);
                false
            }
        });
    }
}

/// Standard error also where the run is quiet about its progress: what the experiment asked for is not done.
fn warn(why: &str) {
    tracing::info!(why, "recording ended");
    terminal::notice(&format!("warning: {why}; the run goes on without it"));
}

/// The numbers of an epoch, by the names that the tools show.
fn scalars(epoch: &Epoch) -> Vec<(&str, f64)> {
    let metrics = epoch.metrics.iter().map(|(name, value)| (name.as_str(), *value));
    let rates = [("learning_rate", epoch.learning_rate), ("images_per_second", epoch.images_per_second)];
    metrics.chain(rates).filter(|(_, value)| value.is_finite()).collect()
}
