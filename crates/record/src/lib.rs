//! Where a run is kept: its directory, its lock, its files, written whole or not at all, and reading them back.
//!
//! What comes in: bytes, numbers by path, and facts about a run. What goes out: a directory that is complete in itself,
//! [`RunFile`] for everybody who asks how a run went, checkpoints that resume to the bit, and [`find`] for runs by name.
//! This crate knows no network, no dataset and no metric; it names things and keeps them.

mod error;
mod moment;
mod number;
pub mod whole;

mod directory;
mod ledger;
mod run_file;

pub mod checkpoint;
pub mod find;
pub mod history;

pub use directory::{RunDirectory, Start, files, is_folder_name};
pub use error::Error;
pub use find::{Listing, Run};
pub use history::{Epoch, History};
pub use ledger::Ledger;
pub use moment::{now, seconds_since_1970};
pub use run_file::{
    CopiesRecord, DatasetRecord, FindingsRecord, Fingerprints, Metric, ProofRecord, RunFile, Status, Summary,
    SummaryDataset, SummaryProof, Verdict,
};

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// The fingerprint of bytes: BLAKE3, in hexadecimal.
pub fn fingerprint(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
