//! The tables over all runs: what differs between them and what they reached, and repeated seeds in one row. Runs on
//! different data stand in tables of their own, since they are not to be ranked together.

use std::collections::BTreeMap;

use record::{Metric, Run};
use serde::Serialize;

/// People are shown at most as many settings that differ.
const MOST_SETTINGS: usize = 12;

/// A cell: what is read, and what is sorted by.
#[derive(Debug, Serialize)]
pub struct Cell {
    pub text: String,
    /// The number behind the text, where it is one.
    pub sort: Option<f64>,
}

/// The runs on the same data.
#[derive(Debug, Serialize)]
pub struct Group {
    pub dataset: String,
    pub fingerprint: String,
    /// Names of the columns behind number and name.
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
    /// What all runs of the group have in common is not shown as a column; settings beyond the most are counted.
    pub more_settings: usize,
    pub repeated: Option<Repeated>,
}

/// A run in its group's table.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Number of the run on the page.
    pub number: usize,
    pub name: String,
    pub id: String,
    pub cells: Vec<Cell>,
}

/// Runs that differ in their seeds only, as mean ± standard deviation.
#[derive(Debug, Serialize)]
pub struct Repeated {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

type Settings = BTreeMap<String, String>;

/// One group a dataset, in the order in which they first appear.
pub fn groups(runs: &[Run], settings: &[Settings]) -> Vec<Group> {
    let mut members: Vec<Vec<usize>> = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        let fingerprint = &run.file.dataset.fingerprint;
        match members.iter_mut().find(|group| runs[group[0]].file.dataset.fingerprint == *fingerprint) {
            Some(group) => group.push(index),
            None => members.push(vec![index]),
        }
    }
    members.iter().map(|of_group| group(runs, settings, of_group)).collect()
}

fn group(runs: &[Run], settings: &[Settings], members: &[usize]) -> Group {
    let mut differing = differing(settings, members);
    let more_settings = differing.len().saturating_sub(MOST_SETTINGS);
    differing.truncate(MOST_SETTINGS);
    let metrics = metric_names(runs, members);
    let facts = ["parameters", "epochs", "seconds", "images/s", "onnx", "status"];
    let columns = differing.iter().chain(&metrics).map(String::clone).chain(facts.map(str::to_string)).collect();
    let rows = members.iter().map(|&index| {
        let file = &runs[index].file;
        let mut cells: Vec<Cell> = differing.iter().map(|path| setting(settings[index].get(path))).collect();
        cells.extend(metrics.iter().map(|name| measured(file.metrics.get(name))));
        cells.push(whole(file.parameters));
        cells.push(whole(file.epochs));
        cells.push(Cell { text: format!("{:.1}", file.seconds), sort: Some(file.seconds) });
        cells.push(file.images_per_second.map_or_else(none, |rate| whole(rate.round() as usize)));
        cells.push(word(file.proof.verdict.name()));
        cells.push(word(runs[index].status().name()));
        Row { number: index + 1, name: file.name.clone(), id: file.id.clone(), cells }
    });
    let dataset = &runs[members[0]].file.dataset;
    Group {
        dataset: dataset.to_string(),
        fingerprint: dataset.fingerprint.chars().take(12).collect(),
        columns,
        rows: rows.collect(),
        more_settings,
        repeated: repeated(runs, settings, members, &metrics),
    }
}

/// Paths whose values are not the same in all; what a run is called says nothing of what was done.
fn differing(settings: &[Settings], members: &[usize]) -> Vec<String> {
    let mut paths: Vec<&String> = members.iter().flat_map(|&index| settings[index].keys()).collect();
    paths.sort();
    paths.dedup();
    let differs = |path: &str| members.iter().any(|&i| settings[i].get(path) != settings[members[0]].get(path));
    let is_said = |path: &&&String| !["name", "description"].contains(&path.as_str());
    let all: Vec<&String> = paths.into_iter().filter(|path| is_said(&path)).filter(|path| differs(path)).collect();
    let is_variable = |path: &str| path.starts_with("vars.");
    let equal = |one: &str, other: &str| members.iter().all(|&i| settings[i].get(one) == settings[i].get(other));
    // What a variable put somewhere is said by the variable.
    let by_variable =
        |path: &str| !is_variable(path) && all.iter().any(|other| is_variable(other) && equal(path, other));
    all.iter().filter(|path| !by_variable(path)).map(|path| path.to_string()).collect()
}

