//! Files that are there whole or not at all.
//!
//! The bytes go to a hidden file in the same folder, are synced, and take the name in one step. Whatever happens before
//! that step (a full disk, a kill) leaves the old file as it was.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::{Error, Result};

/// How names of unfinished files end; they begin with a dot.
const UNFINISHED: &str = ".part";

/// Writes a file whole.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// Writes a file whole, by what `fill` writes.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    let refused = |e| Error::refused("write", path, e);
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = unfinished(0o666).tempfile_in(folder).map_err(|e| refused(cause(e)))?;
    fill(temporary.as_file_mut()).map_err(refused)?;
    temporary.as_file().sync_all().map_err(refused)?;
    temporary.persist(path).map_err(|e| refused(e.error))?;
    sync_folder(folder);
    Ok(())
}

/// Reads a file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let refused = |e| Error::refused("read", path, e);
    let file = File::open(path).map_err(refused)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() as u64 > limit {
        return Err(Error::damaged(path, format_args!("it has more than {limit} bytes"), "it is none of ours"));
    }
    Ok(bytes)
}

/// Makes the names in a folder last. A file system that cannot has its own way of keeping them.
pub(crate) fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// Removes what writers that were killed have left in a folder. Nobody may be writing there.
pub(crate) fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(UNFINISHED) {
            // What cannot be removed does no harm either.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A builder of hidden temporary names whose files (`0o666`) or folders (`0o777`) the user's mask restricts, as if made
/// under their last name.
pub(crate) fn unfinished(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(UNFINISHED).permissions(Permissions::from_mode(mode));
    builder
}

/// The operating system's reason alone: the whole error names the temporary file, which means nothing to the reader.
pub(crate) fn cause(error: io::Error) -> io::Error {
    io::Error::from(error.kind())
}
