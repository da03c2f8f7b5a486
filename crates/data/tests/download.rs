//! Downloads from a server on this machine: what arrives is used, and whatever goes wrong has one clear message and leaves
//! nothing half-written.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use data::{Error, Places, Progress, Stored};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use support::{card, gzip, idx};

/// What the server gives for a path.
#[derive(Clone)]
struct Answer {
    path: &'static str,
    status: &'static str,
    /// What the header says the length is; none leaves it out.
    length: Option<usize>,
    body: Vec<u8>,
}

fn whole(path: &'static str, body: &[u8]) -> Answer {
    Answer { path, status: "200 OK", length: Some(body.len()), body: body.to_vec() }
}

/// Serves until the test ends, and gives the address.
fn serve(answers: Vec<Answer>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let request = lines.next().unwrap_or_default();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let path = request.split(' ').nth(1).unwrap_or_default();
            let missing = Answer { path: "", status: "404 Not Found", length: Some(0), body: Vec::new() };
            let answer = answers.iter().find(|a| a.path == path).unwrap_or(&missing);
            let length = answer.length.map(|n| format!("Content-Length: {n}\r\n")).unwrap_or_default();
            // As storage servers say of files that are packed; what is wanted are the bytes as they lie there.
            let encoding = if path.ends_with(".gz") { "Content-Encoding: gzip\r\n" } else { "" };
            let head = format!("HTTP/1.1 {}\r\n{length}{encoding}Connection: close\r\n\r\n", answer.status);
            // A client that has seen enough hangs up.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&answer.body));
        }
    });
    address
}

/// Bytes that no packing makes smaller.
fn noise(n: usize) -> Vec<u8> {
    let words = (0..n as u64 / 8 + 1).flat_map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (i << 29)).to_le_bytes());
    words.take(n).collect()
}

/// 100 records of a label and 3,072 pixels, in the folder that the card names.
fn archive(folder: &str) -> Vec<u8> {
    let mut records = noise(3073 * 100);
    records.iter_mut().step_by(3073).for_each(|label| *label %= 2);
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(records.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    builder.append_data(&mut header, format!("{folder}/all.bin"), &records[..]).unwrap();
    builder.into_inner().unwrap().finish().unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn tiny(url: &str, more: &str) -> String {
    format!(
        "{{name: tiny, image: [32, 32, 3], classes: [a, b], sources: [{{url: '{url}', {more}}}],
          layouts: [{{format: cifar, folder: tiny, splits: {{all: [all.bin]}}}}]}}"
    )
}

fn fetch(card_text: &str, folder: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Stored, Error> {
    data::read(&card(card_text), &Places { data_dirs: vec![folder.into()], download: true }, progress)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What goes wrong, with the address and the folder named alike each time. Nothing may be left.
#[track_caller]
fn failure(card_text: &str, address: &str) -> (String, bool) {
    let place = tempfile::tempdir().unwrap();
    let error = fetch(card_text, place.path(), &mut |_| {}).unwrap_err();
    assert_eq!(names(place.path()), Vec::<String>::new(), "nothing is left");
    let text = error.to_string().replace(address, "URL").replace(&place.path().display().to_string(), "DATA");
    assert_eq!(text.lines().count(), 1, "{text}");
    (text, error.is_absent())
}

#[test]
fn an_archive_is_fetched_checked_unpacked_and_then_read_from_disk() {
    let bytes = archive("tiny");
    let address = serve(vec![whole("/tiny.tar.gz", &bytes)]);
    let text = tiny(&format!("{address}/tiny.tar.gz"), &format!("bytes: {}, sha256: {}", bytes.len(), sha256(&bytes)));
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("data");
    let seen = Arc::new(Mutex::new((0, None, 0)));
    let stored = fetch(&text, &dir, &mut |progress| match progress {
        Progress::Download { done_bytes, total_bytes, .. } => {
            let mut seen = seen.lock().unwrap();
            (seen.0, seen.1) = (done_bytes, total_bytes);
        }
        Progress::Unpack { n_files, .. } => seen.lock().unwrap().2 = n_files,
        Progress::Read { .. } | Progress::Draw { .. } => {}
    })
    .unwrap();
    assert_eq!(*seen.lock().unwrap(), (bytes.len() as u64, Some(bytes.len() as u64), 1));
    assert_eq!((names(&dir), names(&dir.join("tiny"))), (vec!["tiny".to_string()], vec!["all.bin".to_string()]));
    assert_eq!(stored.splits["all"].len(), 100);
    let again = fetch(&tiny("http://127.0.0.1:1/nowhere.tar.gz", ""), &dir, &mut |_| {}).unwrap();
    assert_eq!(again.fingerprint, stored.fingerprint);
}

#[test]
fn files_go_into_the_folder_of_the_layout() {
    let (images, labels) = (gzip(&idx(&[2, 2, 3], &[9; 12])), gzip(&idx(&[2], &[0, 1])));
    let address = serve(vec![whole("/images.gz", &images), whole("/labels.gz?v=1", &labels)]);
    let text = format!(
        "{{name: tiny, image: [2, 3, 1], classes: [a, b], sources: [{{url: '{address}/images.gz'}}, {{url: '{address}/labels.gz?v=1'}}],
          layouts: [{{format: idx, folder: deep/tiny, splits: {{all: {{images: images, labels: labels}}}}}}]}}"
    );
    let place = tempfile::tempdir().unwrap();
    assert_eq!(fetch(&text, place.path(), &mut |_| {}).unwrap().splits["all"].labels, [0, 1]);
    assert_eq!(names(&place.path().join("deep/tiny")), ["images.gz", "labels.gz"]);
    assert_eq!(names(place.path()), ["deep"]);
}

