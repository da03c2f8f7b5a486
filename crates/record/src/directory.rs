//! The directory of one run: made complete under a temporary name, locked, every file replaced whole.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Error, History, Result, RunFile, fingerprint, moment, whole};

/// Names inside a run's directory.
pub mod files {
    /// The experiment as written.
    pub const EXPERIMENT: &str = "experiment.yaml";
    /// The same with every default; runs on its own.
    pub const RESOLVED: &str = "resolved.yaml";
    /// [`crate::RunFile`].
    pub const RUN: &str = "run.json";
    /// [`crate::History`].
    pub const HISTORY: &str = "history.jsonl";
    /// The history for TensorBoard, where the experiment asks for it.
    pub const EVENTS: &str = "events.out.tfevents";
    /// Tracing, one JSON object a line.
    pub const LOG: &str = "log.jsonl";
    /// Where training stood last; resumes.
    pub const LAST: &str = "checkpoints/last.safetensors";
    /// The weights with the best monitored value.
    pub const BEST: &str = "checkpoints/best.safetensors";
    /// One row a sample of the evaluated part.
    pub const PREDICTIONS: &str = "predictions.parquet";
    /// One row a metric and class.
    pub const METRICS: &str = "metrics.parquet";
    /// Counts by label and prediction.
    pub const CONFUSION: &str = "confusion.parquet";
    /// The export.
    pub const ONNX: &str = "model.onnx";
    /// What ONNX Runtime said of it.
    pub const PROOF: &str = "proof.json";
    /// Folder of the pictures.
    pub const PLOTS: &str = "plots";
    /// Folder of the checkpoints.
    pub const CHECKPOINTS: &str = "checkpoints";
    /// Locked by the process that works on the run.
    pub const LOCK: &str = ".lock";
}

/// Larger than any `run.json`.
const RUN_FILE_LIMIT: u64 = 16 << 20;

/// Length of the hash in a run's name.
const SHORT_HASH: usize = 8;

/// What a run begins with.
#[derive(Debug)]
pub struct Start<'a> {
    /// The experiment file as written.
    pub experiment: &'a [u8],
    /// The resolved file.
    pub resolved: &'a str,
    /// The first `run.json`; its `name`, `seed` and `started` name the directory, its `id` is filled in.
    pub run: &'a RunFile,
}

/// A run that this process works on. The lock is held as long as this lives, and falls with the process.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    _lock: File,
}

impl RunDirectory {
    /// Makes `<runs>/<name>/<started>-<seed>-<hash>/`, complete or not at all, and takes its lock.
    pub fn create(runs: &Path, start: &Start<'_>) -> Result<RunDirectory> {
        let parent = runs.join(folder_name(&start.run.name)?);
        fs::create_dir_all(&parent).map_err(|e| Error::refused("make the folder", &parent, e))?;
        let refused = |e| Error::refused("make a run in", &parent, e);
        let temporary = whole::unfinished(0o777).tempdir_in(&parent).map_err(|e| refused(whole::cause(e)))?;
        let lock = lock(temporary.path())?;
        for folder in [files::CHECKPOINTS, files::PLOTS] {
            fs::create_dir(temporary.path().join(folder)).map_err(refused)?;
        }
        whole::write(&temporary.path().join(files::EXPERIMENT), start.experiment)?;
        whole::write(&temporary.path().join(files::RESOLVED), start.resolved.as_bytes())?;
        let hash = &fingerprint(start.resolved.as_bytes())[..SHORT_HASH];
        let base = format!("{}-{}-{hash}", moment::compact(&start.run.started), start.run.seed);
        // Two runs of one second, seed and file: the later gets a number.
        for count in 1.. {
            let id = if count == 1 { base.clone() } else { format!("{base}-{count}") };
            let path = parent.join(&id);
            if path.exists() {
                continue;
            }
            save_run_file(temporary.path(), &RunFile { id, ..start.run.clone() })?;
            match fs::rename(temporary.path(), &path) {
                // Another process took the name in between: a folder that is not empty is not replaced.
                Err(_) if path.exists() => continue,
                Err(e) => return Err(refused(e)),
                Ok(()) => {
                    // The folder no longer has the temporary name.
                    let _ = temporary.keep();
                    whole::sync_folder(&parent);
                    return Ok(RunDirectory { path, _lock: lock });
                }
            }
        }
        unreachable!("some number is free")
    }

