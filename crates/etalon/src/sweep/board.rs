//! Where a family of runs stands: which trials there are, how far each has come, and what is to be done next.
//!
//! What is next, and which trial ends early or wins, is a function of the file and of what the runs reached, taken in the
//! order of the trials; not of which process was faster. So a family that was interrupted ends as one that was not.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use record::{Run, Status, files};

use super::child::{Errand, Said};
use super::planned::{Planned, Planner};
use super::{Family, Point};
use crate::failure::Failure;
use crate::progress::duration;

/// How one run stands within the stage of its trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    Waiting,
    Running,
    There,
    Failed(String),
}

/// One run of a trial.
#[derive(Clone, Debug)]
pub struct Member {
    pub planned: Planned,
    pub at: At,
}

/// How a trial came to its end.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// All its runs are done, or trained where an objective decides who is tested.
    Whole,
    /// It fell behind after so many epochs.
    Early(usize),
    Failed(String),
}

/// One point with all seeds and folds.
#[derive(Clone, Debug)]
pub struct Trial {
    pub point: Point,
    pub members: Vec<Member>,
    /// Rungs that it has come to, the last stage being the whole training, and behind that the test of the winner.
    pub stage: usize,
    /// The mean over seeds of the objective at each rung that it has passed, so that larger is better.
    pub rungs: Vec<f64>,
    /// The same at its end.
    pub score: Option<f64>,
    pub end: Option<End>,
}

/// What a worker does next.
pub enum Next {
    Task(Box<Task>),
    /// Nothing, until another worker is done.
    Wait,
    /// Nothing any more.
    Over,
}

/// An errand for one run of one trial.
pub struct Task {
    pub trial: usize,
    pub member: usize,
    pub errand: Errand,
}

/// What people are told of a run that ended.
pub struct Line {
    text: String,
    failed: bool,
}

