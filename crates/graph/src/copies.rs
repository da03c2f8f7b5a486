//! Copies of nodes for some of their readers, so that a value need not be kept for them.

use crate::{Graph, NodeId};

/// Nodes that are computed once more, right before the first of those who read the copy.
#[derive(Clone, Debug)]
pub struct Copies {
    /// Each may read those before it; readers read the last.
    pub of: Vec<NodeId>,
    /// In ascending order, all behind the copied nodes.
    pub readers: Vec<NodeId>,
}

impl Graph {
    /// The graph with copies, and their ids in it. A copy belongs to the path of its original, and to the gradients where
    /// its first reader does. Every value is what it was.
    ///
    /// # Panics
    /// If a reader does not read the node, or stands before it.
    pub fn with_copies(&self, mut copies: Vec<Copies>) -> (Graph, Vec<NodeId>) {
        copies.sort_by_key(|copies| copies.readers.first().copied());
        let mut graph = self.clone();
        graph.nodes.clear();
        let mut moved: Vec<NodeId> = Vec::with_capacity(self.nodes.len());
        let mut made = Vec::new();
        // For every reader what it reads instead.
        let mut instead: Vec<(NodeId, NodeId, NodeId)> = Vec::new();
        let mut waiting = copies.into_iter().peekable();
        for (id, node) in self.ids().zip(&self.nodes) {
            while let Some(Copies { of, readers }) = waiting.next_if(|copies| copies.readers.first() == Some(&id)) {
                let mut renamed: Vec<(NodeId, NodeId)> = Vec::new();
                for original in &of {
                    assert!(*original < id, "a copy reads what is computed before its readers");
                    let mut copy = self.node(*original).clone();
                    copy.backward = node.backward;
                    for input in &mut copy.inputs {
                        let known = renamed.iter().find(|(from, _)| from == input);
                        *input = known.map_or(moved[input.0 as usize], |(_, to)| *to);
                    }
                    graph.nodes.push(copy);
                    renamed.push((*original, NodeId(graph.nodes.len() as u32 - 1)));
                }
                made.extend(renamed.iter().map(|(_, copy)| *copy));
                if let Some(&(original, copy)) = renamed.last() {
                    assert!(readers.iter().all(|reader| self.node(*reader).inputs.contains(&original)));
                    instead.extend(readers.iter().map(|reader| (*reader, original, copy)));
                }
            }
            let mut node = node.clone();
            for input in &mut node.inputs {
                let copy = instead.iter().find(|(reader, original, _)| *reader == id && original == input);
                *input = copy.map_or_else(|| moved[input.0 as usize], |(_, _, copy)| *copy);
            }
            graph.nodes.push(node);
            moved.push(NodeId(graph.nodes.len() as u32 - 1));
        }
        graph.outputs.iter_mut().for_each(|(_, id)| *id = moved[id.0 as usize]);
        for (variable, value) in &mut graph.assignments {
            (*variable, *value) = (moved[variable.0 as usize], moved[value.0 as usize]);
        }
        (graph, made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Activation;
    use crate::reference::{self, Feed, Tensor};
    use crate::{DType, Op, Shape};

    #[test]
    fn readers_of_copies_get_the_same_values() {
        let mut g = Graph::new();
        let x = g.input("x", Shape::batched(&[2]), DType::F32);
        let w = g.variable("w", &[2]);
        let a = g.scale(x, -2.0);
        let b = g.push(Op::Activate(Activation::Relu), &[a]);
        let first = g.add(b, x);
        g.in_backward = true;
        let second = g.multiply(b, first);
        let third = g.add(b, second);
        let mean = g.mean_over_batch(third);
        g.output("third", third);
        g.assign(w, mean);
        let (copied, made) = g.with_copies(vec![Copies { of: vec![a, b], readers: vec![second, third] }]);
        crate::verify(&copied).expect("the rules hold");
        let [a2, b2] = made[..] else { panic!("two nodes are copied, not {made:?}") };
        assert_eq!(copied.node(b2).inputs, [a2]);
        assert!(copied.node(a2).backward && copied.node(b2).backward && !copied.node(b).backward);
        let reads = |op: &Op| copied.nodes().iter().filter(|node| node.op == *op && node.inputs.contains(&b2)).count();
        assert_eq!(copied.nodes().len(), g.nodes().len() + 2);
        assert_eq!(reads(&g.node(second).op) + reads(&g.node(third).op), 2);
        let mut feed = Feed::new(2);
        feed.inputs.insert("x".to_string(), Tensor::new(&[2, 2], vec![1.0, -1.0, 0.5, -3.0]));
        feed.variables.insert("w".to_string(), Tensor::new(&[2], vec![0.0; 2]));
        let [was, is] = [&g, &copied].map(|graph| {
            let values = reference::run(graph, &feed);
            (values.output(graph, "third").data.clone(), values.assigned(graph)["w"].data.clone())
        });
        assert_eq!(was, is);
    }
}
