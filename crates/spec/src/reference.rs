//! The tables as Markdown: every key with what it may hold, its default, its unit and what it is.

use std::fmt::Write;

use crate::{Default, Field, Form, KindTable, Section, Type};

/// The keys of a section, then those of the sections in it, each under a heading with its path.
pub fn section_reference(path: &str, section: &'static Section) -> String {
    let mut text = format!("{}\n\n{}", section.doc.trim(), fields_table(section.fields.iter()));
    for field in section.fields {
        let below = if path.is_empty() { field.name.to_string() } else { format!("{path}.{}", field.name) };
        for inner in sections(&field.ty) {
            let _ = write!(text, "\n### `{below}`\n\n{}", section_reference(&below, inner));
        }
    }
    text
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
    let mut text = "| key | holds | default | what it is |\n| --- | --- | --- | --- |\n".to_string();
    for field in fields.filter(|field| is_built(field)) {
        let default = match field.default {
            Default::Required => "required".to_string(),
            Default::Off => "`none`".to_string(),
            Default::Yaml(yaml) => format!("`{yaml}`"),
        };
        let unit = if field.unit.is_empty() { String::new() } else { format!(" ({})", field.unit) };
        let cells =
            [&format!("`{}`", field.name), &format!("{}{unit}", field.ty.expects()), &default, field.doc.trim()]
                .map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
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
