//! One experiment file: read, overridden, checked as a whole by every crate's words, resolved.
//!
//! The sections are declared here once, each with the words of the crate that owns it.

use std::path::{Path, PathBuf};

mod family;

use std::collections::BTreeMap;

use evaluator::Evaluation;
use model::Network;
use spec::{Chosen, Elsewhere, Fault, Faults, Node, Override, Sources, Type, Value, Word};
use trainer::{Facts, Training, Validation};

use crate::failure::Failure;
use crate::progress::thousands;
use crate::sweep::{self, Family, SweepSection};

spec::choice! {
    /// What the network is for.
    pub enum Task {
        /// One class out of several for an image.
        Classification = "classification",
    }
}

spec::choice! {
    /// Which arithmetic training may use. Evaluation and the proof never use less than `accurate`.
    pub enum Arithmetic {
        /// Direct summation only.
        Strict = "strict",
        /// Also what is as exact as direct summation.
        Accurate = "accurate",
        /// Also what has errors about three times as large.
        Fast = "fast",
    }
}

spec::section! {
    /// How the engine computes.
    pub struct EngineSection {
        /// Which arithmetic training may use.
        pub arithmetic: Arithmetic = fast;
    }
}

spec::section! {
    /// What a run may take; an estimate above it refuses the experiment before it starts.
    pub struct LimitsSection {
        /// Most memory.
        pub memory_gb: Option<f64> = none, above 0.0, unit "GB", synonyms &["memory", "ram_gb"], example "4";
        /// Most time of training.
        pub hours: Option<f64> = none, above 0.0, unit "hours", synonyms &["max_hours", "time"], example "2";
    }
}

spec::section! {
    /// One experiment: data, network, loss, optimizer, training, evaluation and export.
    pub struct Experiment {
        /// Name of the experiment and of the folder of its runs; default: the file's name.
        pub name: String = required, example "cifar_cnn";
        /// What it is for, in a sentence.
        pub description: String = "", example "Does label smoothing help?";
        /// What the network is for.
        pub task: Task = classification, example "classification";
        /// Decides initial weights, order, augmentation and dropout; not who is in which part.
        pub seed: u64 = 1;
        /// Which samples, and what is done to them before the network.
        pub data: data::DataSection = required, example "{dataset: cifar10}";
        /// The network.
        pub model: Node = required, ty model::MODEL, example "{preset: resnet20}";
        /// What training makes small.
        pub loss: Chosen = required, kinds &trainer::LOSSES;
        /// How it is made small.
        pub optimizer: Chosen = required, kinds &trainer::OPTIMIZERS, example "{type: adam, learning_rate: 0.001}";
        /// How long and in which batches.
        pub train: trainer::TrainSection = required, example "{epochs: 10}";
        /// What is measured, on which part.
        pub evaluate: evaluator::words::EvaluateSection = {};
        /// What is written for other programs, and how it is proven.
        pub export: exporter::ExportSection = {};
        /// How the engine computes.
        pub engine: EngineSection = {};
        /// What a run may take.
        pub limits: LimitsSection = {};
        /// Files that this one is laid over, relative to it; the later wins. Mappings merge, lists are replaced.
        pub extends: Elsewhere = none, ty Type::List { of: &Type::Text, lone: true }, example "base.yaml";
        /// Names for values: `$width` stands for what `width` is here, anywhere below.
        pub vars: Elsewhere = none, synonyms &["variables"], example "{width: 32}";
        /// Changes by path to what is extended: `{model.layers.dense_2.dense.units: 100}`.
        pub r#override: Elsewhere = none, synonyms &["overrides"], example "{optimizer.learning_rate: 0.01}";
        /// One run for each of these seeds.
        pub seeds: Elsewhere = none, ty SEEDS, example "[1, 2, 3]";
        /// Many runs with other values.
        pub sweep: Elsewhere = none, ty SWEEP, example "{vary: {optimizer.learning_rate: [0.1, 0.01]}}";
    }
}

