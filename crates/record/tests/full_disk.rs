//! What is written when there is no room: the old file stays, nothing half-written is left, and the error says so.
//!
//! The room is the real limit of the operating system on a file's size (`ulimit -f`), under which this test runs itself
//! again as a process of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use record::{Epoch, History, checkpoint, history, whole};

const FOLDER: &str = "RECORD_TEST_FULL_DISK";

fn epoch(epoch: usize) -> Epoch {
    let metrics = [("train/loss".to_string(), 0.5)].into();
    Epoch { epoch, steps: 1, learning_rate: 0.1, seconds: 1.0, images_per_second: 1.0, metrics }
}

/// Runs the named test again with room for a few KiB a file.
fn again_without_room(test: &str, folder: &Path) {
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, folder)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn inner_folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    if let Some(folder) = inner_folder() {
        let error = whole::write(&folder.join("run.json"), &[b'x'; 100_000]).unwrap_err().to_string();
        assert!(error.contains("could not write ") && error.ends_with("; free some space and try again"), "{error}");
        let numbers = vec![0.5f32; 100_000];
        let tensors = [("kernel", &[100_000usize][..], &numbers[..])];
        let error = checkpoint::save(&folder.join("last.safetensors"), tensors, &2).unwrap_err().to_string();
        assert!(error.contains("last.safetensors: file too large; free some space"), "{error}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    whole::write(&folder.path().join("run.json"), b"old").unwrap();
    checkpoint::save(&folder.path().join("last.safetensors"), [("kernel", &[1usize][..], &[0.5f32][..])], &1).unwrap();
    again_without_room("a_file_is_replaced_whole_or_not_at_all", folder.path());
    assert_eq!(fs::read(folder.path().join("run.json")).unwrap(), b"old");
    let old = checkpoint::load::<u64>(&folder.path().join("last.safetensors")).unwrap();
    assert_eq!((old.state, old.tensor("kernel", &[1]).unwrap()), (1, &[0.5f32][..]));
    assert_eq!(names(folder.path()), ["last.safetensors", "run.json"]);
}

#[test]
fn a_history_grows_by_whole_lines_only() {
    if let Some(folder) = inner_folder() {
        let mut history = History::open(&folder.join("history.jsonl"), 0).unwrap();
        let error = (1..).find_map(|number| history.append(&epoch(number)).err()).unwrap().to_string();
        assert!(error.contains("could not write ") && error.ends_with("; free some space and try again"), "{error}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    again_without_room("a_history_grows_by_whole_lines_only", folder.path());
    let path = folder.path().join("history.jsonl");
    let epochs = history::read(&path).unwrap();
    assert!(epochs.len() > 20 && epochs.iter().enumerate().all(|(index, e)| e.epoch == index + 1));
    assert!(fs::read(&path).unwrap().ends_with(b"\n"));
}
