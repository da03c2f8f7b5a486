//! What must hold between loss, optimizer, training, network and validation, each fault at its place; and the typed
//! settings where all of it holds.

use spec::{Chosen, Fault, Faults, Node, Place, Word, nearest, one_of};

use crate::losses::{ClassWeights, Loss, loss};
use crate::optimizers::{Optimizer, Sgd, optimizer};
use crate::schedules::check_schedule;
use crate::words::TrainSection;

/// Which values of a metric are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// As of a loss.
    Smaller,
    /// As of an accuracy.
    Larger,
}

/// What there is to choose by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// There is no validation part.
    Absent,
    /// Samples of its own, or `data.choose_on_test` allows the test part.
    Chooses,
    /// It is the test part, by which nothing may be chosen.
    IsTest,
}

/// What checking has to know from outside.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Classes of the dataset; none where that is at fault.
    pub n_classes: Option<usize>,
    /// Samples that train, where the card says how many there are.
    pub n_train: Option<usize>,
    /// Whether the network ends in softmax; none where the network is at fault.
    pub ends_in_softmax: Option<bool>,
    /// What there is to choose by.
    pub validation: Validation,
    /// The metrics that are computed on validation after every epoch, beside the loss.
    pub metrics: &'a [(String, Direction)],
    /// Place of the word that asks for the best checkpoint to be evaluated.
    pub evaluates_best: Option<Place>,
}

/// A metric that decides something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    /// `part/name`.
    pub name: String,
    /// Which of its values are better.
    pub direction: Direction,
}

/// Everything that the file says of training, checked.
#[derive(Debug)]
pub struct Training {
    /// What is made small.
    pub loss: Box<dyn Loss>,
    /// What moves the parameters, one after the other; the short form with one loss and one optimizer is one update.
    pub updates: Vec<Update>,
    /// How long and in what portions.
    pub train: TrainSection,
    /// By what the best epoch is chosen.
    pub best: Monitor,
    /// By what training ends early.
    pub stopping: Option<Monitor>,
    /// By what a schedule finds a plateau.
    pub plateau: Option<Monitor>,
}

/// One update of a training step.
#[derive(Debug)]
pub struct Update {
    /// How the parameters move.
    pub optimizer: Optimizer,
}

impl Monitor {
    /// Whether `new` is better than `old` by more than `min_delta`.
    pub fn is_better(&self, new: f64, old: f64, min_delta: f64) -> bool {
        match self.direction {
            Direction::Smaller => new < old - min_delta,
            Direction::Larger => new > old + min_delta,
        }
    }
}

/// Checks the resolved values of `loss`, `optimizer` and `train` against each other and the facts. Returns the settings
/// where nothing here is wrong.
pub fn check(loss: &Node, optimizer: &Node, train: &Node, facts: &Facts<'_>, faults: &mut Faults) -> Option<Training> {
    let before = faults.len();
    check_loss(loss, facts, faults);
    check_optimizer(optimizer, faults);
    check_length(train, faults);
    check_batches(train, facts, faults);
    check_server(train, faults);
    let plateau = plateau_monitor(optimizer, facts, faults);
    let stopping = stopping_monitor(train, facts, faults);
    let best = best_monitor(train, facts, faults);
    let sound = [loss, optimizer, train].iter().all(|node| node.is_sound()) && faults.len() == before;
    sound.then(|| Training {
        loss: self::loss(&<Chosen as Word>::read(loss)),
        updates: vec![Update { optimizer: self::optimizer(&<Chosen as Word>::read(optimizer)) }],
        train: TrainSection::read(train),
        best: best.expect("without faults there is one"),
        stopping,
        plateau,
    })
}

