//! What other tools make of a run: TensorBoard's own reader, a real MLflow server, and a page in a real browser.
//! `./bootstrap.sh --tests` brings all three.

#[allow(dead_code)]
mod support;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Place, bytes, root};

/// A small experiment; what is in `TRAIN` joins the section `train`.
const SMALL: &str = "
name: small
task: classification
data:
  dataset: digits
  train: {split: all}
  validation: {split: all, fraction: 0.2}
  test: {split: all, fraction: 0.2}
model:
  layers: [flatten, {dense: $classes}]
loss: cross_entropy
optimizer: {type: adam, learning_rate: 0.003, schedule: cosine}
train: {epochs: 4, batch_size: 64TRAIN}
evaluate: {metrics: [accuracy, log_loss]}
";

fn file(place: &Place, train: &str) -> String {
    let path = place.folder.path().join("small.yaml");
    std::fs::write(&path, SMALL.replace("TRAIN", train)).unwrap();
    path.to_str().unwrap().to_string()
}

/// Python with what `bootstrap.sh --tests` installed.
fn python() -> Command {
    let packages = root().join(".tools/services");
    assert!(packages.is_dir(), "the tests' Python packages are missing: run ./bootstrap.sh --tests");
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", packages).env("DO_NOT_TRACK", "true").env("MLFLOW_DISABLE_TELEMETRY", "true");
    command
}

fn script(name: &str, arguments: &[&Path]) -> Value {
    let output = python().arg(root().join("tests/python").join(name)).args(arguments).output().expect("python3 runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let line = out.trim_end().lines().last().unwrap_or_default().to_string();
    serde_json::from_str(&line).unwrap_or_else(|e| panic!("{name}: {e}\n{out}\n{err}"))
}

/// The numbers of every epoch, by name.
fn history(run: &Path) -> BTreeMap<String, Vec<(u64, f64)>> {
    let mut scalars: BTreeMap<String, Vec<(u64, f64)>> = BTreeMap::new();
    for line in String::from_utf8(bytes(&run.join("history.jsonl"))).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let epoch = line["epoch"].as_u64().unwrap();
        let rates = ["learning_rate", "images_per_second"].map(|name| (name.to_string(), line[name].clone()));
        let metrics = line["metrics"].as_object().unwrap().clone().into_iter();
        for (name, value) in metrics.chain(rates) {
            scalars.entry(name).or_default().push((epoch, value.as_f64().unwrap()));
        }
    }
    scalars
}

#[test]
fn tensorboard_reads_the_history_also_of_a_resumed_run() {
    let place = Place::new();
    let file = file(&place, ", tensorboard: true");
    let run = place.call(&["run", &file, "--format", "json", "--pause-after", "2"]).expect(0).run();
    place.call(&["run", "--resume", run.to_str().unwrap()]).expect(0);
    let read = script("scalars.py", &[&run.join("events.out.tfevents")]);
    let written = history(&run);
    assert_eq!(read.as_object().unwrap().len(), written.len(), "{read}");
    for (name, points) in written {
        let found: Vec<(u64, f32)> = read[&name]
            .as_array()
            .unwrap_or_else(|| panic!("{name} is missing: {read}"))
            .iter()
            .map(|point| (point[0].as_u64().unwrap(), point[1].as_f64().unwrap() as f32))
            .collect();
        let rounded: Vec<(u64, f32)> = points.into_iter().map(|(epoch, x)| (epoch, x as f32)).collect();
        assert_eq!(found, rounded, "{name}");
    }
}

/// An MLflow server that ends with this value.
struct Server {
    child: Child,
    uri: String,
}

impl Server {
    fn start(folder: &Path) -> Server {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = std::fs::File::create(folder.join("server.log")).unwrap();
        let mut command = python();
        command.args(["-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1", "--port", &port.to_string()]);
        command.args(["--backend-store-uri", "sqlite:///runs.db", "--default-artifact-root", "./artifacts"]);
        command.process_group(0).current_dir(folder).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let server = Server { child: command.spawn().expect("python3 runs"), uri: format!("http://127.0.0.1:{port}") };
        let deadline = Instant::now() + Duration::from_secs(120);
        while ureq::get(format!("{}/health", server.uri)).call().is_err() {
            let said = || std::fs::read_to_string(folder.join("server.log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the server does not answer:\n{}", said());
            std::thread::sleep(Duration::from_millis(200));
        }
        server
    }

    fn post(&self, call: &str, body: &Value) -> Value {
        let address = format!("{}/api/2.0/mlflow/{call}", self.uri);
        let mut answer = ureq::post(address).content_type("application/json").send(body.to_string()).unwrap();
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
    }

    fn get(&self, call: &str) -> Value {
        let mut answer = ureq::get(format!("{}/api/2.0/mlflow/{call}", self.uri)).call().unwrap();
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It runs others, which a kill of it alone would leave.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.child.id())]).status();
        let _ = self.child.wait();
    }
}

