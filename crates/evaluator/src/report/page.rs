//! The template and what it is filled with.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use record::Run;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::curves::Chart;
use super::details::Details;
use super::overview::Group;

/// The name's ending makes the template escape what it is filled with.
const NAME: &str = "report.html";
const TEMPLATE: &str = include_str!("page.html");
const STYLE: [&str; 2] = [include_str!("../../assets/uPlot.min.css"), include_str!("page.css")];
const SCRIPTS: [&str; 3] = [
    include_str!("../../assets/uPlot.iife.min.js"),
    include_str!("../../assets/sortable.min.js"),
    include_str!("page.js"),
];
const LICENCES: [(&str, &str); 2] = [
    ("uPlot 1.6.32", include_str!("../../assets/uPlot.LICENSE")),
    ("sortable-tablesort 4.1.7", include_str!("../../assets/sortable.LICENSE")),
];

/// As many settings stand in the name of a curve.
const LABELLED: usize = 3;

/// What the page says.
#[derive(Debug, Serialize)]
pub struct Page {
    pub groups: Vec<Group>,
    pub curves: Vec<Chart>,
    pub details: Vec<Details>,
    pub left_out: Vec<String>,
    pub warnings: Vec<String>,
}

/// The whole file.
pub fn render(page: &Page, runs: &[Run]) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.add_template(NAME, TEMPLATE)?;
    let mut names: Vec<&str> = runs.iter().map(|run| run.file.name.as_str()).collect();
    names.dedup();
    let shown = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
    let title = if names.len() > 3 { format!("{shown} and others") } else { shown };
    let labels: Vec<String> = runs.iter().enumerate().map(|(index, run)| label(&page.groups, index + 1, run)).collect();
    let numbers = serde_json::json!({"runs": labels, "charts": page.curves}).to_string();
    environment.get_template(NAME)?.render(context! {
        page => Value::from(Serde(page)),
        title,
        runs => runs.len(),
        made => record::now(),
        version => env!("CARGO_PKG_VERSION"),
        policy => policy(),
        style => Value::from_safe_string(STYLE.concat()),
        scripts => SCRIPTS.map(|script| Value::from_safe_string(script.to_string())),
        // Inside a script element only `<` can end it; in JSON it stands in texts alone.
        numbers => Value::from_safe_string(numbers.replace('<', "\\u003c")),
        licences => LICENCES,
    })
}

/// Number, and the first settings in which the run differs from the others: `3 learning_rate 0.01, seed 2`.
fn label(groups: &[Group], number: usize, run: &Run) -> String {
    let row = groups.iter().find_map(|group| Some((group, group.rows.iter().find(|row| row.number == number)?)));
    let settings = row.map(|(group, row)| {
        let named = group.columns.iter().zip(&row.cells).take(group.settings.min(LABELLED));
        named.map(|(path, cell)| format!("{} {}", path.rsplit('.').next().unwrap_or(path), cell.text)).collect()
    });
    let settings: Vec<String> = settings.unwrap_or_default();
    let name = if settings.is_empty() { run.file.name.clone() } else { settings.join(", ") };
    format!("{number} {name}")
}

/// Nothing is fetched, and no script runs but these: `script-src` names each by the hash of its text.
fn policy() -> String {
    let hash = |script: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script.as_bytes())));
    let scripts = SCRIPTS.map(hash).join(" ");
    format!(
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {scripts}; base-uri 'none'; form-action 'none'"
    )
}
