//! A run from its start or from its last checkpoint: trained, then finished.

use std::collections::BTreeMap;
use std::path::Path;

use data::{Dataset, PartName};
use record::{
    CopiesRecord, DatasetRecord, Epoch, FindingsRecord, Fingerprints, Run, RunDirectory, RunFile, Start, Status, files,
};
use trainer::{Ended, How, Observer, Setup, Trainer};

use super::{Measurer, Prepared, finish, source::TrainingPart, training_settings};
use crate::cli::Common;
use crate::experiment::{self, Checked};
use crate::failure::{Failure, Outcome};
use crate::network_table::network_table;
use crate::progress::{Loudness, Progress, Shown};
use crate::recorders::{Beginning, Recorders};
use crate::{interrupt, library, logging, terminal};

/// A run that came to an end: its directory, what there is to know of it, and how it ended.
pub struct Finished {
    pub directory: RunDirectory,
    pub run: RunFile,
    pub outcome: Outcome,
}

/// How far a run is worked on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reach {
    /// The number of epochs after which training pauses.
    pub pause_after: Option<u64>,
    /// Whether the run pauses when it is trained, before anything is measured on the part that is judged.
    pub train_only: bool,
}

/// Starts a run of a checked experiment.
pub fn start(prepared: &Prepared, common: &Common, reach: Reach) -> Result<Finished, Failure> {
    let run = run_file(prepared);
    let checked = &prepared.checked;
    // Who was to look after the run may be gone before it begins.
    if interrupt::is_asked() {
        return Err(Failure::Interrupted("interrupted before the run began".to_string()));
    }
    let without = |error| Failure::Work(format!("{error}; `export.proof=none` trains without a proof"));
    can_prove(checked).map_err(without)?;
    let begin = Start { experiment: &checked.written, resolved: &checked.resolved, run: &run };
    let directory = RunDirectory::create(&common.runs_dir, &begin).map_err(Failure::work)?;
    work(prepared, directory, common, &Stretch { resumes: false, reach })
}

/// Goes on with a run that did not come to its end.
pub fn resume(word: &Path, common: &Common, reach: Reach) -> Result<Finished, Failure> {
    let found = record::find::resolve(&word.to_string_lossy(), &common.runs_dir).map_err(Failure::work)?;
    if found.status() == Status::Done {
        return Err(Failure::Work(format!("{} is done; there is nothing to go on with", found.directory.display())));
    }
    let directory = RunDirectory::open(&found.directory).map_err(Failure::work)?;
    let checked = experiment::read(&directory.file(files::RESOLVED), &[], &common.data_dirs())?;
    can_prove(&checked).map_err(Failure::Work)?;
    let prepared = Prepared::open(checked, common)?;
    same_data(&found, &prepared)?;
    let has_checkpoint = directory.file(files::LAST).is_file();
    work(&prepared, directory, common, &Stretch { resumes: has_checkpoint, reach })
}

/// Whether what the proof needs is here: better said before the training than after.
fn can_prove(checked: &Checked) -> Result<(), String> {
    let export = &checked.experiment.export;
    if export.onnx.is_some() && export.proof.is_some() {
        library::onnx_runtime()?;
    }
    Ok(())
}

pub(super) fn same_data(run: &Run, prepared: &Prepared) -> Result<(), Failure> {
    let (then, now) = (&run.file.dataset.fingerprint, &prepared.dataset.fingerprint);
    if then == now {
        return Ok(());
    }
    let (name, directory) = (&prepared.dataset.name, run.directory.display());
    let why = format!(
        "the data of {directory} has changed since: {name} has fingerprint {now:.12}, the run began with {then:.12}"
    );
    Err(Failure::Work(format!("{why}; bring the old data back, or start a new run")))
}

/// What a run of this experiment on data with this fingerprint is recognized by.
pub fn fingerprints(checked: &Checked, data: &str) -> Fingerprints {
    let resolved = record::fingerprint(checked.identity.as_bytes());
    Fingerprints { resolved, data: data.to_string(), code: env!("ETALON_CODE").to_string() }
}

fn run_file(prepared: &Prepared) -> RunFile {
    let Prepared { checked, dataset, settings } = prepared;
    let version = env!("CARGO_PKG_VERSION").to_string();
    let found = DatasetRecord {
        name: dataset.name.clone(),
        published: dataset.published == data::Published::Yes,
        instead_of: dataset.instead_of.as_ref().map(|wanted| wanted.name.clone()),
        fingerprint: dataset.fingerprint.clone(),
        layout: dataset.layout.to_string(),
        classes: dataset.classes.clone(),
        normalization: checked.network.normalization.clone(),
        findings: findings(dataset),
    };
    RunFile {
        fingerprints: fingerprints(checked, &dataset.fingerprint),
        vars: checked.vars.clone(),
        versions: BTreeMap::from([("etalon".to_string(), version)]),
        instruction_set: settings.isa.name().to_string(),
        threads: settings.threads.count(),
        parameters: checked.network.n_trainable(),
        ..RunFile::begun(&checked.experiment.name, checked.experiment.seed, found)
    }
}

