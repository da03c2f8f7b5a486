//! What the end-to-end tests share: small datasets in the publishers' layouts, and calls of the program.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tempfile::TempDir;

/// The project's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there")
}

/// A folder of its own for data and runs, removed at the end.
pub struct Place {
    pub folder: TempDir,
}

impl Place {
    /// An empty place.
    pub fn new() -> Place {
        Place { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Where datasets lie.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where runs are made.
    pub fn runs(&self) -> PathBuf {
        self.folder.path().join("runs")
    }

    /// The program with these arguments, run from the project's folder, with this place's folders.
    pub fn etalon(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_etalon"));
        command.current_dir(root()).args(arguments);
        command.arg("--data-dir").arg(self.data()).arg("--runs-dir").arg(self.runs());
        command.env_remove("ETALON_DATA_DIR").env_remove("RUST_LOG");
        command
    }

    /// Runs it and gives what it said.
    pub fn call(&self, arguments: &[&str]) -> Said {
        Said::of(self.etalon(arguments).output().expect("the program runs"))
    }

    /// Writes CIFAR-10 in its binary layout: five training files and one of test images, `per_file` records each. A
    /// class is a brightness and a stripe, so that a network learns something from few images.
    pub fn cifar10(&self, per_file: usize) {
        let folder = self.data().join("cifar-10-batches-bin");
        std::fs::create_dir_all(&folder).unwrap();
        let names = (1..=5).map(|i| format!("data_batch_{i}.bin")).chain(["test_batch.bin".to_string()]);
        let mut random = Random(1);
        for name in names {
            let mut bytes = Vec::new();
            for index in 0..per_file {
                let class = index % 10;
                bytes.push(class as u8);
                for pixel in 0..3072 {
                    bytes.push(pixel_of(class, pixel / 32 % 32, &mut random));
                }
            }
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }

    /// Writes MNIST or Fashion-MNIST (`folder`) as gzipped IDX files with `n_train` and `n_test` images.
    pub fn idx(&self, folder: &str, n_train: usize, n_test: usize) {
        let folder = self.data().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut random = Random(2);
        for (split, n) in [("train", n_train), ("t10k", n_test)] {
            let mut images = [0, 0, 8, 3].to_vec();
            for size in [n, 28, 28] {
                images.extend((size as u32).to_be_bytes());
            }
            let mut labels = [0, 0, 8, 1].to_vec();
            labels.extend((n as u32).to_be_bytes());
            for index in 0..n {
                labels.push((index % 10) as u8);
                images.extend((0..784).map(|pixel| pixel_of(index % 10, pixel / 28, &mut random)));
            }
            gzip(&folder.join(format!("{split}-images-idx3-ubyte.gz")), &images);
            gzip(&folder.join(format!("{split}-labels-idx1-ubyte.gz")), &labels);
        }
    }
}

fn pixel_of(class: usize, row: usize, random: &mut Random) -> u8 {
    let stripe = if row % 10 == class { 150 } else { 20 };
    (stripe + class * 6 + random.below(30)) as u8
}

fn gzip(path: &Path, bytes: &[u8]) {
    let mut encoder = GzEncoder::new(std::fs::File::create(path).unwrap(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap();
}

/// A linear congruential generator (Knuth's MMIX constants), enough for pixels.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n
    }
}

/// What a call said.
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    /// From a finished process.
    pub fn of(output: Output) -> Said {
        let text = |bytes| String::from_utf8(bytes).expect("the program speaks UTF-8");
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The same, if the exit code is this one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Said {
        assert_eq!(self.code, Some(code), "\n--- out\n{}\n--- err\n{}", self.out, self.err);
        self
    }

    /// The last line of standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        let line = self.out.trim_end().lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|e| panic!("not JSON ({e}): {line}\n{}", self.err))
    }

    /// The run directory that the last line names.
    #[track_caller]
    pub fn run(&self) -> PathBuf {
        PathBuf::from(self.json()["run"].as_str().expect("the run's directory"))
    }
}

/// Bytes of a file.
#[track_caller]
pub fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
