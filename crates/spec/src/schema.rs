//! A JSON Schema (draft 2020-12) of a table, so that editors complete, explain and underline.
//!
//! It takes what the language takes: bare words, main parameters, `none` where a key may be off, `$variables`. It refuses
//! unknown keys, wrong types and numbers out of range. What is missing it leaves to the checker, since a file may leave
//! keys to those that it extends.

use serde_json::{Map, Value as Json, json};

use crate::{Default, Field, Form, Kind, KindTable, Range, Section, Type};

/// The schema of a file that is this section; `required` are the keys that a file must have unless it has `extends`.
pub fn schema(title: &str, section: &'static Section, required: &[&str]) -> Json {
    let mut writer = Writer::default();
    let Json::Object(mut whole) = writer.section(section) else { unreachable!("a section is an object") };
    whole.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
    whole.insert("title".into(), json!(title));
    whole.insert("if".into(), json!({ "not": { "required": ["extends"] } }));
    whole.insert("then".into(), json!({ "required": required }));
    let variable = json!({ "type": "string", "pattern": "^\\$[a-z]", "description": "A variable." });
    writer.definitions.insert("variable".into(), variable);
    whole.insert("$defs".into(), Json::Object(writer.definitions));
    Json::Object(whole)
}

/// Tables are written once, under their names, and referred to.
#[derive(Default)]
struct Writer {
    definitions: Map<String, Json>,
    written: Vec<(*const KindTable, String)>,
}

impl Writer {
    fn section(&mut self, section: &'static Section) -> Json {
        json!({
            "type": "object",
            "description": section.doc.trim(),
            "properties": self.properties(section.fields.iter()),
            "additionalProperties": false,
        })
    }

