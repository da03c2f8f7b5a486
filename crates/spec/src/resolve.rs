//! A tree checked against a table: every key known, every value of its type and in its range, defaults written out.
//!
//! The same walk serves twice: to bring a file to normal form before overrides are applied ([`normalize`], silent), and
//! to check and fill it ([`resolve`]). A value with a fault becomes [`Value::Bad`], so that one mistake is one fault.

use crate::parse::parse_part;
use crate::read::{integer, number};
use crate::substitute::variable;
use crate::{
    Choice, Default, Fault, Faults, Field, Kind, KindTable, Map, Node, Place, Range, Section, Sources, Type, Value,
};
use crate::{nearest, one_of};

/// Normal form: bare words and main parameters written out, nothing checked, no defaults.
pub fn normalize(node: &Node, ty: &Type) -> Node {
    Resolver { fill: false, faults: &mut Faults::new() }.value(node, ty)
}

/// Normal form, checked, with every default.
pub fn resolve(node: &Node, ty: &Type, faults: &mut Faults) -> Node {
    Resolver { fill: true, faults }.value(node, ty)
}

/// A list of steps in normal form, for tables that are handed in at run time.
pub fn resolve_steps(node: &Node, table: &KindTable, fill: bool, faults: &mut Faults) -> Node {
    Resolver { fill, faults }.steps(node, table)
}

/// One step of a list: a bare word, `kind: main`, or `kind: {…}`.
pub fn resolve_step(node: &Node, table: &KindTable, fill: bool, faults: &mut Faults) -> Node {
    Resolver { fill, faults }.step(node, table)
}

/// The parameters of a kind: a mapping, the main parameter, or nothing at all ([`Value::Empty`] at the kind's place).
pub fn resolve_kind(parameters: &Node, kind: &Kind, common: &[Field], fill: bool, faults: &mut Faults) -> Node {
    Resolver { fill, faults }.parameters(parameters, kind, common)
}

struct Resolver<'a> {
    /// Whether to check and fill; otherwise faulty values stay as they are.
    fill: bool,
    faults: &'a mut Faults,
}

