//! Runs below folders, and the run that a word on the command line means.

use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::directory::{files, is_locked, read_run_file};
use crate::error::show;
use crate::{Error, Result, RunFile, Status};

/// `runs/<name>/<run>` lies two folders down; a few more are for those who sort theirs.
const DEPTH: usize = 5;

/// A run as it lies on disk.
#[derive(Clone, Debug)]
pub struct Run {
    pub directory: PathBuf,
    pub file: RunFile,
}

/// What lies below a folder.
#[derive(Debug, Default)]
pub struct Listing {
    /// Sorted by directory.
    pub runs: Vec<Run>,
    /// One error a damaged run.
    pub damaged: Vec<Error>,
}

impl Run {
    /// Reads the run in a directory.
    pub fn read(directory: &Path) -> Result<Run> {
        Ok(Run { directory: directory.to_path_buf(), file: read_run_file(directory)? })
    }

    /// Whether a process works on it now.
    pub fn is_active(&self) -> bool {
        is_locked(&self.directory)
    }

    /// The status; `interrupted` for one that says `running` although its process is gone.
    pub fn status(&self) -> Status {
        match self.file.status {
            Status::Running if !self.is_active() => Status::Interrupted,
            other => other,
        }
    }

    /// Path of one of its [`files`].
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// All runs in or below a folder. Hidden folders (runs that are just being made) are passed over.
pub fn list(folder: &Path) -> Result<Listing> {
    let mut directories = Vec::new();
    if is_run(folder) {
        directories.push(folder.to_path_buf());
    } else {
        let entries = folders(folder).map_err(|e| Error::refused("read the folder", folder, e))?;
        entries.into_iter().for_each(|entry| walk(entry, DEPTH, &mut directories));
    }
    let mut listing = Listing::default();
    let read: Vec<Result<Run>> = directories.par_iter().map(|directory| Run::read(directory)).collect();
    for run in read {
        match run {
            Ok(run) => listing.runs.push(run),
            Err(e) => listing.damaged.push(e),
        }
    }
    Ok(listing)
}

/// The run that is meant: a run's directory; a folder of runs, a name below `runs`, or a run's id, for the latest in it.
pub fn resolve(word: &str, runs: &Path) -> Result<Run> {
    let path = Path::new(word);
    if is_run(path) {
        return Run::read(path);
    }
    // A word that goes up or to the root is a path and nothing else.
    let plain = path.components().all(|c| matches!(c, std::path::Component::Normal(_)));
    let named = plain.then(|| runs.join(path));
    for folder in [Some(path.to_path_buf()), named].into_iter().flatten() {
        if is_run(&folder) {
            return Run::read(&folder);
        }
        if let Some(run) = list(&folder).ok().and_then(latest) {
            return Ok(run);
        }
    }
    let mut known = list(runs).unwrap_or_default();
    if let Some(at) = known.runs.iter().position(|run| run.file.id == word) {
        return Ok(known.runs.swap_remove(at));
    }
    let (word, runs) = (show(path), show(runs));
    let near = spec::nearest(&word, known.runs.iter().map(|run| run.file.name.as_str()));
    let help = near.map_or(format!("`etalon compare {runs}` lists them"), |name| format!("did you mean `{name}`?"));
    Err(Error::plain(format!("no run `{word}`: it is no run's directory and no name in {runs}; {help}")))
}

/// The run that started last.
fn latest(listing: Listing) -> Option<Run> {
    // A later run of the same second has a longer or larger id.
    listing.runs.into_iter().max_by(|a, b| {
        let key = |run: &Run| (run.file.started.clone(), run.file.id.len(), run.file.id.clone());
        key(a).cmp(&key(b))
    })
}

fn is_run(folder: &Path) -> bool {
    folder.join(files::RUN).is_file() || folder.join(files::RESOLVED).is_file()
}

/// The runs' directories in or below a folder, in order.
fn walk(folder: PathBuf, depth: usize, directories: &mut Vec<PathBuf>) {
    if is_run(&folder) {
        directories.push(folder);
    } else if depth > 0 {
        // A folder that may not be read holds no run for this user.
        for entry in folders(&folder).unwrap_or_default() {
            walk(entry, depth - 1, directories);
        }
    }
}

/// The folders in a folder, sorted; links are not followed, so that there is no circle.
fn folders(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let visible = |entry: &fs::DirEntry| !entry.file_name().to_string_lossy().starts_with('.');
    let entries = fs::read_dir(folder)?.flatten().filter(visible);
    let mut paths: Vec<PathBuf> =
        entries.filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir())).map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}
