//! The tables over all runs: what differs between them and what they reached, and repeated seeds in one row. Runs on
//! different data stand in tables of their own, since they are not to be ranked together.

use record::Metric;
use serde::Serialize;

use crate::compare::{self, Experiment, Known, Repetitions, differences, in_short, in_words, mean_and_deviation};

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
    /// So many of the columns are settings.
    pub settings: usize,
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

/// One group a dataset, in the order in which they first appear.
pub fn groups(known: &[Known]) -> Vec<Group> {
    let mut members: Vec<Vec<usize>> = Vec::new();
    for (index, Known { run, .. }) in known.iter().enumerate() {
        let fingerprint = &run.file.dataset.fingerprint;
        match members.iter_mut().find(|group| known[group[0]].run.file.dataset.fingerprint == *fingerprint) {
            Some(group) => group.push(index),
            None => members.push(vec![index]),
        }
    }
    let repetitions = compare::groups(known, Repetitions::Together);
    members.iter().map(|of_group| group(known, of_group, &repetitions)).collect()
}

fn group(known: &[Known], members: &[usize], repetitions: &[compare::Group<'_>]) -> Group {
    let experiments: Vec<&Experiment> = members.iter().map(|&index| &known[index].settings).collect();
    let mut differing = in_short(differences(&experiments), &experiments);
    let more_settings = differing.len().saturating_sub(MOST_SETTINGS);
    differing.truncate(MOST_SETTINGS);
    let metrics = metric_names(known, members);
    let facts = ["parameters", "epochs", "seconds", "images/s", "onnx", "status"];
    let paths = differing.iter().map(|(path, _)| path.clone());
    let columns = paths.chain(metrics.iter().cloned()).chain(facts.map(str::to_string)).collect();
    let rows = members.iter().enumerate().map(|(place, &index)| {
        let (run, file) = (&known[index].run, &known[index].run.file);
        let mut cells: Vec<Cell> = differing.iter().map(|(_, values)| setting(values[place].as_ref())).collect();
        cells.extend(metrics.iter().map(|name| measured(file.metrics.get(name))));
        cells.push(whole(file.parameters));
        cells.push(whole(file.epochs));
        cells.push(Cell { text: format!("{:.1}", file.seconds), sort: Some(file.seconds) });
        cells.push(file.images_per_second.map_or_else(none, |rate| whole(rate.round() as usize)));
        cells.push(word(file.proof.verdict.name()));
        cells.push(word(run.status().name()));
        Row { number: index + 1, name: file.name.clone(), id: file.id.clone(), cells }
    });
    let dataset = &known[members[0]].run.file.dataset;
    let is_here = |group: &&compare::Group<'_>| group.data() == dataset.fingerprint;
    let repetitions: Vec<&compare::Group<'_>> = repetitions.iter().filter(is_here).collect();
    Group {
        dataset: dataset.to_string(),
        fingerprint: dataset.fingerprint.chars().take(12).collect(),
        columns,
        settings: differing.len(),
        rows: rows.collect(),
        more_settings,
        repeated: repeated(known, &repetitions, &metrics),
    }
}

fn metric_names(known: &[Known], members: &[usize]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in members.iter().flat_map(|&index| known[index].run.file.metrics.keys()) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

fn repeated(known: &[Known], repetitions: &[&compare::Group<'_>], metrics: &[String]) -> Option<Repeated> {
    if repetitions.iter().all(|group| group.runs.len() == 1) {
        return None;
    }
    let experiments: Vec<&Experiment> = repetitions.iter().map(|group| &group.experiment).collect();
    let mut differing = in_short(differences(&experiments), &experiments);
    differing.truncate(MOST_SETTINGS);
    let row = |(place, group): (usize, &&compare::Group<'_>)| {
        let mut cells = vec![runs_of(known, group)];
        cells.extend(differing.iter().map(|(_, values)| setting(values[place].as_ref())));
        cells.extend(metrics.iter().map(|name| {
            let values = group.values(name);
            let sort = Some(mean_and_deviation(&values).0).filter(|mean| mean.is_finite());
            Cell { text: in_words(&values), sort }
        }));
        cells
    };
    let rows = repetitions.iter().enumerate().map(row).collect();
    let paths = differing.iter().map(|(path, _)| path.clone());
    let columns = ["runs".to_string()].into_iter().chain(paths).chain(metrics.iter().cloned()).collect();
    Some(Repeated { columns, rows })
}

/// The numbers on the page of the runs of a group.
fn runs_of(known: &[Known], group: &compare::Group<'_>) -> Cell {
    let is_of_group = |one: &Known| group.runs.iter().any(|run| run.directory == one.run.directory);
    let indices: Vec<usize> = (0..known.len()).filter(|index| is_of_group(&known[*index])).collect();
    let numbers: Vec<String> = indices.iter().map(|index| (index + 1).to_string()).collect();
    Cell { text: numbers.join(", "), sort: indices.first().map(|first| *first as f64) }
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
    fn whole_numbers_have_commas() {
        assert_eq!([whole(7).text, whole(1_234_567).text], ["7", "1,234,567"]);
    }
}
