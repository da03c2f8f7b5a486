//! Whether a graph keeps the rules that the planner, the exporter and the interpreter rely on.

use std::collections::HashSet;

use crate::{DType, Graph, Node, NodeId, Op, Shape};

/// The first rule that `graph` breaks, in one sentence. A graph made by [`Graph::push`] alone breaks none; passes that
/// rewrite graphs are held to them by this.
///
/// Operands come before their users; shapes and types are what the operators' rules infer; inputs and variables are
/// unique; outputs and assignments name nodes that exist; a variable is assigned at most once, a value of its shape.
/// Nodes that nobody reads are allowed: what is computed is what outputs and assignments need.
pub fn verify(graph: &Graph) -> Result<(), String> {
    for (id, node) in graph.ids().zip(graph.nodes()) {
        verify_node(graph, id, node).map_err(|why| format!("{id} {} at {:?}: {why}", node.op.name(), node.path))?;
    }
    verify_leaves(graph)?;
    verify_outputs(graph)?;
    verify_assignments(graph)
}

fn verify_node(graph: &Graph, id: NodeId, node: &Node) -> Result<(), String> {
    if let Some(late) = node.inputs.iter().find(|input| **input >= id) {
        return Err(format!("its operand {late} is not computed before it"));
    }
    let (shape, dtype) = match &node.op {
        Op::Input { .. } | Op::Variable { .. } | Op::Constant { .. } if !node.inputs.is_empty() => {
            return Err("a leaf has no operands".to_string());
        }
        Op::Input { .. } => (node.shape.clone(), node.dtype),
        Op::Variable { .. } | Op::Constant { .. } => (Shape::fixed(&node.shape.dims), DType::F32),
        op => graph.infer(op, &node.inputs)?,
    };
    match shape == node.shape && dtype == node.dtype {
        true => Ok(()),
        false => Err(format!("its rule gives {shape} {dtype:?}, it says {} {:?}", node.shape, node.dtype)),
    }
}

fn verify_leaves(graph: &Graph) -> Result<(), String> {
    let mut names = HashSet::new();
    for node in graph.nodes() {
        let fresh = match &node.op {
            Op::Input { name } => names.insert(("input", name)),
            Op::Variable { path } => names.insert(("variable", path)),
            _ => true,
        };
        if !fresh {
            return Err(format!("{:?} stands there twice", node.op));
        }
    }
    Ok(())
}

fn verify_outputs(graph: &Graph) -> Result<(), String> {
    let mut names = HashSet::new();
    for (name, id) in graph.outputs() {
        exists(graph, *id).map_err(|why| format!("output {name:?}: {why}"))?;
        if !names.insert(name) {
            return Err(format!("there are two outputs {name:?}"));
        }
    }
    Ok(())
}

fn verify_assignments(graph: &Graph) -> Result<(), String> {
    let mut variables = HashSet::new();
    for &(variable, value) in graph.assignments() {
        let checked = exists(graph, variable).and_then(|()| exists(graph, value));
        checked.map_err(|why| format!("assignment to {variable}: {why}"))?;
        let Op::Variable { path } = &graph.node(variable).op else {
            return Err(format!("{variable} is assigned to and is no variable"));
        };
        if !variables.insert(variable) {
            return Err(format!("variable {path:?} is assigned twice"));
        }
        let (to, from) = (graph.node(variable), graph.node(value));
        if to.shape != from.shape || to.dtype != from.dtype {
            return Err(format!("variable {path:?} of shape {} is assigned a value {}", to.shape, from.shape));
        }
    }
    Ok(())
}

fn exists(graph: &Graph, id: NodeId) -> Result<(), String> {
    match (id.0 as usize) < graph.nodes().len() {
        true => Ok(()),
        false => Err(format!("there is no node {id}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `verify` says of `y = x + w` with outputs and an assignment, after `damage`.
    fn check(damage: fn(&mut Graph), expected: &str) {
        let mut g = Graph::new();
        g.set_scope("layer");
        let x = g.input("x", Shape::fixed(&[3]), DType::F32);
        let w = g.variable("w", &[3]);
        let y = g.add(x, w);
        g.output("y", y);
        g.assign(w, y);
        verify(&g).expect("nothing is wrong yet");
        damage(&mut g);
        assert_eq!(verify(&g).expect_err("something is wrong"), expected);
    }

    #[test]
    fn every_rule_is_held() {
        check(|g| g.nodes[2].inputs[0] = NodeId(2), "%2 add at \"layer\": its operand %2 is not computed before it");
        check(
            |g| g.nodes[2].shape = Shape::fixed(&[4]),
            "%2 add at \"layer\": its rule gives [3] F32, it says [4] F32",
        );
        check(|g| g.nodes[0].dtype = DType::Index, "%2 add at \"layer\": takes F32 operands, not Index");
        check(|g| g.nodes[1].inputs.push(NodeId(0)), "%1 variable at \"layer\": a leaf has no operands");
        check(
            |g| g.nodes[1].shape.batch = true,
            "%1 variable at \"layer\": its rule gives [3] F32, it says [N, 3] F32",
        );
        check(
            |g| {
                g.input("x", Shape::scalar(), DType::F32);
            },
            "Input { name: \"x\" } stands there twice",
        );
        check(|g| g.outputs[0].1 = NodeId(7), "output \"y\": there is no node %7");
        check(|g| g.output("y", NodeId(0)), "there are two outputs \"y\"");
        check(|g| g.assignments[0].0 = NodeId(0), "%0 is assigned to and is no variable");
        check(|g| g.assign(NodeId(1), NodeId(0)), "variable \"w\" is assigned twice");
    }
}