#[test]
fn what_the_network_does_has_one_clear_message() {
    let bytes = archive("tiny");
    let cut = Answer { body: bytes[..1000].to_vec(), ..whole("/cut.tar.gz", &bytes) };
    let address = serve(vec![
        whole("/tiny.tar.gz", &bytes),
        cut.clone(),
        Answer { path: "/unknown_length.tar.gz", length: None, ..cut },
        Answer { status: "503 Service Unavailable", ..whole("/busy.tar.gz", b"later") },
    ]);
    let n = bytes.len();
    for (path, more, expected) in [
        (
            "cut.tar.gz",
            String::new(),
            format!("could not download URL/cut.tar.gz: it ended after 1,000 of {} bytes: ", grouped(n)),
        ),
        ("unknown_length.tar.gz", format!("bytes: {n}"), "what URL/unknown_length.tar.gz gives is not what the card says: it has 1,000 bytes, not ".into()),
        ("tiny.tar.gz", format!("bytes: {}", n - 1), "what URL/tiny.tar.gz gives is not what the card says: it is larger than the card says; ".into()),
        (
            "tiny.tar.gz",
            format!("sha256: {}", "0".repeat(64)),
            format!("what URL/tiny.tar.gz gives is not what the card says: its SHA-256 is {}, not {}; try again, or put the files into DATA/tiny by hand", sha256(&bytes), "0".repeat(64)),
        ),
        (
            "tiny.tar.gz",
            format!("md5: {}", "0".repeat(32)),
            "what URL/tiny.tar.gz gives is not what the card says: its MD5 is ".into(),
        ),
        ("none.tar.gz", String::new(), "could not download URL/none.tar.gz: the server answers 404 (not found); check the network, or put the files into DATA/tiny by hand".into()),
        ("busy.tar.gz", String::new(), "could not download URL/busy.tar.gz: the server answers 503; ".into()),
    ] {
        let (found, absent) = failure(&tiny(&format!("{address}/{path}"), &more), &address);
        assert!(found.starts_with(&expected) && absent, "{found}");
    }
}

#[test]
fn a_refused_connection_has_one_clear_message() {
    // A port where nobody listens; one that was free a moment ago may be another test's by now.
    let address = "http://127.0.0.1:1".to_string();
    let (found, absent) = failure(&tiny(&format!("{address}/tiny.tar.gz"), ""), &address);
    assert_eq!(
        found,
        "could not download URL/tiny.tar.gz: connection refused; check the network, or put the files into DATA/tiny by hand"
    );
    assert!(absent);
}

#[test]
fn an_archive_without_the_folder_or_with_a_way_out_is_refused() {
    let mut hostile = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..9].copy_from_slice(b"../escape");
    header.set_size(0);
    header.set_cksum();
    hostile.append(&header, &b""[..]).unwrap();
    let hostile = hostile.into_inner().unwrap().finish().unwrap();
    let address = serve(vec![
        whole("/other.tar.gz", &archive("other")),
        whole("/hostile.tar.gz", &hostile),
        whole("/page.tar.gz", b"<html><body>Please log in</body></html>"),
    ]);
    for (path, expected) in [
        ("other", "what was downloaded for tiny has no folder tiny; correct the card's `folder`"),
        ("hostile", "could not unpack URL/hostile.tar.gz: ../escape leads out of the folder that it is unpacked into"),
        ("page", "could not unpack URL/page.tar.gz: it is damaged: invalid gzip header"),
    ] {
        assert_eq!(failure(&tiny(&format!("{address}/{path}.tar.gz"), ""), &address).0, expected);
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("data"), b"a file").unwrap();
    let error = fetch(&tiny("http://127.0.0.1:1/x.tar.gz", ""), &place.path().join("data"), &mut |_| {}).unwrap_err();
    assert!(!error.is_absent());
    let text = error.to_string().replace(&place.path().display().to_string(), "DATA");
    assert_eq!(text, "could not write DATA/data/tiny: file exists; move away what stands there");
}

const FOLDER: &str = "DATA_TEST_FULL_DISK";

/// The room is the real limit of the operating system on a file's size, under which this test runs itself again as a
/// process of its own: 64 KiB while the archive arrives, and more than that but less than a file of it when unpacked.
#[test]
fn a_full_disk_leaves_nothing_half_written() {
    if let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) {
        let packed = gzip_bomb();
        let address = serve(vec![whole("/tiny.tar.gz", &archive("tiny")), whole("/bomb.tar.gz", &packed)]);
        for name in ["tiny", "bomb"] {
            let error = fetch(&tiny(&format!("{address}/{name}.tar.gz"), ""), &folder, &mut |_| {}).unwrap_err();
            let expected =
                format!("could not write {}/tiny: file too large; free some space and try again", folder.display());
            assert_eq!((error.to_string(), error.is_absent()), (expected, false));
            assert_eq!(names(&folder), Vec::<String>::new());
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("sh")
        // Blocks of 512 bytes in some shells, of 1,024 in others.
        .args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "a_full_disk_leaves_nothing_half_written", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// An archive that is small until it is unpacked.
fn gzip_bomb() -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(3073 * 1000);
    header.set_cksum();
    builder.append_data(&mut header, "tiny/all.bin", &vec![0; 3073 * 1000][..]).unwrap();
    builder.into_inner().unwrap().finish().unwrap()
}

fn grouped(n: usize) -> String {
    assert!((1000..1_000_000).contains(&n));
    format!("{},{:03}", n / 1000, n % 1000)
}
