//! The program as people use it: whole runs on small data, the same bits whatever the threads, interrupted or not.

mod bench;
mod support;
mod traps;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{Place, Said, bytes};

/// A small experiment on the embedded digits: two epochs, augmentation and dropout, so that every source of randomness
/// and every kind of state takes part.
const SMALL: &str = "
name: small
task: classification
data:
  dataset: digits
  train: {split: all}
  validation: {split: all, fraction: 0.2}
  test: {split: all, fraction: 0.2}
  augment: [{random_crop: {padding: 1}}, {random_rotation: 10}]
  normalize: dataset
model:
  layers:
    - conv2d: {filters: 8, kernel_size: 3, padding: same}
    - batch_norm
    - activation: relu
    - max_pool2d: 2
    - flatten
    - dropout: 0.2
    - dense: $classes
loss: {type: cross_entropy, label_smoothing: 0.1}
optimizer: {type: adam, learning_rate: 0.003, clip_norm: 1.0, schedule: {type: cosine, warmup_steps: 5}}
train: {epochs: 2, batch_size: 48}
evaluate: {metrics: [accuracy, f1_macro, log_loss, calibration_error]}
";

fn small(place: &Place) -> String {
    let file = place.folder.path().join("small.yaml");
    std::fs::write(&file, SMALL).unwrap();
    file.to_str().unwrap().to_string()
}

/// Files that must not depend on how a run went.
const SAME: [&str; 4] = ["checkpoints/last.safetensors", "predictions.parquet", "metrics.parquet", "model.onnx"];

#[test]
fn every_shipped_experiment_runs_to_a_passed_proof() {
    let place = Place::new();
    place.cifar10(40);
    place.idx("mnist", 200, 60);
    place.idx("fashion-mnist", 200, 60);
    let count = "data.validation.count=40";
    for (name, overrides) in [
        ("cifar_cnn", vec![]),
        ("cifar_cnn_augmented", vec!["train.early_stopping=none"]),
        ("cifar_resnet20", vec!["train.batch_size=20"]),
        ("mnist_lenet5", vec![count]),
        ("fashion_mnist_lenet5", vec![count]),
        ("digits_quickstart", vec![]),
        ("shapes_quickstart", vec!["data.train.limit=400"]),
    ] {
        let file = format!("experiments/{name}.yaml");
        let arguments =
            [vec!["run", &file, "--format", "json", "train.epochs=none", "train.steps=4"], overrides].concat();
        let said = place.call(&arguments).expect(0);
        let line = said.json();
        assert_eq!(line["status"], "done", "{name}");
        assert_eq!(line["proof"]["verdict"], "passed", "{name}: {line}");
        assert_eq!(line["proof"]["disagreements"], 0, "{name}");
        let accuracy = &line["metrics"]["test/accuracy"];
        assert!(
            accuracy["low"].as_f64() <= accuracy["value"].as_f64()
                && accuracy["value"].as_f64() <= accuracy["high"].as_f64(),
            "{line}"
        );
        let run = said.run();
        for file in [
            "experiment.yaml",
            "resolved.yaml",
            "run.json",
            "history.jsonl",
            "log.jsonl",
            "proof.json",
            "confusion.parquet",
        ] {
            assert!(run.join(file).is_file(), "{name} lacks {file}");
        }
        for plot in ["curves", "confusion", "reliability", "mistakes"] {
            assert!(run.join(format!("plots/{plot}.png")).is_file(), "{name} lacks the plot {plot}");
        }
    }
}

#[test]
fn the_resolved_file_reproduces_the_run_with_any_number_of_threads() {
    let place = Place::new();
    let first = place.call(&["run", &small(&place), "--format", "json", "--threads", "1"]).expect(0).run();
    let resolved = first.join("resolved.yaml").to_str().unwrap().to_string();
    for threads in ["2", "3"] {
        let other = place.call(&["run", &resolved, "--format", "json", "--threads", threads]).expect(0).run();
        for file in SAME.iter().filter(|f| **f != "model.onnx") {
            assert!(bytes(&first.join(file)) == bytes(&other.join(file)), "{file} differs with {threads} threads");
        }
    }
}

#[test]
fn a_killed_run_resumes_to_the_same_bytes() {
    let place = Place::new();
    let file = small(&place);
    let whole = place.call(&["run", &file, "--format", "json"]).expect(0).run();
    let killed = Place::new();
    let file = small(&killed);
    let mut child =
        killed.etalon(&["run", &file, "--quiet", "train.checkpoint.every_steps=3"]).spawn().expect("the program runs");
    let run = wait_for_checkpoint(&killed.runs());
    child.kill().unwrap();
    child.wait().unwrap();
    let resumed = killed.call(&["run", "--resume", run.to_str().unwrap(), "--format", "json"]).expect(0);
    assert_eq!(resumed.json()["status"], "done");
    for file in ["checkpoints/last.safetensors", "predictions.parquet"] {
        assert!(bytes(&whole.join(file)) == bytes(&run.join(file)), "{file} differs after the kill");
    }
}

