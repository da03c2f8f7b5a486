//! What differs between the resolved experiments of runs: paths, written as overrides write them, and their values.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, RwLock};

use record::{Run, files, whole};
use spec::{Faults, Node, Sources, Value, item_names, parse};

/// Keys that say nothing of what was done.
const NAMES: [&str; 2] = ["name", "description"];

/// The values of an experiment by path.
pub(crate) type Experiment = BTreeMap<String, String>;

/// A path and its value in each run.
pub(crate) type Difference = (String, Vec<Option<String>>);

/// Reads experiments of runs. Runs of one project have most of their sections in common: each is parsed once.
#[derive(Default)]
pub(super) struct Reader {
    /// Values by the text of a section: a key at the left margin and what stands below it.
    sections: RwLock<HashMap<String, Arc<Experiment>>>,
}

impl Reader {
    /// The resolved experiment of a run, or in one line why it cannot be read.
    pub(super) fn experiment(&self, run: &Run) -> Result<Experiment, String> {
        let path = run.path(files::RESOLVED);
        let bytes = whole::read(&path, spec::MAX_BYTES as u64).map_err(|e| e.to_string())?;
        let by_sections = std::str::from_utf8(&bytes).ok().and_then(|text| self.by_sections(text));
        let damaged = |why: String| format!("{} is damaged: {why}; start the run again", path.display());
        let mut values = by_sections.map_or_else(|| parsed(&bytes), Ok).map_err(damaged)?;
        values.extend(run.file.vars.iter().map(|(name, text)| (format!("vars.{name}"), text.clone())));
        Ok(values)
    }

    /// The values of a text as we write it; nothing where it is not so, and must be read as a whole.
    fn by_sections(&self, text: &str) -> Option<Experiment> {
        let mut values = Experiment::new();
        for section in sections(text)? {
            let known = self.sections.read().ok()?.get(section).cloned();
            let of_section = match known {
                Some(known) => known,
                None => {
                    let new = Arc::new(parsed(section.as_bytes()).ok()?);
                    self.sections.write().ok()?.insert(section.to_string(), Arc::clone(&new));
                    new
                }
            };
            values.extend(of_section.iter().map(|(path, value)| (path.clone(), value.clone())));
        }
        Some(values)
    }
}

/// The text cut before every key at the left margin; nothing where a line there is something else, or a key stands twice.
fn sections(text: &str) -> Option<Vec<&str>> {
    let (mut starts, mut keys, mut at) = (Vec::new(), HashSet::new(), 0);
    for line in text.split_inclusive('\n') {
        match line.as_bytes()[0] {
            b'a'..=b'z' => {
                starts.push(at);
                if !keys.insert(line.split_once(':')?.0) {
                    return None;
                }
            }
            b' ' if !starts.is_empty() => {}
            b'-' if !starts.is_empty() && line.starts_with("- ") => {}
            _ => return None,
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    Some(starts.iter().zip(ends).map(|(start, end)| &text[*start..end]).collect())
}

/// Every value of a text by path, or why it is none of ours.
fn parsed(bytes: &[u8]) -> Result<Experiment, String> {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    match parse(files::RESOLVED, bytes, &mut sources, &mut faults) {
        Some(tree) if faults.is_empty() => {
            let mut values = Experiment::new();
            flatten("", &tree, &mut values);
            Ok(values)
        }
        _ => Err(faults.lines(&sources).first().map_or("it is empty".to_string(), |fault| fault.message.clone())),
    }
}

/// Every path whose value is not the same in all experiments, with one value each; none where one lacks the path.
pub(crate) fn differences(experiments: &[&Experiment]) -> Vec<Difference> {
    let mut paths: Vec<&String> = experiments.iter().flat_map(|experiment| experiment.keys()).collect();
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

/// The differences for people: what one experiment has and another has not, such as a layer with all its settings, is
/// one line that says who has it.
pub(crate) fn in_short(differences: Vec<Difference>, experiments: &[&Experiment]) -> Vec<Difference> {
    let mut short: Vec<Difference> = Vec::new();
    for (path, values) in differences {
        match missing_above(&path, &values, experiments) {
            Some(above) if short.iter().any(|(known, _)| known == above) => {}
            Some(above) => {
                let has = values.iter().map(|value| value.is_some().then(|| "there".to_string())).collect();
                short.push((above.to_string(), has));
            }
            None => short.push((path, values)),
        }
    }
    short
}

/// The outermost mapping around a path that those without the path lack altogether, if it is not the path itself and
/// those that have it agree on this path.
fn missing_above<'p>(path: &'p str, values: &[Option<String>], experiments: &[&Experiment]) -> Option<&'p str> {
    let mut there = values.iter().flatten();
    let first = there.next()?;
    if values.iter().all(Option::is_some) || there.any(|value| value != first) {
        return None;
    }
    let lacks = |above: &str| {
        let inside = format!("{above}.");
        let has = |experiment: &Experiment| {
            experiment.range(inside.clone()..).next().is_some_and(|(p, _)| p.starts_with(&inside))
        };
        values.iter().zip(experiments).all(|(value, experiment)| value.is_some() || !has(experiment))
    };
    path.match_indices('.').map(|(at, _)| &path[..at]).find(|above| lacks(above))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_by_sections_reads_as_the_whole() {
        let text = "name: a\nmetrics:\n- accuracy\n- f1\ndata:\n  train:\n    split:\n    - train\n  note: |-\n    b: c\nseed: 3\n";
        let reader = Reader::default();
        assert_eq!(reader.by_sections(text), Some(parsed(text.as_bytes()).unwrap()));
        assert_eq!(sections(text).unwrap().len(), 4);
        for other in ["seed: 1\nseed: 2\n", "{a: 1}\n", "a: 1\n---\nb: 2\n", "", "\na: 1\n", "# c\na: 1\n"] {
            assert!(sections(other).is_none_or(|sections| sections.is_empty()), "{other}");
        }
    }
}
