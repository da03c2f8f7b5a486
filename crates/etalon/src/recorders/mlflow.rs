//! MLflow, through its REST interface: settings, tags, the metrics of every epoch, what was measured at the end, the status.
//!
//! A run is found again by a tag, so that resuming goes on with the run that is there; the server says how far it knows
//! it, and is told the rest. What the server may take of a training's time is bounded: one that is not there, or no
//! longer, costs [`PATIENCE`] once.

mod server;

use record::{Epoch, Run, RunFile, Status};
use serde_json::{Value, json};
use trainer::MlflowSection;

use super::{Beginning, Recorder, scalars};
use server::Server;

/// Most parameters in one call (MLflow's REST reference, "Request Limits").
const MOST_PARAMETERS: usize = 100;
/// Most metrics in one call (the same).
const MOST_METRICS: usize = 1000;
/// Longest value of a parameter, in bytes (the same).
const LONGEST: usize = 6000;
/// The tag by which a run is found again.
const TAG: &str = "etalon.run";
/// A metric of every epoch, by which the server says how far it knows the run.
const EVERY_EPOCH: &str = "train/loss";

/// A run on a server.
pub struct Mlflow {
    server: Server,
    /// The server's name for the run.
    id: String,
    /// When the epoch before ended, in seconds since 1970: the run's start and the time that its epochs took.
    wall_time: f64,
}

impl Mlflow {
    /// Begins a run on the server, or goes on with the one that is there.
    pub fn begin(section: &MlflowSection, beginning: &Beginning<'_>) -> Result<Mlflow, String> {
        let server = Server::new(&section.uri);
        let started = record::seconds_since_1970(&beginning.run.started);
        let mut mlflow = Mlflow { server, id: String::new(), wall_time: started };
        mlflow.server.begin_stage();
        let experiment = mlflow.experiment(section.experiment.as_ref().unwrap_or(&beginning.run.name))?;
        let known_epochs = match mlflow.found(&experiment, &beginning.run.id)? {
            Some((id, epochs)) => {
                mlflow.id = id;
                mlflow.server.post("runs/update", &json!({"run_id": mlflow.id, "status": "RUNNING"}))?;
                epochs
            }
            None => {
                mlflow.create(&experiment, beginning.run)?;
                mlflow.parameters(beginning)?;
                0
            }
        };
        mlflow.epochs(beginning.done, known_epochs)?;
        Ok(mlflow)
    }

    /// The server's name for the experiment, which is made if it is not there.
    fn experiment(&self, name: &str) -> Result<String, String> {
        let of = |answer: &Value| text(answer, "/experiment/experiment_id");
        if let Some(answer) = self.server.get("experiments/get-by-name", &[("experiment_name", name)])? {
            return of(&answer);
        }
        let answer = self.server.post("experiments/create", &json!({"name": name}))?;
        text(&answer, "/experiment_id")
    }

    /// A run that the server has already, and its last epoch there.
    fn found(&self, experiment: &str, id: &str) -> Result<Option<(String, usize)>, String> {
        let filter = format!("tags.`{TAG}` = '{id}'");
        let wanted = json!({"experiment_ids": [experiment], "filter": filter, "max_results": 1});
        let answer = self.server.post("runs/search", &wanted)?;
        let Some(run) = answer.pointer("/runs/0") else { return Ok(None) };
        let metrics = run.pointer("/data/metrics").and_then(Value::as_array).into_iter().flatten();
        // Whole numbers of 64 bits are text in this interface.
        let step = |metric: &Value| match &metric["step"] {
            Value::String(step) => step.parse().ok(),
            step => step.as_u64().map(|step| step as usize),
        };
        let last = metrics.filter(|metric| metric["key"] == EVERY_EPOCH).find_map(step);
        Ok(Some((text(run, "/info/run_id")?, last.unwrap_or(0))))
    }

