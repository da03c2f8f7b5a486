//! The ledger of a family of runs: which trials there are, which runs stand for them and how they went. One file, replaced
//! whole, in a folder beside the runs; locked by the process that conducts the family.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::directory::{folder_name, lock};
use crate::{Error, Result, whole};

/// Length of the hash in the folder's name.
const SHORT_HASH: usize = 8;

/// A ledger that this process keeps. The lock falls with the process.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    _lock: File,
}

impl Ledger {
    /// Takes the ledger `<runs>/<name>/sweep-<hash>/ledger.json`; `fingerprint` is that of the family.
    ///
    /// # Errors
    /// If another process conducts the same family, or if the folder cannot be made.
    pub fn open(runs: &Path, name: &str, fingerprint: &str) -> Result<Ledger> {
        let hash = fingerprint.get(..SHORT_HASH).unwrap_or(fingerprint);
        let folder = runs.join(folder_name(name)?).join(format!("sweep-{hash}"));
        fs::create_dir_all(&folder).map_err(|e| Error::refused("make the folder", &folder, e))?;
        let lock = lock(&folder)?;
        whole::sweep(&folder);
        Ok(Ledger { path: folder.join("ledger.json"), _lock: lock })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces it.
    pub fn write(&self, json: &[u8]) -> Result<()> {
        whole::write(&self.path, json)
    }
}
