//! A tree back to YAML text that reads as the same tree.

use serde_yaml::Value as Yaml;

use crate::read::number;
use crate::{Node, Value};

/// YAML text of a tree; faulty values are left out.
pub fn to_yaml(node: &Node) -> String {
    serde_yaml::to_string(&convert(node)).expect("words, lists and mappings can always be written")
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