/// What was noted about the data before the first step.
pub fn findings(dataset: &Dataset) -> FindingsRecord {
    let data::Findings { copies, dropped, absent_classes } = &dataset.findings;
    let copies = copies.iter().map(|copies| CopiesRecord {
        parts: [copies.first.name().to_string(), copies.second.name().to_string()],
        samples: copies.samples,
        other_class: copies.other_class,
    });
    let names = |classes: &[u32]| classes.iter().map(|&class| dataset.classes[class as usize].clone()).collect();
    let absent = absent_classes.iter().map(|(part, classes)| (part.name().to_string(), names(classes)));
    FindingsRecord { copies: copies.collect(), dropped: dropped.len(), absent_classes: absent.collect() }
}

/// From where a run is worked on, and how far.
struct Stretch {
    resumes: bool,
    reach: Reach,
}

/// Where a stretch of work ended without a failure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    End,
    Pause,
}

/// Trains and finishes; whatever happens, `run.json` says how it went.
fn work(prepared: &Prepared, directory: RunDirectory, common: &Common, stretch: &Stretch) -> Result<Finished, Failure> {
    logging::to_run(&directory.file(files::LOG)).map_err(Failure::work)?;
    let mut run = directory.run_file().map_err(Failure::work)?;
    (run.status, run.failure) = (Status::Running, None);
    directory.save_run_file(&run).map_err(Failure::work)?;
    if !common.quiet {
        terminal::notice(&introduction(prepared, &directory));
    }
    let mut recorders = Recorders::default();
    let reached = train(prepared, &directory, common, stretch, &mut run, &mut recorders);
    let reached = reached.and_then(|reached| match reached {
        Reached::End => finish(prepared, &directory, common, &mut run).map(|()| Reached::End),
        Reached::Pause => Ok(Reached::Pause),
    });
    run.finished = Some(record::now());
    run.status = match &reached {
        Ok(Reached::End) => Status::Done,
        Ok(Reached::Pause) => Status::Paused,
        Err(Failure::Interrupted(_)) => Status::Interrupted,
        Err(Failure::Proof(_)) => Status::ProofFailed,
        Err(_) => Status::Failed,
    };
    if let Err(Failure::Work(why)) = &reached {
        tracing::info!(why, "failed");
        run.failure = Some(why.clone());
    }
    let saved = directory.save_run_file(&run).map_err(Failure::work);
    recorders.end(&run);
    tracing::info!(status = run.status.name(), seconds = run.seconds, "ended");
    if matches!(reached, Ok(Reached::Pause)) && !common.quiet {
        terminal::notice(&format!("paused; go on with: etalon run --resume {}", directory.path().display()));
    }
    Ok(Finished { directory, run, outcome: reached.map(|_| ()).and(saved) })
}

fn introduction(prepared: &Prepared, directory: &RunDirectory) -> String {
    let Prepared { checked, dataset, settings } = prepared;
    let counts: Vec<String> = dataset
        .parts()
        .map(|part| format!("{} {}", crate::progress::thousands(part.indices.len() as f64), part.name.name()))
        .collect();
    let note = if dataset.choose_on_test { "  (chooses by the test part)" } else { "" };
    let threads = settings.threads.count();
    let mut text = format!(
        "{}  {}: {}{note}\n{}\n",
        checked.experiment.name,
        dataset.described(),
        counts.join(", "),
        directory.path().display()
    );
    dataset.findings.describe(&dataset.classes).iter().for_each(|found| text += &format!("data: {found}\n"));
    text.push('\n');
    text += &network_table(&checked.network);
    text + &format!("{} on {threads} threads\n", settings.isa.name())
}

