//! Logs: readable on the terminal, JSON lines in the run directory, filtered by `-v`, `-q` and `RUST_LOG`.

use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

use crate::cli::Common;
use crate::terminal;

/// Starts logging to standard error, and to a run's `log.jsonl` once [`to_run`] names it.
pub fn start(common: &Common) {
    let level = match (common.quiet, common.verbose) {
        (true, _) => "error",
        (_, 0) => "warn",
        (_, 1) => "info",
        (_, _) => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{level},ort=error")));
    let people = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(terminal::colour_on_stderr())
        .with_target(false)
        .without_time()
        .with_filter(filter);
    let programs =
        tracing_subscriber::fmt::layer().json().with_writer(RunLog).with_filter(EnvFilter::new("info,ort=warn"));
    tracing_subscriber::registry().with(people).with(programs).init();
}

type Target = Arc<Mutex<Option<File>>>;

fn target() -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(Target::default)
}

/// From now on events are also appended to this file.
pub fn to_run(path: &std::path::Path) -> io::Result<()> {
    let file = File::options().create(true).append(true).open(path)?;
    *target().lock().expect("no thread panics while it logs") = Some(file);
    Ok(())
}

#[derive(Clone, Copy)]
struct RunLog;

impl Write for RunLog {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(file) = target().lock().expect("no thread panics while it logs").as_mut() {
            file.write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for RunLog {
    type Writer = RunLog;

    fn make_writer(&'a self) -> RunLog {
        RunLog
    }
}