impl Line {
    /// Whether it must be told even to those who want quiet.
    pub fn is_failure(&self) -> bool {
        self.failed
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The whole family.
pub struct Board<'a> {
    pub family: Family,
    pub planner: Planner<'a>,
    pub trials: Vec<Trial>,
    /// The trial whose runs are tested.
    pub winner: Option<usize>,
    /// Threads of each process.
    pub common_threads: usize,
}

impl<'a> Board<'a> {
    /// Nothing is planned yet.
    pub fn new(family: Family, planner: Planner<'a>) -> Board<'a> {
        Board { family, planner, trials: Vec::new(), winner: None, common_threads: 1 }
    }

    /// `9 runs: 3 trials of 3 seeds`.
    pub fn described(&self) -> String {
        let (trials, runs) = (self.family.n_trials(), self.family.n_runs());
        let (seeds, folds) = (self.family.seeds.len(), self.family.n_folds);
        let what = match (seeds, folds) {
            (0 | 1, 0) => String::new(),
            (seeds, 0) => format!("{seeds} seeds"),
            (0 | 1, folds) => format!("{folds} folds"),
            (seeds, folds) => format!("{seeds} seeds on {folds} folds"),
        };
        match (self.family.sweep.is_some(), what.is_empty()) {
            (false, _) if folds == 0 => format!("{runs} runs, one a seed"),
            (false, _) if seeds < 2 => format!("{runs} runs, one a fold"),
            (false, _) => format!("{runs} runs, {what}"),
            (true, true) => format!("{trials} trials"),
            (true, false) => format!("{trials} trials with {what} each, {runs} runs"),
        }
    }

    /// The number of runs that are planned.
    pub fn n_members(&self) -> usize {
        self.trials.iter().map(|trial| trial.members.len().max(1)).sum()
    }

    /// The number of runs that failed.
    pub fn failures(&self) -> usize {
        let failed = |trial: &Trial| match trial.members.as_slice() {
            [] => usize::from(matches!(trial.end, Some(End::Failed(_)))),
            members => members.iter().filter(|member| matches!(member.at, At::Failed(_))).count(),
        };
        self.trials.iter().map(failed).sum()
    }

    /// Plans every trial whose point does not depend on others.
    pub fn plan_all(&mut self) -> Result<(), Failure> {
        while self.trials.len() < self.family.n_trials() && self.knows_next_point() {
            let point = self.next_point();
            let planned = self.planner.trial(&self.family, &point)?;
            self.trials.push(Trial::new(point, planned));
        }
        Ok(())
    }

    /// What is to be done now. Trials are looked at in their order, so that the earlier come first.
    pub fn next(&mut self) -> Next {
        loop {
            for index in 0..self.trials.len() {
                if let Some(task) = self.task_of(index) {
                    return Next::Task(Box::new(task));
                }
            }
            if self.trials.len() < self.family.n_trials() && self.knows_next_point() {
                self.plan_next();
                continue;
            }
            let all =
                self.trials.len() == self.family.n_trials() && self.trials.iter().all(|trial| trial.end.is_some());
            return match all {
                false => Next::Wait,
                true if self.winner.is_none() && self.crown() => continue,
                true => Next::Over,
            };
        }
    }

    fn knows_next_point(&self) -> bool {
        let known = self.family.sweep.as_ref().map_or(0, |sweep| sweep.n_known(self.trials.len()));
        self.trials.iter().take(known).all(|trial| trial.end.is_some())
    }

    fn next_point(&self) -> Point {
        let Some(sweep) = &self.family.sweep else { return Point::new() };
        let score = |trial: &Trial| trial.score.or(trial.rungs.last().copied()).unwrap_or(f64::NAN);
        let tried: Vec<(Point, f64)> = self.trials.iter().map(|trial| (trial.point.clone(), score(trial))).collect();
        sweep.point(self.trials.len(), &tried)
    }

    fn plan_next(&mut self) {
        let point = self.next_point();
        let trial = match self.planner.trial(&self.family, &point) {
            Ok(planned) => Trial::new(point, planned),
            Err(failure) => {
                let end = Some(End::Failed(failure.line()));
                Trial { end, ..Trial::new(point, Vec::new()) }
            }
        };
        self.trials.push(trial);
    }

    /// A task of this trial, if one is to be done; moves the trial on as far as what is there allows.
    fn task_of(&mut self, index: usize) -> Option<Task> {
        while self.trials[index].end.is_none() {
            let trial = &self.trials[index];
            let rungs = self.rungs(trial);
            for member in 0..trial.members.len() {
                if self.trials[index].members[member].at != At::Waiting {
                    continue;
                }
                let stage = self.trials[index].stage;
                let planned = &self.trials[index].members[member].planned;
                if self.is_there(planned, stage, &rungs) {
                    self.trials[index].members[member].at = At::There;
                    continue;
                }
                let errand = self.errand(planned, stage, &rungs);
                self.trials[index].members[member].at = At::Running;
                return Some(Task { trial: index, member, errand });
            }
            let settled = |member: &Member| matches!(member.at, At::There | At::Failed(_));
            if !self.trials[index].members.iter().all(settled) || !self.move_on(index, &rungs) {
                return None;
            }
        }
        None
    }

    /// The epochs at which this trial may end early.
    fn rungs(&self, trial: &Trial) -> Vec<usize> {
        let asha = self.family.sweep.as_ref().and_then(|sweep| sweep.asha.as_ref());
        let epochs = trial.members.first().and_then(|member| member.planned.epochs);
        asha.zip(epochs).map(|(asha, epochs)| asha.rungs(epochs)).unwrap_or_default()
    }

    fn errand(&self, planned: &Planned, stage: usize, rungs: &[usize]) -> Errand {
        Errand {
            resume: planned.directory.clone(),
            file: self.planner.file.to_path_buf(),
            overrides: planned.overrides.clone(),
            pause_after: rungs.get(stage).map(|epochs| *epochs as u64),
            train_only: self.family.is_judged() && stage <= rungs.len(),
            threads: self.common_threads,
        }
    }

    /// Whether the run has come as far as this stage asks.
    fn is_there(&self, planned: &Planned, stage: usize, rungs: &[usize]) -> bool {
        let Some(run) = planned.directory.as_deref().and_then(|directory| Run::read(directory).ok()) else {
            return false;
        };
        match run.status() {
            Status::Done => true,
            Status::Paused => {
                let wanted = rungs.get(stage).copied().or(planned.epochs);
                let trains_only = self.family.is_judged() && stage <= rungs.len();
                trains_only && wanted.is_some_and(|epochs| run.file.epochs >= epochs)
            }
            Status::Running | Status::Interrupted | Status::Failed | Status::ProofFailed => false,
        }
    }

    /// All runs of the trial's stage are settled: decides what comes of it. Says whether anything changed.
    fn move_on(&mut self, index: usize, rungs: &[usize]) -> bool {
        if let Some(why) = self.trials[index].failure() {
            self.trials[index].end = Some(End::Failed(why));
            return true;
        }
        let stage = self.trials[index].stage;
        if stage < rungs.len() {
            return self.decide(index, rungs[stage]);
        }
        if stage == rungs.len() && self.family.is_judged() {
            self.trials[index].score = Some(self.score(&self.trials[index], None));
        }
        self.trials[index].end = Some(End::Whole);
        true
    }

    /// Whether the trial goes on behind a rung, once all trials before it have come there or ended.
    fn decide(&mut self, index: usize, epochs: usize) -> bool {
        let stage = self.trials[index].stage;
        if self.trials[index].rungs.len() == stage {
            let score = self.score(&self.trials[index], Some(epochs));
            self.trials[index].rungs.push(score);
        }
        let before = &self.trials[..index];
        if !before.iter().all(|trial| trial.rungs.len() > stage || trial.end.is_some()) {
            return false;
        }
        let scores: Vec<f64> =
            self.trials[..=index].iter().filter_map(|trial| trial.rungs.get(stage).copied()).collect();
        let asha = self.family.sweep.as_ref().and_then(|sweep| sweep.asha.as_ref());
        let trial = &mut self.trials[index];
        if asha.is_none_or(|asha| asha.goes_on(&scores)) {
            trial.stage += 1;
            trial.members.iter_mut().for_each(|member| member.at = At::Waiting);
        } else {
            trial.end = Some(End::Early(epochs));
        }
        true
    }

    /// The mean over seeds of the objective, so that larger is better: after so many epochs, or of the weights that the
    /// experiment evaluates. NaN where a run has none.
    fn score(&self, trial: &Trial, epochs: Option<usize>) -> f64 {
        let Some(objective) = self.family.sweep.as_ref().and_then(|sweep| sweep.objective.as_ref()) else {
            return f64::NAN;
        };
        let value = |member: &Member| value(&member.planned, &objective.metric, epochs).unwrap_or(f64::NAN);
        let sum: f64 = trial.members.iter().map(value).sum();
        objective.score(sum / trial.members.len() as f64)
    }

    /// Chooses the winner and lets its runs be tested; says whether there is one and anything is to be done for it.
    fn crown(&mut self) -> bool {
        if !self.family.is_judged() {
            return false;
        }
        let whole = |(_, trial): &(usize, &Trial)| trial.end == Some(End::Whole);
        let scored = self.trials.iter().enumerate().filter(whole);
        let scored = scored.filter_map(|(index, trial)| trial.score.filter(|s| !s.is_nan()).map(|s| (index, s)));
        // Of equals the first.
        let best = scored.fold(None, |best: Option<(usize, f64)>, (index, score)| match best {
            Some((_, top)) if top >= score => best,
            Some(_) | None => Some((index, score)),
        });
        let Some((winner, _)) = best else { return false };
        self.winner = Some(winner);
        let n_rungs = self.rungs(&self.trials[winner]).len();
        let trial = &mut self.trials[winner];
        (trial.stage, trial.end) = (n_rungs + 1, None);
        trial.members.iter_mut().for_each(|member| member.at = At::Waiting);
        true
    }

    /// Takes in what a process said; gives the line that people are told.
    pub fn settle(&mut self, task: &Task, said: Said, took: Duration) -> Option<Line> {
        let name = self.name_of(task);
        let is_over = self.rungs(&self.trials[task.trial]).len() <= self.trials[task.trial].stage;
        let member = &mut self.trials[task.trial].members[task.member];
        match said {
            Said::Done(directory) => {
                member.at = At::There;
                let line = Run::read(&directory).ok().map(|run| told(&run));
                member.planned.directory = Some(directory);
                let text = format!("{name}: {}  {}", line.unwrap_or_default(), duration(took));
                is_over.then_some(Line { text, failed: false })
            }
            Said::Stopped => {
                member.at = At::Waiting;
                None
            }
            Said::Failed(why) => {
                let text = format!("{name} failed: {why}");
                member.at = At::Failed(why);
                Some(Line { text, failed: true })
            }
        }
    }

    /// `trial 3/9, seed 2, fold 1`.
    fn name_of(&self, task: &Task) -> String {
        let (index, trial) = (task.trial + 1, &self.trials[task.trial]);
        let repeat = trial.members[task.member].planned.repeat;
        match (self.family.sweep.is_some(), trial.members.len()) {
            (true, 1) => format!("trial {index}/{}", self.family.n_trials()),
            (true, _) => format!("trial {index}/{}, {repeat}", self.family.n_trials()),
            (false, _) => repeat.to_string(),
        }
    }
}

impl Trial {
    fn new(point: Point, planned: Vec<Planned>) -> Trial {
        let members = planned.into_iter().map(|planned| Member { planned, at: At::Waiting }).collect();
        Trial { point, members, stage: 0, rungs: Vec::new(), score: None, end: None }
    }

