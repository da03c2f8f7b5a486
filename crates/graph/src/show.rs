//! The graph as text, one line a node: `%12 = conv2d(%3, %5) {window: 3x3, groups: 1} : [N, 30, 30, 32]  # conv2d_2`.

use std::fmt;

use crate::{DType, Graph, Node, NodeId, Op};

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, node) in self.ids().zip(self.nodes()) {
            writeln!(f, "{id} = {}", line(node))?;
        }
        for (name, id) in self.outputs() {
            writeln!(f, "output {name} = {id}")?;
        }
        for (variable, value) in self.assignments() {
            writeln!(f, "assign {variable} = {value}")?;
        }
        Ok(())
    }
}

/// A node without its number. A leaf has no operands to list; F32 goes without saying.
fn line(node: &Node) -> String {
    let operands: Vec<String> = node.inputs.iter().map(NodeId::to_string).collect();
    let mut text = node.op.name().to_string();
    if !operands.is_empty() {
        text += &format!("({})", operands.join(", "));
    }
    text += &format!("{} : {}", attributes(&node.op), node.shape);
    if node.dtype != DType::F32 {
        text += &format!(" {:?}", node.dtype);
    }
    match (node.path.as_str(), node.backward) {
        ("", false) => {}
        (path, false) => text += &format!("  # {path}"),
        (path, true) => text += &format!("  # {path} backward"),
    }
    text
}

/// The operator's fields as the compiler derives them, so that no operator needs to be named here.
fn attributes(op: &Op) -> String {
    let text = format!("{op:?}");
    match (text.find("{ "), text.rfind(" }")) {
        (Some(start), Some(end)) => format!(" {{{}}}", &text[start + 2..end]),
        _ => String::new(),
    }
}