impl Resolver<'_> {
    fn fail(&mut self, node: &Node, fault: Fault) -> Node {
        self.faults.push(fault);
        if self.fill { Node::bad(node.place) } else { node.clone() }
    }

    fn unexpected(&mut self, node: &Node, ty: &Type) -> Node {
        self.fail(node, Fault::new(node.place, format!("expected {}, found {}", ty.expects(), node.describe())))
    }

    fn value(&mut self, node: &Node, ty: &Type) -> Node {
        if matches!(node.value, Value::Bad) || variable(node).is_some() {
            return node.clone();
        }
        if matches!(node.value, Value::Empty) {
            let fault = Fault::new(node.place, format!("a key without a value; expected {}", ty.expects()));
            return self.fail(node, fault.help("take the key out, or write `none` to switch an optional one off"));
        }
        match ty {
            Type::Boolean => self.boolean(node, ty),
            Type::Integer(range) => self.within(node, ty, integer(node).map(|i| i as f64), range),
            Type::Number(range) => self.within(node, ty, number(node), range),
            Type::Text => self.accept(node, ty, node.text().is_some()),
            Type::Name => self.accept(node, ty, node.text().is_some_and(is_name)),
            Type::Choice(choices) => self.choice(node, ty, choices),
            Type::Size(range) => self.size(node, ty, range),
            Type::List { of, lone } => self.list(node, ty, of, *lone),
            Type::Section(section) => self.section(node, ty, section),
            Type::Kind(table) => self.kind(node, table),
            Type::Steps(table) => self.steps(node, table),
            Type::Either(types) => match types.iter().find(|t| fits(node, t)) {
                Some(fitting) => self.value(node, fitting),
                None => self.unexpected(node, ty),
            },
            Type::Free => node.clone(),
            Type::Own(own) => (own.resolve)(node, self.fill, self.faults),
            Type::Later => {
                self.fail(node, Fault::new(node.place, "this is reserved by the language and not built yet"))
            }
        }
    }

    fn accept(&mut self, node: &Node, ty: &Type, good: bool) -> Node {
        if good { node.clone() } else { self.unexpected(node, ty) }
    }

    fn boolean(&mut self, node: &Node, ty: &Type) -> Node {
        if node.is_word("true") || node.is_word("false") {
            return node.clone();
        }
        let fault = Fault::new(node.place, format!("expected {}, found {}", ty.expects(), node.describe()));
        let meant = match node.text().map(str::to_lowercase).as_deref() {
            Some("yes" | "on" | "true") => Some("true"),
            Some("no" | "off" | "false") => Some("false"),
            _ => None,
        };
        self.fail(
            node,
            match meant {
                Some(word) => fault.help(format!("write `{word}`; in YAML 1.2 every other word is text")),
                None => fault,
            },
        )
    }

    fn within(&mut self, node: &Node, ty: &Type, found: Option<f64>, range: &Range) -> Node {
        match found {
            None => self.unexpected(node, ty),
            Some(x) if range.contains(x) => node.clone(),
            Some(_) => {
                let fault =
                    Fault::new(node.place, format!("{} is out of range: expected {}", node.describe(), ty.expects()));
                self.fail(node, fault)
            }
        }
    }

    fn choice(&mut self, node: &Node, ty: &Type, choices: &[Choice]) -> Node {
        let Some(text) = node.text() else { return self.unexpected(node, ty) };
        if choices.iter().any(|c| c.name == text) {
            return node.clone();
        }
        let fault = Fault::new(node.place, format!("expected {}, found {}", ty.expects(), node.describe()));
        self.fail(
            node,
            match nearest(text, choices.iter().map(|c| c.name)) {
                Some(close) => fault.help(format!("did you mean `{close}`?")),
                None => fault,
            },
        )
    }

    fn size(&mut self, node: &Node, ty: &Type, range: &Range) -> Node {
        let side = Type::Integer(*range);
        match &node.value {
            Value::List(items) if items.len() == 2 => {
                let items = items.iter().map(|n| self.value(n, &side)).collect();
                Node { value: Value::List(items), place: node.place }
            }
            Value::Scalar(_) if integer(node).is_some() => {
                let side = self.value(node, &side);
                Node { value: Value::List(vec![side.clone(), side]), place: node.place }
            }
            _ => self.unexpected(node, ty),
        }
    }

    fn list(&mut self, node: &Node, ty: &Type, of: &Type, lone: bool) -> Node {
        match &node.value {
            Value::List(items) => {
                let items = items.iter().map(|n| self.value(n, of)).collect();
                Node { value: Value::List(items), place: node.place }
            }
            Value::Scalar(_) | Value::Map(_) if lone => {
                Node { value: Value::List(vec![self.value(node, of)]), place: node.place }
            }
            _ => self.unexpected(node, ty),
        }
    }

    fn section(&mut self, node: &Node, ty: &Type, section: &Section) -> Node {
        match node.map() {
            Some(map) => self.fields(map, node.place, &section.fields.iter().collect::<Vec<_>>(), &[]),
            None => self.unexpected(node, ty),
        }
    }

    fn kind(&mut self, node: &Node, table: &KindTable) -> Node {
        let name_node = match &node.value {
            Value::Scalar(_) => node.clone(),
            Value::Map(map) => match (map.find("type"), table.untyped) {
                (Some(name), _) => name.clone(),
                (None, Some(untyped)) => Node::word(untyped, node.place),
                (None, None) => {
                    let fault = Fault::new(node.place, format!("`type` is missing: which {} is it?", table.what));
                    return self.fail(node, fault.help(format!("one of {}", one_of(table.names()))));
                }
            },
            _ => return self.unexpected(node, &Type::Text),
        };
        let Some(name) = name_node.text() else { return self.unexpected(&name_node, &Type::Text) };
        let Some(kind) = table.find(name) else { return self.fail(node, unknown_kind(&name_node, name, table)) };
        let empty = Map::default();
        let map = node.map().unwrap_or(&empty);
        let fields: Vec<&Field> = kind.fields.iter().chain(table.common).collect();
        let mut filled = self.fields(map, node.place, &fields, &["type"]);
        if let Some(map) = filled.map_mut() {
            map.entries.retain(|e| e.key != "type");
            map.entries.insert(0, crate::Entry { key: "type".into(), key_place: name_node.place, node: name_node });
        }
        filled
    }

    fn steps(&mut self, node: &Node, table: &KindTable) -> Node {
        match &node.value {
            Value::List(items) => {
                let items = items.iter().map(|n| self.step(n, table)).collect();
                Node { value: Value::List(items), place: node.place }
            }
            _ => {
                let fault =
                    format!("expected a list of {}s, each beginning with `- `, found {}", table.what, node.describe());
                self.fail(node, Fault::new(node.place, fault))
            }
        }
    }

    fn step(&mut self, node: &Node, table: &KindTable) -> Node {
        let (name, name_place, parameters) = match &node.value {
            Value::Bad => return node.clone(),
            Value::Scalar(s) => (s.text.as_str(), node.place, Node { value: Value::Empty, place: node.place }),
            Value::Map(map) if map.entries.len() == 1 => {
                let entry = &map.entries[0];
                if matches!(entry.node.value, Value::Empty) {
                    let fault = Fault::new(entry.key_place, format!("`{}:` has no value", entry.key));
                    return self.fail(node, fault.help(format!("write `- {}` where the defaults serve", entry.key)));
                }
                (entry.key.as_str(), entry.key_place, entry.node.clone())
            }
            Value::Map(map) if map.entries.len() > 1 => return self.crowded_step(node, map, table),
            _ => {
                let message =
                    format!("expected a {} (one key with its parameters), found {}", table.what, node.describe());
                return self.fail(node, Fault::new(node.place, message));
            }
        };
        let Some(kind) = table.find(name) else {
            return self.fail(node, unknown_kind(&Node::word(name, name_place), name, table));
        };
        let parameters = self.parameters(&parameters, kind, table.common);
        let mut map = Map::default();
        map.set(name, name_place, parameters);
        Node { value: Value::Map(map), place: node.place }
    }

    fn crowded_step(&mut self, node: &Node, map: &Map, table: &KindTable) -> Node {
        let (first, second) = (&map.entries[0], &map.entries[1]);
        let message =
            format!("a {} is one key with its parameters, found `{}` beside `{}`", table.what, second.key, first.key);
        let fault = Fault::new(second.key_place, message);
        self.fail(node, fault.help(format!("write `- {}: {{{}: …}}`", first.key, second.key)))
    }

    fn parameters(&mut self, node: &Node, kind: &Kind, common: &[Field]) -> Node {
        let fields: Vec<&Field> = kind.fields.iter().chain(common).collect();
        match (&node.value, kind.main) {
            (Value::Bad, _) => node.clone(),
            (Value::Map(map), _) => self.fields(map, node.place, &fields, &[]),
            (Value::Empty, _) => self.fields(&Map::default(), node.place, &fields, &[]),
            (_, Some(main)) => {
                let mut map = Map::default();
                map.set(main, node.place, node.clone());
                self.fields(&map, node.place, &fields, &[])
            }
            (_, None) => {
                let fault = format!("`{}` takes its parameters as a mapping, found {}", kind.name, node.describe());
                self.fail(node, Fault::new(node.place, fault).help(format!("for example `{}`", kind.example)))
            }
        }
    }

    /// Checks a mapping against its keys and writes it in the table's order, with defaults where `fill`.
    fn fields(&mut self, map: &Map, place: Place, fields: &[&Field], ignored: &[&str]) -> Node {
        let mut out = Map::default();
        let mut meant: Vec<&str> = Vec::new();
        for entry in &map.entries {
            if fields.iter().any(|f| f.name == entry.key) || ignored.contains(&entry.key.as_str()) {
                continue;
            }
            let (fault, close) = unknown_key(entry.key_place, &entry.key, fields);
            self.faults.push(fault);
            meant.extend(close);
            if !self.fill {
                out.set(&entry.key, entry.key_place, entry.node.clone());
            }
        }
        for field in fields {
            if let Some(entry) = map.entry(field.name) {
                let off = matches!(field.default, Default::Off) && entry.node.is_word("none");
                let node = if off { entry.node.clone() } else { self.value(&entry.node, &field.ty) };
                out.set(field.name, entry.key_place, node);
            } else if self.fill && !matches!(field.ty, Type::Later) {
                let node = if meant.contains(&field.name) { Node::bad(place) } else { self.missing(field, place) };
                out.set(field.name, place.as_default(), node);
            }
        }
        Node { value: Value::Map(out), place }
    }

    fn missing(&mut self, field: &Field, place: Place) -> Node {
        match field.default {
            Default::Off => Node::word("none", place.as_default()),
            Default::Yaml(yaml) => {
                let node = default_node(yaml, place);
                if node.is_word("none") { node } else { self.value(&node, &field.ty) }
            }
            Default::Required => {
                let fault = Fault::new(place, format!("`{}` is missing: {}", field.name, field.ty.expects()));
                self.faults.push(fault.help(first_sentence(field.doc)));
                Node::bad(place)
            }
        }
    }
}

