//! `run.json`: what there is to know about a run without reading its tables.

use std::collections::BTreeMap;
use std::path::Path;

use kernels::input::Normalization;
use serde::{Deserialize, Serialize};

use crate::number::null_is_nan;

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Being worked on; or the process was killed, which [`crate::Run::is_active`] tells.
    Running,
    Done,
    /// Stopped by the user; can be resumed.
    Interrupted,
    /// Stopped where it was asked to beforehand: after some epochs, or before it is tested; can be resumed.
    Paused,
    /// Something in the world or in the numbers kept it from its end.
    Failed,
    /// Trained and measured, but the exported model decides otherwise.
    ProofFailed,
}

impl Status {
    /// The word in the file.
    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Done => "done",
            Status::Interrupted => "interrupted",
            Status::Paused => "paused",
            Status::Failed => "failed",
            Status::ProofFailed => "proof_failed",
        }
    }
}

/// The dataset that was actually read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetRecord {
    pub name: String,
    /// Whether the bytes are those that the publisher published.
    pub published: bool,
    /// The dataset that the experiment asked for, where this one stands in for it.
    pub instead_of: Option<String>,
    /// Fingerprint of the bytes.
    pub fingerprint: String,
    /// Which of the card's layouts was on disk.
    pub layout: String,
    /// Names of the classes, by index.
    pub classes: Vec<String>,
    /// How its pixels became the numbers that the network takes; some of it may have been measured on the data.
    pub normalization: Normalization,
    /// What was noted about it before the first step; earlier versions noted nothing.
    #[serde(default)]
    pub findings: FindingsRecord,
}

/// What was noted about a dataset that could be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingsRecord {
    /// Exact copies among the images, by pairs of parts; pairs without any are left out.
    pub copies: Vec<CopiesRecord>,
    /// How many samples were taken out of train because they stand in another part.
    pub dropped: usize,
    /// The classes of which a part has no sample, by part.
    pub absent_classes: BTreeMap<String, Vec<String>>,
}

/// Exact copies within a part, named twice, or between two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiesRecord {
    pub parts: [String; 2],
    /// The samples of the first part that stand in the second as well; within a part those that repeat an earlier one.
    pub samples: usize,
    /// How many of them have another class than a copy.
    pub other_class: usize,
}

/// What must be equal for two runs to give equal bits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fingerprints {
    /// Of the resolved file.
    pub resolved: String,
    /// Of the dataset's bytes.
    pub data: String,
    /// Of the sources that the program was built from.
    pub code: String,
}

/// A measured value with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    #[serde(with = "null_is_nan")]
    pub value: f64,
    /// Lower end of the interval.
    #[serde(with = "null_is_nan")]
    pub low: f64,
    /// Upper end of the interval.
    #[serde(with = "null_is_nan")]
    pub high: f64,
    /// The number of samples.
    pub n: usize,
}

/// What ONNX Runtime said of the exported model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Passed,
    Failed,
    /// The experiment exports nothing, or asks for no proof.
    Skipped,
}

impl Verdict {
    /// The word in the file.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Skipped => "skipped",
        }
    }
}

/// The proof in four numbers; `proof.json` has the rest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProofRecord {
    pub verdict: Verdict,
    /// Largest absolute difference of probabilities.
    pub max_error: Option<f64>,
    /// Decisions that differ.
    pub disagreements: Option<usize>,
    /// The number of samples.
    pub samples: usize,
}

impl ProofRecord {
    /// No proof was asked for.
    pub const SKIPPED: ProofRecord =
        ProofRecord { verdict: Verdict::Skipped, max_error: None, disagreements: None, samples: 0 };
}

/// The whole file. Keys that a later version adds are passed over when read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFile {
    pub status: Status,
    /// In one line why, where the status is `failed`.
    pub failure: Option<String>,
    /// The experiment's name.
    pub name: String,
    pub seed: u64,
    /// Name of the run's directory; set by [`crate::RunDirectory::create`].
    pub id: String,
    /// RFC 3339.
    pub started: String,
    /// RFC 3339; none while running.
    pub finished: Option<String>,
    /// Working time, over all resumptions.
    pub seconds: f64,
    /// Training images over the time that training them took.
    pub images_per_second: Option<f64>,
    pub dataset: DatasetRecord,
    pub fingerprints: Fingerprints,
    /// Versions by name: `etalon`, and what it is built on where that matters.
    pub versions: BTreeMap<String, String>,
    /// What the variables of the experiment stood for.
    #[serde(default)]
    pub vars: BTreeMap<String, String>,
    /// Instruction set that the kernels used.
    pub instruction_set: String,
    pub threads: usize,
    /// The number of trainable parameters.
    pub parameters: usize,
    /// Epochs trained so far.
    pub epochs: usize,
    /// The epoch (counted from 1) with the best monitored value.
    pub best_epoch: Option<usize>,
    /// By `part/name`: `test/accuracy`.
    pub metrics: BTreeMap<String, Metric>,
    pub proof: ProofRecord,
}

/// What programs are told of a run in one line of JSON.
#[derive(Debug, Serialize)]
pub struct Summary<'a> {
    pub run: String,
    pub status: Status,
    pub dataset: SummaryDataset<'a>,
    pub parameters: usize,
    pub metrics: &'a BTreeMap<String, Metric>,
    pub proof: SummaryProof,
    pub images_per_second: Option<f64>,
}

