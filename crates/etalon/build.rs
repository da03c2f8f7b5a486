//! The fingerprint of the program: of all sources and locked dependencies that it is built from, so that two runs can say
//! whether the same code made them.

use std::path::{Path, PathBuf};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = vec![root.join("Cargo.lock")];
    for entry in std::fs::read_dir(root.join("crates")).into_iter().flatten().flatten() {
        files.push(entry.path().join("Cargo.toml"));
        sources(&entry.path().join("src"), &mut files);
        println!("cargo::rerun-if-changed={}", entry.path().join("src").display());
    }
    println!("cargo::rerun-if-changed={}", root.join("Cargo.lock").display());
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files {
        let Ok(bytes) = std::fs::read(&file) else { continue };
        let name = file.strip_prefix(&root).unwrap_or(&file).to_string_lossy().into_owned();
        hasher.update(name.as_bytes()).update(&(bytes.len() as u64).to_le_bytes()).update(&bytes);
    }
    println!("cargo::rustc-env=ETALON_CODE={}", hasher.finalize().to_hex());
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
