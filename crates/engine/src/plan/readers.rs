//! Who reads a value.

use graph::{Graph, NodeId};

use super::order::Order;

/// The readers of every value, of those that are computed, and which values are read after a run.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    by_node: Vec<Vec<NodeId>>,
    is_output: Vec<bool>,
    is_assigned: Vec<bool>,
}

impl Readers {
    pub fn new(graph: &Graph, order: &Order) -> Readers {
        let n = graph.nodes().len();
        let mut readers =
            Readers { by_node: vec![Vec::new(); n], is_output: vec![false; n], is_assigned: vec![false; n] };
        for (id, node) in graph.ids().zip(graph.nodes()).filter(|(id, _)| order.needed[id.0 as usize]) {
            node.inputs.iter().for_each(|input| readers.by_node[input.0 as usize].push(id));
        }
        graph.outputs().iter().for_each(|(_, id)| readers.is_output[id.0 as usize] = true);
        graph.assignments().iter().for_each(|(_, value)| readers.is_assigned[value.0 as usize] = true);
        readers
    }

    /// The nodes that read a value, in order; one that reads it twice stands there twice.
    pub fn of(&self, id: NodeId) -> &[NodeId] {
        &self.by_node[id.0 as usize]
    }

    /// Whether an output or a variable takes the value.
    pub fn is_result(&self, id: NodeId) -> bool {
        self.is_output[id.0 as usize] || self.is_assigned[id.0 as usize]
    }

    /// All readers of a value that is no result.
    pub fn all(&self, id: NodeId) -> Option<&[NodeId]> {
        (!self.is_result(id)).then_some(self.of(id))
    }

    /// The one reader of a value that is no result.
    pub fn only(&self, id: NodeId) -> Option<NodeId> {
        match self.all(id)? {
            &[reader] => Some(reader),
            _ => None,
        }
    }
}
