//! A run directory to train in.

use record::{DatasetRecord, Fingerprints, ProofRecord, RunDirectory, RunFile, Start, Status};

fn run_file() -> RunFile {
    RunFile {
        status: Status::Running,
        failure: None,
        name: "stripes".into(),
        seed: 3,
        id: String::new(),
        started: "2026-03-01T09:05:07Z".into(),
        finished: None,
        seconds: 0.0,
        images_per_second: None,
        dataset: DatasetRecord {
            name: "stripes".into(),
            published: true,
            instead_of: None,
            fingerprint: "f00d".into(),
            layout: "memory".into(),
        },
        fingerprints: Fingerprints::default(),
        versions: Default::default(),
        instruction_set: "portable".into(),
        threads: 1,
        parameters: 0,
        epochs: 0,
        best_epoch: None,
        metrics: Default::default(),
        proof: ProofRecord::SKIPPED,
    }
}

/// A new run in the folder.
pub fn directory(folder: &tempfile::TempDir) -> RunDirectory {
    RunDirectory::create(folder.path(), &Start { experiment: b"", resolved: "name: stripes\n", run: &run_file() })
        .unwrap()
}