fn check_loss(node: &Node, facts: &Facts<'_>, faults: &mut Faults) {
    if !node.is_sound() {
        return;
    }
    let loss = loss(&<Chosen as Word>::read(node));
    match (loss.takes_logits(), facts.ends_in_softmax) {
        (true, Some(true)) => faults.push(
            Fault::new(node.place_of("from_logits"), "the loss takes logits, but the network ends in softmax")
                .help("take the softmax out of the network, or write `from_logits: false`"),
        ),
        (false, Some(false)) => faults.push(
            Fault::new(
                node.place_of("from_logits"),
                "the loss takes probabilities, but the network does not end in softmax",
            )
            .help("end the network in softmax, or leave `from_logits` out: the loss then applies softmax itself"),
        ),
        (true, Some(false)) | (false, Some(true)) | (_, None) => {}
    }
    if let (ClassWeights::List(weights), Some(n_classes)) = (loss.class_weights(), facts.n_classes)
        && weights.len() != n_classes
    {
        let message = format!("the dataset has {n_classes} classes, found {} class weights", weights.len());
        faults.push(
            Fault::new(node.place_of("class_weights"), message).help("give one number a class, in the dataset's order"),
        );
    }
}

fn check_optimizer(node: &Node, faults: &mut Faults) {
    if let Some(schedule) = node.find("schedule") {
        check_schedule(schedule, faults);
    }
    let decays = node.find("weight_decay").is_none_or(|decay| !decay.is_sound() || f64::read(decay) != 0.0);
    if let Some(decay) = node.find("decay").filter(|decay| decay.is_word("all"))
        && !decays
    {
        let fault = Fault::new(decay.place, "`decay` says what decays, and there is no `weight_decay`");
        faults.push(fault.help("write for example `weight_decay: 0.0001`, or take `decay` out"));
    }
    let holders = [Some(node), node.find("base")].into_iter().flatten();
    for node in holders.filter(|node| node.is_sound() && node.find("nesterov").is_some()) {
        let sgd = Sgd::read(node);
        if sgd.nesterov && sgd.momentum == 0.0 {
            let fault = Fault::new(node.place_of("nesterov"), "`nesterov` steps along the momentum, and there is none");
            faults.push(fault.help("write for example `momentum: 0.9`"));
        }
    }
}

fn check_length(node: &Node, faults: &mut Faults) {
    let is_set = |key| node.find(key).is_some_and(|value| !value.is_word("none"));
    if node.map().is_none() {
        return;
    }
    match (is_set("epochs"), is_set("steps")) {
        (true, true) => faults.push(
            Fault::new(node.place_of("steps"), "the length of training is given twice, in epochs and in steps")
                .related(node.place_of("epochs"), "in epochs")
                .help("take one of the two out"),
        ),
        (false, false) => faults.push(
            Fault::new(node.place, "`epochs` is missing: a whole number at least 1")
                .help("say how long to train, in `epochs` or in `steps`"),
        ),
        (true, false) | (false, true) => {}
    }
}

/// Where batches that are not full are dropped, one must be full.
fn check_batches(train: &Node, facts: &Facts<'_>, faults: &mut Faults) {
    let drops = train.find("last_batch").is_some_and(|node| node.is_word("drop"));
    let (Some(size), Some(n_train)) = (train.find("batch_size").filter(|node| node.is_sound()), facts.n_train) else {
        return;
    };
    if drops && usize::read(size) > n_train {
        let message = format!("the {n_train} training samples fill no batch, and `last_batch: drop` leaves none");
        faults.push(Fault::new(size.place, message).help("make `batch_size` smaller, or write `last_batch: keep`"));
    }
}

/// The address of the MLflow server: a specification holds no secrets and knows no other protocol.
fn check_server(train: &Node, faults: &mut Faults) {
    let Some(node) = train.find("mlflow").and_then(|mlflow| mlflow.find("uri")) else { return };
    let Some(text) = node.text() else { return };
    let server = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let is_plain = |c: char| c.is_ascii_graphic() && !"?#\"<>\\^`{|}".contains(c);
    let help = "write for example `http://127.0.0.1:5000`";
    let fault = match server {
        Some(server) if server.split('/').next().is_some_and(|host| host.contains('@')) => {
            Fault::new(node.place, "the address of an MLflow server holds no user and no password")
                .help("a specification is for others to read, too; take what stands before `@` out")
        }
        Some(server) if !server.is_empty() && !server.starts_with('/') && server.chars().all(is_plain) => return,
        Some(_) => Fault::new(node.place, format!("`{text}` is no address of a server")).help(help),
        None => Fault::new(node.place, "expected an address that begins with http:// or https://").help(help),
    };
    faults.push(fault);
}

