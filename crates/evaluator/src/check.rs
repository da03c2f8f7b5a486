//! What must hold between the section `evaluate`, the classes and the parts of the data; and the typed settings where it
//! does.

use spec::{Fault, Faults, Node, Place, Word, one_of};

use crate::metrics::{Form, METRICS, Measure, Metric, suggestion};
use crate::words::{EvaluateSection, Part, Weights};

/// What checking has to know from outside.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Classes of the dataset; none where that is at fault.
    pub n_classes: Option<usize>,
    /// Names of the parts that the data has; none where they are at fault.
    pub parts: Option<&'a [&'a str]>,
}

/// What the file says of judging, checked.
#[derive(Clone)]
pub struct Evaluation {
    /// The part whose predictions are kept.
    pub part: Part,
    /// The weights that are judged.
    pub weights: Weights,
    /// The metrics, in the file's order.
    pub metrics: Vec<Metric>,
    /// The confidence of intervals.
    pub interval: f64,
}

/// Checks a resolved section `evaluate`. Returns the settings where nothing here is wrong.
pub fn check(evaluate: &Node, facts: &Facts<'_>, faults: &mut Faults) -> Option<Evaluation> {
    let before = faults.len();
    check_part(evaluate, facts, faults);
    let names = evaluate.find("metrics").and_then(Node::list).unwrap_or_default();
    let mut metrics: Vec<Metric> = Vec::new();
    for node in names {
        match metric(node, &metrics, facts) {
            Ok(found) => metrics.extend(found),
            Err(fault) => faults.push(fault),
        }
    }
    if !evaluate.is_sound() || faults.len() > before {
        return None;
    }
    let EvaluateSection { part, checkpoint: weights, metrics: _, interval } = EvaluateSection::read(evaluate);
    Some(Evaluation { part, weights, metrics, interval })
}

/// The place of the word that asks for the best checkpoint, where one does.
pub fn asks_for_best(evaluate: &Node) -> Option<Place> {
    evaluate.find("checkpoint").filter(|node| node.is_word(Weights::Best.name())).map(|node| node.place)
}

fn check_part(evaluate: &Node, facts: &Facts<'_>, faults: &mut Faults) {
    let Some(node) = evaluate.find("part").filter(|node| node.is_sound()) else { return };
    if let (Some(part), Some(parts)) = (node.text(), facts.parts)
        && !parts.contains(&part)
    {
        let fault = Fault::new(node.place, format!("the data has no {part} part to evaluate"));
        faults.push(fault.help(format!("say in `data.{part}` which samples it takes, or evaluate another part")));
    }
}

/// The metric that a name means; none where the name is at fault already.
fn metric(node: &Node, earlier: &[Metric], facts: &Facts<'_>) -> Result<Option<Metric>, Fault> {
    let Some(name) = node.text() else { return Ok(None) };
    let metric = Metric::find(name).ok_or_else(|| unknown(node, name))?;
    if earlier.iter().any(|other| other.name == name) {
        return Err(Fault::new(node.place, format!("`{name}` is asked for twice")).help("take one of the two out"));
    }
    if let (Form::Top(k), Some(n_classes)) = (metric.form, facts.n_classes)
        && k >= n_classes
    {
        let message = format!("`{name}` is always 1: the dataset has {n_classes} classes");
        let help = match n_classes {
            0..=2 => "take it out".to_string(),
            _ => format!("k is at most {}: `top_{}_accuracy`", n_classes - 1, 5.min(n_classes - 1)),
        };
        return Err(Fault::new(node.place, message).help(help));
    }
    Ok(Some(metric))
}

fn unknown(node: &Node, name: &str) -> Fault {
    let fault = Fault::new(node.place, format!("unknown metric `{name}`"));
    if name == "loss" {
        return fault.help("the loss is always measured; take it out");
    }
    let families = METRICS.iter().filter(|row| matches!(row.measure, Measure::Classes(_)));
    if let Some(family) = families.into_iter().find(|row| row.name == name) {
        let names = family.names();
        return fault.help(format!("say how the classes are averaged: {}", one_of(names.iter().map(String::as_str))));
    }
    match suggestion(name) {
        Some(close) => fault.help(format!("did you mean `{close}`?")),
        None => {
            let names: Vec<String> = METRICS.iter().flat_map(|row| row.names()).collect();
            fault.help(format!("the metrics are {}", names.join(", ")))
        }
    }
}
