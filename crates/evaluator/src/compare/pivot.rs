//! A pivot table: one metric over two settings, repetitions in one cell.

use super::groups::{Group, Repetitions, groups, in_words};
use super::show::aligned;
use super::{CompareError, Known};

/// What stands in the rows, the columns and the cells.
#[derive(Clone, Copy, Debug)]
pub struct Pivot<'a> {
    /// A path of the experiment: `vars.act`.
    pub rows: &'a str,
    /// Another path; without one there is one column.
    pub columns: Option<&'a str>,
    /// A metric: `test/accuracy`.
    pub value: &'a str,
}

/// The table as text; runs on different data stand in tables of their own.
///
/// # Errors
/// If no run has the path or the metric.
pub fn pivot(runs: &[Known], wanted: &Pivot<'_>) -> Result<String, CompareError> {
    let groups = groups(runs, Repetitions::Together);
    for path in [Some(wanted.rows), wanted.columns].into_iter().flatten() {
        hold_known(path, groups.iter().flat_map(|group| group.experiment.keys()).map(String::as_str))?;
    }
    hold_known(wanted.value, runs.iter().flat_map(|known| known.run.file.metrics.keys()).map(String::as_str))?;
    let mut data: Vec<&str> = Vec::new();
    for group in &groups {
        let fingerprint = group.runs[0].file.dataset.fingerprint.as_str();
        if !data.contains(&fingerprint) {
            data.push(fingerprint);
        }
    }
    let of_data = |fingerprint: &&str| {
        let own: Vec<&Group<'_>> =
            groups.iter().filter(|group| group.runs[0].file.dataset.fingerprint == **fingerprint).collect();
        let title = match data.len() {
            1 => String::new(),
            _ => format!("{}: not to be ranked with other data\n", own[0].runs[0].file.dataset),
        };
        title + &table(&own, wanted)
    };
    Ok(data.iter().map(of_data).collect::<Vec<_>>().join("\n"))
}

fn hold_known<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Result<(), CompareError> {
    if known.clone().any(|other| other == name) {
        return Ok(());
    }
    let near = spec::nearest(name, known);
    let help =
        near.map_or("`etalon compare` without --rows lists them".into(), |near| format!("did you mean `{near}`?"));
    Err(CompareError::Column(format!("no run has `{name}`; {help}")))
}

fn table(groups: &[&Group<'_>], wanted: &Pivot<'_>) -> String {
    let of = |group: &Group<'_>, path: &str| group.experiment.get(path).cloned().unwrap_or("–".to_string());
    let column = |group: &Group<'_>| wanted.columns.map_or(wanted.value.to_string(), |path| of(group, path));
    let (mut rows, mut columns): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for group in groups {
        let (row, column) = (of(group, wanted.rows), column(group));
        if !rows.contains(&row) {
            rows.push(row);
        }
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    [&mut rows, &mut columns].into_iter().for_each(|names| names.sort_by(by_number));
    let cell = |row: &String, name: &String| {
        let here = groups.iter().filter(|group| of(group, wanted.rows) == *row && column(group) == *name);
        in_words(&here.flat_map(|group| group.values(wanted.value)).collect::<Vec<f64>>())
    };
    let header = std::iter::once(wanted.rows.to_string()).chain(columns.iter().cloned()).collect();
    let line = |row: &String| std::iter::once(row.clone()).chain(columns.iter().map(|name| cell(row, name))).collect();
    let lines: Vec<Vec<String>> = std::iter::once(header).chain(rows.iter().map(line)).collect();
    let title = wanted.columns.map(|path| format!("{} over {} and {path}\n", wanted.value, wanted.rows));
    title.unwrap_or_default() + &aligned(&lines)
}

/// Numbers by their size, anything else by its letters; so the table does not depend on which run came first.
fn by_number(one: &String, other: &String) -> std::cmp::Ordering {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => one.total_cmp(&other),
        (Ok(_), Err(_)) => std::cmp::Ordering::Less,
        (Err(_), Ok(_)) => std::cmp::Ordering::Greater,
        (Err(_), Err(_)) => one.cmp(other),
    }
}
