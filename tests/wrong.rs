//! Wrong experiments with their faults written beside the lines that have them: every file of `tests/wrong` is checked, and
//! what is said must be what stands in its comments, no fault missing and none beside.
//!
//! A comment `# fault: text | other text` at the end of a line names the faults of that line, each by its message or a part
//! of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there")
}

/// What is said of a file: line and message of each fault.
fn faults(file: &Path) -> Vec<(usize, String)> {
    let output = Command::new(env!("CARGO_BIN_EXE_etalon"))
        .current_dir(root())
        .args(["check", "--format", "json"])
        .arg(file)
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(1), "{} is wrong, so the exit code is 1", file.display());
    let said: Value = serde_json::from_slice(&output.stdout).expect("a line of JSON");
    let fault = |fault: &Value| {
        let (line, message) = (fault["line"].as_u64(), fault["message"].as_str());
        (line.expect("a line") as usize, message.expect("a message").to_string())
    };
    said["faults"].as_array().expect("a list").iter().map(fault).collect()
}

/// What the comments of a file expect.
fn expected(text: &str) -> Vec<(usize, String)> {
    let of_line = |(index, line): (usize, &str)| {
        let comment = line.split_once("# fault: ").map(|(_, comment)| comment.to_string()).unwrap_or_default();
        let parts: Vec<(usize, String)> =
            comment.split(" | ").filter(|part| !part.is_empty()).map(|part| (index + 1, part.to_string())).collect();
        parts
    };
    text.lines().enumerate().flat_map(of_line).collect()
}

#[test]
fn every_line_has_the_faults_that_are_written_beside_it() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join("tests/wrong"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    assert!(files.len() >= 40, "{} wrong experiments", files.len());
    let mut different = Vec::new();
    for file in &files {
        let mut wanted = expected(&std::fs::read_to_string(file).unwrap());
        assert!(!wanted.is_empty(), "{} names no fault", file.display());
        for (line, message) in faults(file) {
            match wanted.iter().position(|(at, part)| *at == line && message.contains(part.as_str())) {
                Some(index) => drop(wanted.remove(index)),
                None => different.push(format!("{}:{line}: surplus: {message}", file.display())),
            }
        }
        different.extend(wanted.iter().map(|(line, part)| format!("{}:{line}: missing: {part}", file.display())));
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
