//! `etalon completions`: what a shell needs to complete commands and options.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli;
use crate::failure::Outcome;
use crate::terminal;

/// Arguments of `etalon completions`.
#[derive(Args)]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints the script.
pub fn completions(arguments: &CompletionsArguments) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut cli::Arguments::command(), "etalon", &mut script);
    terminal::print(&String::from_utf8_lossy(&script));
    Ok(())
}
