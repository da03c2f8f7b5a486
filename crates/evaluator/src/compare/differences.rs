//! What differs between the resolved experiments of runs: paths and their values.

use std::collections::BTreeMap;

use record::{Run, files, whole};
use serde_yaml::Value;

/// More differences than these are not shown.
const MOST: usize = 12;

/// Larger than any resolved experiment.
const LIMIT: u64 = 16 << 20;

/// A path and its value in each run.
pub(super) type Difference = (String, Vec<Option<String>>);

/// Every path whose value is not the same in all runs, with one value a run; none where a run lacks the path.
pub(super) fn differences(runs: &[Run]) -> Result<Vec<Difference>, record::Error> {
    let mut experiments = Vec::new();
    for run in runs {
        let bytes = whole::read(&run.path(files::RESOLVED), LIMIT)?;
        let mut paths = BTreeMap::new();
        // What is no YAML has no paths; the run's other columns stay.
        if let Ok(value) = serde_yaml::from_slice::<Value>(&bytes) {
            flatten("", &value, &mut paths);
        }
        experiments.push(paths);
    }
    let mut all: Vec<&String> = experiments.iter().flat_map(BTreeMap::keys).collect();
    all.sort();
    all.dedup();
    let differs = |path: &&&String| experiments.iter().any(|e| e.get(**path) != experiments[0].get(**path));
    let shown = all.iter().filter(|path| !["name", "description"].contains(&path.as_str())).filter(differs).take(MOST);
    let column = |path: &&String| (path.to_string(), experiments.iter().map(|e| e.get(*path).cloned()).collect());
    Ok(shown.map(column).collect())
}

fn flatten(path: &str, value: &Value, paths: &mut BTreeMap<String, String>) {
    let below = |key: &str| if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
    match value {
        Value::Mapping(map) => {
            for (key, value) in map {
                flatten(&below(key.as_str().unwrap_or("?")), value, paths);
            }
        }
        Value::Sequence(items) if items.iter().any(|item| item.is_mapping() || item.is_sequence()) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&below(&index.to_string()), item, paths);
            }
        }
        other => {
            let text = serde_yaml::to_string(other).unwrap_or_default();
            let text = text.lines().map(|line| line.trim_start_matches("- ")).collect::<Vec<_>>().join(", ");
            paths.insert(path.to_string(), text);
        }
    }
}
