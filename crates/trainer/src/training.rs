//! The epochs: steps, validation, monitors, checkpoints, history; and going on where another process stopped.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use engine::{Settings, Variables, What};
use model::Network;
use record::{Epoch, History, RunDirectory, checkpoint, files};

use crate::check::{Direction, Monitor, Training};
use crate::error::{Error, NotFinite, Value};
use crate::optimizers::Optimizer;
use crate::schedules::Position;
use crate::source::{Batch, Observer, Source};
use crate::state::{State, Sums, finite};
use crate::step::{At, CLASS_WEIGHTS, StepProgram, arrays, is_whole_part};
use crate::words::LastBatch;

/// What training takes place in.
pub struct Setup<'a> {
    pub network: &'a Network,
    pub training: &'a Training,
    pub seed: u64,
    pub settings: &'a Settings,
    /// Samples of the training part.
    pub n_samples: usize,
    /// Of these, those of each class.
    pub class_counts: &'a [usize],
    /// The run, whose checkpoints and history are written.
    pub directory: &'a RunDirectory,
    /// The direction of every metric by `part/name`, for marking the best values.
    pub directions: &'a [(String, Direction)],
    /// Set when training should stop after the step that is running.
    pub stop: &'a AtomicBool,
    /// The number of epochs after which training stops as if it had been asked to, to be gone on with later.
    pub pause_after: Option<u64>,
}

/// Measures on validation: gives `validation/loss`, `validation/accuracy`, …
pub type Measure<'a> = dyn FnMut(&mut Variables) -> Result<Vec<(String, f64)>, String> + 'a;

/// How training ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// What ended it.
    pub how: How,
    /// Epochs done.
    pub epochs: u64,
    /// Epoch, counted from 1, with the best monitored value.
    pub best_epoch: Option<u64>,
    /// Training images a second, over all stretches.
    pub images_per_second: f64,
    /// Working time, over all stretches.
    pub seconds: f64,
}

/// What ended a stretch of training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// All steps are done.
    Done,
    /// Early stopping.
    Early,
    /// It came to [`Setup::pause_after`]; `last` goes on from there.
    Paused,
    /// [`Setup::stop`]; `last` goes on from there.
    Interrupted,
}

/// A training that has not ended.
pub struct Trainer<'a> {
    setup: Setup<'a>,
    variables: Variables,
    program: StepProgram,
    state: State,
    started: Instant,
    /// Times of earlier stretches and this one.
    clock: Clock,
}

/// Working time of earlier stretches, time in training steps, and the images that were trained in it.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    earlier: f64,
    training: f64,
    images: f64,
}