/// The run directory, once its first checkpoint is there.
fn wait_for_checkpoint(runs: &Path) -> std::path::PathBuf {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        for run in std::fs::read_dir(runs.join("small")).into_iter().flatten().flatten() {
            if run.path().join("checkpoints/last.safetensors").is_file() {
                return run.path();
            }
        }
        std::thread::yield_now();
    }
    panic!("no checkpoint within a minute");
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_the_work_and_says_how_to_go_on() {
    let place = Place::new();
    let mut command = place.etalon(&["run", &small(&place), "train.epochs=200"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs");
    let run = wait_for_checkpoint(&place.runs());
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let said = Said::of(child.wait_with_output().unwrap()).expect(130);
    let path = run.to_str().unwrap();
    assert!(said.err.contains(&format!("etalon run --resume {path}")), "{}", said.err);
    let file: serde_json::Value = serde_json::from_slice(&bytes(&run.join("run.json"))).unwrap();
    assert_eq!(file["status"], "interrupted");
    let resumed = place.call(&["run", "--resume", path, "--format", "json"]).expect(0);
    assert_eq!((resumed.run(), &resumed.json()["status"]), (run, &"done".into()));
}

#[test]
fn what_cannot_be_done_is_one_clear_line() {
    let place = Place::new();
    for (arguments, expected) in [
        (vec!["run", "experiments/nowhere.yaml"], "experiments/nowhere.yaml"),
        (vec!["run", "experiments"], "experiments"),
        (vec!["evaluate", "no_such_run"], "no_such_run"),
        (vec!["predict", "no_such_run", "x.png"], "no_such_run"),
        (vec!["run", "--resume", "no_such_run"], "no_such_run"),
    ] {
        let said = place.call(&arguments).expect(2);
        let lines: Vec<&str> = said.err.lines().filter(|l| l.starts_with("error:")).collect();
        assert_eq!(lines.len(), 1, "{arguments:?}:\n{}", said.err);
        assert!(lines[0].contains(expected), "{arguments:?}: {}", lines[0]);
        assert!(said.out.is_empty(), "{arguments:?}: {}", said.out);
    }
    // A file stands where runs should lie.
    std::fs::write(place.runs(), "").unwrap();
    let said = place.call(&["run", &small(&place)]).expect(2);
    let last = said.err.lines().last().unwrap();
    assert!(last.starts_with("error: ") && last.contains(place.runs().to_str().unwrap()), "{}", said.err);
}

#[test]
fn data_that_cannot_be_used_is_told_line_by_line_before_anything_is_written() {
    let place = Place::new();
    place.idx("mnist", 8, 10);
    let data = "data={dataset: mnist, train: {split: train}, test: {split: test}, normalize: unit}";
    let said = place.call(&["run", &small(&place), data]).expect(2);
    let lines: Vec<&str> = said.err.lines().skip_while(|line| !line.starts_with("error: ")).collect();
    assert_eq!(lines.len(), 3, "{}", said.err);
    assert_eq!(lines[0], "error: mnist cannot be used: 2 things stand in the way");
    assert!(lines[1].starts_with("  train: the class `8` has no sample to learn from"), "{}", said.err);
    assert!(!place.runs().exists());
}

#[test]
fn the_other_commands_work_on_a_finished_run() {
    let place = Place::new();
    let run = place.call(&["run", &small(&place), "--format", "json"]).expect(0);
    let (path, measured) = (run.run(), run.json());
    let path = path.to_str().unwrap();
    let again = place.call(&["evaluate", path, "--format", "json"]).expect(0).json();
    assert_eq!(again["metrics"], measured["metrics"]);
    assert_eq!(place.call(&["verify", path, "--format", "json"]).expect(0).json()["verdict"], "passed");
    let onnx = place.folder.path().join("out.onnx");
    let onnx = onnx.to_str().unwrap();
    place.call(&["export", path, "-o", onnx, "export.onnx.softmax=true"]).expect(0);
    let image = place.folder.path().join("image.png");
    image::GrayImage::from_fn(8, 8, |x, _| image::Luma([if x == 3 || x == 4 { 255 } else { 0 }])).save(&image).unwrap();
    let image = image.to_str().unwrap();
    let by_run = place.call(&["predict", path, image, "--format", "json"]).expect(0).json();
    let by_onnx = place.call(&["predict", &format!("{path}/model.onnx"), image, "--format", "json"]).expect(0).json();
    assert_eq!(by_run["label"], by_onnx["label"]);
    assert_eq!(by_run["scores"].as_array().map(Vec::len), Some(10));
    let table = place.call(&["compare", place.runs().to_str().unwrap(), "--format", "csv"]).expect(0);
    assert_eq!(table.out.lines().count(), 2, "{}", table.out);
    let second = place.call(&["run", &small(&place), "seed=2", "--format", "json"]).expect(0).run();
    let sheet = place.folder.path().join("disagreements.png");
    let (second, sheet) = (second.to_str().unwrap(), sheet.to_str().unwrap());
    place.call(&["compare", path, second, "--baseline", second, "--disagreements", sheet]).expect(0);
    assert!(image::open(sheet).is_ok());
    place.call(&["compare", path, "--disagreements", sheet]).expect(2);
    let preview = place.folder.path().join("preview.png");
    place.call(&["data", &small(&place), "--preview", preview.to_str().unwrap()]).expect(0);
    assert!(preview.is_file());
}

#[test]
fn a_proof_that_cannot_be_is_told_before_the_training() {
    let place = Place::new();
    let run = ["run", "experiments/digits_quickstart.yaml", "train.epochs=1"];
    let nowhere = place.folder.path().join("libonnxruntime.so");
    let call = |arguments: &[&str]| {
        let mut command = place.etalon(arguments);
        Said::of(command.env("ORT_DYLIB_PATH", &nowhere).output().expect("the program runs"))
    };
    let said = call(&run).expect(2);
    assert!(said.err.contains("ORT_DYLIB_PATH names no file"), "{}", said.err);
    assert!(said.err.contains("`export.proof=none`"), "{}", said.err);
    assert!(!said.err.contains("epoch 1/1") && !place.runs().exists(), "{}", said.err);
    call(&[&run[..], &["export.proof=none"]].concat()).expect(0);
}
