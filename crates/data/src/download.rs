//! The publisher's files into the data folder: fetched, checked, unpacked under a temporary name, and moved in one step.
//! Whatever fails on the way leaves nothing behind.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use md5::Md5;
use sha2::Sha256;
use sha2::digest::Digest;
use ureq::Agent;

use crate::card::{Card, Source};
use crate::card_words::RelativePath;
use crate::checksum::hex;
use crate::error::{Error, grouped, one_line, reason, show};
use crate::places::{Places, Progress};
use crate::unpack::{Limits, unpack};

/// How long to wait for a connection, an answer, the next bytes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most that is fetched where the card does not say how much there is, in bytes.
const MAX_BYTES: u64 = 1 << 37;
const BUFFER: usize = 1 << 17;
/// How names of unfinished downloads begin and end.
const UNFINISHED: (&str, &str) = (".etalon-", ".part");
/// After this time an unfinished download is what a process that was killed has left.
const FORGOTTEN: Duration = Duration::from_secs(24 * 3600);

/// Fetches a dataset into the first data folder, as the card's first layout on disk, and gives its folder.
pub(crate) fn download(card: &Card, places: &Places, progress: &mut dyn FnMut(Progress)) -> Result<PathBuf, Error> {
    let folder = card.layouts.iter().find_map(|l| l.folder.as_ref()).expect("a card with sources has a folder");
    let dir =
        places.data_dirs.first().ok_or_else(|| Error::plain("there is no data folder; name one with --data-dir"))?;
    let target = dir.join(folder.as_path());
    let refused = |e| Error::refused("write", &target, e);
    fs::create_dir_all(dir).map_err(refused)?;
    sweep(dir);
    let temporary = temporary_folder(dir).map_err(refused)?;
    for source in &card.sources {
        Fetch { source, folder, target: &target, temporary: temporary.path() }.run(progress)?;
    }
    let unpacked = temporary.path().join(folder.as_path());
    if !unpacked.is_dir() {
        let message = format!("what was downloaded for {} has no folder {}", card.name, one_line(&folder.0));
        return Err(Error::plain(format!("{message}; correct the card's `folder`")));
    }
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(refused)?;
    }
    match fs::rename(&unpacked, &target) {
        // Another process was faster.
        Err(_) if target.is_dir() => Ok(target),
        moved => moved.map(|()| target.clone()).map_err(refused),
    }
}

/// A hidden folder that is removed when it is dropped.
fn temporary_folder(dir: &Path) -> io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED.0).suffix(UNFINISHED.1);
    // The whole error names the temporary folder, which means nothing to the reader.
    builder.tempdir_in(dir).map_err(|e| io::Error::from(e.kind()))
}

/// Removes what processes that were killed have left.
fn sweep(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let modified = entry.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::now());
        let forgotten = modified.elapsed().is_ok_and(|age| age > FORGOTTEN);
        if forgotten && name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1) {
            // What cannot be removed does no harm either.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// One file of the publisher on its way.
struct Fetch<'a> {
    source: &'a Source,
    folder: &'a RelativePath,
    /// Where the dataset will lie.
    target: &'a Path,
    temporary: &'a Path,
}