fn train(
    prepared: &Prepared,
    directory: &RunDirectory,
    common: &Common,
    stretch: &Stretch,
    run: &mut RunFile,
    recorders: &mut Recorders,
) -> Result<Reached, Failure> {
    let Prepared { checked, dataset, settings } = prepared;
    let directions = shown_directions(prepared);
    let counts = dataset.class_counts(PartName::Train);
    let settings = &training_settings(checked, settings);
    let setup = Setup {
        network: &checked.network,
        training: &checked.training,
        seed: checked.experiment.seed,
        settings,
        n_samples: counts.iter().sum(),
        class_counts: &counts,
        directory,
        directions: &directions,
        stop: interrupt::listen()?,
        pause_after: stretch.reach.pause_after,
    };
    let trainer = if stretch.resumes { Trainer::resume(setup) } else { Trainer::new(setup) };
    let mut trainer = trainer.map_err(Failure::work)?;
    let mut source =
        TrainingPart::new(dataset, &checked.training.train, checked.experiment.seed, settings.threads.count())?;
    let done = done_before(directory, trainer.epochs_done() as usize)?;
    *recorders = Recorders::begin(&checked.training.train, &Beginning { directory, run, done: &done });
    let mut watcher = Watcher {
        recorders,
        progress: Progress::new(
            Loudness::of(common.quiet),
            trainer.epochs_done() as usize,
            trainer.n_epochs() as usize,
        ),
        best: checked.training.best.name.clone(),
    };
    let mut measurer = Measurer::new(prepared);
    let has_validation = dataset.part(PartName::Validation).is_some();
    let ended = trainer.train(&mut source, &mut watcher, &mut |variables| {
        if !has_validation {
            return Ok(Vec::new());
        }
        let said = measurer.measure(variables, PartName::Validation).map_err(|failure| failure.line())?;
        let metrics = checked.evaluation.quick(&said.predictions);
        let loss = ("loss".to_string(), said.loss);
        Ok(std::iter::once(loss).chain(metrics).map(|(name, value)| (format!("validation/{name}"), value)).collect())
    });
    watcher.progress.clear();
    let ended = ended.map_err(Failure::work)?;
    take_over(&ended, run);
    match ended.how {
        How::Done | How::Early if stretch.reach.train_only => Ok(Reached::Pause),
        How::Done | How::Early => Ok(Reached::End),
        How::Paused => Ok(Reached::Pause),
        How::Interrupted => {
            let path = directory.path().display();
            Err(Failure::Interrupted(format!("interrupted; go on with: etalon run --resume {path}")))
        }
    }
}

/// The epochs that a resumed run goes on behind.
fn done_before(directory: &RunDirectory, epochs: usize) -> Result<Vec<Epoch>, Failure> {
    if epochs == 0 {
        return Ok(Vec::new());
    }
    let mut history = record::history::read(&directory.file(files::HISTORY)).map_err(Failure::work)?;
    history.truncate(epochs);
    Ok(history)
}

fn take_over(ended: &Ended, run: &mut RunFile) {
    run.epochs = ended.epochs as usize;
    run.best_epoch = ended.best_epoch.map(|epoch| epoch as usize);
    run.seconds = ended.seconds;
    run.images_per_second = Some(ended.images_per_second);
}

/// What may be marked as best: losses, and the metrics of the experiment.
fn shown_directions(prepared: &Prepared) -> Vec<(String, trainer::Direction)> {
    let loss = |part: &str| (format!("{part}/loss"), trainer::Direction::Smaller);
    let metrics = experiment::directions(&prepared.checked.evaluation);
    let validation = metrics.into_iter().map(|(name, direction)| (format!("validation/{name}"), direction));
    [loss("train"), loss("validation")].into_iter().chain(validation).collect()
}

/// Shows how training goes, and hands its epochs on.
struct Watcher<'a> {
    recorders: &'a mut Recorders,
    progress: Progress,
    /// The monitored metric.
    best: String,
}

impl Observer for Watcher<'_> {
    fn begin_epoch(&mut self, epoch: u64, done: usize, n_samples: usize) {
        self.progress.begin_epoch(epoch as usize, done, n_samples);
    }

    fn step(&mut self, done: usize, loss: f64, images_per_second: f64) {
        self.progress.step(done, loss, images_per_second);
    }

    fn end_epoch(&mut self, epoch: &Epoch, best: &[String]) {
        let wanted = ["train/loss", "validation/loss", "validation/accuracy", self.best.as_str()];
        let mut names: Vec<&str> = Vec::new();
        wanted.into_iter().filter(|name| epoch.metrics.contains_key(*name)).for_each(|name| {
            if !names.contains(&name) {
                names.push(name);
            }
        });
        let shown = |name: &&str| Shown {
            name: name.to_string(),
            value: epoch.metrics[*name],
            best: name.starts_with("validation/") && best.iter().any(|known| known == name),
        };
        let shown: Vec<Shown> = names.iter().map(shown).collect();
        self.progress.end_epoch(epoch.epoch - 1, &shown, epoch.seconds, epoch.images_per_second);
        self.recorders.epoch(epoch);
        tracing::info!(epoch = epoch.epoch, loss = epoch.metrics["train/loss"], "epoch");
    }
}
