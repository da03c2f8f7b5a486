//! Gradients: one walk from the loss back, summing what each operator's rule hands to its operands.

use crate::ops::{Gradient, Step};
use crate::{Graph, NodeId};

/// Adds to `graph` the gradient of the scalar `of` with respect to each node asked for; none where `of` does not depend
/// on it. Only operators between the two get gradient nodes. Each belongs to the path of the node whose rule made it.
///
/// # Panics
/// If `of` is no scalar, or if an operator on the way has no gradient rule.
pub fn gradients(graph: &mut Graph, of: NodeId, with_respect_to: &[NodeId]) -> Vec<Option<NodeId>> {
    assert!(graph.shape(of).is_scalar(), "gradients are those of one number, not of {}", graph.shape(of));
    let scope = graph.scope().to_string();
    graph.set_scope(&graph.node(of).path.clone());
    graph.in_backward = true;
    let one = graph.constant(1.0, &[]);
    let gradients = pull_back(graph, of, one, with_respect_to);
    graph.in_backward = false;
    graph.set_scope(&scope);
    gradients
}

/// Given the gradient `dy` of something with respect to `of`, its gradients with respect to the nodes asked for.
pub(crate) fn pull_back(graph: &mut Graph, of: NodeId, dy: NodeId, with_respect_to: &[NodeId]) -> Vec<Option<NodeId>> {
    let wanted = depends_on(graph, of, with_respect_to);
    // What each node has been handed so far, one entry a use of its value.
    let mut handed: Vec<Vec<NodeId>> = vec![Vec::new(); wanted.len()];
    let mut gradients: Vec<Option<NodeId>> = vec![None; wanted.len()];
    if wanted[of.0 as usize] {
        handed[of.0 as usize].push(dy);
    }
    for index in (0..wanted.len()).rev() {
        let id = NodeId(index as u32);
        graph.set_scope(&graph.node(id).path.clone());
        gradients[index] = std::mem::take(&mut handed[index]).into_iter().reduce(|sum, next| graph.add(sum, next));
        let Some(dy) = gradients[index] else { continue };
        for (operand, gradient) in apply_rule(graph, id, dy, &wanted) {
            assert_eq!(graph.shape(gradient), graph.shape(operand), "a gradient has the shape of its value");
            handed[operand.0 as usize].push(gradient);
        }
    }
    with_respect_to.iter().map(|id| gradients.get(id.0 as usize).copied().flatten()).collect()
}

/// For each node up to `of`, whether it is asked for or depends on one that is.
fn depends_on(graph: &Graph, of: NodeId, with_respect_to: &[NodeId]) -> Vec<bool> {
    let mut depends = vec![false; of.0 as usize + 1];
    for (index, node) in graph.nodes()[..=of.0 as usize].iter().enumerate() {
        let asked_for = with_respect_to.contains(&NodeId(index as u32));
        depends[index] = asked_for || node.inputs.iter().any(|input| depends[input.0 as usize]);
    }
    depends
}

/// What the rule of node `id` hands to those of its operands that want it.
fn apply_rule(graph: &mut Graph, id: NodeId, dy: NodeId, wanted: &[bool]) -> Vec<(NodeId, NodeId)> {
    let node = graph.node(id).clone();
    let wanted: Vec<bool> = node.inputs.iter().map(|input| wanted[input.0 as usize]).collect();
    if !wanted.contains(&true) {
        return Vec::new();
    }
    let rule = match node.op.rule().gradient {
        Gradient::Rule(rule) => rule,
        Gradient::None(why) => panic!("{} at {:?} has no gradient: {why}", node.op.name(), node.path),
    };
    let handed = rule(graph, &Step { op: &node.op, inputs: &node.inputs, output: id, dy, wanted: &wanted });
    assert_eq!(handed.len(), node.inputs.len(), "the rule of {} answers for each operand", node.op.name());
    let pairs = node.inputs.into_iter().zip(handed).zip(wanted);
    pairs.filter(|(_, wanted)| *wanted).filter_map(|((operand, gradient), _)| Some((operand, gradient?))).collect()
}