/// The dataset in a [`Summary`].
#[derive(Debug, Serialize)]
pub struct SummaryDataset<'a> {
    pub name: &'a str,
    pub published: bool,
    pub instead_of: Option<&'a str>,
    pub fingerprint: &'a str,
}

/// The proof in a [`Summary`].
#[derive(Debug, Serialize)]
pub struct SummaryProof {
    pub verdict: Verdict,
    pub max_error: Option<f64>,
    pub disagreements: Option<usize>,
}

impl RunFile {
    /// Of a run that begins now: nothing is done, measured or known of it but this.
    pub fn begun(name: &str, seed: u64, dataset: DatasetRecord) -> RunFile {
        RunFile {
            status: Status::Running,
            failure: None,
            name: name.to_string(),
            seed,
            id: String::new(),
            started: crate::now(),
            finished: None,
            seconds: 0.0,
            images_per_second: None,
            dataset,
            fingerprints: Fingerprints::default(),
            versions: BTreeMap::new(),
            vars: BTreeMap::new(),
            instruction_set: String::new(),
            threads: 1,
            parameters: 0,
            epochs: 0,
            best_epoch: None,
            metrics: BTreeMap::new(),
            proof: ProofRecord::SKIPPED,
        }
    }

    /// For programs; `directory` is where the run lies.
    pub fn summary(&self, directory: &Path) -> Summary<'_> {
        let DatasetRecord { name, published, instead_of, fingerprint, .. } = &self.dataset;
        let dataset = SummaryDataset { name, published: *published, instead_of: instead_of.as_deref(), fingerprint };
        let ProofRecord { verdict, max_error, disagreements, samples: _ } = self.proof;
        Summary {
            run: directory.display().to_string(),
            status: self.status,
            dataset,
            parameters: self.parameters,
            metrics: &self.metrics,
            proof: SummaryProof { verdict, max_error, disagreements },
            images_per_second: self.images_per_second,
        }
    }
}

impl Summary<'_> {
    /// The line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and text become JSON")
    }
}

impl std::fmt::Display for DatasetRecord {
    /// As people read it: `cifar10 (published)`, `cifar10 (a copy that differs)`, `shapes10 (instead of cifar10)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.instead_of {
            Some(wanted) => write!(f, "{} (instead of {wanted})", self.name),
            None if self.published => write!(f, "{} (published)", self.name),
            None => write!(f, "{} (a copy that differs)", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> RunFile {
        let dataset = DatasetRecord {
            name: "digits".into(),
            published: true,
            instead_of: None,
            fingerprint: "f00d".into(),
            layout: "embedded".into(),
            classes: vec!["0".into(), "1".into()],
            normalization: Normalization::PerImage,
            findings: FindingsRecord::default(),
        };
        RunFile { parameters: 650, ..RunFile::begun("digits", 1, dataset) }
    }

    #[test]
    fn the_line_for_programs_has_the_promised_keys_in_order() {
        let mut run = sample();
        run.status = Status::ProofFailed;
        run.metrics.insert("test/accuracy".into(), Metric { value: 0.5, low: 0.25, high: 0.75, n: 8 });
        run.proof = ProofRecord { verdict: Verdict::Failed, max_error: Some(0.25), disagreements: Some(3), samples: 8 };
        assert_eq!(
            run.summary(Path::new("runs/digits/x")).to_json(),
            r#"{"run":"runs/digits/x","status":"proof_failed","dataset":{"name":"digits","published":true,"instead_of":null,"fingerprint":"f00d"},"parameters":650,"metrics":{"test/accuracy":{"value":0.5,"low":0.25,"high":0.75,"n":8}},"proof":{"verdict":"failed","max_error":0.25,"disagreements":3},"images_per_second":null}"#
        );
    }

    #[test]
    fn a_metric_that_is_no_number_comes_back_as_none() {
        let metric = Metric { value: f64::NAN, low: 0.0, high: f64::INFINITY, n: 1 };
        let text = serde_json::to_string(&metric).unwrap();
        assert_eq!(text, r#"{"value":null,"low":0.0,"high":null,"n":1}"#);
        let read: Metric = serde_json::from_str(&text).unwrap();
        assert!(read.value.is_nan() && read.low == 0.0 && read.high.is_nan());
    }

    #[test]
    fn a_dataset_recorded_without_findings_has_none() {
        let mut value = serde_json::to_value(sample()).unwrap();
        value["dataset"].as_object_mut().unwrap().remove("findings").unwrap();
        assert_eq!(serde_json::from_value::<RunFile>(value).unwrap(), sample());
    }

    #[test]
    fn words_in_the_file_are_the_names() {
        for status in [Status::Running, Status::Done, Status::Interrupted, Status::Failed, Status::ProofFailed] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
        for verdict in [Verdict::Passed, Verdict::Failed, Verdict::Skipped] {
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.name());
        }
    }

    #[test]
    fn a_dataset_says_what_it_is() {
        let mut dataset = sample().dataset;
        assert_eq!(dataset.to_string(), "digits (published)");
        dataset.published = false;
        assert_eq!(dataset.to_string(), "digits (a copy that differs)");
        dataset.instead_of = Some("cifar10".into());
        assert_eq!(dataset.to_string(), "digits (instead of cifar10)");
    }
}