impl Fetch<'_> {
    fn run(&self, progress: &mut dyn FnMut(Progress)) -> Result<(), Error> {
        let url = &self.source.url;
        let name = file_name(url);
        let part = self.temporary.join(format!("{name}.part"));
        self.fetch(&part, progress)?;
        if is_archive(&name) {
            let each = &mut |n_files| progress(Progress::Unpack { file: &name, n_files });
            unpack(&part, self.temporary, Limits::DATASET, each).map_err(|e| e.into_error(url, self.target))?;
            fs::remove_file(&part).map_err(|e| self.refused(e))
        } else {
            let folder = self.temporary.join(self.folder.as_path());
            fs::create_dir_all(&folder).map_err(|e| self.refused(e))?;
            fs::rename(&part, folder.join(&name)).map_err(|e| self.refused(e))
        }
    }

    /// Writes the bytes of the file and holds them to the card.
    fn fetch(&self, part: &Path, progress: &mut dyn FnMut(Progress)) -> Result<(), Error> {
        let url = &self.source.url;
        let mut response = agent(url).get(url).call().map_err(|e| self.failed(&describe(e)))?;
        let promised = response.body().content_length();
        let total_bytes = self.source.bytes.or(promised);
        let mut body = response.body_mut().with_config().limit(u64::MAX).reader();
        let mut file = File::create(part).map_err(|e| self.refused(e))?;
        let (mut sha256, mut md5) = (Sha256::new(), Md5::new());
        let mut buffer = vec![0; BUFFER];
        let mut done_bytes = 0;
        loop {
            progress(Progress::Download { url, done_bytes, total_bytes });
            let n = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) => return Err(self.ended(done_bytes, total_bytes, &reason(&error))),
            };
            done_bytes += n as u64;
            if done_bytes > self.source.bytes.unwrap_or(MAX_BYTES) {
                return Err(self.differs("it is larger than the card says"));
            }
            sha256.update(&buffer[..n]);
            md5.update(&buffer[..n]);
            file.write_all(&buffer[..n]).map_err(|e| self.refused(e))?;
        }
        if promised.is_some_and(|promised| done_bytes < promised) {
            return Err(self.ended(done_bytes, promised, "the connection was closed"));
        }
        file.sync_all().map_err(|e| self.refused(e))?;
        self.check(done_bytes, &hex(&sha256.finalize()), &hex(&md5.finalize()))
    }

    fn check(&self, bytes: u64, sha256: &str, md5: &str) -> Result<(), Error> {
        if let Some(expected) = self.source.bytes.filter(|expected| *expected != bytes) {
            return Err(self.differs(&format!("it has {} bytes, not {}", grouped(bytes), grouped(expected))));
        }
        let sums = [
            ("SHA-256", self.source.sha256.as_ref().map(|sum| &sum.0), sha256),
            ("MD5", self.source.md5.as_ref().map(|sum| &sum.0), md5),
        ];
        for (name, expected, found) in sums {
            if let Some(expected) = expected.filter(|expected| *expected != found) {
                return Err(self.differs(&format!("its {name} is {found}, not {expected}")));
            }
        }
        Ok(())
    }

    /// The file could not be had.
    fn failed(&self, why: &str) -> Error {
        let by_hand = format!("put the files into {} by hand", show(self.target));
        Error::plain(format!("could not download {}: {why}; check the network, or {by_hand}", self.source.url)).absent()
    }

    /// The file came in part.
    fn ended(&self, done: u64, total: Option<u64>, why: &str) -> Error {
        let of = total.map(|t| format!(" of {}", grouped(t))).unwrap_or_default();
        let message = format!("could not download {}: it ended after {}{of} bytes", self.source.url, grouped(done));
        Error::plain(format!("{message}: {why}; try again")).absent()
    }

    /// The file came, but is not the publisher's.
    fn differs(&self, how: &str) -> Error {
        let message = format!("what {} gives is not what the card says: {how}", self.source.url);
        Error::plain(format!("{message}; try again, or put the files into {} by hand", show(self.target))).absent()
    }

    fn refused(&self, error: io::Error) -> Error {
        Error::refused("write", self.target, error)
    }
}

fn agent(url: &str) -> Agent {
    let mut config = Agent::config_builder()
        // The bytes as the publisher keeps them: the checksum is of these.
        .accept_encoding("identity")
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE));
    if ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|here| url.starts_with(here)) {
        config = config.proxy(None);
    }
    config.build().new_agent()
}

fn describe(error: ureq::Error) -> String {
    match error {
        ureq::Error::StatusCode(404) => "the server answers 404 (not found)".into(),
        ureq::Error::StatusCode(status) => format!("the server answers {status}"),
        ureq::Error::HostNotFound => "the name of the server is not known".into(),
        ureq::Error::Io(error) => reason(&error),
        other => one_line(&other.to_string()),
    }
}

/// The last part of an address.
fn file_name(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    if name.is_empty() || name.starts_with('.') { "download".into() } else { name.into() }
}

fn is_archive(name: &str) -> bool {
    name.ends_with(".tar.gz") || name.ends_with(".tgz")
}