/// Keys that every file has, unless it extends another.
pub const REQUIRED: [&str; 5] = ["data", "model", "loss", "optimizer", "train"];

/// The type of a whole file.
const TYPE: Type = Type::Section(&Experiment::SECTION);

/// The type of `seeds`.
pub const SEEDS: Type = Type::List { of: &<u64 as Word>::TYPE, lone: true };

/// The type of `sweep`.
pub const SWEEP: Type = Type::Section(&SweepSection::SECTION);

/// Keys that make one experiment out of files, or several runs out of one experiment; a resolved file has none of them.
const FAMILY_KEYS: [&str; 5] = ["extends", "vars", "override", "seeds", "sweep"];

/// An experiment with nothing wrong, as every crate reads its part.
pub struct Checked {
    /// The file as written.
    pub written: Vec<u8>,
    /// Normal form with every default; runs on its own.
    pub resolved: String,
    /// The same as a tree, in which every value knows where it came from.
    pub tree: Node,
    /// The same without what gives no other bits: who else is told of the run.
    pub identity: String,
    /// The preprocessing as YAML.
    pub preprocess: String,
    /// The section `data` as YAML: what decides which data is read.
    pub data_section: String,
    pub experiment: Experiment,
    pub data: data::Checked,
    pub network: Network,
    pub training: Training,
    pub evaluation: Evaluation,
    /// What the variables stand for.
    pub vars: BTreeMap<String, String>,
    /// The runs that the file asks for, where it asks for several; everything else here is then the first of them.
    pub family: Option<Family>,
}

impl Checked {
    /// The part whose predictions are kept and judged.
    pub fn judged_part(&self) -> data::PartName {
        match self.evaluation.part {
            evaluator::words::Part::Train => data::PartName::Train,
            evaluator::words::Part::Validation => data::PartName::Validation,
            evaluator::words::Part::Test => data::PartName::Test,
        }
    }

    /// `cifar_cnn on cifar10, 122,570 trainable parameters`.
    pub fn in_a_line(&self) -> String {
        let parameters = thousands(self.network.n_trainable() as f64);
        format!("{} on {}, {parameters} trainable parameters", self.experiment.name, self.data.choices[0].card.name)
    }
}

/// Reads a file with overrides, or says everything that is wrong with it.
pub fn read(file: &Path, overrides: &[String], data_dirs: &[PathBuf]) -> Result<Checked, Failure> {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    match check(file, overrides, data_dirs, &mut sources, &mut faults)? {
        Some(checked) => Ok(checked),
        None => Err(Failure::Experiment { faults, sources }),
    }
}

/// Reads and checks a file with overrides; what is wrong joins `faults`.
///
/// # Errors
/// If the file cannot be read.
pub fn check(
    file: &Path,
    overrides: &[String],
    data_dirs: &[PathBuf],
    sources: &mut Sources,
    faults: &mut Faults,
) -> Result<Option<Checked>, Failure> {
    let written = family::read(file).map_err(|e| Failure::Work(format!("cannot read {}: {e}", file.display())))?;
    let cards = data::Cards::load(data_dirs, sources);
    Ok(check_bytes(file, written, overrides, &cards, sources, faults))
}

