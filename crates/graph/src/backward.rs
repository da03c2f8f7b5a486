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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Op, Window};
    use crate::reference::{Feed, Tensor, run};
    use crate::{DType, Shape};

    #[test]
    fn contributions_of_all_uses_are_summed() {
        let mut g = Graph::new();
        let w = g.variable("w", &[]);
        let square = g.multiply(w, w);
        let cube = g.multiply(square, w);
        let y = g.add(cube, square);
        let gradient = gradients(&mut g, y, &[w])[0].expect("y depends on w");
        let mut feed = Feed::new(1);
        feed.variables.insert("w".to_string(), Tensor::filled(&[], 5.0));
        assert_eq!(run(&g, &feed)[gradient].data, [3.0 * 25.0 + 2.0 * 5.0]);
    }

    #[test]
    fn what_the_loss_does_not_depend_on_has_no_gradient() {
        let mut g = Graph::new();
        let [w, other] = ["w", "other"].map(|path| g.variable(path, &[3]));
        let loss = g.sum_of_squares(w);
        let later = g.sum_of_squares(loss);
        assert_eq!(gradients(&mut g, loss, &[other, later]), [None, None]);
        let of_itself = gradients(&mut g, loss, &[loss])[0].expect("its own gradient is one");
        assert_eq!(g.node(of_itself).op, Op::Constant { value: 1.0 });
    }

    #[test]
    fn only_what_is_asked_for_is_computed_under_the_layer_that_it_belongs_to() {
        let mut g = Graph::new();
        let image = g.input("image", Shape::batched(&[4, 4, 1]), DType::F32);
        g.set_scope("conv2d");
        let [kernel, bias] = [g.variable("kernel", &[2, 3, 3, 1]), g.variable("bias", &[2])];
        let y = g.push(Op::Conv2d { window: Window::square(3, 1, 1), groups: 1 }, &[image, kernel]);
        let y = g.push(Op::AddBias, &[y, bias]);
        g.set_scope("loss");
        let mean = g.mean_over_batch(y);
        let loss = g.sum_of_squares(mean);
        g.set_scope("afterwards");
        let forward = g.nodes().len();
        gradients(&mut g, loss, &[kernel]);

        let added = &g.nodes()[forward..];
        let names: Vec<(&str, &str)> = added.iter().map(|node| (node.op.name(), node.path.as_str())).collect();
        let expected = [
            ("constant", "loss"),
            ("multiply", "loss"),
            ("scale", "loss"),
            ("spread_over_batch", "loss"),
            ("conv2d_kernel_gradient", "conv2d"),
        ];
        assert_eq!(names, expected);
        assert!(added.iter().all(|node| node.backward) && g.nodes()[..forward].iter().all(|node| !node.backward));
        assert_eq!(g.scope(), "afterwards");
    }

    #[test]
    #[should_panic(expected = "sum_to_channels at \"\" has no gradient: is a gradient already")]
    fn an_operator_without_gradient_says_why() {
        let mut g = Graph::new();
        let w = g.variable("w", &[4, 2]);
        let sums = g.push(Op::SumToChannels, &[w]);
        let loss = g.sum_of_squares(sums);
        gradients(&mut g, loss, &[w]);
    }

    #[test]
    #[should_panic(expected = "batch_norm hands no gradient to statistics that are not of its own x")]
    fn batch_norm_refuses_to_hide_a_gradient() {
        let mut g = Graph::new();
        let [x, other] = ["x", "other"].map(|name| g.input(name, Shape::batched(&[2]), DType::F32));
        let [scale, offset] = ["scale", "offset"].map(|path| g.variable(path, &[2]));
        let statistics = g.push(Op::BatchStatistics, &[other]);
        let y = g.push(Op::BatchNorm { epsilon: 1e-5 }, &[x, statistics, scale, offset]);
        let mean = g.mean_over_batch(y);
        let loss = g.sum_of_squares(mean);
        gradients(&mut g, loss, &[other]);
    }
}
