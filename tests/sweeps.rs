//! Families of runs: conducted in processes, killed and continued, judged on validation, taken over where they are there.

#[allow(dead_code)]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Place, Said, bytes};

/// Twenty-four runs on few drawn shapes: eight points with three seeds each.
const TWENTY_FOUR: &str = "
name: many
task: classification
seeds: [1, 2, 3]
sweep:
  vary:
    optimizer.learning_rate: [0.003, 0.01, 0.03, 0.1]
    model.layers.conv2d.conv2d.activation: [relu, tanh]
  objective: {maximize: validation/accuracy}
  parallel: 2
data:
  dataset: shapes10
  train: {split: train, limit: 400}
  validation: {split: train, fraction: 0.25}
  test: {split: test, limit: 100}
model:
  layers:
    - conv2d: {filters: 4, kernel_size: 3, stride: 2, activation: relu}
    - max_pool2d: 3
    - flatten
    - dense: $classes
loss: cross_entropy
optimizer: {type: sgd, learning_rate: 0.01}
train: {epochs: 2, batch_size: 20}
evaluate: {metrics: [accuracy]}
export: {onnx: none}
";

fn file(place: &Place, text: &str) -> String {
    let path = place.folder.path().join("many.yaml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_string()
}

#[test]
fn a_sweep_that_was_killed_twice_ends_as_one_that_was_left_alone() {
    let alone = Place::new();
    let whole = alone.call(&["sweep", &file(&alone, TWENTY_FOUR)]).expect(0);
    let place = Place::new();
    let file = file(&place, TWENTY_FOUR);
    let mut first = start(&place, &file);
    wait_for_runs(&place, 5);
    first.kill().unwrap();
    first.wait().unwrap();
    let second = start(&place, &file);
    wait_for_runs(&place, 12);
    let killed = kill_a_child(&place, second.id());
    let second = Said::of(second.wait_with_output().unwrap()).expect(2);
    assert!(second.err.contains("failed: its process was killed"), "{killed:?}\n{}", second.err);
    let third = place.call(&["sweep", &file]).expect(0);
    assert_eq!(third.out, whole.out);
    let fourth = place.call(&["sweep", &file]).expect(0);
    assert_eq!(fourth.out, whole.out);
    assert!(!fourth.err.contains("/8, seed"), "nothing is repeated:\n{}", fourth.err);
    same_weights(&alone, &place);
}

fn start(place: &Place, file: &str) -> Child {
    let mut command = place.etalon(&["sweep", file]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program runs")
}

/// Waits until so many runs have begun.
fn wait_for_runs(place: &Place, n: usize) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while runs(place).len() < n {
        assert!(Instant::now() < deadline, "{} runs within two minutes", runs(place).len());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn runs(place: &Place) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place.runs().join("many")).into_iter().flatten().flatten();
    let mut runs: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|p| p.join("run.json").is_file()).collect();
    runs.sort();
    runs
}

/// Kills a process that works on a run, as soon as there is one. One that had told its end by then does not count.
fn kill_a_child(place: &Place, parent: u32) -> PathBuf {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        for run in runs(place) {
            let holder = std::fs::read_to_string(run.join(".lock")).unwrap_or_default();
            let of_parent = |status: String| status.contains(&format!("PPid:\t{parent}\n"));
            if std::fs::read_to_string(format!("/proc/{holder}/status")).is_ok_and(of_parent) {
                let killed = std::process::Command::new("kill").args(["-KILL", &holder]).status().unwrap();
                if killed.success() && left_running(&run, &holder) {
                    return run;
                }
            }
        }
        std::thread::yield_now();
    }
    panic!("no process works on a run");
}