    fn properties<'f>(&mut self, fields: impl Iterator<Item = &'f Field>) -> Map<String, Json> {
        let built = fields.filter(|field| !matches!(field.ty, Type::Later));
        built.map(|field| (field.name.to_string(), self.field(field))).collect()
    }

    fn field(&mut self, field: &Field) -> Json {
        let mut forms = vec![self.ty(&field.ty)];
        if !matches!(field.ty, Type::Free) {
            forms.extend(field.can_be_off.then(|| json!({ "const": "none" })));
            forms.push(variable());
        }
        let mut description = field.doc.trim().to_string();
        if !field.unit.is_empty() {
            description += &format!(" Unit: {}.", field.unit);
        }
        let mut whole = json!({ "description": description, "anyOf": forms });
        let default = match field.default {
            Default::Required => None,
            Default::Off => Some(json!("none")),
            Default::Yaml(text) => serde_yaml::from_str(text).ok(),
        };
        if let Some(default) = default {
            whole["default"] = default;
        }
        whole
    }

    fn ty(&mut self, ty: &Type) -> Json {
        match ty {
            Type::Boolean => json!({ "type": "boolean" }),
            Type::Integer(range) => bounded("integer", range),
            Type::Number(range) => bounded("number", range),
            Type::Text => json!({ "type": ["string", "number", "boolean"] }),
            Type::Name => json!({ "type": "string", "pattern": "^[a-z][a-z0-9_]*$" }),
            Type::Choice(choices) => {
                let word = |c: &crate::Choice| json!({ "const": c.name, "description": c.doc.trim() });
                json!({ "anyOf": choices.iter().map(word).collect::<Vec<_>>() })
            }
            Type::Size(range) => {
                let one = bounded("integer", range);
                let item = any_of(vec![one.clone(), variable()]);
                any_of(vec![one, json!({ "type": "array", "items": item, "minItems": 2, "maxItems": 2 })])
            }
            Type::List { of, lone } => {
                let item = self.ty(of);
                let list = json!({ "type": "array", "items": any_of(vec![item.clone(), variable()]) });
                if *lone { any_of(vec![list, item]) } else { list }
            }
            Type::Section(section) => self.section(section),
            Type::Kind(table) => self.reference(table, Self::kind),
            Type::Steps(table) => self.reference(table, |writer, table| writer.steps(table, OwnNames::Refused)),
            Type::Either(types) => any_of(types.iter().map(|ty| self.ty(ty)).collect()),
            Type::Free => json!({}),
            Type::Own(own) => any_of(own.forms.iter().map(|form| self.form(form)).collect()),
            Type::Later => json!(false),
        }
    }

    fn form(&mut self, form: &Form) -> Json {
        match form {
            Form::Type(ty) => self.ty(ty),
            Form::OpenSteps(table) => self.reference(table, |writer, table| writer.steps(table, OwnNames::Allowed)),
            Form::Named(ty) => json!({ "type": "object", "additionalProperties": self.ty(ty) }),
        }
    }

    /// The definition of a table, which is written where it is met first.
    fn reference(
        &mut self,
        table: &'static KindTable,
        write: impl FnOnce(&mut Writer, &'static KindTable) -> Json,
    ) -> Json {
        let address: *const KindTable = table;
        let known = self.written.iter().find(|(of, _)| *of == address).map(|(_, name)| name.clone());
        let name = known.unwrap_or_else(|| {
            let plain = table.what.replace(' ', "_");
            let same = self.written.iter().filter(|(_, name)| name.starts_with(&plain)).count();
            let name = if same == 0 { plain } else { format!("{plain}_{}", same + 1) };
            self.written.push((address, name.clone()));
            let definition = write(self, table);
            self.definitions.insert(name.clone(), definition);
            name
        });
        json!({ "$ref": format!("#/$defs/{name}") })
    }

    /// A bare word, or a mapping with `type`.
    fn kind(&mut self, table: &'static KindTable) -> Json {
        let mut forms = vec![bare_words(&(table.kinds)())];
        for kind in (table.kinds)() {
            let mut properties = self.properties(kind.fields.iter().chain(table.common));
            properties.insert("type".into(), json!({ "const": kind.name }));
            forms.push(json!({
                "type": "object",
                "description": kind.doc.trim(),
                "properties": properties,
                "additionalProperties": false,
            }));
        }
        any_of(forms)
    }

    /// A list of bare words, variables, and mappings with one key.
    fn steps(&mut self, table: &'static KindTable, own_names: OwnNames) -> Json {
        let kinds = (table.kinds)();
        let mut properties = Map::new();
        for &kind in &kinds {
            let parameters = json!({
                "type": "object",
                "properties": self.properties(kind.fields.iter().chain(table.common)),
                "additionalProperties": false,
            });
            let main = kind.main.and_then(|main| kind.fields.iter().find(|field| field.name == main));
            let mut forms = vec![parameters, variable()];
            forms.extend(main.map(|main| self.ty(&main.ty)));
            properties.insert(kind.name.into(), json!({ "description": kind.doc.trim(), "anyOf": forms }));
        }
        let mut step = json!({ "type": "object", "properties": properties, "minProperties": 1, "maxProperties": 1 });
        let word = match own_names {
            OwnNames::Refused => {
                step["additionalProperties"] = json!(false);
                bare_words(&kinds)
            }
            OwnNames::Allowed => {
                // A name of one's own is whatever is not another tool's name for one of the table.
                let synonyms: Vec<&str> = kinds.iter().flat_map(|kind| kind.synonyms).copied().collect();
                let name = json!({ "type": "string", "pattern": "^[a-z][a-z0-9_]*$", "not": { "enum": synonyms } });
                step["propertyNames"] = name.clone();
                name
            }
        };
        json!({ "type": "array", "items": any_of(vec![word, variable(), step]) })
    }
}

/// Whether steps may have names that are not of the table.
enum OwnNames {
    Allowed,
    Refused,
}

fn bare_words(kinds: &[&Kind]) -> Json {
    any_of(kinds.iter().map(|kind| json!({ "const": kind.name, "description": kind.doc.trim() })).collect())
}

fn variable() -> Json {
    json!({ "$ref": "#/$defs/variable" })
}

fn any_of(mut forms: Vec<Json>) -> Json {
    if forms.len() == 1 { forms.remove(0) } else { json!({ "anyOf": forms }) }
}

fn bounded(kind: &str, range: &Range) -> Json {
    let mut schema = json!({ "type": kind });
    if range.low.is_finite() {
        schema[if range.open_low { "exclusiveMinimum" } else { "minimum" }] = json!(range.low);
    }
    if range.high.is_finite() {
        schema[if range.open_high { "exclusiveMaximum" } else { "maximum" }] = json!(range.high);
    }
    schema
}
