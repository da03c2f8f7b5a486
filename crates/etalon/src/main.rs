//! The command `etalon`: arguments, terminal and exit codes, and the pipeline that wires the other crates together.
//!
//! What comes in: an experiment file and options. What goes out: a run directory, results on standard output, progress
//! and logs on standard error, and an exit code. Only this crate prints or exits.

mod bench;
mod catalogue;
mod cli;
mod commands;
mod drawing;
mod estimate;
mod experiment;
mod explanation;
mod failure;
mod interrupt;
mod library;
mod logging;
mod network_table;
mod pipeline;
mod progress;
mod recorders;
mod report;
mod sweep;
mod terminal;

use clap::Parser;

/// Training allocates nothing in its steps, but tables and images do, from several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    failure::explain_panics();
    let arguments = cli::Arguments::parse();
    logging::start(&arguments.common);
    let outcome = commands::dispatch(&arguments);
    std::process::ExitCode::from(failure::report(outcome, &arguments.common))
}
