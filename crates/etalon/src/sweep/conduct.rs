//! Conducts a family of runs: as many processes at a time as `parallel` says, what is there already taken over, what was
//! interrupted gone on with, failures told when they happen, and everything entered in the ledger.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use record::{Ledger, Run};

use super::board::{Board, Next, Task};
use super::child::{self, Said};
use super::planned::Planner;
use super::table;
use crate::cli::Common;
use crate::experiment::Checked;
use crate::failure::{Failure, Outcome};
use crate::{interrupt, terminal};

/// How long a run that another process still holds is waited for.
const HELD: Duration = Duration::from_secs(60);

/// How often it is looked at.
const PATIENCE: Duration = Duration::from_millis(100);

/// What is to be run, as the command line says it.
pub struct Order<'a> {
    pub file: &'a Path,
    pub overrides: &'a [String],
    /// Whether finished runs are run again.
    pub again: bool,
    pub common: &'a Common,
}

/// Runs what is not there yet.
pub fn conduct(order: &Order<'_>, first: Checked) -> Outcome {
    let common = order.common;
    let mut board = board(order, first)?;
    let ledger = Ledger::open(&common.runs_dir, &board.family.name, &board.family.fingerprint);
    let ledger = ledger.map_err(Failure::work)?;
    let stop = interrupt::listen()?;
    if !common.quiet {
        terminal::notice(&format!("{}: {}", board.family.name, board.described()));
    }
    board.common_threads = (common.n_threads() / board.family.parallel()).max(1);
    ledger.write(&table::ledger(&board)).map_err(Failure::work)?;
    let n_workers = board.family.parallel();
    let hall = Hall { board: Mutex::new(board), changed: Condvar::new(), ledger, common, stop };
    std::thread::scope(|scope| {
        for _ in 0..n_workers {
            scope.spawn(|| hall.work());
        }
    });
    let board = hall.board.into_inner().expect("no worker panicked");
    if stop.load(Ordering::SeqCst) {
        let again = format!("etalon sweep {}", order.file.display());
        return Err(Failure::Interrupted(format!("interrupted; the same command goes on: {again}")));
    }
    terminal::print(&table::results(&board));
    if !common.quiet {
        terminal::notice(&format!("the ledger is {}", hall.ledger.path().display()));
    }
    match board.failures() {
        0 => Ok(()),
        n => Err(Failure::Work(format!("{n} of {} runs failed; the ledger says why", board.n_members()))),
    }
}

/// Lists what would run.
pub fn list(order: &Order<'_>, first: Checked) -> Outcome {
    let mut board = board(order, first)?;
    board.plan_all()?;
    terminal::print(&table::plan(&board));
    Ok(())
}

fn board<'a>(order: &Order<'a>, first: Checked) -> Result<Board<'a>, Failure> {
    let family = first.family.ok_or_else(|| Failure::Work("the file asks for one run".to_string()))?;
    let mut planner = Planner::new(order.file, order.overrides, order.common);
    if order.again {
        planner.disregard_what_is_there(&family);
    }
    Ok(Board::new(family, planner))
}

/// Where the workers meet.
struct Hall<'a> {
    board: Mutex<Board<'a>>,
    changed: Condvar,
    ledger: Ledger,
    common: &'a Common,
    stop: &'a AtomicBool,
}

impl Hall<'_> {
    /// Takes task after task until nothing is left or the user stops.
    fn work(&self) {
        while let Some(task) = self.next() {
            let begun = Instant::now();
            let said = self.run(&task);
            let mut board = self.board.lock().expect("no worker panicked");
            let line = board.settle(&task, said, begun.elapsed());
            if let Some(line) = line.filter(|line| line.is_failure() || !self.common.quiet) {
                terminal::notice(&line.to_string());
            }
            if let Err(e) = self.ledger.write(&table::ledger(&board)) {
                terminal::notice(&format!("warning: {e}"));
            }
            self.changed.notify_all();
        }
        self.changed.notify_all();
    }

    fn next(&self) -> Option<Task> {
        let mut board = self.board.lock().expect("no worker panicked");
        loop {
            if self.stop.load(Ordering::SeqCst) {
                return None;
            }
            match board.next() {
                Next::Task(task) => return Some(*task),
                Next::Over => return None,
                Next::Wait => {
                    board = self.changed.wait_timeout(board, PATIENCE).expect("no worker panicked").0;
                }
            }
        }
    }

    /// Runs the errand; a run that turns out to be damaged is named and run anew.
    fn run(&self, task: &Task) -> Said {
        if let Some(directory) = &task.errand.resume {
            self.wait_until_free(directory);
        }
        let said = child::run(&task.errand, self.common, self.stop);
        match said {
            Said::Failed(why) if task.errand.resume.is_some() && why.contains("is damaged") => {
                terminal::notice(&format!("warning: {why}; it is run anew"));
                let anew = child::Errand { resume: None, ..task.errand.clone() };
                child::run(&anew, self.common, self.stop)
            }
            other => other,
        }
    }

    /// A process whose conductor was killed needs a moment to stop.
    fn wait_until_free(&self, directory: &Path) {
        let begun = Instant::now();
        while begun.elapsed() < HELD && Run::read(directory).is_ok_and(|run| run.is_active()) {
            std::thread::sleep(PATIENCE);
        }
    }
}
