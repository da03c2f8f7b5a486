//! Dotted paths into the normal form: `model.layers.0.conv2d.filters=64` on the command line.

use crate::parse::parse_part;
use crate::{Fault, Faults, Map, Node, Origin, Place, Sources, Value, nearest};

/// One `key.path=value`.
#[derive(Clone, Debug)]
pub struct Override {
    pub path: Vec<String>,
    pub value: Node,
    /// Place of the whole text.
    pub place: Place,
}

impl Override {
    /// Reads `key.path=value`; the value is YAML (`[1, 2]`, `{type: sgd, learning_rate: 0.1}`, `none`).
    pub fn parse(text: &str, sources: &mut Sources, faults: &mut Faults) -> Option<Override> {
        let source = sources.add("command line", text);
        let place = Place { origin: Origin::CommandLine, ..Place::new(source, 0..text.len()) };
        let Some((path, value)) = text.split_once('=') else {
            faults.push(Fault::new(place, "an override is written key.path=value").help("for example train.epochs=3"));
            return None;
        };
        let path = self::path(path, place, faults)?;
        let offset = text.len() - value.len();
        let before = faults.len();
        let value = parse_part(source, value, offset, faults);
        if value.is_none() && faults.len() == before {
            faults.push(Fault::new(place, "the override has no value").help("`none` switches a section off"));
        }
        Some(Override { path, value: on_command_line(value?), place })
    }
}

/// The parts of a dotted path.
pub fn path(text: &str, place: Place, faults: &mut Faults) -> Option<Vec<String>> {
    let path: Vec<String> = text.trim().split('.').map(str::to_string).collect();
    if path.iter().any(String::is_empty) {
        faults.push(Fault::new(place, format!("the path `{}` has an empty part", text.trim())));
        return None;
    }
    Some(path)
}

fn on_command_line(mut node: Node) -> Node {
    node.place.origin = Origin::CommandLine;
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|n| *n = on_command_line(n.clone())),
        Value::Map(map) => map.entries.iter_mut().for_each(|e| {
            e.key_place.origin = Origin::CommandLine;
            e.node = on_command_line(e.node.clone());
        }),
        Value::Empty | Value::Scalar(_) | Value::Bad => {}
    }
    node
}

/// Sets the value at the override's path in a tree in normal form. Keys that are not there are made; whether they are
/// known is found when the tree is resolved.
pub fn apply_override(root: &mut Node, change: &Override, faults: &mut Faults) {
    let (last, way) = change.path.split_last().expect("a path has at least one part");
    let mut node = root;
    for part in way {
        match step_into(node, part, change) {
            Ok(next) => node = next,
            Err(fault) => return faults.push(fault),
        }
    }
    match &mut node.value {
        Value::Map(map) => {
            let kind_changes = last == "type" && map.find("type").and_then(Node::text) != change.value.text();
            if kind_changes {
                map.entries.clear();
            }
            map.set(last, change.place, change.value.clone());
        }
        _ => match step_into(node, last, change) {
            Ok(item) => *item = change.value.clone(),
            Err(fault) => faults.push(fault),
        },
    }
}

fn step_into<'a>(node: &'a mut Node, part: &str, change: &Override) -> Result<&'a mut Node, Fault> {
    if let Value::List(items) = &node.value {
        let index = item_index(items, part, change)?;
        let Value::List(items) = &mut node.value else { unreachable!("looked at above") };
        return Ok(&mut items[index]);
    }
    if matches!(node.value, Value::Empty) || node.is_word("none") {
        node.value = Value::Map(Map::default());
    }
    let found = node.describe();
    let Value::Map(map) = &mut node.value else {
        let message = format!("`{part}` cannot be set: what stands before it is {found}");
        return Err(Fault::new(change.place, message));
    };
    if map.find(part).is_none() {
        map.set(part, change.place, Node::empty_map(change.place));
    }
    Ok(map.find_mut(part).expect("set above"))
}

fn item_index(items: &[Node], part: &str, change: &Override) -> Result<usize, Fault> {
    let names = item_names(items);
    if let Some(found) = names.iter().position(|n| n == part) {
        return Ok(found);
    }
    if let Ok(index) = part.parse::<usize>() {
        if index < items.len() {
            return Ok(index);
        }
        return Err(Fault::new(
            change.place,
            format!("the list has items 0 to {}, not {index}", items.len() as i64 - 1),
        ));
    }
    let fault = Fault::new(change.place, format!("the list has no item `{part}`"));
    Err(match nearest(part, names.iter().map(String::as_str)) {
        Some(close) => fault.help(format!("did you mean `{close}`?")),
        None => fault.help(format!("its items are {}", names.join(", "))),
    })
}

/// The names of the steps of a list in normal form: `name` where one is given, else the kind's, the second of that kind
/// `conv2d_2`. Items that are no steps have their index.
pub fn item_names(items: &[Node]) -> Vec<String> {
    let mut seen: Vec<&str> = Vec::new();
    let mut names = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Some(kind) = item.only_entry().map(|e| e.key.as_str()).or_else(|| item.text()) else {
            names.push(index.to_string());
            continue;
        };
        let given = item.only_entry().and_then(|e| e.node.find("name")).filter(|n| !n.is_word("none"));
        match given.and_then(Node::text) {
            Some(name) => names.push(name.to_string()),
            None => {
                seen.push(kind);
                let count = seen.iter().filter(|k| **k == kind).count();
                names.push(if count == 1 { kind.to_string() } else { format!("{kind}_{count}") });
            }
        }
    }
    names
}
