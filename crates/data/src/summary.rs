//! A dataset in words: what it is, whether its bytes are the published ones, and how its classes spread over its parts.

use std::fmt::Write;

use crate::error::{grouped, one_line};
use crate::{Dataset, Error, Folds, Mode, Part, Published};

/// Widest name of a class in the table, in characters.
const MAX_NAME: usize = 28;

impl Dataset {
    /// The name and what is to be known of it: `cifar10 (published)`, `shapes10 (instead of cifar10)`.
    pub fn described(&self) -> String {
        let instead = self.instead_of.as_ref().map(|other| format!("instead of {}", other.name));
        let published = match self.published {
            Published::Yes => Some("published".to_string()),
            Published::Differs => Some("a copy that differs".to_string()),
            Published::NotChecked => None,
        };
        match instead.or(published) {
            Some(what) => format!("{} ({what})", self.name),
            None => self.name.clone(),
        }
    }
}

/// Several lines of at most 80 columns, for people.
///
/// # Errors
/// If an image cannot be read any more.
pub fn summary(dataset: &Dataset) -> Result<String, Error> {
    let mut text = String::new();
    let mut line = |what: &str, value: String| writeln!(text, "{what:<12}{value}").expect("a string takes any text");
    line("dataset", dataset.described());
    line("title", one_line(&dataset.title));
    line("layout", dataset.layout.to_string());
    line("fingerprint", dataset.fingerprint.chars().take(16).collect());
    let shape = |mode| dataset.shape(mode).map(|n| n.to_string()).join(" x ");
    match (shape(Mode::Train), shape(Mode::Evaluate)) {
        (train, evaluate) if train == evaluate => line("images", train),
        (train, evaluate) => line("images", format!("{train} for training, {evaluate} for evaluation")),
    }
    let (mean, std) = dataset.statistics()?;
    let channels = |values: Vec<f64>| values.iter().map(|value| format!("{value:.4}")).collect::<Vec<_>>().join(", ");
    line("mean", format!("{} of train, of values from 0 to 1", channels(mean)));
    line("std", channels(std));
    if let Some((column, counts)) = dataset.groups() {
        let counts = counts.into_iter().map(|(part, n)| format!("{} in {}", grouped(n as u64), part.name()));
        line("groups", format!("by {}: {}", one_line(column), counts.collect::<Vec<_>>().join(", ")));
    }
    for (index, found) in dataset.findings.describe(&dataset.classes).into_iter().enumerate() {
        line(if index == 0 { "found" } else { "" }, found);
    }
    text.push('\n');
    Ok(text + &table(dataset) + &folds(dataset))
}

/// What each fold has, a row each; nothing without folds.
fn folds(dataset: &Dataset) -> String {
    let counts = dataset.fold_class_counts();
    let Some(Folds { fold: validating, .. }) = dataset.fold else { return String::new() };
    let row = |fold: &str, values: [&str; 3]| {
        let [samples, least, most] = values;
        format!("{fold:<18}{samples:>12}{least:>16}{most:>16}\n")
    };
    let mut text = String::from("\n") + &row("fold", ["samples", "smallest class", "largest class"]);
    for (index, counts) in counts.iter().enumerate() {
        let name = match index + 1 {
            fold if fold == validating => format!("{fold} (validation)"),
            fold => fold.to_string(),
        };
        let of = [Some(counts.iter().sum()), counts.iter().min().copied(), counts.iter().max().copied()];
        let [samples, least, most] = of.map(|n| grouped(n.unwrap_or(0) as u64));
        text += &row(&name, [&samples, &least, &most]);
    }
    text
}

/// Samples of each class in each part.
fn table(dataset: &Dataset) -> String {
    let parts: Vec<&Part> = dataset.parts().collect();
    let counts: Vec<Vec<usize>> = parts.iter().map(|part| dataset.class_counts(part.name)).collect();
    let names: Vec<String> = dataset.classes.iter().map(|name| shortened(&one_line(name))).collect();
    let width = names.iter().map(|name| name.chars().count()).chain([5]).max().unwrap_or(5);
    let row = |name: &str, values: Vec<String>| {
        let gap = width - name.chars().count();
        let values: String = values.iter().map(|value| format!("{value:>12}")).collect();
        format!("{name}{}{values}\n", " ".repeat(gap))
    };
    let mut text = row("class", parts.iter().map(|part| part.name.name().to_string()).collect());
    for (class, name) in names.iter().enumerate() {
        text += &row(name, counts.iter().map(|counts| grouped(counts[class] as u64)).collect());
    }
    text + &row("all", parts.iter().map(|part| grouped(part.indices.len() as u64)).collect())
}

fn shortened(name: &str) -> String {
    match name.chars().count() {
        n if n <= MAX_NAME => name.to_string(),
        _ => name.chars().take(MAX_NAME - 1).chain(['…']).collect(),
    }
}
