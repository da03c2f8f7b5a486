//! How a command can end badly, and what it then prints and returns.

use std::io::Write;

use spec::{Faults, Sources};

use crate::cli::Common;
use crate::terminal;

/// Everything that keeps a command from being done.
pub enum Failure {
    /// The experiment is wrong: exit code 1.
    Experiment { faults: Faults, sources: Sources },
    /// The experiment is wrong, and standard output has said so for programs: exit code 1.
    Told,
    /// The work failed: one line that says what failed, on what, why and what to do; of a dataset with many faults a line
    /// more for each. Exit code 2.
    Work(String),
    /// The exported model does not decide as the network did: exit code 3.
    Proof(String),
    /// Ctrl-C: exit code 130; the text says how to go on.
    Interrupted(String),
}

/// What every command returns.
pub type Outcome = Result<(), Failure>;

impl Failure {
    /// A failure of the world, from an error of any crate.
    pub fn work(error: impl std::fmt::Display) -> Failure {
        Failure::Work(error.to_string())
    }

    /// What went wrong, in one line.
    pub fn line(&self) -> String {
        match self {
            Failure::Experiment { faults, .. } => format!("the experiment has {} faults", faults.len()),
            Failure::Told => "the experiment is wrong".to_string(),
            Failure::Work(line) | Failure::Proof(line) | Failure::Interrupted(line) => one_line(line),
        }
    }

    fn code(&self) -> u8 {
        match self {
            Failure::Experiment { .. } | Failure::Told => 1,
            Failure::Work(_) => 2,
            Failure::Proof(_) => 3,
            Failure::Interrupted(_) => 130,
        }
    }
}

/// Prints what went wrong on standard error and gives the exit code.
pub fn report(outcome: Outcome, common: &Common) -> u8 {
    let Err(failure) = outcome else { return 0 };
    let mut stderr = std::io::stderr().lock();
    // A closed standard error leaves only the exit code to say it.
    let _ = match &failure {
        Failure::Experiment { faults, sources } => {
            let text = faults.render(sources, terminal::colour_on_stderr());
            let count = match faults.len() {
                1 => "1 fault".to_string(),
                n => format!("{n} faults"),
            };
            writeln!(stderr, "{text}\n\n{count}; nothing was started")
        }
        Failure::Told => Ok(()),
        Failure::Work(text) => writeln!(stderr, "error: {}", text.trim_end()),
        Failure::Proof(line) => writeln!(stderr, "error: {}", one_line(line)),
        Failure::Interrupted(line) if common.quiet => writeln!(stderr, "{}", one_line(line)),
        Failure::Interrupted(line) => writeln!(stderr, "\n{}", one_line(line)),
    };
    failure.code()
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("; ")
}

/// A panic is a bug of ours: says so in words instead of a trace.
pub fn explain_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        eprintln!("error: etalon has a bug; please report these lines with the command and the experiment file");
        usual(info);
    }));
}
