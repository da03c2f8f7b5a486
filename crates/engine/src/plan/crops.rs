//! Crops: rows and columns that only a pool would read, and it does not, are not computed.
//!
//! A pool of 2 × 2 without padding leaves the last row and column of an odd image alone. What leads to them, and the
//! gradients that are zero there, then lie in memory as images that are smaller by so much.

use graph::ops::{Binary, Window};
use graph::{Graph, NodeId, Op};

use super::order::Order;
use super::readers::Readers;

/// For every value the height and width of its images, where a part of them is enough.
#[derive(Clone, Debug)]
pub(crate) struct Crops(Vec<Option<[usize; 2]>>);

impl Crops {
    /// None, so that every value is what its node says.
    pub fn none(graph: &Graph) -> Crops {
        Crops(vec![None; graph.nodes().len()])
    }

    pub fn new(graph: &Graph, order: &Order, readers: &Readers) -> Crops {
        let mut crops = Crops::none(graph);
        let mut is_done = vec![false; graph.nodes().len()];
        for id in graph.ids().filter(|id| order.needed[id.0 as usize]) {
            if is_done[id.0 as usize] || !is_of_images(graph, id) {
                continue;
            }
            let alike = alike(graph, order, readers, id);
            alike.iter().for_each(|member| is_done[member.0 as usize] = true);
            let full = size(graph, id);
            let seen = seen(graph, readers, &alike).filter(|seen| *seen != full);
            alike.iter().for_each(|member| crops.0[member.0 as usize] = seen);
        }
        crops
    }

    /// Height and width of a value's images, if they are cropped.
    pub fn of(&self, id: NodeId) -> Option<[usize; 2]> {
        self.0[id.0 as usize]
    }
}

fn is_of_images(graph: &Graph, id: NodeId) -> bool {
    graph.shape(id).batch && graph.shape(id).dims.len() == 3
}

fn size(graph: &Graph, id: NodeId) -> [usize; 2] {
    let dims = &graph.shape(id).dims;
    [dims[0], dims[1]]
}

/// Whether a node takes every number on its own.
fn is_pointwise(op: &Op) -> bool {
    matches!(op, Op::AddBias | Op::Activate(_) | Op::ActivateGradient(_) | Op::Unary(_) | Op::Binary(_))
}

/// The images that lie alike: those that pointwise nodes lead to and from.
fn alike(graph: &Graph, order: &Order, readers: &Readers, id: NodeId) -> Vec<NodeId> {
    let mut alike = vec![id];
    let mut at = 0;
    while let Some(&member) = alike.get(at) {
        let operands = graph.node(member).inputs.iter().filter(|_| is_pointwise(&graph.node(member).op));
        let results = readers.of(member).iter().filter(|reader| is_pointwise(&graph.node(**reader).op));
        for other in operands.chain(results) {
            if is_of_images(graph, *other) && order.needed[other.0 as usize] && !alike.contains(other) {
                alike.push(*other);
            }
        }
        at += 1;
    }
    alike
}

/// Height and width that hold all that is read of images which lie alike, and all that is not zero; none if some of them
/// must be whole.
fn seen(graph: &Graph, readers: &Readers, alike: &[NodeId]) -> Option<[usize; 2]> {
    let mut seen = [0; 2];
    for &id in alike {
        let made = match &graph.node(id).op {
            // A depthwise kernel reads the border of its gradient by the size that the window says.
            Op::Conv2d { groups: 1, .. } => [0; 2],
            op if is_pointwise(op) => [0; 2],
            Op::AveragePool2dGradient { window, .. } => under(window, size(graph, graph.node(id).inputs[0]))?,
            Op::MaxPool2dGradient { window } => under(window, size(graph, graph.node(id).inputs[1]))?,
            _ => return None,
        };
        seen = larger(seen, made);
        for &reader in readers.all(id)? {
            seen = larger(seen, read(graph, reader, id)?);
        }
    }
    seen.iter().all(|size| *size > 0).then_some(seen)
}

/// What a reader needs to see of the images of a value; none if all.
fn read(graph: &Graph, reader: NodeId, id: NodeId) -> Option<[usize; 2]> {
    let node = graph.node(reader);
    let is_only =
        |index: usize| node.inputs[index] == id && node.inputs.iter().filter(|input| **input == id).count() == 1;
    match &node.op {
        op if is_pointwise(op) => Some([0; 2]),
        Op::AveragePool2d { window } | Op::MaxPool2d { window } => under(window, size(graph, reader)),
        Op::MaxPool2dGradient { window } if is_only(0) => under(window, size(graph, node.inputs[1])),
        Op::Conv2dInputGradient { groups: 1, .. } | Op::SumToChannels if is_only(0) => is_zero_outside(graph, id),
        Op::Conv2dKernelGradient { groups: 1, .. } if is_only(1) => is_zero_outside(graph, id),
        _ => None,
    }
}

/// What lies under the windows of a pool whose result has this size; none for pools with a border.
fn under(window: &Window, result: [usize; 2]) -> Option<[usize; 2]> {
    let last = |axis: usize| result[axis].saturating_sub(1) * window.stride[axis] + window.kernel[axis];
    (window.padding == [0; 4] && window.dilation == [1; 2]).then(|| [last(0), last(1)])
}

/// Nothing, if a value is a gradient from a pool, which is zero where no window lies.
fn is_zero_outside(graph: &Graph, id: NodeId) -> Option<[usize; 2]> {
    let node = graph.node(id);
    match &node.op {
        Op::AveragePool2dGradient { .. } | Op::MaxPool2dGradient { .. } => Some([0; 2]),
        Op::ActivateGradient(_) => is_zero_outside(graph, node.inputs[1]),
        Op::Binary(Binary::Add) => node.inputs.iter().try_fold([0; 2], |_, operand| is_zero_outside(graph, *operand)),
        _ => None,
    }
}

fn larger(a: [usize; 2], b: [usize; 2]) -> [usize; 2] {
    [a[0].max(b[0]), a[1].max(b[1])]
}
