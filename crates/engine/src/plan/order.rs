//! When each node is computed: which belong to single samples, which to the whole batch, and where the batch is cut.
//!
//! A plan is a row of stages. A stage first computes values of the whole batch from what is there, then lets every shard
//! of samples through all of its nodes of single samples, then closes the sums over the batch, which the next stage may
//! read. A node stands in the earliest stage that has all of its operands; one that is computed from values of the whole
//! batch alone moves on to the stage of its first reader, so that what an optimizer does to a parameter stands together;
//! and so does one that is computed again, which would else be kept as its original was.

use graph::{Graph, Node, NodeId, Op};

/// What a node's value belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Handed in, kept or known.
    Leaf,
    /// To single samples: each needs only the same sample of the operands.
    Each,
    /// To the whole batch, from a sum over its samples.
    Sum,
    /// To the whole batch, from values of the whole batch.
    Whole,
}

/// Role and stage of every node.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub role: Vec<Role>,
    /// Whether an output or an assignment depends on it; others are not computed.
    pub needed: Vec<bool>,
    /// The stage that computes it.
    pub stage: Vec<usize>,
    /// The first stage that may read it.
    pub ready: Vec<usize>,
    pub n_stages: usize,
}

impl Order {
    /// The order of a graph, whose nodes `again` wait for their first reader.
    pub fn new(graph: &Graph, again: &[NodeId]) -> Order {
        let role: Vec<Role> = graph.nodes().iter().map(|node| role(graph, node)).collect();
        let needed = needed(graph);
        let (mut stage, mut ready) = (Vec::new(), Vec::<usize>::new());
        for (node, role) in graph.nodes().iter().zip(&role) {
            let at = node.inputs.iter().map(|input| ready[input.0 as usize]).max().unwrap_or(0);
            stage.push(at);
            ready.push(if *role == Role::Sum { at + 1 } else { at });
        }
        let waits: Vec<bool> =
            graph.ids().zip(&role).map(|(id, role)| *role == Role::Whole || again.binary_search(&id).is_ok()).collect();
        move_to_readers(graph, &needed, &waits, &mut stage, &mut ready);
        let last = ready.iter().zip(&needed).filter(|(_, needed)| **needed).map(|(ready, _)| *ready).max();
        Order { role, needed, stage, ready, n_stages: last.unwrap_or(0) + 1 }
    }

    /// Whether a node is computed, and in this role.
    pub fn is(&self, id: NodeId, role: Role) -> bool {
        self.needed[id.0 as usize] && self.role[id.0 as usize] == role
    }
}

fn role(graph: &Graph, node: &Node) -> Role {
    match &node.op {
        Op::Input { .. } | Op::Variable { .. } | Op::Constant { .. } => Role::Leaf,
        Op::Conv2dKernelGradient { .. }
        | Op::DenseKernelGradient
        | Op::BatchStatistics
        | Op::BatchNormSums { .. }
        | Op::SumOverBatch
        | Op::MeanOverBatch => Role::Sum,
        Op::SumToChannels if graph.shape(node.inputs[0]).batch => Role::Sum,
        _ if node.shape.batch => Role::Each,
        _ => Role::Whole,
    }
}

fn move_to_readers(graph: &Graph, needed: &[bool], waits: &[bool], stage: &mut [usize], ready: &mut [usize]) {
    let mut read_at: Vec<Option<usize>> = vec![None; needed.len()];
    for (index, node) in graph.nodes().iter().enumerate().rev().filter(|(index, _)| needed[*index]) {
        if let (true, Some(reader)) = (waits[index], read_at[index]) {
            (stage[index], ready[index]) = (reader, reader);
        }
        for input in &node.inputs {
            let first = &mut read_at[input.0 as usize];
            *first = Some(first.map_or(stage[index], |known| known.min(stage[index])));
        }
    }
}

fn needed(graph: &Graph) -> Vec<bool> {
    let mut needed = vec![false; graph.nodes().len()];
    let roots = graph.outputs().iter().map(|(_, id)| *id).chain(graph.assignments().iter().map(|(_, value)| *value));
    for id in roots {
        needed[id.0 as usize] = true;
    }
    for (index, node) in graph.nodes().iter().enumerate().rev() {
        if needed[index] {
            node.inputs.iter().for_each(|input| needed[input.0 as usize] = true);
        }
    }
    needed
}
