//! Which nodes are computed together: with a convolution or dense layer the bias and the relu behind it; and what flows
//! back from a max pool through a relu to a convolution, whose gradients run over lists of what is not zero.

use graph::ops::{Activation, Window};
use graph::{Graph, NodeId, Op};

use super::order::{Order, Role};
use super::readers::Readers;

/// What a product is followed by before it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epilogue {
    /// The node whose value is stored.
    pub result: NodeId,
    pub bias: Option<NodeId>,
    pub relu: bool,
}

/// The part of an image, from its first pixel on, that its readers see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub height: usize,
    pub width: usize,
}

/// The gradients of a convolution with relu and max pool behind it, all at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Back {
    pub x: NodeId,
    /// Relu of the convolution.
    pub y: NodeId,
    /// The gradient of the pool's result.
    pub dy: NodeId,
    pub convolution: Window,
    pub pool: Window,
    pub kernel_gradient: NodeId,
    /// The input's gradient, and the kernel that it reads.
    pub input_gradient: Option<(NodeId, NodeId)>,
    pub bias_gradient: Option<NodeId>,
}

/// For every node the epilogue of its product, and whether it is part of another's.
#[derive(Clone, Debug)]
pub(crate) struct Fusions {
    epilogues: Vec<Option<Epilogue>>,
    /// By the product's result: what max pools see of it, where nobody else reads it.
    seen: Vec<Option<Seen>>,
    /// By the gradient of relu.
    backs: Vec<Option<Back>>,
    absorbed: Vec<bool>,
}

impl Fusions {
    /// The fusions of a graph; none if every node is to keep its own value.
    pub fn new(graph: &Graph, order: &Order, readers: &Readers, keep_all: bool) -> Fusions {
        let n = graph.nodes().len();
        let mut fusions =
            Fusions { epilogues: vec![None; n], seen: vec![None; n], backs: vec![None; n], absorbed: vec![false; n] };
        for id in graph.ids().filter(|id| order.is(*id, Role::Each)) {
            if !matches!(graph.node(id).op, Op::Conv2d { .. } | Op::Dense) {
                continue;
            }
            let mut epilogue = Epilogue { result: id, bias: None, relu: false };
            if !keep_all {
                fusions.extend(graph, order, readers, &mut epilogue);
            }
            fusions.epilogues[id.0 as usize] = Some(epilogue);
        }
        for id in graph.ids().filter(|id| !keep_all && order.is(*id, Role::Each)) {
            if let Some((back, absorbed)) = back(graph, order, readers, id) {
                absorbed.iter().for_each(|id| fusions.absorbed[id.0 as usize] = true);
                fusions.backs[id.0 as usize] = Some(back);
            }
        }
        for epilogue in fusions.epilogues.clone().into_iter().flatten().filter(|_| !keep_all) {
            fusions.seen[epilogue.result.0 as usize] = fusions.seen_by_pools(graph, readers, epilogue.result);
        }
        fusions
    }

    /// What is seen of an image that nobody but max pools reads, and the gradients that flow back through them.
    fn seen_by_pools(&self, graph: &Graph, readers: &Readers, id: NodeId) -> Option<Seen> {
        let mut seen = Seen { height: 0, width: 0 };
        for &reader in readers.all(id)? {
            match &graph.node(reader).op {
                Op::MaxPool2d { window } if window.padding == [0; 4] => {
                    let [height, width] = [0, 1]
                        .map(|axis| (graph.shape(reader).dims[axis] - 1) * window.stride[axis] + window.kernel[axis]);
                    seen = Seen { height: seen.height.max(height), width: seen.width.max(width) };
                }
                // The pool of these stands among the readers, too.
                Op::MaxPool2dGradient { .. } if self.is_absorbed(reader) => {}
                Op::ActivateGradient(_) if self.back(reader).is_some() => {}
                _ => return None,
            }
        }
        (seen.height > 0).then_some(seen)
    }

