//! A family of runs in text: the ledger, what would run, and how the trials stand at the end.

use std::time::Duration;

use record::{Run, Status};
use serde_json::{Value, json};

use super::board::{At, Board, End, Trial, value};
use super::planned::Planned;
use crate::progress::duration;

/// Longest text of a varied value that is shown whole.
const LONGEST: usize = 24;

/// The ledger as JSON.
pub fn ledger(board: &Board<'_>) -> Vec<u8> {
    let objective = board.family.sweep.as_ref().and_then(|sweep| sweep.objective.as_ref());
    let trials: Vec<Value> = board.trials.iter().enumerate().map(|(at, trial)| entry(board, at, trial)).collect();
    let whole = json!({
        "name": board.family.name,
        "file": board.planner.file.display().to_string(),
        "fingerprint": board.family.fingerprint,
        "n_trials": board.family.n_trials(),
        "objective": objective.map(|objective| &objective.metric),
        "winner": board.winner.map(|winner| winner + 1),
        "trials": trials,
    });
    serde_json::to_vec_pretty(&whole).expect("text and numbers become JSON")
}

fn entry(board: &Board<'_>, at: usize, trial: &Trial) -> Value {
    let values: serde_json::Map<String, Value> =
        labels(board, trial).into_iter().map(|(path, text)| (path, Value::String(text))).collect();
    let runs = trial.members.iter().map(|member| {
        let directory = member.planned.directory.as_ref().map(|path| path.display().to_string());
        let failure = if let At::Failed(why) = &member.at { Some(why) } else { None };
        json!({ "seed": member.planned.seed, "fold": member.planned.repeat.fold, "run": directory, "failure": failure })
    });
    let runs: Vec<Value> = runs.collect();
    json!({ "trial": at + 1, "values": values, "state": state(trial), "score": trial.score.or(trial.rungs.last().copied()), "runs": runs })
}

fn state(trial: &Trial) -> String {
    match &trial.end {
        None => "open".to_string(),
        Some(End::Whole) => "done".to_string(),
        Some(End::Early(1)) => "ended after 1 epoch".to_string(),
        Some(End::Early(epochs)) => format!("ended after {epochs} epochs"),
        Some(End::Failed(why)) => format!("failed: {why}"),
    }
}

fn labels(board: &Board<'_>, trial: &Trial) -> Vec<(String, String)> {
    board.family.sweep.as_ref().map(|sweep| sweep.labels(&trial.point)).unwrap_or_default()
}

/// What would run: every run with its values, and what is there of it.
pub fn plan(board: &Board<'_>) -> String {
    let mut text = format!("{}: {}\n", board.family.name, board.described());
    let has_folds = board.family.n_folds > 0;
    let columns: &[&str] = if has_folds { &["seed", "fold", "state"] } else { &["seed", "state"] };
    let mut rows = vec![header(board, columns)];
    let mut seconds = 0.0;
    for (at, trial) in board.trials.iter().enumerate() {
        for member in &trial.members {
            let Planned { seed, repeat, directory, .. } = &member.planned;
            let there = directory.as_deref().and_then(|directory| Run::read(directory).ok());
            let state = match there.as_ref().map(Run::status) {
                None => "to run".to_string(),
                Some(Status::Done) => format!("there: {}", there.map(|run| run.file.id).unwrap_or_default()),
                Some(_) => "to go on with".to_string(),
            };
            if !state.starts_with("there") {
                seconds += member.planned.seconds.unwrap_or(f64::NAN);
            }
            let fold = repeat.fold.map(|fold| fold.to_string());
            rows.push(row(board, at, trial, [Some(seed.to_string()), fold, Some(state)].into_iter().flatten()));
        }
    }
    text += &aligned(&rows);
    let left = board.family.n_trials() - board.trials.len();
    if left > 0 {
        text += &format!("and {left} trials whose values depend on what these reach\n");
    }
    text + &time(board, seconds)
}

/// How long what is left to run will take, if that can be estimated; trials that are not planned yet as the planned ones.
fn time(board: &Board<'_>, planned: f64) -> String {
    let seconds = planned * board.family.n_trials() as f64 / board.trials.len().max(1) as f64;
    if !seconds.is_finite() || seconds == 0.0 {
        return String::new();
    }
    let threads = board.planner.common.n_threads();
    let at_most = if board.family.sweep.as_ref().is_some_and(|sweep| sweep.asha.is_some()) { ", at most" } else { "" };
    format!("estimate: about {} on {threads} threads{at_most}\n", duration(Duration::from_secs_f64(seconds)))
}

