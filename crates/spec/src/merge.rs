//! One tree laid over another, as `extends` does it: mappings merge key by key, lists are replaced, and where `type`
//! differs the mapping is replaced, since the keys of one kind mean nothing to another.
//!
//! Both trees are in normal form, so that a bare word (`adam`) and a mapping (`{type: adam}`) meet as mappings.

use crate::{Map, Node, Value};

/// `base` with everything that `over` says. A value keeps the place of the file that it comes from.
pub fn merge(base: Node, over: Node) -> Node {
    match (base.value, over.value) {
        (Value::Map(below), Value::Map(above)) if is_same_kind(&below, &above) => {
            Node { value: Value::Map(merged(below, above)), place: over.place }
        }
        (_, value) => Node { value, place: over.place },
    }
}

fn merged(mut below: Map, above: Map) -> Map {
    for entry in above.entries {
        match below.entries.iter_mut().find(|old| old.key == entry.key) {
            Some(old) => {
                let base = std::mem::replace(&mut old.node, Node::bad(entry.key_place));
                old.node = merge(base, entry.node);
                old.key_place = entry.key_place;
            }
            None => below.entries.push(entry),
        }
    }
    below
}

/// Whether both may be of one kind: a mapping without `type` adds to whatever kind is below it.
fn is_same_kind(below: &Map, above: &Map) -> bool {
    let kind = |map: &Map| map.find("type").and_then(Node::text).map(str::to_string);
    match (kind(below), kind(above)) {
        (Some(below), Some(above)) => below == above,
        (_, None) => true,
        (None, Some(_)) => below.entries.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Faults, Sources, merge, parse, to_yaml};

    #[test]
    fn mappings_merge_lists_and_other_kinds_replace() {
        let cases = [
            ("{a: {b: 1, c: 2}}", "{a: {c: 3, d: 4}}", "a:\n  b: 1\n  c: 3\n  d: 4\n"),
            ("{a: [1, 2]}", "{a: [3]}", "a:\n- 3\n"),
            ("{o: {type: sgd, rate: 1}}", "{o: {rate: 2}}", "o:\n  type: sgd\n  rate: 2\n"),
            ("{o: {type: sgd, momentum: 1}}", "{o: {type: adam}}", "o:\n  type: adam\n"),
            ("{o: {a: 1}}", "{o: none}", "o: none\n"),
            ("{o: none}", "{o: {a: 1}}", "o:\n  a: 1\n"),
        ];
        for (base, over, expected) in cases {
            let (mut sources, mut faults) = (Sources::new(), Faults::new());
            let mut read = |text: &str| parse("t", text.as_bytes(), &mut sources, &mut faults).expect("is YAML");
            assert_eq!(to_yaml(&merge(read(base), read(over))), expected, "{base} under {over}");
        }
    }
}