fn plateau_monitor(optimizer: &Node, facts: &Facts<'_>, faults: &mut Faults) -> Option<Monitor> {
    let schedule = optimizer.find("schedule").filter(|node| node.is_sound())?;
    let monitor = schedule.find("monitor")?;
    watched(monitor, "`reduce_on_plateau`", facts, faults)
}

fn stopping_monitor(train: &Node, facts: &Facts<'_>, faults: &mut Faults) -> Option<Monitor> {
    let stopping = train.find("early_stopping").filter(|node| node.is_sound() && node.map().is_some())?;
    watched(stopping.find("monitor")?, "`early_stopping`", facts, faults)
}

/// The monitor of the best epoch. Where the file names none, the part that may be chosen by decides.
fn best_monitor(train: &Node, facts: &Facts<'_>, faults: &mut Faults) -> Option<Monitor> {
    let monitor = train.find("checkpoint").filter(|node| node.is_sound()).and_then(|node| node.find("monitor"));
    let named = monitor.filter(|node| !node.is_word("none"));
    if let Some(node) = named {
        return watched(node, "`checkpoint`", facts, faults);
    }
    if let (Validation::IsTest, Some(place)) = (facts.validation, facts.evaluates_best) {
        faults.push(by_test(place, "the best checkpoint"));
    }
    let part = if facts.validation == Validation::Chooses { "validation" } else { "train" };
    Some(Monitor { name: format!("{part}/loss"), direction: Direction::Smaller })
}

/// The metric that a key watches, if it is computed and may be chosen by.
fn watched(node: &Node, by: &str, facts: &Facts<'_>, faults: &mut Faults) -> Option<Monitor> {
    let name = node.text()?;
    let found = match name.split_once('/') {
        None => Err(Fault::new(node.place, format!("a metric is written part/name, found `{name}`"))
            .help(format!("write `validation/{name}`"))),
        Some(("validation", _)) if facts.validation == Validation::Absent => {
            Err(Fault::new(node.place, format!("{by} watches `{name}`, but there is no validation part"))
                .help("give the data a validation part, or watch `train/loss`"))
        }
        Some(("validation", _)) if facts.validation == Validation::IsTest => Err(by_test(node.place, by)),
        Some(("validation", metric)) => direction_of(metric, facts.metrics).ok_or_else(|| unknown(node, metric, facts)),
        Some(("train", "loss")) => Ok(Direction::Smaller),
        Some(("train", "accuracy")) => Ok(Direction::Larger),
        Some(("train", metric)) => Err(Fault::new(
            node.place,
            format!("`{metric}` is not computed while training: only loss and accuracy are"),
        )
        .help(format!("watch `validation/{metric}`"))),
        Some(("test", _)) => Err(by_test(node.place, by)),
        Some((part, _)) => Err(Fault::new(node.place, format!("there is no part `{part}`"))
            .help("the parts are train, validation and test")),
    };
    match found {
        Ok(direction) => Some(Monitor { name: name.to_string(), direction }),
        Err(fault) => {
            faults.push(fault);
            None
        }
    }
}

fn direction_of(metric: &str, metrics: &[(String, Direction)]) -> Option<Direction> {
    if metric == "loss" {
        return Some(Direction::Smaller);
    }
    metrics.iter().find(|(name, _)| name == metric).map(|(_, direction)| *direction)
}

fn unknown(node: &Node, metric: &str, facts: &Facts<'_>) -> Fault {
    let computed = || facts.metrics.iter().map(|(name, _)| name.as_str()).chain(["loss"]);
    let fault = Fault::new(node.place, format!("`{metric}` is not computed on validation"));
    match nearest(metric, computed()) {
        Some(close) => fault.help(format!("did you mean `validation/{close}`?")),
        None => fault.help(format!("computed are {}; `evaluate.metrics` names more", one_of(computed()))),
    }
}

fn by_test(place: Place, what: &str) -> Fault {
    Fault::new(place, format!("{what} would choose by the test part, and its number would no longer be honest"))
        .help("give validation samples of its own, or say `data.choose_on_test: true`, which every table then shows")
}