fn check_bytes(
    file: &Path,
    written: Vec<u8>,
    overrides: &[String],
    cards: &data::Cards,
    sources: &mut Sources,
    faults: &mut Faults,
) -> Option<Checked> {
    let before = faults.len();
    let root = spec::parse(&file.display().to_string(), &written, sources, faults)?;
    let root = family::assemble(&root, file, sources, faults);
    if root.map().is_none() {
        let fault =
            Fault::new(root.place, format!("expected an experiment (a mapping of keys), found {}", root.describe()));
        faults.push(fault.help("begin for example with `task: classification`"));
        return None;
    }
    let changes: Vec<Override> = overrides.iter().filter_map(|text| Override::parse(text, sources, faults)).collect();
    let mut root = named(overridden(root, &changes, faults), file);
    check_name(&root, faults);
    let [seeds, sweep] = ["seeds", "sweep"].map(|key| family::take(&mut root, key).map(|entry| entry.node));
    let family: Vec<&Node> = [&seeds, &sweep].into_iter().flatten().collect();
    family::check_variables(&root, &family, faults);
    let [seeds, sweep] = [seeds, sweep].map(|node| node.map(|node| family::with_variables(&root, node, faults)));
    let mut runs = sweep::read(&root, seeds.as_ref(), sweep.as_ref(), faults);
    if let Some(runs) = &mut runs {
        runs.check_changes(&changes, faults);
        runs.find_whole_numbers(&mut |changes, alone| drop(one(&root, changes, cards, alone)));
    }
    let first = runs.as_ref().map(Family::first).unwrap_or_default();
    let mut one_of_them = one(&root, &first, cards, faults);
    if let Some(runs) = &mut runs {
        runs.check_objective(&one_of_them.judging(), faults);
        runs.points_to_check().iter().for_each(|changes| drop(one(&root, changes, cards, faults)));
    }
    let checked = (faults.len() == before).then(|| one_of_them.checked(written, runs)).flatten()?;
    crate::estimate::check_limits(&checked, faults);
    (faults.len() == before).then_some(checked)
}

/// One run of a file: its resolved tree, and its parts as far as they are right.
struct One {
    resolved: Node,
    vars: BTreeMap<String, String>,
    data: Option<data::Checked>,
    network: Option<Network>,
    training: Option<Training>,
    evaluation: Option<Evaluation>,
}

/// The run that these changes make of a file.
fn one(root: &Node, changes: &[Override], cards: &data::Cards, all: &mut Faults) -> One {
    // A list of its own: a fault that another run of the family has, too, stands in the common list already, and what is
    // read here must know of it all the same.
    let mut own = Faults::new();
    let faults = &mut own;
    let mut root = root.clone();
    changes.iter().for_each(|change| spec::apply_override(&mut root, change, faults));
    let (root, vars) = family::without_variables(spec::normalize(&root, &TYPE), faults);
    let mut resolved = spec::resolve(&root, &TYPE, faults);
    for key in FAMILY_KEYS {
        family::take(&mut resolved, key);
    }
    let (data, network, training, evaluation) = check_parts(&resolved, cards, faults);
    all.extend(own);
    One { resolved, vars, data: Some(data), network, training, evaluation }
}

impl One {
    /// What a sweep's objective must fit.
    fn judging(&self) -> sweep::Facts {
        let unjudged = match self.data.as_ref().map(|data| data.validation) {
            Some(data::Validation::Absent) => Some("there is no validation part"),
            Some(data::Validation::IsTest) => Some("it is the test part, and the winner's number would not be honest"),
            Some(data::Validation::Chooses) | None => None,
        };
        let epochs = self.resolved.find("train").and_then(|train| train.find("epochs"));
        sweep::Facts {
            metrics: self.evaluation.as_ref().map(|of| of.directions().into_iter().map(|(name, _)| name).collect()),
            unjudged,
            in_epochs: epochs.is_none_or(|epochs| !epochs.is_word("none")),
        }
    }

    /// The run, where every part of it is right.
    fn checked(&mut self, written: Vec<u8>, family: Option<Family>) -> Option<Checked> {
        let experiment = Experiment::read(&self.resolved);
        let data = self.resolved.find("data")?;
        let preprocess = data.find("preprocess").map(spec::to_yaml);
        Some(Checked {
            written,
            resolved: spec::to_yaml(&self.resolved),
            tree: self.resolved.clone(),
            identity: spec::to_yaml(&without_recording(self.resolved.clone())),
            preprocess: preprocess.unwrap_or_default(),
            data_section: spec::to_yaml(data),
            experiment,
            data: self.data.take()?,
            network: self.network.take()?,
            training: self.training.take()?,
            evaluation: self.evaluation.take()?,
            vars: std::mem::take(&mut self.vars),
            family,
        })
    }
}