    fn failure(&self) -> Option<String> {
        self.members.iter().find_map(|member| match &member.at {
            At::Failed(why) => Some(why.clone()),
            At::Waiting | At::Running | At::There => None,
        })
    }
}

/// The metrics of a run that is done, or what it reached on validation.
fn told(run: &Run) -> String {
    let metrics: Vec<String> =
        run.file.metrics.iter().take(2).map(|(name, metric)| format!("{name} {:.4}", metric.value)).collect();
    if !metrics.is_empty() {
        return metrics.join(", ");
    }
    let history = record::history::read(&run.path(files::HISTORY)).unwrap_or_default();
    let Some(last) = history.last() else { return "trained".to_string() };
    let validation = last.metrics.iter().filter(|(name, _)| name.starts_with("validation/"));
    validation.take(2).map(|(name, value)| format!("{name} {value:.4}")).collect::<Vec<_>>().join(", ")
}

/// The value of a metric of the history: after so many epochs (or at the end, where training ended before), or at the
/// epoch whose weights are evaluated.
pub fn value(planned: &Planned, metric: &str, epochs: Option<usize>) -> Option<f64> {
    let directory: &Path = planned.directory.as_deref()?;
    let history = record::history::read(&directory.join(files::HISTORY)).ok()?;
    let epoch = match epochs {
        Some(epochs) => epochs,
        None if planned.evaluates_best => Run::read(directory).ok()?.file.best_epoch?,
        None => usize::MAX,
    };
    history.iter().rev().find(|line| line.epoch <= epoch)?.metrics.get(metric).copied()
}