#[test]
fn mlflow_is_told_of_a_run_and_a_run_goes_on_without_it() {
    let place = Place::new();
    let server = Server::start(place.folder.path());
    let file = file(&place, &format!(", mlflow: {{uri: '{}'}}", server.uri));
    let run = place.call(&["run", &file, "--format", "json"]).expect(0).run();
    let experiment = server.get("experiments/get-by-name?experiment_name=small");
    let id = experiment["experiment"]["experiment_id"].as_str().unwrap().to_string();
    let found = server.post("runs/search", &json!({"experiment_ids": [id]}));
    let runs = found["runs"].as_array().unwrap();
    assert_eq!((runs.len(), &runs[0]["info"]["status"]), (1, &"FINISHED".into()), "{found}");
    let named = |list: &Value| -> BTreeMap<String, Value> {
        let pairs = list.as_array().unwrap().iter();
        pairs.map(|pair| (pair["key"].as_str().unwrap().to_string(), pair["value"].clone())).collect()
    };
    let parameters = named(&runs[0]["data"]["params"]);
    assert_eq!(parameters["optimizer.learning_rate"], "0.003");
    let written: Value = serde_json::from_slice(&bytes(&run.join("run.json"))).unwrap();
    let metrics = named(&runs[0]["data"]["metrics"]);
    assert_eq!(metrics["test/accuracy"], written["metrics"]["test/accuracy"]["value"]);
    let id = runs[0]["info"]["run_id"].as_str().unwrap();
    let points = server.get(&format!("metrics/get-history?run_id={id}&metric_key=validation/loss"));
    let values: Vec<f64> = points["metrics"].as_array().unwrap().iter().map(|p| p["value"].as_f64().unwrap()).collect();
    let expected: Vec<f64> = history(&run)["validation/loss"].iter().map(|(_, value)| *value).collect();
    assert_eq!(values, expected);
    die_under_a_run(&place, server, &id_of(&found), &file);
    let begun = Instant::now();
    let said = place.call(&["run", &file, "--format", "json"]).expect(0);
    assert_eq!(said.json()["status"], "done");
    assert_eq!(said.err.matches("warning: ").count(), 1, "{}", said.err);
    assert!(begun.elapsed() < Duration::from_secs(60), "a dead server holds nothing up");
}

/// The experiment of the first run that was found.
fn id_of(found: &Value) -> String {
    found["runs"][0]["info"]["experiment_id"].as_str().unwrap().to_string()
}

/// Kills the server while a run tells it of epochs: the run warns once and ends well.
fn die_under_a_run(place: &Place, server: Server, experiment: &str, file: &str) {
    let arguments = ["run", file, "train.epochs=400", "--format", "json"];
    let mut child = place.etalon(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let is_told = || {
        let running = json!({"experiment_ids": [experiment], "filter": "attributes.status = 'RUNNING'"});
        let found = server.post("runs/search", &running);
        found.pointer("/runs/0/data/metrics/0").is_some()
    };
    while !is_told() {
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "the run ended before it was told");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(server);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.matches("warning: ").count() == 1, "{said}");
}

fn chromium() -> PathBuf {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    all.into_iter().find(|file| file.is_file()).expect("Chromium is missing: run ./bootstrap.sh --tests")
}

#[test]
fn a_report_opens_sorts_prints_and_reads_on_a_narrow_screen() {
    let place = Place::new();
    let file = file(&place, "");
    let odd = "description=<script>alert(1)</script><b>bold</b>";
    for overrides in [vec!["seed=1", odd], vec!["seed=2", odd], vec!["optimizer.learning_rate=0.0001"]] {
        place.call(&[vec!["run", &file], overrides].concat()).expect(0);
    }
    let page = place.folder.path().join("report.html");
    place.call(&["report", "small", "-o", page.to_str().unwrap()]).expect(0);
    let browser = chromium();
    let said = script("page.py", &[&browser, &page]);
    assert_eq!((&said["console"], &said["errors"]), (&json!([]), &json!([])), "{said}");
    assert_eq!(said["fetched"].as_array().map(Vec::len), Some(1), "only the page itself: {said}");
    let orders: Vec<Vec<String>> = serde_json::from_value(said["sorted"].clone()).unwrap();
    let reversed: Vec<String> = orders[1].iter().rev().cloned().collect();
    assert!(orders[1].len() > 1 && orders[2] == reversed, "{orders:?}");
    assert!(said["narrow"][0].as_u64() <= said["narrow"][1].as_u64(), "{said}");
    assert!(said["charts"].as_u64() > Some(2) && said["pdf"].as_u64() > Some(10_000), "{said}");
    assert_eq!(said["marks"], 0, "texts from files are escaped");
}
