//! Everything that the language has, put together from the tables of all crates: for lists, schema and reference.

use std::fmt::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use spec::{Kind, KindTable, Sources};

use crate::experiment::{Experiment, REQUIRED};
use crate::sweep::SCHEDULERS;

/// One table of the language.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Layers,
    Activations,
    Initializers,
    Presets,
    Losses,
    Optimizers,
    Schedules,
    /// What `preprocess` and `augment` are made of
    Steps,
    Normalizations,
    Metrics,
    Datasets,
    Formats,
    /// What stops weak trials of a sweep early
    Schedulers,
}

/// One row of a table.
pub struct Row {
    pub name: String,
    /// The parameter that a value which is no mapping sets.
    pub main: Option<&'static str>,
    pub doc: String,
    pub example: String,
}

/// What a table is made of.
enum Content {
    Kinds(Vec<&'static KindTable>),
    Rows(Vec<Row>),
}

impl Table {
    /// The rows, with the cards of these data folders.
    pub fn rows(self, data_dirs: &[PathBuf]) -> Vec<Row> {
        match self.content(data_dirs) {
            Content::Rows(rows) => rows,
            Content::Kinds(tables) => tables.iter().flat_map(|table| (table.kinds)()).map(kind_row).collect(),
        }
    }

    fn content(self, data_dirs: &[PathBuf]) -> Content {
        match self {
            Table::Layers => Content::Kinds(vec![&model::LAYERS]),
            Table::Activations => Content::Kinds(vec![&model::ACTIVATIONS]),
            Table::Initializers => Content::Kinds(vec![&model::INITIALIZERS]),
            Table::Losses => Content::Kinds(vec![&trainer::LOSSES]),
            Table::Optimizers => Content::Kinds(vec![&trainer::OPTIMIZERS]),
            Table::Schedules => Content::Kinds(vec![&trainer::words::SCHEDULES]),
            Table::Steps => Content::Kinds(vec![&data::PREPROCESS, &data::AUGMENT]),
            Table::Normalizations => Content::Kinds(vec![&data::NORMALIZATIONS]),
            Table::Schedulers => Content::Kinds(vec![&SCHEDULERS]),
            Table::Presets => Content::Rows(model::presets().into_iter().map(preset_row).collect()),
            Table::Metrics => {
                Content::Rows(evaluator::metrics::METRICS.iter().flat_map(|row| metric_rows(row)).collect())
            }
            Table::Formats => Content::Rows(data::FORMATS.iter().map(|format| kind_row(&format.kind)).collect()),
            Table::Datasets => Content::Rows(dataset_rows(data_dirs)),
        }
    }
}

fn kind_row(kind: &'static Kind) -> Row {
    Row { name: kind.name.into(), main: kind.main, doc: kind.doc.trim().into(), example: kind.example.into() }
}

fn preset_row((name, doc): (&'static str, String)) -> Row {
    Row { name: name.into(), main: None, doc, example: format!("model: {{preset: {name}}}") }
}

fn metric_rows(row: &evaluator::metrics::MetricRow) -> Vec<Row> {
    let of = |name: String| Row { example: format!("metrics: [{name}]"), name, main: None, doc: row.doc.trim().into() };
    row.names().into_iter().map(of).collect()
}

fn dataset_rows(data_dirs: &[PathBuf]) -> Vec<Row> {
    let cards = data::Cards::load(data_dirs, &mut Sources::new());
    let of = |card: data::Card| {
        let samples: Vec<String> = card.samples.iter().map(|(split, n)| format!("{split} {n}")).collect();
        let doc = [card.title.clone(), samples.join(", ")].into_iter().filter(|part| !part.is_empty());
        let doc = doc.collect::<Vec<_>>().join(": ");
        Row { example: format!("dataset: {}", card.name), name: card.name, main: None, doc }
    };
    cards.names().into_iter().filter_map(|name| cards.named(name)).map(of).collect()
}

/// The JSON Schema of an experiment.
pub fn schema() -> String {
    let schema = spec::schema("An experiment of Etalon", &Experiment::SECTION, &REQUIRED);
    serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n"
}

/// The reference of every key and every row, as Markdown.
pub fn reference() -> String {
    let mut text = format!(
        "# Reference\n\nEvery word of the language, written from the tables that the checker reads. `etalon list` prints \
         the same tables, `etalon schema` hands them to an editor.\n\n## An experiment\n\n{}",
        spec::section_reference(&Experiment::SECTION)
    );
    for table in Table::value_variants() {
        let name = table.to_possible_value().expect("no table is hidden").get_name().to_string();
        let (first, rest) = name.split_at(1);
        let _ = write!(text, "\n## {}{rest}\n\n", first.to_uppercase());
        match table.content(&[]) {
            Content::Kinds(tables) => tables.into_iter().for_each(|table| text += &spec::kinds_reference(table)),
            Content::Rows(rows) => {
                text += "| name | what it is |\n| --- | --- |\n";
                for row in rows {
                    let _ = writeln!(text, "| `{}` | {} |", row.name, row.doc.replace('|', "\\|"));
                }
            }
        }
    }
    text.trim_end().to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use spec::{Faults, Field, Form, Section, Type, parse, resolve};

    use super::*;

    /// Every key of a section and of those in it, with its path.
    fn keys(path: &str, section: &'static Section, found: &mut Vec<(String, &'static Field)>) {
        fields(path, section.fields, found);
    }

    fn fields(path: &str, fields: &'static [Field], found: &mut Vec<(String, &'static Field)>) {
        for field in fields.iter().filter(|field| !matches!(field.ty, Type::Later)) {
            let path = format!("{path}.{}", field.name);
            below(&path, &field.ty, found);
            found.push((path, field));
        }
    }

    fn below(path: &str, ty: &'static Type, found: &mut Vec<(String, &'static Field)>) {
        match ty {
            Type::Section(inner) => keys(path, inner, found),
            Type::Either(types) => types.iter().for_each(|ty| below(path, ty, found)),
            Type::List { of, .. } => below(path, of, found),
            Type::Own(own) => own.forms.iter().for_each(|form| {
                if let Form::Type(ty) | Form::Named(ty) = form {
                    below(path, ty, found);
                }
            }),
            _ => {}
        }
    }

    #[test]
    fn every_example_of_a_key_is_right() {
        let mut found = Vec::new();
        keys("", &Experiment::SECTION, &mut found);
        for table in Table::value_variants() {
            let Content::Kinds(tables) = table.content(&[]) else { continue };
            for table in tables {
                fields(table.what, table.common, &mut found);
                (table.kinds)().into_iter().for_each(|kind| fields(kind.name, kind.fields, &mut found));
            }
        }
        let mut wrong = Vec::new();
        for (path, field) in found {
            let (mut sources, mut faults) = (Sources::new(), Faults::new());
            let yaml = format!("{}: {}", field.name, field.shown_example());
            let tree = parse("example", yaml.as_bytes(), &mut sources, &mut faults);
            if let Some(entry) = tree.as_ref().and_then(|tree| tree.map()?.entries.first()) {
                resolve(&entry.node, &field.ty, &mut faults);
            }
            let told = faults.lines(&sources).first().map(|fault| fault.message.clone());
            if field.shown_example().is_empty() || told.is_some() {
                wrong.push(format!("{path}: {yaml} {}", told.unwrap_or_default()));
            }
        }
        assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
    }
}
