//! `history.jsonl`: one line an epoch, whole lines only, cut back to where a resumed run goes on.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::number::{null_is_nan, nulls_are_nan};
use crate::{Error, Result, whole};

/// Larger than any history: millions of epochs.
const LIMIT: u64 = 1 << 30;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: usize,
    /// Steps since the beginning.
    pub steps: u64,
    /// The rate of the epoch's last step.
    #[serde(with = "null_is_nan")]
    pub learning_rate: f64,
    /// How long the epoch took, with its validation.
    #[serde(with = "null_is_nan")]
    pub seconds: f64,
    /// Images trained a second, validation left out.
    #[serde(with = "null_is_nan")]
    pub images_per_second: f64,
    /// By `part/name`: `train/loss`, `validation/accuracy`.
    #[serde(with = "nulls_are_nan")]
    pub metrics: BTreeMap<String, f64>,
}

/// The file while it grows.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    length: u64,
}

impl History {
    /// Opens or makes the file and keeps its first `epochs` lines; half a line, or lines of epochs that are to be
    /// trained again, are cut off.
    pub fn open(path: &Path, epochs: usize) -> Result<History> {
        let refused = |e| Error::refused("open", path, e);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(refused)?;
        let mut bytes = Vec::new();
        (&mut file).take(LIMIT).read_to_end(&mut bytes).map_err(refused)?;
        let ends: Vec<usize> = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i + 1).collect();
        if ends.len() < epochs {
            let why = format!("it has {} whole lines, the checkpoint is {epochs} epochs old", ends.len());
            return Err(Error::damaged(path, why, "start the run again"));
        }
        let length = if epochs == 0 { 0 } else { ends[epochs - 1] as u64 };
        file.set_len(length).and_then(|()| file.seek(SeekFrom::Start(length))).map_err(refused)?;
        Ok(History { path: path.to_path_buf(), file, length })
    }

    /// Adds a line, whole or not at all.
    pub fn append(&mut self, epoch: &Epoch) -> Result<()> {
        let mut line = serde_json::to_string(epoch).expect("numbers and text become JSON");
        line.push('\n');
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(e) = written {
            // If cutting back fails too, the next opening does it.
            let _ = self.file.set_len(self.length).and_then(|()| self.file.seek(SeekFrom::Start(self.length)));
            return Err(Error::refused("write", &self.path, e));
        }
        self.length += line.len() as u64;
        Ok(())
    }
}

/// Reads the whole lines of a history; half a line at the end belongs to a writer who is not done.
pub fn read(path: &Path) -> Result<Vec<Epoch>> {
    let bytes = whole::read(path, LIMIT)?;
    let end = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |last| last + 1);
    let lines = bytes[..end].split_inclusive(|&b| b == b'\n').enumerate();
    let parse = |(index, line): (usize, &[u8])| {
        serde_json::from_slice(line).map_err(|e| {
            let why = format!("line {} does not parse ({e})", index + 1);
            Error::damaged(path, why, "the run's other files may still be read")
        })
    };
    lines.map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(epoch: usize) -> Epoch {
        let metrics = BTreeMap::from([("train/loss".to_string(), 0.1), ("validation/auroc_macro".into(), f64::NAN)]);
        Epoch { epoch, steps: 10 * epoch as u64, learning_rate: 1e-3, seconds: 0.5, images_per_second: 1e4, metrics }
    }

    fn epochs(path: &Path) -> Vec<usize> {
        read(path).unwrap().iter().map(|e| e.epoch).collect()
    }

    #[test]
    fn lines_grow_and_are_cut_back_to_where_training_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        let mut history = History::open(&path, 0).unwrap();
        for number in 1..=4 {
            history.append(&epoch(number)).unwrap();
        }
        drop(history);
        let loss = read(&path).unwrap()[3].metrics.clone();
        assert!(loss["train/loss"] == 0.1 && loss["validation/auroc_macro"].is_nan());
        let mut history = History::open(&path, 2).unwrap();
        history.append(&epoch(3)).unwrap();
        assert_eq!(epochs(&path), [1, 2, 3]);
    }

    #[test]
    fn half_a_line_is_passed_over_and_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        History::open(&path, 0).unwrap().append(&epoch(1)).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"epoch\": 2, \"st").unwrap();
        assert_eq!(epochs(&path), [1]);
        History::open(&path, 1).unwrap().append(&epoch(2)).unwrap();
        assert_eq!(epochs(&path), [1, 2]);
    }

    #[test]
    fn a_damaged_history_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.jsonl");
        History::open(&path, 0).unwrap().append(&epoch(1)).unwrap();
        let error = History::open(&path, 2).unwrap_err().to_string();
        assert!(
            error.ends_with("it has 1 whole lines, the checkpoint is 2 epochs old; start the run again"),
            "{error}"
        );
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"garbage\n").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("history.jsonl is damaged: line 2 does not parse (expected value"), "{error}");
    }
}
