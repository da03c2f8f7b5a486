//! Every file in `tests/faults` is a mistake that people make, with the exact message beside it.
//!
//! `ETALON_BLESS=1 cargo test --test faults` writes the messages anew; read the difference before you commit it.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there")
}

/// What `etalon check` says of a file, run from the project's folder, and its exit code.
fn check(file: &str) -> (String, i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_etalon")).current_dir(root()).args(["check", file]).output();
    let output = output.expect("the program runs");
    let text = String::from_utf8(output.stderr).expect("messages are UTF-8");
    (text, output.status.code().expect("no signal"))
}

#[test]
fn every_wrong_experiment_is_told_so_at_once_and_in_full() {
    let bless = std::env::var_os("ETALON_BLESS").is_some();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(root().join("tests/faults")).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "yaml"));
    files.sort();
    assert!(files.len() >= 20, "{} wrong experiments", files.len());
    let mut different = Vec::new();
    for file in &files {
        let name = format!("tests/faults/{}", file.file_name().unwrap().to_str().unwrap());
        let (found, code) = check(&name);
        assert_eq!(code, 1, "{name} is wrong, so the exit code is 1:\n{found}");
        let expected = file.with_extension("expected");
        if bless {
            std::fs::write(&expected, &found).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != found {
            different.push(format!("{name}:\n{found}"));
        }
    }
    assert!(different.is_empty(), "messages differ from their .expected files:\n\n{}", different.join("\n"));
}

#[test]
fn every_shipped_experiment_is_right() {
    for entry in std::fs::read_dir(root().join("experiments")).unwrap() {
        let file = entry.unwrap().path();
        let (found, code) = check(file.to_str().unwrap());
        assert_eq!(code, 0, "{}:\n{found}", file.display());
    }
}