/// Whether a value has the form of a type, looking no deeper.
fn fits(node: &Node, ty: &Type) -> bool {
    match ty {
        Type::Boolean => node.is_word("true") || node.is_word("false"),
        Type::Integer(_) => integer(node).is_some(),
        Type::Number(_) => number(node).is_some(),
        Type::Text | Type::Name => node.text().is_some(),
        Type::Choice(choices) => {
            node.text().is_some_and(|t| number(node).is_none() && !choices.is_empty() && !t.is_empty())
        }
        Type::Size(_) => integer(node).is_some() || node.list().is_some_and(|l| l.len() == 2),
        Type::List { lone, .. } => node.list().is_some() || *lone,
        Type::Section(_) => node.map().is_some(),
        Type::Kind(_) => node.map().is_some() || node.text().is_some(),
        Type::Steps(_) => node.list().is_some(),
        Type::Either(types) => types.iter().any(|t| fits(node, t)),
        Type::Free | Type::Own(_) => true,
        Type::Later => false,
    }
}

/// Whether a text is a name: `[a-z][a-z0-9_]*`.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn unknown_kind(at: &Node, name: &str, table: &KindTable) -> Fault {
    let fault = Fault::new(at.place, format!("unknown {} `{name}`", table.what));
    let kinds = (table.kinds)();
    if let Some(ours) = kinds.iter().find(|k| k.synonyms.contains(&name)) {
        return fault.help(format!("`{name}` is called `{}` here", ours.name));
    }
    match nearest(name, table.names()) {
        Some(close) => fault.help(format!("did you mean `{close}`?")),
        None => fault.help(format!("one of {}", one_of(table.names()))),
    }
}