impl<'a> Trainer<'a> {
    /// A training from its beginning.
    ///
    /// # Errors
    /// If there are too few samples for one step.
    pub fn new(setup: Setup<'a>) -> Result<Trainer<'a>, Error> {
        let mut trainer = Trainer::at(setup, State::default())?;
        for (path, _, values) in trainer.setup.network.initial(trainer.setup.seed) {
            trainer.variables.set(&path, &values);
        }
        if let Some(weights) = trainer.setup.class_weights() {
            trainer.variables.set(CLASS_WEIGHTS, &weights);
        }
        Ok(trainer)
    }

    /// The training that the run's last checkpoint was written by, at the step after it; from its beginning where it
    /// was killed before the first checkpoint.
    ///
    /// # Errors
    /// If the checkpoint is lost or damaged, or if it belongs to another network.
    pub fn resume(setup: Setup<'a>) -> Result<Trainer<'a>, Error> {
        let [last, history] = [files::LAST, files::HISTORY].map(|name| setup.directory.file(name));
        // The first line of the history is written just before the first checkpoint.
        if !last.exists() && (!history.exists() || record::history::read(&history)?.len() <= 1) {
            return Trainer::new(setup);
        }
        let last = checkpoint::load::<State>(&last)?;
        let mut trainer = Trainer::at(setup, last.state.clone())?;
        for (path, dims) in trainer.setup.arrays() {
            trainer.variables.set(&path, last.tensor(&path, &dims)?);
        }
        Ok(trainer)
    }

    fn at(setup: Setup<'a>, state: State) -> Result<Trainer<'a>, Error> {
        if setup.batches_per_epoch() == 0 {
            let (n, batch_size) = (setup.n_samples, setup.training.train.batch_size);
            let why = format!("{n} training samples do not fill a batch of {batch_size}; write `last_batch: keep`");
            return Err(Error::Data(why));
        }
        let weighted = setup.class_weights().is_some();
        let program = StepProgram::new(setup.network, setup.training, weighted, setup.n_samples, setup.settings);
        let variables = Variables::new(&setup.arrays());
        let clock = Clock::of_earlier(&setup, &state)?;
        Ok(Trainer { setup, variables, program, state, started: Instant::now(), clock })
    }

    /// Epochs that are done.
    pub fn epochs_done(&self) -> u64 {
        self.state.epoch
    }

    /// How many epochs there are at most.
    pub fn n_epochs(&self) -> u64 {
        self.setup.total_steps().div_ceil(self.setup.steps_per_epoch())
    }

    /// The arrays as they are now.
    pub fn variables(&mut self) -> &mut Variables {
        &mut self.variables
    }

    /// Trains to the end.
    ///
    /// # Errors
    /// If samples cannot be read, files cannot be written, or the numbers go bad; the last checkpoint stays.
    pub fn train(
        &mut self,
        source: &mut dyn Source,
        observer: &mut dyn Observer,
        measure: &mut Measure<'_>,
    ) -> Result<Ended, Error> {
        let mut history = self.setup.directory.history(self.state.epoch as usize)?;
        let mut early = self.setup.stops_early(&self.state);
        // A training that was stopped between the last step and the end of its epoch still owes that end.
        while !early && (self.state.batch > 0 || !self.setup.all_steps_are_done(&self.state)) {
            let begun = Instant::now();
            let samples = self.setup.samples_per_epoch();
            observer.begin_epoch(self.state.epoch, self.state.sums.samples as usize, samples);
            let training_before = self.clock.training;
            let images_before = self.clock.images;
            let stretch = self.steps(source, observer)?;
            self.hold_finite()?;
            if stretch == Stretch::Interrupted {
                return self.interrupted();
            }
            let training_time = self.clock.training - training_before;
            let images = self.clock.images - images_before;
            let mut epoch = self.epoch_line(measure)?;
            epoch.seconds = begun.elapsed().as_secs_f64();
            epoch.images_per_second = images / training_time.max(1e-9);
            early = self.end_epoch(epoch, &mut history, observer)?;
            let goes_on = !early && !self.setup.all_steps_are_done(&self.state);
            if goes_on && self.setup.pause_after.is_some_and(|epochs| self.state.epoch >= epochs) {
                return Ok(self.ended(How::Paused));
            }
        }
        Ok(self.ended(if early { How::Early } else { How::Done }))
    }

    /// The remaining batches of the running epoch.
    fn steps(&mut self, source: &mut dyn Source, observer: &mut dyn Observer) -> Result<Stretch, Error> {
        let (epoch, first) = (self.state.epoch, self.state.batch as usize);
        let mut outcome = Ok(Stretch::Whole);
        let mut meter = Meter::default();
        if self.setup.steps_are_done(&self.state) {
            return outcome;
        }
        let read = source.epoch(epoch, first, &mut |batch| {
            outcome = self.step(&batch, observer, &mut meter);
            let done = self.setup.steps_are_done(&self.state);
            if done || !matches!(outcome, Ok(Stretch::Whole)) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        read.map_err(Error::Data)?;
        if matches!(outcome, Ok(Stretch::Whole)) && is_whole_part(self.optimizer()) {
            self.step_of_the_epoch();
        }
        outcome
    }

    fn step(&mut self, batch: &Batch<'_>, observer: &mut dyn Observer, meter: &mut Meter) -> Result<Stretch, Error> {
        let begun = Instant::now();
        let at = self.setup.place(&self.state);
        let Some((loss, right)) = self.program.batch(&mut self.variables, batch, &at) else {
            return Err(Error::NotFinite(self.not_finite(batch)));
        };
        let n = batch.samples.len();
        self.state.sums.loss += loss * n as f64;
        self.state.sums.right += right as u64;
        self.state.sums.samples += n as u64;
        self.state.batch += 1;
        self.clock.images += n as f64;
        if !is_whole_part(self.optimizer()) {
            self.state.step += 1;
        }
        let seconds = begun.elapsed().as_secs_f64();
        self.clock.training += meter.since_last_step(seconds);
        let sums = &self.state.sums;
        observer.step(sums.samples as usize, sums.loss / sums.samples as f64, meter.rate(n));
        self.save_inside_the_epoch()?;
        let stop = self.setup.stop.load(Ordering::SeqCst);
        Ok(if stop { Stretch::Interrupted } else { Stretch::Whole })
    }

    fn save_inside_the_epoch(&mut self) -> Result<(), Error> {
        match self.setup.training.train.checkpoint.every_steps {
            Some(every) if self.state.batch.is_multiple_of(every) => {
                self.hold_finite()?;
                self.save()
            }
            _ => Ok(()),
        }
    }

    /// Arrays that are not finite never reach a checkpoint.
    fn hold_finite(&self) -> Result<(), Error> {
        let bad = |values: &[f32]| values.iter().copied().find(|x| !x.is_finite());
        let Some((path, value)) = self.variables.iter().find_map(|(path, _, values)| Some((path, bad(values)?))) else {
            return Ok(());
        };
        let what = if value.is_nan() { What::Nan } else { What::Infinite };
        let (step, epoch) = (self.state.step, self.state.epoch + 1);
        Err(Error::NotFinite(NotFinite { step, epoch, what, path: Some(path.to_string()), value: Value::Parameter }))
    }

    /// Where an epoch is one step, takes it.
    fn step_of_the_epoch(&mut self) {
        let at = self.setup.place(&self.state);
        self.program.epoch(&mut self.variables, &at);
        self.state.step += 1;
    }

    /// What the history says of the epoch, but for its times; measures on validation.
    fn epoch_line(&mut self, measure: &mut Measure<'_>) -> Result<Epoch, Error> {
        let Sums { loss, right, samples } = self.state.sums;
        let mut metrics = std::collections::BTreeMap::from([
            ("train/loss".to_string(), loss / samples as f64),
            ("train/accuracy".to_string(), right as f64 / samples as f64),
        ]);
        metrics.extend(measure(&mut self.variables).map_err(Error::Data)?);
        let last = State { step: self.state.step.saturating_sub(1), ..self.state.clone() };
        Ok(Epoch {
            epoch: self.state.epoch as usize + 1,
            steps: self.state.step,
            learning_rate: self.setup.place(&last).learning_rate,
            seconds: 0.0,
            images_per_second: 0.0,
            metrics,
        })
    }

    /// Monitors, history and checkpoints. Gives whether training stops early.
    fn end_epoch(&mut self, epoch: Epoch, history: &mut History, observer: &mut dyn Observer) -> Result<bool, Error> {
        let best_names = self.mark_best(&epoch);
        self.state.epoch += 1;
        self.state.batch = 0;
        self.state.sums = Sums::default();
        let training = self.setup.training;
        let value = |monitor: &Monitor| epoch.metrics.get(&monitor.name).copied().unwrap_or(f64::NAN);
        let best = &training.best;
        let is_best = self.state.best.is_none_or(|old| best.is_better(value(best), old, 0.0));
        if is_best {
            self.state.best = finite(value(best));
            self.state.best_epoch = Some(self.state.epoch);
        }
        let plateau = training.updates[0].optimizer.schedule.plateau();
        if let (Some(monitor), Some(settings)) = (&training.plateau, plateau) {
            self.state.plateau.take_in(monitor, value(monitor), 0.0);
            if self.state.plateau.is_over(settings.patience) {
                self.state.plateaus += 1;
                self.state.plateau.stale = 0;
            }
        }
        if let (Some(monitor), Some(settings)) = (&training.stopping, &training.train.early_stopping) {
            self.state.stopping.take_in(monitor, value(monitor), settings.min_delta);
        }
        // The history first: a checkpoint never knows of an epoch that the history does not.
        history.append(&epoch)?;
        if is_best {
            self.save_best()?;
        }
        self.save()?;
        observer.end_epoch(&epoch, &best_names);
        Ok(self.setup.stops_early(&self.state))
    }

    fn mark_best(&mut self, epoch: &Epoch) -> Vec<String> {
        let mut marked = Vec::new();
        for (name, direction) in self.setup.directions {
            let Some(value) = epoch.metrics.get(name).copied().and_then(finite) else { continue };
            let better = |old: &f64| match direction {
                Direction::Smaller => value < *old,
                Direction::Larger => value > *old,
            };
            if self.state.best_values.get(name).is_none_or(better) {
                self.state.best_values.insert(name.clone(), value);
                marked.push(name.clone());
            }
        }
        marked
    }

    fn save(&mut self) -> Result<(), Error> {
        checkpoint::save(&self.setup.directory.file(files::LAST), self.variables.iter(), &self.state)?;
        Ok(())
    }

    /// Only what the network is made of.
    fn save_best(&self) -> Result<(), Error> {
        let known = |path: &str| path == CLASS_WEIGHTS || self.setup.network.parameters.iter().any(|p| p.path == path);
        let arrays = self.variables.iter().filter(|(path, ..)| known(path));
        checkpoint::save(&self.setup.directory.file(files::BEST), arrays, &self.state)?;
        Ok(())
    }

    fn interrupted(&mut self) -> Result<Ended, Error> {
        self.save()?;
        Ok(self.ended(How::Interrupted))
    }

    fn ended(&self, how: How) -> Ended {
        Ended {
            how,
            epochs: self.state.epoch,
            best_epoch: self.state.best_epoch,
            images_per_second: self.clock.images / self.clock.training.max(1e-9),
            seconds: self.seconds(),
        }
    }

    fn seconds(&self) -> f64 {
        self.clock.earlier + self.started.elapsed().as_secs_f64()
    }

    fn optimizer(&self) -> &Optimizer {
        &self.setup.training.updates[0].optimizer
    }

    fn not_finite(&mut self, batch: &Batch<'_>) -> NotFinite {
        let at = self.setup.place(&self.state);
        let (step, epoch) = (at.step, at.epoch + 1);
        let bad = self.program.first_bad(&self.variables, batch, &at);
        match bad {
            Some(bad) => {
                let value = if bad.backward { Value::Gradient } else { Value::Output };
                NotFinite { step, epoch, what: bad.what, path: Some(bad.path), value }
            }
            None => NotFinite { step, epoch, what: What::Nan, path: None, value: Value::Output },
        }
    }
}

impl Clock {
    /// What the history says of the epochs that were done before.
    fn of_earlier(setup: &Setup<'_>, state: &State) -> Result<Clock, Error> {
        let path = setup.directory.file(files::HISTORY);
        if state.epoch == 0 || !path.is_file() {
            return Ok(Clock::default());
        }
        let samples = setup.samples_per_epoch() as f64;
        let add = |clock: Clock, epoch: &Epoch| {
            let earlier = clock.earlier + epoch.seconds;
            // An epoch whose end alone was left to do has no rate.
            let (training, images) = match epoch.images_per_second {
                rate if rate > 0.0 => (samples / rate, samples),
                _ => (0.0, 0.0),
            };
            Clock { earlier, training: clock.training + training, images: clock.images + images }
        };
        let epochs = record::history::read(&path)?;
        Ok(epochs.iter().take(state.epoch as usize).fold(Clock::default(), add))
    }
}

/// How a stretch of steps ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stretch {
    /// With the epoch, or with the last step.
    Whole,
    Interrupted,
}

/// Images a second, smoothed over recent steps; waiting for samples counts as training.
#[derive(Debug, Default)]
struct Meter {
    last: Option<Instant>,
    seconds_per_step: f64,
}

impl Meter {
    /// Time since the last step ended; of the first, the step's own.
    fn since_last_step(&mut self, own: f64) -> f64 {
        let now = Instant::now();
        let seconds = self.last.map_or(own, |last| now.duration_since(last).as_secs_f64());
        self.last = Some(now);
        let share = if self.seconds_per_step == 0.0 { 1.0 } else { 0.05 };
        self.seconds_per_step += share * (seconds - self.seconds_per_step);
        seconds
    }

    fn rate(&self, samples: usize) -> f64 {
        samples as f64 / self.seconds_per_step.max(1e-9)
    }
}

impl Setup<'_> {
    fn class_weights(&self) -> Option<Vec<f32>> {
        self.training.loss.class_weights().values(self.class_counts)
    }

    fn arrays(&self) -> Vec<(String, Vec<usize>)> {
        arrays(self.network, &self.training.updates[0].optimizer, self.class_weights().is_some())
    }

    fn batches_per_epoch(&self) -> u64 {
        let (n, size) = (self.n_samples as u64, self.training.train.batch_size as u64);
        match self.training.train.last_batch {
            LastBatch::Keep => n.div_ceil(size),
            LastBatch::Drop => n / size,
        }
    }

    fn samples_per_epoch(&self) -> usize {
        (self.batches_per_epoch() as usize * self.training.train.batch_size).min(self.n_samples)
    }

    fn steps_per_epoch(&self) -> u64 {
        if is_whole_part(&self.training.updates[0].optimizer) { 1 } else { self.batches_per_epoch() }
    }

    fn total_steps(&self) -> u64 {
        let train = &self.training.train;
        train.steps.unwrap_or_else(|| train.epochs.unwrap_or(1) * self.steps_per_epoch())
    }

    fn all_steps_are_done(&self, state: &State) -> bool {
        state.step >= self.total_steps()
    }

    /// Whether the last step has been taken, inside an epoch.
    fn steps_are_done(&self, state: &State) -> bool {
        !is_whole_part(&self.training.updates[0].optimizer) && self.all_steps_are_done(state)
    }

    /// Whether early stopping has ended the training.
    fn stops_early(&self, state: &State) -> bool {
        self.training.train.early_stopping.as_ref().is_some_and(|settings| state.stopping.is_over(settings.patience))
    }

    /// The next step.
    fn place(&self, state: &State) -> At<'_> {
        let optimizer = &self.training.updates[0].optimizer;
        let position = Position {
            step: state.step,
            steps_per_epoch: self.steps_per_epoch(),
            total_steps: self.total_steps(),
            plateaus: state.plateaus,
        };
        let learning_rate = optimizer.learning_rate * optimizer.schedule.factor(&position);
        At { optimizer, learning_rate, step: state.step + 1, epoch: state.epoch, seed: self.seed }
    }
}
