//! Where data is looked for, and what is told while it is fetched and read.

use std::path::{Path, PathBuf};

/// Where data is looked for.
#[derive(Clone, Debug)]
pub struct Places {
    /// Folders that are searched in this order; what is downloaded goes into the first.
    pub data_dirs: Vec<PathBuf>,
    /// Whether what is not here may be downloaded.
    pub download: bool,
}

/// What is being done about a dataset.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// A file of the publisher arrives.
    Download { url: &'a str, done_bytes: u64, total_bytes: Option<u64> },
    /// An archive is unpacked.
    Unpack { file: &'a str, n_files: usize },
    /// The files of a split are read and checked.
    Read { folder: &'a Path, split: &'a str },
    /// Images are drawn.
    Draw { split: &'a str, n_images: usize },
}
