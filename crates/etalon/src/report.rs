//! What was measured, as tables for people, at most 80 columns wide.

use std::collections::BTreeMap;

use evaluator::Measured;

/// More classes than this are shown by their worst.
const MOST_CLASSES: usize = 30;

/// Of many classes, those with the lowest f1 that are shown.
const WORST: usize = 20;

/// Longest name of a class that is shown whole.
const LONGEST: usize = 24;

/// Every metric on every part (`values` by `part/name`), and the interval of the part that was judged.
pub fn metrics(values: &BTreeMap<String, f64>, judged: &str, measured: &Measured) -> String {
    let of_part = |part: &str| values.keys().any(|name| name.starts_with(&format!("{part}/")));
    let parts: Vec<&str> = ["train", "validation", "test"].into_iter().filter(|part| of_part(part)).collect();
    let whole = measured.rows.iter().filter(|row| row.class.is_none()).map(|row| row.metric.as_str());
    let names: Vec<&str> = std::iter::once("loss").chain(whole).collect();
    let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let mut text = format!("{:width$}", "");
    parts.iter().for_each(|part| text += &format!("  {part:>10}"));
    text += &format!("  interval ({judged})\n");
    for name in names {
        text += &format!("{name:width$}");
        for part in &parts {
            text += &values.get(&format!("{part}/{name}")).map_or(" ".repeat(12), |value| format!("  {value:>10.4}"));
        }
        if let Some(row) = measured.find(name) {
            text += &format!("  [{:.4}, {:.4}]", row.low, row.high);
        }
        text.push('\n');
    }
    text
}

/// Precision, recall and f1 of every class.
pub fn classes(measured: &Measured) -> String {
    let value = |metric: &str, class: &str| measured.find_class(metric, class).map_or(f64::NAN, |row| row.value);
    let mut names: Vec<&String> = measured.classes.iter().collect();
    let mut text = String::new();
    if names.len() > MOST_CLASSES {
        names.sort_by(|a, b| value("f1", a).total_cmp(&value("f1", b)));
        names.truncate(WORST);
        text += &format!("the {WORST} of {} classes with the lowest f1\n", measured.classes.len());
    }
    let short = |name: &str| name.chars().take(LONGEST).collect::<String>();
    let width = names.iter().map(|name| short(name).chars().count()).chain([5]).max().unwrap_or(5);
    text += &format!("{:width$}  {:>9}  {:>9}  {:>9}  {:>7}\n", "class", "precision", "recall", "f1", "samples");
    for name in names {
        let n = samples(measured, name);
        let [precision, recall, f1] = ["precision", "recall", "f1"].map(|metric| value(metric, name));
        text += &format!("{:width$}  {precision:>9.4}  {recall:>9.4}  {f1:>9.4}  {n:>7}\n", short(name));
    }
    text
}

/// How many samples have this label.
fn samples(measured: &Measured, class: &str) -> u64 {
    let n = measured.classes.len();
    let label = measured.classes.iter().position(|name| name == class).unwrap_or(0);
    measured.confusion[label * n..][..n].iter().sum()
}
