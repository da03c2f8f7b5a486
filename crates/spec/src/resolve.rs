//! A tree checked against a table: every key known, every value of its type and in its range, defaults written out.
//!
//! The same walk serves twice: to bring a file to normal form before overrides are applied ([`normalize`], silent), and
//! to check and fill it ([`resolve`]). A value with a fault becomes [`Value::Bad`], so that one mistake is one fault.

use crate::parse::parse_part;
use crate::read::{integer, number};
use crate::substitute::variable;
use crate::{
    Choice, Default, Entry, Fault, Faults, Field, Kind, KindTable, Map, Node, Place, Range, Section, Sources, Type,
    Value,
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

/// One step of a list, taken apart.
#[derive(Clone, Debug)]
pub struct Step {
    /// The name of its kind.
    pub kind: String,
    pub kind_place: Place,
    /// What stands behind the kind: a mapping, the main parameter, or [`Value::Empty`] for a bare word.
    pub parameters: Node,
}

impl Step {
    /// Takes a step apart, or says what is wrong with its form; `what` a step is: `layer`.
    pub fn of(node: &Node, what: &str) -> Result<Step, Fault> {
        match &node.value {
            Value::Scalar(s) => {
                let parameters = Node { value: Value::Empty, place: node.place };
                Ok(Step { kind: s.text.clone(), kind_place: node.place, parameters })
            }
            Value::Map(map) if map.entries.len() == 1 => {
                let Entry { key, key_place, node: parameters } = &map.entries[0];
                if matches!(parameters.value, Value::Empty) {
                    let fault = Fault::new(*key_place, format!("`{key}:` has no value"));
                    return Err(fault.help(format!("write `- {key}` where the defaults serve")));
                }
                Ok(Step { kind: key.clone(), kind_place: *key_place, parameters: parameters.clone() })
            }
            Value::Map(map) if map.entries.len() > 1 => {
                let (first, second) = (&map.entries[0].key, &map.entries[1]);
                let message =
                    format!("a {what} is one key with its parameters, found `{}` beside `{first}`", second.key);
                let help = format!("write `- {first}: {{{}: …}}`", second.key);
                Err(Fault::new(second.key_place, message).help(help))
            }
            _ => {
                let message = format!("expected a {what} (one key with its parameters), found {}", node.describe());
                Err(Fault::new(node.place, message))
            }
        }
    }

    /// The step in normal form: a mapping of one key.
    pub fn written(self, place: Place) -> Node {
        let mut map = Map::default();
        map.set(&self.kind, self.kind_place, self.parameters);
        Node { value: Value::Map(map), place }
    }
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
        let place = name_node.place;
        let (kind, name_node) = match table.find(name) {
            Some(kind) => (kind, name_node),
            None => match self.misnamed(place, name, table) {
                Some(kind) => (kind, Node::word(kind.name, place)),
                None => return if self.fill { Node::bad(node.place) } else { node.clone() },
            },
        };
        let empty = Map::default();
        let map = node.map().unwrap_or(&empty);
        let fields: Vec<&Field> = kind.fields.iter().chain(table.common).collect();
        let mut filled = self.fields(map, node.place, &fields, &["type"]);
        if let Some(map) = filled.map_mut() {
            map.entries.retain(|e| e.key != "type");
            map.entries.insert(0, Entry { key: "type".into(), key_place: name_node.place, node: name_node });
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
        if matches!(node.value, Value::Bad) || variable(node).is_some() {
            return node.clone();
        }
        let step = match Step::of(node, table.what) {
            Ok(step) => step,
            Err(fault) => return self.fail(node, fault),
        };
        let known = table.find(&step.kind);
        let Some(kind) = known.or_else(|| self.misnamed(step.kind_place, &step.kind, table)) else {
            return if self.fill { Node::bad(node.place) } else { node.clone() };
        };
        let parameters = self.parameters(&step.parameters, kind, table.common);
        Step { parameters, kind: kind.name.to_string(), ..step }.written(node.place)
    }

    /// Says that there is no kind of this name; gives the one that was probably meant, so that its parameters are checked
    /// all the same. A normal form keeps the name as it is written.
    fn misnamed(&mut self, place: Place, name: &str, table: &KindTable) -> Option<&'static Kind> {
        let known: Vec<Known> = (table.kinds)().iter().map(|k| Known { name: k.name, synonyms: k.synonyms }).collect();
        let (fault, meant) = unknown(place, table.what, name, &known);
        self.faults.push(fault);
        meant.filter(|_| self.fill).and_then(|name| table.find(name))
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
        let mut meant: Vec<(&str, &Node)> = Vec::new();
        for entry in &map.entries {
            if fields.iter().any(|f| f.name == entry.key) || ignored.contains(&entry.key.as_str()) {
                continue;
            }
            let (fault, close) = unknown_key(entry.key_place, &entry.key, fields);
            self.faults.push(fault);
            meant.extend(close.map(|close| (close, &entry.node)));
            if !self.fill {
                out.set(&entry.key, entry.key_place, entry.node.clone());
            }
        }
        for field in fields {
            if let Some(entry) = map.entry(field.name) {
                let off = field.can_be_off && entry.node.is_word("none");
                let node = if off { entry.node.clone() } else { self.value(&entry.node, &field.ty) };
                out.set(field.name, entry.key_place, node);
            } else if self.fill && !matches!(field.ty, Type::Later) {
                let node = match meant.iter().find(|(name, _)| *name == field.name) {
                    Some((_, misnamed)) => as_meant(misnamed, &field.ty),
                    None => self.missing(field, place),
                };
                out.set(field.name, place.as_default(), node);
            }
        }
        Node { value: Value::Map(out), place }
    }

    fn missing(&mut self, field: &Field, place: Place) -> Node {
        match field.default {
            Default::Off => Node::word("none", place.as_default()),
            Default::Yaml(yaml) => {
                let node = embedded(yaml, place.as_default());
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

/// The value of a key under a wrong name, so that what depends on it is checked all the same; nothing more is said of it.
fn as_meant(node: &Node, ty: &Type) -> Node {
    let mut silent = Faults::new();
    let value = Resolver { fill: true, faults: &mut silent }.value(node, ty);
    if silent.is_empty() { value } else { Node::bad(node.place) }
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
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The fault of an unknown key, and the key that was probably meant.
fn unknown_key<'a>(place: Place, key: &str, fields: &[&'a Field]) -> (Fault, Option<&'a str>) {
    let known: Vec<Known> = fields.iter().map(|f| Known { name: f.name, synonyms: f.synonyms }).collect();
    unknown(place, "key", key, &known)
}

/// A name that may stand somewhere, and what other tools call it.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub name: &'a str,
    pub synonyms: &'a [&'a str],
}

/// The fault of a name that is none of `known`, and the one that was probably meant; `what` it should be: `layer`.
pub fn unknown<'a>(place: Place, what: &str, name: &str, known: &[Known<'a>]) -> (Fault, Option<&'a str>) {
    let fault = Fault::new(place, format!("unknown {what} `{name}`"));
    if name == "<<" {
        return (fault.help("merge keys are no part of YAML 1.2; `extends` lays one file over another"), None);
    }
    if let Some(ours) = known.iter().find(|k| k.synonyms.contains(&name)) {
        return (fault.help(format!("`{name}` is called `{}` here", ours.name)), Some(ours.name));
    }
    let names = || known.iter().map(|k| k.name);
    match nearest(name, names()) {
        Some(close) => (fault.help(format!("did you mean `{close}`?")), Some(close)),
        None if known.is_empty() => (fault.help("nothing can be set here"), None),
        None if what == "key" => (fault.help(format!("the keys here are {}", one_of(names()))), None),
        None => (fault.help(format!("one of {}", one_of(names()))), None),
    }
}

fn first_sentence(doc: &str) -> String {
    let doc = doc.trim();
    doc.split_inclusive(". ").next().unwrap_or(doc).trim().trim_end_matches('.').to_string()
}

/// YAML that stands in the program (a default of a table, a preset) as a node; every value in it stands at `place`.
///
/// # Panics
/// If it is no YAML: a bug of the table that it comes from.
pub fn embedded(yaml: &str, place: Place) -> Node {
    let mut scratch = Sources::new();
    let mut faults = Faults::new();
    let source = scratch.add("default", yaml);
    let node = parse_part(source, yaml, 0, &mut faults).expect("defaults of tables are YAML");
    assert!(faults.is_empty(), "defaults of tables are YAML without faults: {yaml}");
    stand_at(node, place)
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
