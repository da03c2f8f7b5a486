//! TensorBoard: an event file in the run's directory, with the numbers of every epoch.
//!
//! The file is a picture of `history.jsonl`. A resumed run writes it anew from what the history keeps and goes on behind
//! that, so that no epoch stands in it twice and none is missing.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use record::{Epoch, RunFile, whole};

use super::event::{Event, Scalar, Summary, What};
use super::{Beginning, Recorder, scalars};

/// The version of the format (`event_file_writer.py`).
const VERSION: &str = "brain.Event:2";

/// The event file while it grows.
pub struct TensorBoard {
    path: PathBuf,
    file: File,
    /// When the epoch before ended, in seconds since 1970: the run's start and the time that its epochs took.
    wall_time: f64,
}

impl TensorBoard {
    /// Writes the file as far as the run has come.
    pub fn begin(path: &Path, beginning: &Beginning<'_>) -> Result<TensorBoard, String> {
        let mut wall_time = record::seconds_since_1970(&beginning.run.started);
        let version = Event { wall_time, step: 0, what: Some(What::FileVersion(VERSION.to_string())) };
        let mut bytes = version.record();
        for epoch in beginning.done {
            wall_time += epoch.seconds;
            bytes.extend(event(epoch, wall_time).record());
        }
        whole::write(path, &bytes).map_err(|e| e.to_string())?;
        let file = File::options().append(true).open(path).map_err(|e| refused(path, &e))?;
        Ok(TensorBoard { path: path.to_path_buf(), file, wall_time })
    }
}

impl Recorder for TensorBoard {
    fn epoch(&mut self, epoch: &Epoch) -> Result<(), String> {
        self.wall_time += epoch.seconds;
        let record = event(epoch, self.wall_time).record();
        self.file.write_all(&record).map_err(|e| refused(&self.path, &e))
    }

    fn end(&mut self, _: &RunFile) -> Result<(), String> {
        self.file.sync_all().map_err(|e| refused(&self.path, &e))
    }
}

fn refused(path: &Path, error: &std::io::Error) -> String {
    format!("could not write {}: {error}", path.display())
}

fn event(epoch: &Epoch, wall_time: f64) -> Event {
    let scalar = |(tag, value): (&str, f64)| Scalar { tag: tag.to_string(), simple_value: Some(value as f32) };
    let value = scalars(epoch).into_iter().map(scalar).collect();
    Event { wall_time, step: epoch.epoch as i64, what: Some(What::Summary(Summary { value })) }
}
