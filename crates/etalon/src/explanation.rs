//! The resolved experiment as text, each value with the place that it came from beside it.

use spec::{Node, Origin, Sources, Value};

/// Where the notes begin, unless a line is longer.
const COLUMN: usize = 48;

/// The tree as YAML with notes: `file:line`, `command line` or `default`.
pub fn explain(tree: &Node, sources: &Sources) -> String {
    let mut writer = Writer { sources, lines: Vec::new() };
    writer.value(tree, 0, String::new());
    let note = |(line, note): &(String, String)| match note.is_empty() {
        true => format!("{line}\n"),
        false => format!("{line:<COLUMN$}  # {note}\n"),
    };
    writer.lines.iter().map(note).collect()
}

/// Where a value came from.
pub fn origin(node: &Node, sources: &Sources) -> String {
    match node.place.origin {
        Origin::File => format!("{}:{}", sources.name(node.place.source), sources.line_column(node.place).0),
        Origin::CommandLine => "command line".to_string(),
        Origin::Default => "default".to_string(),
    }
}

struct Writer<'a> {
    sources: &'a Sources,
    /// Lines with their notes.
    lines: Vec<(String, String)>,
}

impl Writer<'_> {
    /// Writes a value behind `head`, which has its indentation; what stands in it is indented by `depth`.
    fn value(&mut self, node: &Node, depth: usize, head: String) {
        match &node.value {
            Value::Map(map) if !map.entries.is_empty() => {
                let mut head = self.open(head);
                for entry in &map.entries {
                    let begin = head.take().unwrap_or_else(|| "  ".repeat(depth));
                    self.value(&entry.node, depth + 1, format!("{begin}{}:", entry.key));
                }
            }
            Value::List(items) if items.iter().any(|item| item.map().is_some()) => {
                self.open(head);
                for item in items {
                    self.value(item, depth + 1, format!("{}- ", "  ".repeat(depth)));
                }
            }
            Value::Map(_) | Value::List(_) | Value::Scalar(_) | Value::Empty | Value::Bad => {
                let space = if head.ends_with(' ') { "" } else { " " };
                self.lines.push((format!("{head}{space}{}", spec::to_flow(node)), origin(node, self.sources)));
            }
        }
    }

    /// Ends the line of a key; the mark of a list's item stays, so that its first key stands behind it.
    fn open(&mut self, head: String) -> Option<String> {
        if head.ends_with("- ") {
            return Some(head);
        }
        if !head.is_empty() {
            self.lines.push((head, String::new()));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use spec::Faults;

    use super::*;

    #[test]
    fn every_value_says_where_it_came_from() {
        let (mut sources, mut faults) = (Sources::new(), Faults::new());
        let text = "a: {b: 1, c: [2, 3]}\nlayers:\n  - dense: {units: 4}\n  - x: {}\n";
        let tree = spec::parse("some.yaml", text.as_bytes(), &mut sources, &mut faults).expect("it is YAML");
        let found = explain(&tree, &sources);
        let lines: Vec<Vec<&str>> = found.lines().map(|line| line.split("  # ").map(str::trim_end).collect()).collect();
        let expected: [&[&str]; 7] = [
            &["a:"],
            &["  b: 1", "some.yaml:1"],
            &["  c: [2, 3]", "some.yaml:1"],
            &["layers:"],
            &["  - dense:"],
            &["      units: 4", "some.yaml:3"],
            &["  - x: {}", "some.yaml:4"],
        ];
        assert_eq!(lines, expected);
    }
}
