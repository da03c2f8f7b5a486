//! The tables as Markdown: every key with what it may hold, its default, its unit and what it is.

use std::fmt::Write;

use crate::{Default, Field, Form, KindTable, Section, Type};

/// The keys of a section, then those of the sections in it, each under a heading with its path; a section that stands at
/// several paths is written out at the first.
pub fn section_reference(section: &'static Section) -> String {
    let mut text = format!("{}\n\n{}", section.doc.trim(), fields_table(section.fields.iter()));
    let mut written: Vec<(&'static str, String)> = Vec::new();
    below("", section, &mut written, &mut text);
    text
}

fn below(path: &str, section: &'static Section, written: &mut Vec<(&'static str, String)>, text: &mut String) {
    for field in section.fields {
        let path = if path.is_empty() { field.name.to_string() } else { format!("{path}.{}", field.name) };
        for inner in sections(&field.ty) {
            if let Some((_, first)) = written.iter().find(|(doc, _)| *doc == inner.doc) {
                let _ = write!(text, "\n### `{path}`\n\nAs `{first}`: {}\n", inner.doc.trim());
                continue;
            }
            written.push((inner.doc, path.clone()));
            let _ = write!(text, "\n### `{path}`\n\n{}\n\n{}", inner.doc.trim(), fields_table(inner.fields.iter()));
            below(&path, inner, written, text);
        }
    }
}

/// Every kind of a table: what it is, an example, its keys; last the keys that all take.
pub fn kinds_reference(table: &'static KindTable) -> String {
    let mut text = String::new();
    for kind in (table.kinds)() {
        let _ = write!(text, "### `{}`\n\n{}\n\n    {}\n", kind.name, kind.doc.trim(), kind.example);
        if let Some(main) = kind.main {
            let _ = write!(text, "\nA value that is no mapping is `{main}`.\n");
        }
        if !kind.fields.is_empty() {
            let _ = write!(text, "\n{}", fields_table(kind.fields.iter()));
        }
        text.push('\n');
    }
    if table.common.iter().any(is_built) {
        let _ = write!(text, "### Keys of every {}\n\n{}\n", table.what, fields_table(table.common.iter()));
    }
    text
}

fn is_built(field: &Field) -> bool {
    !matches!(field.ty, Type::Later)
}

fn fields_table<'f>(fields: impl Iterator<Item = &'f Field>) -> String {
    let mut text = "| key | holds | default | example | what it is |\n| --- | --- | --- | --- | --- |\n".to_string();
    for field in fields.filter(|field| is_built(field)) {
        let default = match field.default {
            Default::Required => "required".to_string(),
            Default::Off => "`none`".to_string(),
            Default::Yaml(yaml) => format!("`{yaml}`"),
        };
        let unit = if field.unit.is_empty() { String::new() } else { format!(" ({})", field.unit) };
        let example = format!("`{}: {}`", field.name, field.shown_example());
        let holds = format!("{}{unit}", field.ty.expects());
        let cells = [&format!("`{}`", field.name), &holds, &default, &example, field.doc.trim()]
            .map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

impl Field {
    /// A value that it may have, as YAML: its own example, else another word than the default, else the default.
    pub fn shown_example(&self) -> String {
        let default = match self.default {
            Default::Yaml(yaml) => yaml,
            Default::Required | Default::Off => "",
        };
        match self.example {
            "" => example(&self.ty, default).unwrap_or_default(),
            own => own.to_string(),
        }
    }
}

fn example(ty: &Type, default: &str) -> Option<String> {
    let says_something = !["", "{}", "[]", "\"\""].contains(&default);
    match ty {
        Type::Boolean => Some((default != "true").to_string()),
        Type::Choice(choices) => choices.iter().map(|choice| choice.name.to_string()).find(|name| name != default),
        Type::Section(section) => {
            let field = section.fields.iter().find(|field| matches!(field.default, Default::Required));
            let field = field.or(section.fields.first())?;
            Some(format!("{{{}: {}}}", field.name, field.shown_example()))
        }
        Type::Kind(table) => (table.kinds)().last().map(|kind| kind.name.to_string()),
        Type::Steps(table) => {
            (table.kinds)().first().map(|kind| format!("[{{{}}}]", kind.example.trim_start_matches("- ")))
        }
        Type::Either(types) => types.iter().find_map(|ty| example(ty, default)),
        _ if says_something => Some(default.to_string()),
        Type::List { of, .. } => example(of, "").map(|item| format!("[{item}]")),
        _ => None,
    }
}

/// The sections that a value of this type may be.
fn sections(ty: &Type) -> Vec<&'static Section> {
    match ty {
        Type::Section(section) => vec![section],
        Type::Either(types) => types.iter().flat_map(sections).collect(),
        Type::List { of, .. } => sections(of),
        Type::Own(own) => own.forms.iter().flat_map(form_sections).collect(),
        Type::Boolean
        | Type::Integer(_)
        | Type::Number(_)
        | Type::Text
        | Type::Name
        | Type::Choice(_)
        | Type::Size(_)
        | Type::Kind(_)
        | Type::Steps(_)
        | Type::Free
        | Type::Later => Vec::new(),
    }
}

fn form_sections(form: &Form) -> Vec<&'static Section> {
    match form {
        Form::Type(ty) | Form::Named(ty) => sections(ty),
        Form::OpenSteps(_) => Vec::new(),
    }
}
