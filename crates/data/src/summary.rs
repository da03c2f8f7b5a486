//! A dataset in words: what it is, whether its bytes are the published ones, and how its classes spread over its parts.

use std::fmt::Write;

use crate::error::{grouped, one_line};
use crate::{Dataset, Mode, Part, Published};

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
pub fn summary(dataset: &Dataset) -> String {
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
    for (index, found) in dataset.findings.describe(&dataset.classes).into_iter().enumerate() {
        line(if index == 0 { "found" } else { "" }, found);
    }
    text.push('\n');
    text + &table(dataset)
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
