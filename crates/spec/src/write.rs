//! A tree back to YAML text that reads as the same tree.

use serde_yaml::Value as Yaml;

use crate::read::number;
use crate::{Node, Value};

/// YAML text of a tree; faulty values are left out.
pub fn to_yaml(node: &Node) -> String {
    serde_yaml::to_string(&convert(node)).expect("words, lists and mappings can always be written")
}

/// A value in one line, as it may stand behind `key.path=` on the command line: `{type: sgd, learning_rate: 0.1}`.
pub fn to_flow(node: &Node) -> String {
    match &node.value {
        Value::Empty | Value::Bad => String::new(),
        Value::Scalar(s) if s.quoted || !is_plain(&s.text) => {
            serde_json::to_string(&s.text).expect("text becomes JSON, which is YAML")
        }
        Value::Scalar(s) => s.text.clone(),
        Value::List(items) => format!("[{}]", items.iter().map(to_flow).collect::<Vec<_>>().join(", ")),
        Value::Map(map) => {
            let entry = |e: &crate::Entry| format!("{}: {}", e.key, to_flow(&e.node));
            format!("{{{}}}", map.entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

/// Whether a word stands for itself without quotes, also inside brackets.
fn is_plain(text: &str) -> bool {
    let odd = |c: char| c.is_control() || "[]{},:#&*!|>'\"%@`?\\".contains(c);
    !text.is_empty() && text.trim() == text && !text.contains(odd)
}

fn convert(node: &Node) -> Yaml {
    match &node.value {
        Value::Empty | Value::Bad => Yaml::Null,
        Value::Scalar(s) if s.quoted && s.text.starts_with('$') => Yaml::String(format!("${}", s.text)),
        Value::Scalar(s) if s.quoted => Yaml::String(s.text.clone()),
        Value::Scalar(s) if s.text == "true" || s.text == "false" => Yaml::Bool(s.text == "true"),
        Value::Scalar(s) => match (s.text.parse::<i64>(), number(node)) {
            (Ok(whole), _) => Yaml::Number(whole.into()),
            (_, Some(x)) => Yaml::Number(x.into()),
            _ => Yaml::String(s.text.clone()),
        },
        Value::List(items) => Yaml::Sequence(items.iter().map(convert).collect()),
        Value::Map(map) => {
            Yaml::Mapping(map.entries.iter().map(|e| (Yaml::String(e.key.clone()), convert(&e.node))).collect())
        }
    }
}
