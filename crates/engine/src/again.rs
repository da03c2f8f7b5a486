//! Values computed again where gradients read them, instead of being kept since the forward pass.
//!
//! A batch norm with or without relu behind it costs one look at its operand, which its own gradients read anyway. Kept,
//! it would be written to memory that no cache holds and fetched from there; computed again it stays with its shard. In
//! training with batch norms these are half of all activations (Chen et al. 2016, "Training deep nets with sublinear memory
//! cost", drop the same).

use graph::ops::Activation;
use graph::{Copies, Graph, NodeId, Op};

use crate::plan::{Order, Readers};

/// A graph in which later stages read copies, and the copies.
pub(crate) fn computed_again(graph: &Graph) -> (Graph, Vec<NodeId>) {
    let order = Order::new(graph, &[]);
    let readers = Readers::new(graph, &order);
    let mut copies = Vec::new();
    for id in graph.ids().filter(|id| !readers.is_result(*id)) {
        let Some(chain) = chain(graph, &readers, id) else { continue };
        let stage = |id: NodeId| order.stage[id.0 as usize];
        let mut later: Vec<NodeId> = readers.of(id).iter().copied().filter(|r| stage(*r) > stage(id)).collect();
        later.sort_by_key(|reader| (stage(*reader), reader.0));
        for readers in later.chunk_by(|a, b| stage(*a) == stage(*b)) {
            copies.push(Copies { of: chain.clone(), readers: readers.to_vec() });
        }
    }
    graph.with_copies(copies)
}

/// A batch norm, or one with relu behind it, that ends in `id`.
fn chain(graph: &Graph, readers: &Readers, id: NodeId) -> Option<Vec<NodeId>> {
    let is_norm = |id: NodeId| matches!(graph.node(id).op, Op::BatchNorm { .. }) && graph.shape(id).batch;
    match graph.node(id).op {
        Op::Activate(Activation::Relu) => {
            let norm = graph.node(id).inputs[0];
            (is_norm(norm) && readers.of(norm).len() == 1).then(|| vec![norm, id])
        }
        _ => is_norm(id).then(|| vec![id]),
    }
}
