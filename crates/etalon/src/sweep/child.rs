//! One run in a process of its own: started, watched, told to stop, and what it said at its end.
//!
//! The process holds the reading end of a pipe as its standard input and stops, as after Ctrl-C, when the pipe ends: so it
//! also stops when this process is killed.

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::cli::Common;

/// How often a running process is looked at.
const PATIENCE: Duration = Duration::from_millis(20);

/// What one process is to do.
#[derive(Clone)]
pub struct Errand {
    /// A run to go on with, or none for a new one.
    pub resume: Option<PathBuf>,
    /// The experiment file and the changes that make this run of it.
    pub file: PathBuf,
    pub overrides: Vec<String>,
    /// Epochs after which it pauses.
    pub pause_after: Option<u64>,
    /// Whether it pauses when it is trained.
    pub train_only: bool,
    pub threads: usize,
}

/// How it went.
pub enum Said {
    /// The run came as far as it was asked to; its directory.
    Done(PathBuf),
    /// It was asked to stop.
    Stopped,
    /// It failed; one line why.
    Failed(String),
}

/// Runs the errand to its end; `stop` asks the process to stop after its step.
pub fn run(errand: &Errand, common: &Common, stop: &AtomicBool) -> Said {
    match attempt(errand, common, stop) {
        Ok(said) => said,
        Err(e) => Said::Failed(format!("a process could not be run: {e}")),
    }
}

fn attempt(errand: &Errand, common: &Common, stop: &AtomicBool) -> std::io::Result<Said> {
    let (mut out, mut err) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let mut command = command(errand, common)?;
    let mut child = command.stdin(Stdio::piped()).stdout(out.try_clone()?).stderr(err.try_clone()?).spawn()?;
    let code = watched(&mut child, stop)?;
    let (out, err) = (text(&mut out)?, text(&mut err)?);
    Ok(match code {
        Some(0) => match directory(&out) {
            Some(path) => Said::Done(path),
            None => Said::Failed("the process said nothing of its run".to_string()),
        },
        Some(130) => Said::Stopped,
        _ if stop.load(Ordering::SeqCst) => Said::Stopped,
        Some(_) => Said::Failed(last_words(&err)),
        None => Said::Failed("its process was killed".to_string()),
    })
}

/// The exit code; none where a signal ended the process.
fn watched(child: &mut Child, stop: &AtomicBool) -> std::io::Result<Option<i32>> {
    let mut input = child.stdin.take();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        if stop.load(Ordering::SeqCst) {
            drop(input.take());
        }
        std::thread::sleep(PATIENCE);
    }
}

fn command(errand: &Errand, common: &Common) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("run").args(["--format", "json", "--quiet", "--stop-at-end-of-input"]);
    match &errand.resume {
        Some(run) => command.arg("--resume").arg(run),
        None => command.arg(&errand.file).args(&errand.overrides),
    };
    if let Some(epochs) = errand.pause_after {
        command.args(["--pause-after", &epochs.to_string()]);
    }
    if errand.train_only {
        command.arg("--train-only");
    }
    command.args(["--threads", &errand.threads.to_string()]).arg("--runs-dir").arg(&common.runs_dir);
    if let Some(folder) = &common.data_dir {
        command.arg("--data-dir").arg(folder);
    }
    if let Some(isa) = common.instruction_set {
        command.args(["--instruction-set", isa.name()]);
    }
    Ok(command)
}

fn text(file: &mut std::fs::File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The run that the line for programs names.
fn directory(out: &str) -> Option<PathBuf> {
    let line: serde_json::Value = serde_json::from_str(out.trim_end().lines().last()?).ok()?;
    Some(Path::new(line["run"].as_str()?).to_path_buf())
}

/// The last error with all that it lists, or else the last line.
fn last_words(err: &str) -> String {
    let lines: Vec<&str> = err.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let from = lines.iter().rposition(|line| line.starts_with("error: ")).unwrap_or(lines.len().saturating_sub(1));
    match lines[from..].join("; ") {
        empty if empty.is_empty() => "its process said nothing".to_string(),
        text => text.strip_prefix("error: ").map_or(text.clone(), str::to_string),
    }
}

#[cfg(test)]
mod tests {
    use super::last_words;

    #[test]
    fn an_error_keeps_what_it_lists() {
        let said = "reading\nerror: first\n\nerror: pets cannot be used: 2 things\n  train: one\n  train: two\n";
        assert_eq!(last_words(said), "pets cannot be used: 2 things; train: one; train: two");
        assert_eq!(last_words("a\nb\n"), "b");
        assert_eq!(last_words("\n"), "its process said nothing");
    }
}