fn metric_names(runs: &[Run], members: &[usize]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in members.iter().flat_map(|&index| runs[index].file.metrics.keys()) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn repeated(runs: &[Run], settings: &[Settings], members: &[usize], metrics: &[String]) -> Option<Repeated> {
    let but_seed = |index: usize| {
        let mut own = settings[index].clone();
        ["seed", "data.fold", "name", "description"].iter().for_each(|path| drop(own.remove(*path)));
        own
    };
    let mut repeats: Vec<(Settings, Vec<usize>)> = Vec::new();
    for &index in members {
        let own = but_seed(index);
        match repeats.iter_mut().find(|(known, _)| *known == own) {
            Some((_, indices)) => indices.push(index),
            None => repeats.push((own, vec![index])),
        }
    }
    if repeats.iter().all(|(_, indices)| indices.len() == 1) {
        return None;
    }
    let mut differing = differing(settings, members);
    differing.retain(|path| path != "seed" && path != "data.fold");
    differing.truncate(MOST_SETTINGS);
    let rows = repeats.iter().map(|(_, indices)| {
        let first = indices[0];
        let mut cells = vec![runs_of(indices)];
        cells.extend(differing.iter().map(|path| setting(settings[first].get(path))));
        cells.extend(metrics.iter().map(|name| {
            let values = indices.iter().filter_map(|&i| runs[i].file.metrics.get(name)).map(|metric| metric.value);
            mean_and_deviation(&values.filter(|value| value.is_finite()).collect::<Vec<_>>())
        }));
        cells
    });
    let rows = rows.collect();
    let columns = ["runs".to_string()].into_iter().chain(differing.clone()).chain(metrics.to_vec()).collect();
    Some(Repeated { columns, rows })
}

fn runs_of(indices: &[usize]) -> Cell {
    let numbers: Vec<String> = indices.iter().map(|index| (index + 1).to_string()).collect();
    Cell { text: numbers.join(", "), sort: Some(indices[0] as f64) }
}

/// `0.6612 ± 0.0042 (4)`, with the sample's standard deviation (the divisor is n − 1).
fn mean_and_deviation(values: &[f64]) -> Cell {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    match values.len() {
        0 => none(),
        1 => Cell { text: format!("{mean:.4} (1)"), sort: Some(mean) },
        count => {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            let deviation = (squares / (n - 1.0)).sqrt();
            Cell { text: format!("{mean:.4} ± {deviation:.4} ({count})"), sort: Some(mean) }
        }
    }
}

fn setting(value: Option<&String>) -> Cell {
    value.map_or_else(none, |text| Cell { text: text.clone(), sort: text.parse().ok().filter(|x: &f64| x.is_finite()) })
}

/// `0.6640 [0.6547, 0.6732]`.
pub fn measured(metric: Option<&Metric>) -> Cell {
    let Some(metric) = metric.filter(|metric| !metric.value.is_nan()) else { return none() };
    let has_interval = metric.low.is_finite() && metric.high.is_finite();
    let interval = if has_interval { format!(" [{:.4}, {:.4}]", metric.low, metric.high) } else { String::new() };
    Cell { text: format!("{:.4}{interval}", metric.value), sort: Some(metric.value) }
}

fn whole(count: usize) -> Cell {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    Cell { text, sort: Some(count as f64) }
}

fn word(text: &str) -> Cell {
    Cell { text: text.to_string(), sort: None }
}

fn none() -> Cell {
    Cell { text: "–".to_string(), sort: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_values_are_a_mean_with_its_deviation() {
        // `statistics.mean` and `statistics.stdev` of Python: 0.66625, 0.0043493…
        assert_eq!(mean_and_deviation(&[0.667, 0.662, 0.672, 0.664]).text, "0.6663 ± 0.0043 (4)");
        assert_eq!(mean_and_deviation(&[0.5]).text, "0.5000 (1)");
        assert_eq!(mean_and_deviation(&[]).text, "–");
        assert_eq!([whole(7).text, whole(1_234_567).text], ["7", "1,234,567"]);
    }
}
