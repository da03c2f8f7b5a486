//! A run directory to train in.

use kernels::input::Normalization;
use record::{DatasetRecord, RunDirectory, RunFile, Start};

/// A new run in the folder.
pub fn directory(folder: &tempfile::TempDir) -> RunDirectory {
    let dataset = DatasetRecord {
        name: "made".into(),
        published: true,
        instead_of: None,
        fingerprint: "f00d".into(),
        layout: "memory".into(),
        classes: Vec::new(),
        normalization: Normalization::PerImage,
        findings: Default::default(),
    };
    let run = RunFile::begun("made", 3, dataset);
    RunDirectory::create(folder.path(), &Start { experiment: b"", resolved: "name: made\n", run: &run }).unwrap()
}
