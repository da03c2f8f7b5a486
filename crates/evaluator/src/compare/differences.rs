//! What differs between the resolved experiments of runs: paths, written as overrides write them, and their values.

use std::collections::BTreeMap;

use record::{Run, files, whole};
use spec::{Faults, Node, Sources, Value, item_names, parse};

/// Keys that say nothing of what was done.
const NAMES: [&str; 2] = ["name", "description"];

/// The values of an experiment by path.
pub(super) type Experiment = BTreeMap<String, String>;

/// A path and its value in each run.
pub(super) type Difference = (String, Vec<Option<String>>);

/// Reads the resolved experiment of a run, or says in one line why it cannot be read.
pub(super) fn experiment(run: &Run) -> Result<Experiment, String> {
    let path = run.path(files::RESOLVED);
    let bytes = whole::read(&path, spec::MAX_BYTES as u64).map_err(|e| e.to_string())?;
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    match parse(files::RESOLVED, &bytes, &mut sources, &mut faults) {
        Some(tree) if faults.is_empty() => {
            let mut values = Experiment::new();
            flatten("", &tree, &mut values);
            values.extend(run.file.vars.iter().map(|(name, text)| (format!("vars.{name}"), text.clone())));
            Ok(values)
        }
        _ => {
            let why = faults.lines(&sources).first().map_or("it is empty".to_string(), |fault| fault.message.clone());
            Err(format!("{} is damaged: {why}; start the run again", path.display()))
        }
    }
}

/// Every path whose value is not the same in all experiments, with one value each; none where one lacks the path.
pub(super) fn differences(experiments: &[Experiment]) -> Vec<Difference> {
    let mut paths: Vec<&String> = experiments.iter().flat_map(BTreeMap::keys).collect();
    paths.sort();
    paths.dedup();
    let differs = |path: &&String| experiments.iter().any(|e| e.get(*path) != experiments[0].get(*path));
    let of_all = |path: &String| (path.clone(), experiments.iter().map(|e| e.get(path).cloned()).collect());
    let named = paths.into_iter().filter(|path| !NAMES.contains(&path.as_str()));
    let all: Vec<Difference> = named.filter(differs).map(of_all).collect();
    let is_variable = |path: &str| path.starts_with("vars.");
    // What a variable put somewhere is said by the variable.
    let said = |(path, values): &Difference| {
        !is_variable(path) && all.iter().any(|(other, same)| is_variable(other) && same == values)
    };
    all.iter().filter(|difference| !said(difference)).cloned().collect()
}

fn flatten(path: &str, node: &Node, values: &mut Experiment) {
    let below = |key: &str| if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
    match &node.value {
        Value::Map(map) if !map.entries.is_empty() => {
            map.entries.iter().for_each(|entry| flatten(&below(&entry.key), &entry.node, values));
        }
        Value::List(items) if items.iter().any(|item| item.map().is_some()) => {
            item_names(items).iter().zip(items).for_each(|(name, item)| flatten(&below(name), item, values));
        }
        _ => {
            values.insert(path.to_string(), text(node));
        }
    }
}

/// A value without keys in one line.
fn text(node: &Node) -> String {
    match &node.value {
        Value::Scalar(scalar) => scalar.text.clone(),
        Value::List(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", ")),
        Value::Map(_) => "{}".to_string(),
        Value::Empty | Value::Bad => String::new(),
    }
}