fn without_recording(mut resolved: Node) -> Node {
    if let Some(train) = resolved.map_mut().and_then(|map| map.find_mut("train")) {
        trainer::RECORDING.iter().for_each(|key| drop(family::take(train, key)));
    }
    resolved
}

/// An experiment without a name is called as its file.
fn named(mut root: Node, file: &Path) -> Node {
    let place = root.place.as_default();
    if let (Value::Map(map), Some(stem)) = (&mut root.value, file.file_stem())
        && map.find("name").is_none()
    {
        map.set("name", place, Node::word(stem.to_string_lossy(), place));
    }
    root
}

/// A name that is text must be one that a folder of runs can have.
fn check_name(root: &Node, faults: &mut Faults) {
    let Some(name) = root.find("name") else { return };
    if name.text().is_some_and(|text| !record::is_folder_name(text)) {
        let fault = Fault::new(name.place, "runs lie in a folder of this name, and no folder can be called so");
        faults.push(fault.help("at most 100 letters without `/` and `\\`, the first no dot"));
    }
}

/// Overrides hold for the normal form; what they put in may be short again.
fn overridden(root: Node, changes: &[Override], faults: &mut Faults) -> Node {
    let mut root = spec::normalize(&root, &TYPE);
    changes.iter().for_each(|change| spec::apply_override(&mut root, change, faults));
    spec::normalize(&root, &TYPE)
}

/// Every crate checks its sections, with the facts that the crates before it found.
fn check_parts(
    resolved: &Node,
    cards: &data::Cards,
    faults: &mut Faults,
) -> (data::Checked, Option<Network>, Option<Training>, Option<Evaluation>) {
    let section = |key: &str| resolved.find(key).cloned().unwrap_or_else(|| Node::bad(resolved.place));
    let before = faults.len();
    let data = data::check(&section("data"), cards, faults);
    let is_sound = faults.len() == before;
    let choice = data.choices.first();
    let inputs = model::Inputs {
        train: choice.and_then(|choice| choice.train_shape),
        evaluate: choice.and_then(|choice| choice.evaluation_shape),
        n_classes: data.n_classes(),
    };
    let network = model::check(&section("model"), &inputs, faults);
    let evaluate = section("evaluate");
    // A part with a fault may be the one that is evaluated: one mistake is one fault.
    let parts = data.part_names().filter(|_| is_sound);
    let parts: Option<Vec<&str>> = parts.map(|parts| parts.into_iter().map(|part| part.name()).collect());
    let about_data = evaluator::Facts { n_classes: data.n_classes(), parts: parts.as_deref() };
    let evaluation = evaluator::check(&evaluate, &about_data, faults);
    let facts = Facts {
        n_classes: data.n_classes(),
        n_train: choice.and_then(|choice| choice.n_samples(data::PartName::Train)).filter(|_| is_sound),
        ends_in_softmax: network.as_ref().map(|network| network.ends_in_softmax),
        validation: match data.validation {
            data::Validation::Absent => Validation::Absent,
            data::Validation::Chooses => Validation::Chooses,
            data::Validation::IsTest => Validation::IsTest,
        },
        metrics: &evaluation.as_ref().map(directions).unwrap_or_default(),
        evaluates_best: evaluator::asks_for_best(&evaluate),
    };
    let training = trainer::check(&section("loss"), &section("optimizer"), &section("train"), &facts, faults);
    exporter::check(&section("export"), faults);
    (data, network, training, evaluation)
}

/// The metrics of the experiment and which of their values are better, as the trainer says it.
pub fn directions(evaluation: &Evaluation) -> Vec<(String, trainer::Direction)> {
    let ours = |direction| match direction {
        evaluator::Direction::Smaller => trainer::Direction::Smaller,
        evaluator::Direction::Larger => trainer::Direction::Larger,
    };
    evaluation.directions().into_iter().map(|(name, direction)| (name, ours(direction))).collect()
}

#[cfg(test)]
mod tests;