    /// Takes the lock of a run that is there, to resume it or to add to it, and clears away what a killed process left
    /// half-written.
    pub fn open(path: &Path) -> Result<RunDirectory> {
        read_run_file(path)?;
        let lock = lock(path)?;
        for folder in [path.to_path_buf(), path.join(files::CHECKPOINTS), path.join(files::PLOTS)] {
            whole::sweep(&folder);
        }
        Ok(RunDirectory { path: path.to_path_buf(), _lock: lock })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Path of one of its [`files`].
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes one of its [`files`] whole.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        whole::write(&self.file(name), bytes)
    }

    /// Reads `run.json`.
    pub fn run_file(&self) -> Result<RunFile> {
        read_run_file(&self.path)
    }

    /// Replaces `run.json`.
    pub fn save_run_file(&self, run: &RunFile) -> Result<()> {
        save_run_file(&self.path, run)
    }

    /// `history.jsonl`, cut back to its first `epochs` lines and ready for the next.
    pub fn history(&self, epochs: usize) -> Result<History> {
        History::open(&self.file(files::HISTORY), epochs)
    }
}

/// Reads the `run.json` of a run's directory; tells a damaged run from a folder that is none.
pub fn read_run_file(directory: &Path) -> Result<RunFile> {
    let path = directory.join(files::RUN);
    if !path.exists() {
        return Err(match directory.join(files::RESOLVED).exists() {
            true => Error::damaged(directory, "it has no run.json", "remove the run, or start it again"),
            false => Error::plain(format!(
                "{} is no run: it has no run.json; `etalon compare` lists runs",
                crate::error::show(directory)
            )),
        });
    }
    let bytes = whole::read(&path, RUN_FILE_LIMIT)?;
    serde_json::from_slice(&bytes)
        .map_err(|e| Error::damaged(&path, e, "remove the run, or start it again from its resolved.yaml"))
}

fn save_run_file(directory: &Path, run: &RunFile) -> Result<()> {
    let mut text = serde_json::to_string_pretty(run).expect("numbers and text become JSON");
    text.push('\n');
    whole::write(&directory.join(files::RUN), text.as_bytes())
}

/// Whether an experiment's name can be that of the folder of its runs.
pub fn is_folder_name(name: &str) -> bool {
    let fits = !name.is_empty() && name.len() <= 100 && !name.starts_with('.');
    fits && !name.contains(|c: char| c == '/' || c == '\\' || c.is_control())
}

/// An experiment's name as the name of a folder.
pub(crate) fn folder_name(name: &str) -> Result<&str> {
    if is_folder_name(name) {
        return Ok(name);
    }
    Err(Error::plain(format!(
        "the name {name:?} cannot be a folder's; give a `name` of at most 100 letters without `/` that begins with no dot"
    )))
}

/// Takes the lock. The file of a process that died is there but not locked, so it is simply taken over.
pub(crate) fn lock(directory: &Path) -> Result<File> {
    let path = directory.join(files::LOCK);
    let refused = |e| Error::refused("lock", directory, e);
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(refused)?;
    match try_lock(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Only for the message: without a number it says "another process".
            let _ = file.take(20).read_to_string(&mut holder);
            return Err(Error::busy(directory, holder.trim()));
        }
        Err(TryLockError::Error(e)) => return Err(refused(e)),
    }
    let holder = std::process::id().to_string();
    file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(holder.as_bytes())).map_err(refused)?;
    Ok(file)
}

/// Waits a moment for those who only look whether somebody holds the lock, which they do by taking it.
fn try_lock(file: &File) -> std::result::Result<(), TryLockError> {
    for _ in 0..5 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            settled => return settled,
        }
    }
    file.try_lock()
}

/// Whether a process holds the lock of this run.
pub(crate) fn is_locked(directory: &Path) -> bool {
    let Ok(file) = File::open(directory.join(files::LOCK)) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}
