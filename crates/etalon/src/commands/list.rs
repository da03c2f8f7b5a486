//! `etalon list`: the tables of the language.

use clap::Args;
use serde_json::{Value, json};

use crate::catalogue::{Row, Table};
use crate::cli::{Common, Format};
use crate::failure::Outcome;
use crate::terminal;

/// Arguments of `etalon list`.
#[derive(Args)]
pub struct ListArguments {
    /// The table
    #[arg(value_enum)]
    pub table: Table,
    /// `json` prints a list with all of each row's documentation
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// Prints a table.
pub fn list(arguments: &ListArguments, common: &Common) -> Outcome {
    let rows = arguments.table.rows(&common.data_dirs());
    let text = match arguments.format {
        Format::Text => table(&rows),
        Format::Json => Value::from_iter(rows.iter().map(json_row)).to_string(),
    };
    terminal::print(&text);
    Ok(())
}

fn json_row(row: &Row) -> Value {
    json!({ "name": row.name, "main": row.main, "doc": row.doc, "example": row.example })
}

/// Widest line.
const COLUMNS: usize = 80;

fn table(rows: &[Row]) -> String {
    let named = |row: &Row| row.main.map_or(row.name.clone(), |main| format!("{}: {main}", row.name));
    let width = rows.iter().map(|row| named(row).chars().count()).max().unwrap_or(0);
    let line = |row: &Row| format!("{:<width$}  {}", named(row), first_sentence(&row.doc, COLUMNS - width - 2));
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The first sentence, cut at a word where it is too long.
fn first_sentence(doc: &str, most: usize) -> String {
    // "et al. 1998" ends no sentence.
    let end = doc.match_indices(". ").map(|(at, _)| at).find(|&at| !doc[..at].ends_with("et al"));
    let sentence = doc[..end.unwrap_or(doc.len())].trim_end_matches('.');
    if sentence.chars().count() <= most {
        return sentence.to_string();
    }
    let cut: String = sentence.chars().take(most - 1).collect();
    format!("{}…", cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words))
}