    /// How much of the result of a product is worth computing.
    pub fn seen(&self, result: NodeId) -> Option<Seen> {
        self.seen[result.0 as usize]
    }

    /// What begins with the gradient of relu `id`.
    pub fn back(&self, id: NodeId) -> Option<Back> {
        self.backs[id.0 as usize]
    }

    /// All of them.
    pub fn backs(&self) -> impl Iterator<Item = Back> + '_ {
        self.backs.iter().copied().flatten()
    }

    fn extend(&mut self, graph: &Graph, order: &Order, readers: &Readers, epilogue: &mut Epilogue) {
        let same_stage = |a: NodeId, b: NodeId| order.stage[a.0 as usize] == order.stage[b.0 as usize];
        while let Some(next) = readers.only(epilogue.result).filter(|next| same_stage(epilogue.result, *next)) {
            match &graph.node(next).op {
                Op::AddBias if epilogue.bias.is_none() && !epilogue.relu => {
                    epilogue.bias = Some(graph.node(next).inputs[1]);
                }
                Op::Activate(Activation::Relu) if !epilogue.relu => epilogue.relu = true,
                _ => return,
            }
            self.absorbed[next.0 as usize] = true;
            epilogue.result = next;
        }
    }

    /// What follows the product `id`.
    pub fn epilogue(&self, id: NodeId) -> Option<Epilogue> {
        self.epilogues[id.0 as usize]
    }

    /// Whether the node is computed by an earlier one's step.
    pub fn is_absorbed(&self, id: NodeId) -> bool {
        self.absorbed[id.0 as usize]
    }
}

/// The gradients that flow back from the gradient of relu `id`, if they fit the pattern, and the nodes that disappear.
/// Lists pay where at most a quarter of the gradient is alive.
fn back(graph: &Graph, order: &Order, readers: &Readers, id: NodeId) -> Option<(Back, Vec<NodeId>)> {
    let Op::ActivateGradient(Activation::Relu) = graph.node(id).op else { return None };
    let &[y, pool_gradient] = graph.node(id).inputs.as_slice() else { return None };
    let Op::MaxPool2dGradient { window: pool } = graph.node(pool_gradient).op else { return None };
    let &[pooled, dy] = graph.node(pool_gradient).inputs.as_slice() else { return None };
    let apart = pool.stride[0] >= pool.kernel[0] && pool.stride[1] >= pool.kernel[1] && pool.padding == [0; 4];
    if pooled != y || !apart || pool.kernel[0] * pool.kernel[1] < 4 || readers.only(pool_gradient) != Some(id) {
        return None;
    }
    let (mut kernel_gradient, mut input_gradient, mut bias_gradient) = (None, None, None);
    for &reader in readers.all(id)? {
        let node = graph.node(reader);
        match &node.op {
            Op::Conv2dKernelGradient { window, groups: 1 } if node.inputs[1] == id && window.dilation[1] == 1 => {
                kernel_gradient = kernel_gradient.xor(Some((reader, node.inputs[0], *window)));
            }
            Op::Conv2dInputGradient { groups: 1, .. } if node.inputs[0] == id => {
                input_gradient = input_gradient.xor(Some((reader, node.inputs[1])));
            }
            Op::SumToChannels => bias_gradient = bias_gradient.xor(Some(reader)),
            _ => return None,
        }
    }
    let (kernel_gradient, x, convolution) = kernel_gradient?;
    let gone: Vec<NodeId> = [pool_gradient, kernel_gradient]
        .into_iter()
        .chain(input_gradient.map(|(node, _)| node))
        .chain(bias_gradient)
        .collect();
    let is_same = |other: &NodeId| order.stage[other.0 as usize] == order.stage[id.0 as usize];
    let all_read = gone.len() == readers.all(id)?.len() + 1;
    let back = Back { x, y, dy, convolution, pool, kernel_gradient, input_gradient, bias_gradient };
    (all_read && gone.iter().all(is_same) && graph.shape(x).dims.len() == 3).then_some((back, gone))
}