/// Whether a run is left as it stands while it is worked on, once its killed process is gone.
fn left_running(run: &Path, holder: &str) -> bool {
    let status = || std::fs::read_to_string(format!("/proc/{holder}/status"));
    while status().is_ok_and(|status| !status.contains("State:\tZ")) {
        std::thread::yield_now();
    }
    std::fs::read_to_string(run.join("run.json")).is_ok_and(|file| file.contains(r#""status": "running""#))
}

/// Every finished run of one place has its like in the other, to the bit. What a killed process had just begun may be left
/// behind beside them.
fn same_weights(one: &Place, other: &Place) {
    let weights = |place: &Place| {
        let of = |run: &Path| (resolved(run), bytes(&run.join("checkpoints/last.safetensors")));
        let mut all: Vec<(String, Vec<u8>)> = runs(place)
            .iter()
            .filter(|run| ["done", "paused"].contains(&status(run).as_str()))
            .map(|run| of(run))
            .collect();
        all.sort();
        all
    };
    let (one, other) = (weights(one), weights(other));
    assert_eq!(one.len(), 24);
    assert!(one == other, "{} and {} runs differ", one.len(), other.len());
}

fn resolved(run: &Path) -> String {
    String::from_utf8(bytes(&run.join("resolved.yaml"))).unwrap()
}

fn status(run: &Path) -> String {
    let file: Value = serde_json::from_slice(&bytes(&run.join("run.json"))).unwrap();
    file["status"].as_str().unwrap().to_string()
}

/// A small family on the digits.
const DIGITS: &str = "
name: many
task: classification
SWEEP
data:
  dataset: digits
  train: {split: all}
  validation: {split: all, fraction: 0.2}
  test: {split: all, fraction: 0.2}
model:
  layers: [flatten, {dense: $classes}]
loss: cross_entropy
optimizer: {type: adam, learning_rate: 0.001}
train: {epochs: 4, batch_size: 64}
evaluate: {metrics: [accuracy]}
export: {onnx: none}
";

fn digits(place: &Place, sweep: &str) -> String {
    file(place, &DIGITS.replace("SWEEP", sweep))
}

#[test]
fn only_the_winner_is_tested_and_trials_that_fall_behind_end_early() {
    let place = Place::new();
    let sweep = "sweep:
  method: tpe
  trials: 14
  vary: {optimizer.learning_rate: {log_uniform: [1e-6, 1e-2]}}
  objective: {minimize: validation/loss}
  scheduler: {type: asha, min_epochs: 1, reduction: 2}
  parallel: 2";
    let said = place.call(&["sweep", &digits(&place, sweep)]).expect(0);
    let tested = |run: &PathBuf| run.join("predictions.parquet").is_file();
    assert_eq!(runs(&place).iter().filter(|run| tested(run)).count(), 1, "{}", said.out);
    assert!(said.out.contains("ended after 1 epoch\n") && said.out.contains("winner\n"), "{}", said.out);
    // The winner has the smallest loss of all that came to the end.
    let losses: Vec<f64> = said.out.lines().filter(|line| !line.contains("ended")).filter_map(loss).collect();
    assert!(losses.len() > 1 && losses.is_sorted(), "{}", said.out);
    let again = Place::new();
    let other = again.call(&["sweep", &digits(&again, &sweep.replace("parallel: 2", "parallel: 2\n  seed: 0"))]);
    assert_eq!(other.expect(0).out, said.out, "the same trials whichever process is faster");
}

/// The third column of a row of trials.
fn loss(line: &str) -> Option<f64> {
    let cells: Vec<&str> = line.split_whitespace().collect();
    cells.first()?.parse::<usize>().ok()?;
    cells.get(2)?.parse().ok()
}

#[test]
fn every_fold_has_its_run_with_every_seed() {
    let place = Place::new();
    let validation = "  validation: {split: all, fraction: 0.2}\n";
    let text = DIGITS.replace("SWEEP", "seeds: [4, 5]").replace(validation, "  folds: 3\n");
    let written = file(&place, &text);
    let said = place.call(&["sweep", &written, "--dry-run"]).expect(0);
    assert!(said.out.starts_with("many: 6 runs, 2 seeds on 3 folds\nseed  fold  state\n"), "{}", said.out);
    place.call(&["run", &written, "train.epochs=1"]).expect(0);
    let mut of = Vec::new();
    for run in runs(&place) {
        let resolved = resolved(&run);
        let line =
            |key: &str| resolved.lines().find(|line| line.trim_start().starts_with(key)).unwrap().trim().to_string();
        of.push((line("seed: "), line("fold: ")));
    }
    of.sort();
    let all =
        ["4", "5"].iter().flat_map(|seed| (1..=3).map(move |fold| (format!("seed: {seed}"), format!("fold: {fold}"))));
    assert!(of.iter().cloned().eq(all), "{of:?}");
    // One of them alone is an ordinary run, and the same one.
    let again = place.call(&["run", &written, "train.epochs=1", "seeds=none", "seed=5", "data.fold=2", "--reuse"]);
    again.expect(0);
    assert_eq!(runs(&place).len(), 6);
}

#[test]
fn a_dry_run_lists_every_run_and_starts_none() {
    let place = Place::new();
    let sweep = "seeds: [4, 5]\nsweep: {vary: {train.batch_size: [32, 64]}}";
    let said = place.call(&["sweep", &digits(&place, sweep), "--dry-run"]).expect(0);
    assert_eq!(said.out.matches("to run\n").count(), 4, "{}", said.out);
    assert!(runs(&place).is_empty());
    place.call(&["run", &digits(&place, sweep)]).expect(0);
    let said = place.call(&["sweep", &digits(&place, sweep), "--dry-run"]).expect(0);
    assert_eq!(said.out.matches("there: ").count(), 4, "{}", said.out);
    place.call(&["run", &digits(&place, sweep), "--again"]).expect(0);
    assert_eq!(runs(&place).len(), 8);
}

#[test]
fn a_value_that_the_sweep_would_undo_is_refused() {
    let place = Place::new();
    let file = "experiments/activations.yaml";
    let said = place.call(&["check", file, "vars.act=tanh"]).expect(1);
    assert!(said.err.contains("this is never used: the sweep varies `vars.act`"), "{}", said.err);
    place.call(&["check", file, "vars.act=tanh", "sweep=none"]).expect(0);
}

#[test]
fn a_failure_is_told_and_the_other_runs_go_on() {
    let place = Place::new();
    let sweep = "sweep: {vary: {optimizer: [{type: sgd, learning_rate: 3e38}, {type: adam, learning_rate: 0.001}]}}";
    let said = place.call(&["sweep", &digits(&place, sweep)]).expect(2);
    assert!(said.err.contains("trial 1/2 failed: "), "{}", said.err);
    assert!(said.err.ends_with("error: 1 of 2 runs failed; the ledger says why\n"), "{}", said.err);
    assert!(said.out.contains("2      {type: adam") && said.out.contains("failed\n"), "{}", said.out);
}

#[test]
fn a_run_is_reused_where_nothing_differs_and_reproduced_to_the_bit() {
    let place = Place::new();
    let single = |overrides: &[&str]| {
        let file = digits(&place, "");
        let all = [vec!["run", &file, "--format", "json", "--reuse", "--why"], overrides.to_vec()].concat();
        place.call(&all).expect(0)
    };
    let first = single(&[]);
    assert!(first.err.contains("no run can be reused: none is finished"), "{}", first.err);
    let second = single(&[]);
    assert_eq!(second.run(), first.run());
    assert!(second.err.contains("this run is there already"), "{}", second.err);
    let other = single(&["train.epochs=3"]);
    assert!(other.err.contains("differs the experiment\n"), "{}", other.err);
    let slow = single(&["--instruction-set", "portable"]);
    assert!(slow.err.contains("differs the instruction set\n") || slow.run() == first.run(), "{}", slow.err);
    // A run that other code or other data made is none that stands for this one.
    for (key, what) in [("code", "the code"), ("data", "the data")] {
        let path = first.run().join("run.json");
        let text = String::from_utf8(bytes(&path)).unwrap();
        let mut file: Value = serde_json::from_str(&text).unwrap();
        file["fingerprints"][key] = "another".into();
        std::fs::write(&path, file.to_string()).unwrap();
        let said = single(&[]);
        assert!(said.err.contains(&format!("differs {what}\n")) || said.run() != first.run(), "{}", said.err);
        std::fs::write(&path, text).unwrap();
        std::fs::remove_dir_all(said.run()).ok().filter(|()| said.run() != first.run());
    }
    let path = first.run();
    let said = place.call(&["reproduce", path.to_str().unwrap()]).expect(0);
    assert!(said.out.contains("is reproduced"), "{}", said.out);
    let mut weights = bytes(&path.join("checkpoints/last.safetensors"));
    *weights.last_mut().unwrap() ^= 1;
    std::fs::write(path.join("checkpoints/last.safetensors"), weights).unwrap();
    let said = place.call(&["reproduce", path.to_str().unwrap()]).expect(2);
    assert!(said.err.contains("checkpoints/last.safetensors differ"), "{}", said.err);
}

#[test]
fn a_run_pauses_where_it_is_asked_to_and_ends_in_the_same_bytes() {
    let place = Place::new();
    let file = digits(&place, "");
    let whole = place.call(&["run", &file, "--format", "json"]).expect(0).run();
    let paused = place.call(&["run", &file, "--format", "json", "--pause-after", "2"]).expect(0);
    assert_eq!(
        (&paused.json()["status"], paused.err.contains("go on with: etalon run --resume")),
        (&"paused".into(), true)
    );
    let path = paused.run();
    let resume = |more: &[&str]| {
        place.call(&[&["run", "--resume", path.to_str().unwrap(), "--format", "json"], more].concat()).expect(0)
    };
    assert_eq!(resume(&["--train-only"]).json()["status"], "paused");
    assert!(!path.join("predictions.parquet").exists());
    assert_eq!(resume(&[]).json()["status"], "done");
    for name in ["checkpoints/last.safetensors", "predictions.parquet", "metrics.parquet"] {
        assert!(bytes(&whole.join(name)) == bytes(&path.join(name)), "{name} differs");
    }
}
