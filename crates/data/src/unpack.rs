//! Archives from outside (`.tar.gz`) into a folder of their own: nothing leaves it, no links, bounded size and count.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType, PaxExtensions};

use crate::card_words::is_inside;
use crate::error::{Error, grouped, one_line, reason, show};

/// What an archive may hold.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// All files together, unpacked.
    pub bytes: u64,
    /// Files and folders.
    pub entries: usize,
}

impl Limits {
    /// More than any dataset that is trained on one machine.
    pub const DATASET: Limits = Limits { bytes: 1 << 38, entries: 1 << 22 };
}

/// Longest path, as long names or extended headers give it.
const MAX_EXTENSION: u64 = 1 << 16;
const BUFFER: usize = 1 << 17;

/// Why unpacking ended.
pub(crate) enum Stopped {
    /// The archive is none, is damaged or holds what it may not.
    Archive(String),
    /// The disk did not take what was written.
    Disk(io::Error),
}

impl Stopped {
    /// As an error: `archive` is where it came from, `target` what was written for.
    pub fn into_error(self, archive: &str, target: &Path) -> Error {
        match self {
            Stopped::Archive(why) => Error::plain(format!("could not unpack {}: {why}", one_line(archive))).absent(),
            Stopped::Disk(error) => Error::refused("write", target, error),
        }
    }
}

/// Unpacks an archive into a folder that is empty and nobody else's. `each` is told the number of files so far.
pub(crate) fn unpack(archive: &Path, into: &Path, limits: Limits, each: &mut dyn FnMut(usize)) -> Result<(), Stopped> {
    let file = File::open(archive).map_err(Stopped::Disk)?;
    let mut archive = Archive::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER, file)));
    // Raw entries: the library would read names of any length into memory.
    let entries = archive.entries().map_err(damaged)?.raw(true);
    let (mut left, mut n_files) = (limits, 0);
    let mut long_path: Option<PathBuf> = None;
    for entry in entries {
        let mut entry = entry.map_err(damaged)?;
        left.entries = left
            .entries
            .checked_sub(1)
            .ok_or_else(|| Stopped::Archive(format!("it holds more than {} files", grouped(limits.entries as u64))))?;
        match entry.header().entry_type() {
            EntryType::GNULongName | EntryType::XHeader => long_path = extension(&mut entry)?.or(long_path),
            EntryType::XGlobalHeader => {}
            EntryType::Directory => {
                let path = inside(into, &entry, long_path.take())?;
                fs::create_dir_all(path).map_err(Stopped::Disk)?;
            }
            EntryType::Regular | EntryType::Continuous => {
                let path = inside(into, &entry, long_path.take())?;
                write_file(&mut entry, &path, &mut left.bytes)?;
                n_files += 1;
                each(n_files);
            }
            other => {
                let path = entry_path(&entry, long_path)?;
                let what = if other.is_symlink() || other.is_hard_link() { "a link" } else { "no file" };
                return Err(Stopped::Archive(format!("{} is {what}, which a dataset does not need", show(&path))));
            }
        }
    }
    Ok(())
}

fn damaged(error: io::Error) -> Stopped {
    Stopped::Archive(format!("it is damaged: {}", reason(&error)))
}

fn entry_path(entry: &Entry<impl Read>, long: Option<PathBuf>) -> Result<PathBuf, Stopped> {
    match long {
        Some(path) => Ok(path),
        None => Ok(entry.path().map_err(damaged)?.into_owned()),
    }
}

/// Where an entry goes, if that is inside.
fn inside(into: &Path, entry: &Entry<impl Read>, long: Option<PathBuf>) -> Result<PathBuf, Stopped> {
    let path = entry_path(entry, long)?;
    if !is_inside(&path) {
        return Err(Stopped::Archive(format!("{} leads out of the folder that it is unpacked into", show(&path))));
    }
    Ok(into.join(path))
}