/// How the trials stand at the end: the objective of each, or the first metric of its runs.
pub fn results(board: &Board<'_>) -> String {
    let objective = board.family.sweep.as_ref().and_then(|sweep| sweep.objective.as_ref());
    let metric = match objective {
        Some(objective) => objective.metric.clone(),
        None => first_metric(board).unwrap_or_else(|| "metric".to_string()),
    };
    let mut order: Vec<usize> = (0..board.trials.len()).collect();
    if objective.is_some() {
        let key = |at: &usize| board.trials[*at].score.filter(|score| !score.is_nan()).unwrap_or(f64::NEG_INFINITY);
        order.sort_by(|a, b| key(b).total_cmp(&key(a)));
    }
    let mut rows = vec![header(board, &[&metric, "state"])];
    for at in order {
        let trial = &board.trials[at];
        let values: Vec<f64> = trial.members.iter().filter_map(|member| reached(&member.planned, &metric)).collect();
        let won = if board.winner == Some(at) { "winner" } else { "" };
        let state = match &trial.end {
            Some(End::Whole) => won.to_string(),
            // The reason was told when it happened, and stands in the ledger.
            Some(End::Failed(_)) => "failed".to_string(),
            Some(End::Early(_)) | None => state(trial),
        };
        rows.push(row(board, at, trial, [mean_and_deviation(&values), state].into_iter()));
    }
    let mut text = aligned(&rows);
    if let Some(trial) = board.winner.map(|winner| &board.trials[winner]) {
        text += &tested(trial);
    }
    if let Some(table) = pivoted(board, &metric) {
        text += &format!("\n{table}\n");
    }
    text + &format!("etalon compare {} sets the runs side by side\n", board.family.name)
}

/// Of a comparison over one or two settings the metric as a pivot table, the seeds in one cell.
fn pivoted(board: &Board<'_>, metric: &str) -> Option<String> {
    let dimensions = &board.family.sweep.as_ref()?.space.dimensions;
    if board.family.is_judged() || dimensions.len() > 2 || (dimensions.len() == 1 && board.family.seeds.len() < 2) {
        return None;
    }
    let members = board.trials.iter().flat_map(|trial| &trial.members);
    let runs: Vec<Run> = members.filter_map(|m| Run::read(m.planned.directory.as_deref()?).ok()).collect();
    // A whole section that is varied is named by its kind.
    let (runs, _) = evaluator::compare::readable(runs);
    let known = &runs.first()?.settings;
    let path = |at: usize| {
        let path = dimensions.get(at)?.path.join(".");
        Some(if known.contains_key(&path) { path } else { format!("{path}.type") })
    };
    let (rows, columns) = match (path(0)?, path(1)) {
        (first, Some(second)) => (second, Some(first)),
        (first, None) => (first, None),
    };
    let wanted = evaluator::compare::Pivot { rows: &rows, columns: columns.as_deref(), value: metric };
    evaluator::compare::pivot(&runs, &wanted).ok()
}

/// What the winner reached on the part that nothing was chosen by.
fn tested(trial: &Trial) -> String {
    let runs: Vec<Run> = trial.members.iter().filter_map(|m| Run::read(m.planned.directory.as_deref()?).ok()).collect();
    let Some(first) = runs.first() else { return String::new() };
    let value = |name: &String| {
        let values: Vec<f64> = runs.iter().filter_map(|run| run.file.metrics.get(name)).map(|m| m.value).collect();
        format!("  {name} {}\n", mean_and_deviation(&values))
    };
    let metrics: String = first.file.metrics.keys().map(value).collect();
    format!("\nthe winner, tested once:\n{metrics}")
}

fn first_metric(board: &Board<'_>) -> Option<String> {
    let mut members = board.trials.iter().flat_map(|trial| &trial.members);
    members.find_map(|member| {
        let run = Run::read(member.planned.directory.as_deref()?).ok()?;
        run.file.metrics.keys().next().cloned()
    })
}

/// What a run reached: in its last measurement, or on validation.
fn reached(planned: &Planned, metric: &str) -> Option<f64> {
    let run = Run::read(planned.directory.as_deref()?).ok()?;
    run.file.metrics.get(metric).map(|metric| metric.value).or_else(|| value(planned, metric, None))
}

/// `0.8312 ± 0.0041 (3)`: mean, standard deviation of a sample, number.
fn mean_and_deviation(values: &[f64]) -> String {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    match values.len() {
        0 => "–".to_string(),
        1 => format!("{mean:.4}"),
        count => {
            let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
            format!("{mean:.4} ± {:.4} ({count})", variance.sqrt())
        }
    }
}

/// The names of what varies are short where they are clear: `vars.act` is `act`.
fn header(board: &Board<'_>, behind: &[&str]) -> Vec<String> {
    let paths: Vec<&[String]> =
        board.family.sweep.iter().flat_map(|sweep| &sweep.space.dimensions).map(|d| d.path.as_slice()).collect();
    let last = |path: &[String]| path.last().cloned().unwrap_or_default();
    let short = |path: &&[String]| {
        let twins = paths.iter().filter(|other| last(other) == last(path)).count();
        if twins > 1 { path.join(".") } else { last(path) }
    };
    let lead = board.family.sweep.iter().map(|_| "trial".to_string());
    lead.chain(paths.iter().map(short)).chain(behind.iter().map(|name| name.to_string())).collect()
}

fn row(board: &Board<'_>, at: usize, trial: &Trial, behind: impl Iterator<Item = String>) -> Vec<String> {
    let lead = board.family.sweep.iter().map(|_| (at + 1).to_string());
    let short = |(_, text): (String, String)| match text.chars().count() {
        n if n <= LONGEST => text,
        _ => text.chars().take(LONGEST - 1).chain(['…']).collect(),
    };
    lead.chain(labels(board, trial).into_iter().map(short)).chain(behind).collect()
}

fn aligned(rows: &[Vec<String>]) -> String {
    let n = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..n).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