    fn create(&mut self, experiment: &str, run: &RunFile) -> Result<(), String> {
        let prints = &run.fingerprints;
        let tags = [
            (TAG, run.id.as_str()),
            ("etalon.seed", &run.seed.to_string()),
            ("etalon.dataset", &run.dataset.to_string()),
            ("etalon.fingerprint.resolved", &prints.resolved),
            ("etalon.fingerprint.data", &prints.data),
            ("etalon.fingerprint.code", &prints.code),
            ("etalon.instruction_set", &run.instruction_set),
            ("etalon.status", run.status.name()),
        ]
        .map(|(key, value)| json!({"key": key, "value": value}));
        let name = format!("{}/{}", run.name, run.id);
        let begun = json!({
            "experiment_id": experiment, "run_name": name, "start_time": milliseconds(self.wall_time), "tags": tags
        });
        self.id = text(&self.server.post("runs/create", &begun)?, "/run/info/run_id")?;
        Ok(())
    }

    /// The resolved experiment, key by key.
    fn parameters(&self, beginning: &Beginning<'_>) -> Result<(), String> {
        let directory = beginning.directory.path().to_path_buf();
        let settings = evaluator::compare::settings(&Run { directory, file: beginning.run.clone() })?;
        let parameter = |(key, value): (&String, &String)| json!({"key": key, "value": shortened(value)});
        let parameters: Vec<Value> = settings.iter().map(parameter).collect();
        for batch in parameters.chunks(MOST_PARAMETERS) {
            self.server.post("runs/log-batch", &json!({"run_id": self.id, "params": batch}))?;
        }
        Ok(())
    }

    /// Tells the server of epochs, in the time of the run, but for those that it knows.
    fn epochs(&mut self, epochs: &[Epoch], known: usize) -> Result<(), String> {
        let mut metrics = Vec::new();
        for epoch in epochs {
            self.wall_time += epoch.seconds;
            if epoch.epoch > known {
                let of_epoch = scalars(epoch).into_iter();
                metrics.extend(of_epoch.map(|(key, value)| metric(key, value, epoch.epoch, self.wall_time)));
            }
        }
        self.metrics(&metrics)
    }

    fn metrics(&self, metrics: &[Value]) -> Result<(), String> {
        for batch in metrics.chunks(MOST_METRICS) {
            self.server.post("runs/log-batch", &json!({"run_id": self.id, "metrics": batch}))?;
        }
        Ok(())
    }
}

impl Recorder for Mlflow {
    fn epoch(&mut self, epoch: &Epoch) -> Result<(), String> {
        self.server.begin_stage();
        self.epochs(std::slice::from_ref(epoch), 0)
    }

    fn end(&mut self, run: &RunFile) -> Result<(), String> {
        self.server.begin_stage();
        let mut metrics = Vec::new();
        for (name, measured) in &run.metrics {
            let ends = [("", measured.value), ("/low", measured.low), ("/high", measured.high)];
            let numbers = ends.iter().filter(|(_, value)| value.is_finite());
            metrics.extend(
                numbers.map(|(ending, value)| metric(&format!("{name}{ending}"), *value, run.epochs, self.wall_time)),
            );
        }
        self.metrics(&metrics)?;
        let tags = [("etalon.status", run.status.name()), ("etalon.proof", run.proof.verdict.name())]
            .map(|(key, value)| json!({"key": key, "value": value}));
        self.server.post("runs/log-batch", &json!({"run_id": self.id, "tags": tags}))?;
        let status = match run.status {
            Status::Running => "RUNNING",
            Status::Done => "FINISHED",
            Status::Interrupted | Status::Paused => "KILLED",
            Status::Failed | Status::ProofFailed => "FAILED",
        };
        let ended = run.finished.as_deref().map_or(self.wall_time, record::seconds_since_1970);
        let end = json!({"run_id": self.id, "status": status, "end_time": milliseconds(ended)});
        self.server.post("runs/update", &end).map(|_| ())
    }
}

fn metric(key: &str, value: f64, epoch: usize, wall_time: f64) -> Value {
    json!({"key": key, "value": value, "step": epoch, "timestamp": milliseconds(wall_time)})
}

fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64
}

/// The beginning of what is longer than the server takes.
fn shortened(value: &str) -> &str {
    let end = (0..=value.len().min(LONGEST)).rev().find(|&at| value.is_char_boundary(at));
    &value[..end.unwrap_or(0)]
}

fn text(answer: &Value, pointer: &str) -> Result<String, String> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_string).ok_or_else(|| format!("the MLflow server's answer lacks `{pointer}`"))
}