/// The path that an extension gives the next entry, if it gives one.
fn extension(entry: &mut Entry<impl Read>) -> Result<Option<PathBuf>, Stopped> {
    if entry.size() > MAX_EXTENSION {
        return Err(Stopped::Archive(format!("a name in it has {} bytes", grouped(entry.size()))));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(damaged)?;
    if entry.header().entry_type() == EntryType::GNULongName {
        let name = bytes.split(|b| *b == 0).next().unwrap_or_default();
        return Ok(Some(PathBuf::from(String::from_utf8_lossy(name).into_owned())));
    }
    for field in PaxExtensions::new(&bytes) {
        let field = field.map_err(damaged)?;
        match field.key_bytes() {
            b"path" => return Ok(Some(PathBuf::from(String::from_utf8_lossy(field.value_bytes()).into_owned()))),
            b"size" => return Err(Stopped::Archive("it has files of a size that its headers cannot hold".into())),
            _ => {}
        }
    }
    Ok(None)
}

fn write_file(entry: &mut Entry<impl Read>, path: &Path, bytes_left: &mut u64) -> Result<(), Stopped> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Stopped::Disk)?;
    }
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let name = path.file_name().unwrap_or_default();
            return Err(Stopped::Archive(format!("it holds {} twice", show(Path::new(name)))));
        }
        opened => opened.map_err(Stopped::Disk)?,
    };
    let mut buffer = vec![0; BUFFER];
    let mut missing = entry.size();
    while missing > 0 {
        let n = entry.read(&mut buffer).map_err(damaged)?;
        if n == 0 {
            return Err(Stopped::Archive("it is damaged: it ends in the middle of a file".into()));
        }
        missing = missing.saturating_sub(n as u64);
        *bytes_left = bytes_left
            .checked_sub(n as u64)
            .ok_or_else(|| Stopped::Archive("it unpacks to more than a dataset may have".into()))?;
        file.write_all(&buffer[..n]).map_err(Stopped::Disk)?;
    }
    file.sync_all().map_err(Stopped::Disk)
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    use super::*;

    /// An archive of these entries: type, path as it stands in the header, bytes.
    fn archive(entries: &[(EntryType, &str, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (kind, path, bytes) in entries {
            let mut header = Header::new_gnu();
            // Written by hand: the library refuses to write such paths.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(bytes.len() as u64);
            if kind.is_symlink() || kind.is_hard_link() {
                header.as_old_mut().linkname[..4].copy_from_slice(b"/etc");
            }
            header.set_cksum();
            builder.append(&header, *bytes).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    fn unpacked(bytes: &[u8], limits: Limits) -> Result<Vec<String>, String> {
        let outer = tempfile::tempdir().unwrap();
        let (file, into) = (outer.path().join("a.tar.gz"), outer.path().join("into"));
        fs::write(&file, bytes).unwrap();
        fs::create_dir(&into).unwrap();
        let result = unpack(&file, &into, limits, &mut |_| {});
        let mut names: Vec<_> = fs::read_dir(outer.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a.tar.gz", "into"], "nothing is written beside the folder");
        match result {
            Ok(()) => {
                let found = |e: io::Result<fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
                Ok(fs::read_dir(into).unwrap().map(found).collect())
            }
            Err(Stopped::Archive(why)) => Err(why),
            Err(Stopped::Disk(error)) => panic!("{error}"),
        }
    }

    const FILE: EntryType = EntryType::Regular;
    const SMALL: Limits = Limits { bytes: 100, entries: 5 };

    #[test]
    fn files_and_folders_are_unpacked_long_names_too() {
        let name = format!("{}/x", "d".repeat(150));
        let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let mut header = Header::new_gnu();
        header.set_size(3);
        header.set_cksum();
        builder.append_data(&mut header, &name, &b"abc"[..]).unwrap();
        builder.append_pax_extensions([("path", "pax/y".as_bytes())]).unwrap();
        let mut header = Header::new_ustar();
        header.set_size(0);
        header.set_cksum();
        builder.append(&header, &b""[..]).unwrap();
        let bytes = builder.into_inner().unwrap().finish().unwrap();
        let mut names = unpacked(&bytes, SMALL).unwrap();
        names.sort();
        assert_eq!(names, ["d".repeat(150), "pax".into()]);
    }

    #[test]
    fn hostile_archives_are_refused() {
        for (entries, expected) in [
            (vec![(FILE, "../x", &b"1"[..])], "../x leads out of the folder that it is unpacked into"),
            (vec![(FILE, "a/../../x", b"1")], "a/../../x leads out"),
            (vec![(FILE, "/tmp/x", b"1")], "/tmp/x leads out"),
            (vec![(EntryType::GNULongName, "n", b"../long\0"), (FILE, "x", b"1")], "../long leads out"),
            (vec![(EntryType::XHeader, "n", b"16 path=../long\n"), (FILE, "x", b"1")], "../long leads out"),
            (vec![(EntryType::Symlink, "x", b""), (FILE, "x/passwd", b"1")], "x is a link"),
            (vec![(EntryType::Link, "x", b"")], "x is a link"),
            (vec![(EntryType::Fifo, "x", b"")], "x is no file"),
            (vec![(FILE, "x", b"1"), (FILE, "x", b"2")], "it holds x twice"),
            (vec![(FILE, "x", &[0; 101])], "it unpacks to more than a dataset may have"),
            (
                vec![
                    (FILE, "1", b""),
                    (FILE, "2", b""),
                    (FILE, "3", b""),
                    (FILE, "4", b""),
                    (FILE, "5", b""),
                    (FILE, "6", b""),
                ],
                "it holds more than 5 files",
            ),
        ] {
            let found = unpacked(&archive(&entries), SMALL).unwrap_err();
            assert!(found.starts_with(expected), "{found}");
        }
        let long = vec![b'a'; 1 << 17];
        let found = unpacked(&archive(&[(EntryType::GNULongName, "n", &long)]), SMALL).unwrap_err();
        assert_eq!(found, "a name in it has 131,072 bytes");
    }

    #[test]
    fn damaged_archives_are_refused() {
        assert_eq!(
            unpacked(b"<html><body>404</body></html>", SMALL).unwrap_err(),
            "it is damaged: invalid gzip header"
        );
        let whole = archive(&[(FILE, "x", &(0..100).collect::<Vec<u8>>())]);
        let found = unpacked(&whole[..whole.len() / 2], SMALL).unwrap_err();
        assert!(found.starts_with("it is damaged: "), "{found}");
    }
}