/// The fault of an unknown key, and the key that was probably meant.
fn unknown_key<'a>(place: Place, key: &str, fields: &[&'a Field]) -> (Fault, Option<&'a str>) {
    let fault = Fault::new(place, format!("unknown key `{key}`"));
    if let Some(ours) = fields.iter().find(|f| f.synonyms.contains(&key)) {
        return (fault.help(format!("`{key}` is called `{}` here", ours.name)), Some(ours.name));
    }
    match nearest(key, fields.iter().map(|f| f.name)) {
        Some(close) => (fault.help(format!("did you mean `{close}`?")), Some(close)),
        None if fields.is_empty() => (fault.help("nothing can be set here"), None),
        None => (fault.help(format!("the keys here are {}", one_of(fields.iter().map(|f| f.name)))), None),
    }
}

fn first_sentence(doc: &str) -> String {
    let doc = doc.trim();
    doc.split_inclusive(". ").next().unwrap_or(doc).trim().trim_end_matches('.').to_string()
}

/// A default of a table as a node that stands at `place`.
fn default_node(yaml: &str, place: Place) -> Node {
    let mut scratch = Sources::new();
    let mut faults = Faults::new();
    let source = scratch.add("default", yaml);
    let node = parse_part(source, yaml, 0, &mut faults).expect("defaults of tables are YAML");
    assert!(faults.is_empty(), "defaults of tables are YAML without faults: {yaml}");
    stand_at(node, place.as_default())
}

fn stand_at(mut node: Node, place: Place) -> Node {
    node.place = place;
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|n| *n = stand_at(n.clone(), place)),
        Value::Map(map) => map.entries.iter_mut().for_each(|e| {
            e.key_place = place;
            e.node = stand_at(e.node.clone(), place);
        }),
        Value::Empty | Value::Scalar(_) | Value::Bad => {}
    }
    node
}
