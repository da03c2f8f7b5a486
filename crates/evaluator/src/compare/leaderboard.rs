//! Experiments in the order of their accuracy, those together that the data cannot tell apart.
//!
//! The best stands first; every other is compared with it sample by sample, the p-values corrected by Holm (1979) for the
//! number of comparisons (Demšar 2006, "Statistical Comparisons of Classifiers over Multiple Data Sets"). What differs from
//! it for sure begins the next place, and so on with what is left.

use rayon::prelude::*;
use record::files;

use super::groups::{Group, in_words, mean_and_deviation};
use super::paired::{accuracy_p, holm, is_real};
use super::show::aligned;

/// More experiments are not compared with each other: every place reads the predictions of all that are left.
const MOST: usize = 50;

/// The metric that is compared: of what `predictions.parquet` holds.
const METRIC: &str = "test/accuracy";

/// An experiment, with its number in the table that the board stands below.
#[derive(Clone, Copy)]
struct Entry<'a> {
    number: usize,
    group: &'a Group<'a>,
    /// Corrected p-value against the first of the place above.
    p: Option<f64>,
}

/// The board of experiments on the same data, in the order of their table; nothing where fewer than three were tested.
///
/// # Errors
/// In one line, if they cannot be compared sample by sample.
pub(super) fn leaderboard<'a>(groups: &[&'a Group<'a>]) -> Result<Option<String>, String> {
    let is_tested = |group: &Group<'_>| {
        !group.values(METRIC).is_empty() && group.runs.iter().all(|run| run.path(files::PREDICTIONS).is_file())
    };
    let entry = |(index, group): (usize, &&'a Group<'a>)| Entry { number: index + 1, group, p: None };
    let mut left: Vec<Entry<'a>> =
        groups.iter().enumerate().map(entry).filter(|entry| is_tested(entry.group)).collect();
    if left.len() < 3 {
        return Ok(None);
    }
    if left.len() > MOST {
        return Err(format!("no leaderboard: it compares at most {MOST} experiments, and these are {}", left.len()));
    }
    let mean = |entry: &Entry<'_>| mean_and_deviation(&entry.group.values(METRIC)).0;
    left.sort_by(|one, other| mean(other).total_cmp(&mean(one)));
    let n = left.len();
    let mut rows = vec![["place", "#", METRIC, "p"].map(str::to_string).to_vec()];
    while !left.is_empty() {
        let (here, below) = split(&left)?;
        let place = n - left.len() + 1;
        rows.extend(here.iter().map(|entry| row(place, entry)));
        left = below;
    }
    Ok(Some(format!(
        "{}\nWho shares a place cannot be told apart from the first there. p: against the first\nof the place above, \
         sample by sample, with Holm's correction.\n",
        aligned(&rows)
    )))
}

/// Those that cannot be told apart from the first, and the rest with their p-values against it.
fn split<'a>(left: &[Entry<'a>]) -> Result<(Vec<Entry<'a>>, Vec<Entry<'a>>), String> {
    let Some((head, others)) = left.split_first() else { return Ok((Vec::new(), Vec::new())) };
    let p: Vec<f64> = others.par_iter().map(|other| accuracy_p(head.group, other.group)).collect::<Result<_, _>>()?;
    let (mut here, mut below) = (vec![*head], Vec::new());
    for (entry, p) in others.iter().zip(holm(&p)) {
        if is_real(p) { below.push(Entry { p: Some(p), ..*entry }) } else { here.push(*entry) }
    }
    Ok((here, below))
}

fn row(place: usize, entry: &Entry<'_>) -> Vec<String> {
    let p = match entry.p {
        None => "–".to_string(),
        Some(p) if p < 0.001 => "< 0.001".to_string(),
        Some(p) => format!("{p:.3}"),
    };
    vec![place.to_string(), entry.number.to_string(), in_words(&entry.group.values(METRIC)), p]
}
