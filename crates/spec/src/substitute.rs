//! Variables: a whole value `$name` stands for what the name is bound to. `$$x` is the text `$x`; quoted text is never a
//! variable. There is no arithmetic and no interpolation.

use std::collections::BTreeMap;

use crate::parse::MAX_NODES;
use crate::{Fault, Faults, Node, Scalar, Value, nearest};

/// What names stand for.
#[derive(Clone, Debug, Default)]
pub struct Bindings {
    pub names: BTreeMap<String, Node>,
    /// Whether a name that is not bound stays as it is (for blocks, whose parameters are bound later) instead of being
    /// a fault.
    pub open: bool,
}

impl Bindings {
    /// Nothing bound; unknown names are faults.
    pub fn closed() -> Bindings {
        Bindings::default()
    }

    /// Nothing bound; unknown names stay.
    pub fn open() -> Bindings {
        Bindings { open: true, ..Bindings::default() }
    }

    /// The same with one more name.
    pub fn with(mut self, name: &str, value: Node) -> Bindings {
        self.names.insert(name.to_string(), value);
        self
    }
}

/// The name that a node stands for, where it is a variable.
pub fn variable(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar(s) if !s.quoted => s.text.strip_prefix('$').filter(|name| !name.starts_with('$')),
        _ => None,
    }
}

/// The tree with every variable replaced. A value keeps the place of what it was bound to, so that a wrong one is a
/// fault there.
pub fn substitute(node: &Node, bindings: &Bindings, faults: &mut Faults) -> Node {
    let mut left = MAX_NODES;
    substitute_within(node, bindings, &mut left, faults)
}

/// The same with a bound on the number of values that may be put in for variables, over several calls: blocks that hand
/// each other lists of variables would otherwise grow without end. What goes beyond is a fault.
pub fn substitute_within(node: &Node, bindings: &Bindings, left: &mut usize, faults: &mut Faults) -> Node {
    if let Some(name) = variable(node) {
        return match bindings.names.get(name) {
            Some(value) => within(node, value, left, faults),
            None if bindings.open => node.clone(),
            None => {
                faults.push(unknown(node, name, bindings));
                Node::bad(node.place)
            }
        };
    }
    let value = match &node.value {
        Value::Scalar(s) if !s.quoted && s.text.starts_with("$$") && !bindings.open => {
            Value::Scalar(Scalar { text: s.text[1..].to_string(), quoted: true })
        }
        Value::List(items) => Value::List(items.iter().map(|n| substitute_within(n, bindings, left, faults)).collect()),
        Value::Map(map) => {
            let mut map = map.clone();
            for entry in &mut map.entries {
                entry.node = substitute_within(&entry.node, bindings, left, faults);
            }
            Value::Map(map)
        }
        other => other.clone(),
    };
    Node { value, place: node.place }
}

fn within(node: &Node, value: &Node, left: &mut usize, faults: &mut Faults) -> Node {
    match left.checked_sub(value.count()) {
        Some(rest) => {
            *left = rest;
            value.clone()
        }
        None => {
            *left = 0;
            faults.push(Fault::new(node.place, "with its variables written out this has too many values"));
            Node::bad(node.place)
        }
    }
}

fn unknown(node: &Node, name: &str, bindings: &Bindings) -> Fault {
    let fault = Fault::new(node.place, format!("`${name}` stands for nothing"));
    match nearest(name, bindings.names.keys().map(String::as_str)) {
        Some(close) => fault.help(format!("did you mean `${close}`?")),
        None => fault.help(format!("`$${name}` is the text `${name}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sources, parse};

    #[test]
    fn what_variables_put_in_is_bounded() {
        let (mut sources, mut faults) = (Sources::new(), Faults::new());
        let mut node = parse("t", b"[1, 2, 3, 4, 5, 6, 7, 8, 9]", &mut sources, &mut faults).unwrap();
        let body = parse("t", b"[$x, $x, $x, $x, $x, $x, $x, $x, $x]", &mut sources, &mut faults).unwrap();
        let mut left = MAX_NODES;
        for _ in 0..20 {
            node = substitute_within(&body, &Bindings::closed().with("x", node), &mut left, &mut faults);
        }
        assert_eq!(faults.len(), 9, "one at each place of the body");
        assert!(node.count() <= 2 * MAX_NODES);
    }
}
