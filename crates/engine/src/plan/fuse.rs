//! Which nodes are computed together: with a convolution or dense layer the bias, the relu and the max pool behind it; with
//! a convolution the batch norm whose statistics are given; with a batch norm or a sum the relu; what flows back from such
//! a pool to the convolution, whose gradients run over lists of what is not zero; elsewhere both gradients of a convolution;
//! with the gradient of relu the sum before it and the sums of the norm behind it; and with an activation its slope.

use graph::ops::{Activation, Binary, Window};
use graph::{Graph, NodeId, Op};
use kernels::conv2d::Pooled;

use super::order::{Order, Role};
use super::readers::Readers;

/// What a product, a batch norm or a sum is followed by before it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epilogue {
    /// The node whose value is stored.
    pub result: NodeId,
    pub bias: Option<NodeId>,
    /// A batch norm that goes into kernel and bias.
    pub norm: Option<NodeId>,
    /// What is added to a convolution's result.
    pub added: Option<NodeId>,
    pub relu: bool,
    pub pool: Option<PoolBehind>,
}

/// A max pool behind relu. Of what it reads only the winners are kept, under the name of that node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolBehind {
    /// Relu of the convolution.
    pub operand: NodeId,
    pub window: Window,
    /// Whether gradients flow back, so that winners are wanted.
    pub has_gradients: bool,
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

/// The gradient of relu with the sums of the batch norm before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReluGradient {
    /// The sum of two gradients that it is of.
    pub sum: Option<NodeId>,
    pub norm_sums: NodeId,
}

/// Channels up to which the sums of a norm are added up with the gradient of relu: of more, one pass over four images that
/// do not fit the cache waits as long as two over three and two.
const MOST_CHANNELS: usize = 64;

/// For every node its epilogue, and whether it is part of another's.
#[derive(Clone, Debug)]
pub(crate) struct Fusions {
    epilogues: Vec<Option<Epilogue>>,
    /// By the gradient of relu.
    backs: Vec<Option<Back>>,
    /// By the gradient of a convolution's input that of its kernel, of the same dy.
    pairs: Vec<Option<NodeId>>,
    /// By the gradient of relu what is computed with it.
    relu_gradients: Vec<Option<ReluGradient>>,
    absorbed: Vec<bool>,
    /// Operands of activations that are overwritten by the slope.
    slopes: Vec<bool>,
}

impl Fusions {
    /// The fusions of a graph; none if every node is to keep its own value.
    pub fn new(graph: &Graph, order: &Order, readers: &Readers, keep_all: bool) -> Fusions {
        let n = graph.nodes().len();
        let mut fusions = Fusions {
            epilogues: vec![None; n],
            backs: vec![None; n],
            pairs: vec![None; n],
            relu_gradients: vec![None; n],
            absorbed: vec![false; n],
            slopes: vec![false; n],
        };
        if !keep_all {
            for id in graph.ids().filter(|id| order.is(*id, Role::Each)) {
                fusions.slopes[id.0 as usize] = gives_way_to_slope(graph, readers, id);
            }
        }
        for id in graph.ids().filter(|id| order.is(*id, Role::Each)) {
            let can_be_followed = matches!(
                graph.node(id).op,
                Op::Conv2d { .. } | Op::Dense | Op::BatchNorm { .. } | Op::Binary(Binary::Add)
            );
            if !can_be_followed || fusions.is_absorbed(id) {
                continue;
            }
            let mut epilogue = Epilogue { result: id, bias: None, norm: None, added: None, relu: false, pool: None };
            if !keep_all {
                fusions.extend(graph, order, readers, &mut epilogue);
                let can_be_pooled = epilogue.relu && epilogue.added.is_none();
                if can_be_pooled && matches!(graph.node(id).op, Op::Conv2d { .. }) {
                    fusions.take_pool(graph, order, readers, &mut epilogue);
                }
            }
            fusions.epilogues[id.0 as usize] = Some(epilogue);
        }
        if !keep_all {
            fusions.pair_gradients(graph, order, readers);
            fusions.take_sums(graph, order, readers);
        }
        fusions
    }

    /// Lets both gradients of a convolution be computed at once, unless they are with a pool's.
    fn pair_gradients(&mut self, graph: &Graph, order: &Order, readers: &Readers) {
        for id in graph.ids().filter(|id| order.is(*id, Role::Each)) {
            let Some(other) = gradient_of_kernel(graph, order, readers, id) else { continue };
            if !self.is_absorbed(id) && !self.is_absorbed(other) {
                self.absorbed[other.0 as usize] = true;
                self.pairs[id.0 as usize] = Some(other);
            }
        }
    }

    /// Lets the sums of a batch norm be added up while the gradient of relu is computed, which they read, and with it the sum
    /// of two gradients that it alone reads.
    fn take_sums(&mut self, graph: &Graph, order: &Order, readers: &Readers) {
        let stage = |id: NodeId| order.stage[id.0 as usize];
        for id in graph.ids().filter(|id| order.is(*id, Role::Each)) {
            let is_relu = matches!(graph.node(id).op, Op::ActivateGradient(Activation::Relu));
            if !is_relu || self.is_absorbed(id) || self.back(id).is_some() || graph.shape(id).channels() > MOST_CHANNELS
            {
                continue;
            }
            let is_norm_sums = |reader: &&NodeId| {
                let node = graph.node(**reader);
                matches!(node.op, Op::BatchNormSums { .. })
                    && node.inputs[2] == id
                    && node.inputs[0] < id
                    && stage(**reader) == stage(id)
                    && graph.shape(node.inputs[0]) == graph.shape(id)
            };
            let Some(norm_sums) = readers.of(id).iter().find(is_norm_sums).copied() else { continue };
            let dy = graph.node(id).inputs[1];
            let is_sum = graph.node(dy).op == Op::Binary(Binary::Add)
                && readers.only(dy) == Some(id)
                && !self.is_absorbed(dy)
                && stage(dy) == stage(id)
                && graph.node(dy).inputs.iter().all(|operand| graph.shape(*operand) == graph.shape(id));
            let sum = is_sum.then_some(dy);
            [Some(norm_sums), sum].into_iter().flatten().for_each(|gone| self.absorbed[gone.0 as usize] = true);
            self.relu_gradients[id.0 as usize] = Some(ReluGradient { sum, norm_sums });
        }
    }

    /// What is computed with this gradient of relu.
    pub fn relu_gradient(&self, id: NodeId) -> Option<ReluGradient> {
        self.relu_gradients[id.0 as usize]
    }

    /// The gradient of the kernel that is computed with that of the input.
    pub fn pair(&self, id: NodeId) -> Option<NodeId> {
        self.pairs[id.0 as usize]
    }

    /// Takes in the max pool that alone reads the result, and what flows back through it.
    fn take_pool(&mut self, graph: &Graph, order: &Order, readers: &Readers, epilogue: &mut Epilogue) {
        let operand = epilogue.result;
        let Some((pool, window, gradient)) = pool_behind(graph, readers, operand) else { return };
        if order.stage[pool.0 as usize] != order.stage[operand.0 as usize] {
            return;
        }
        if let Some(gradient) = gradient {
            let Some((back, gone)) = back(graph, order, readers, gradient) else { return };
            gone.iter().for_each(|id| self.absorbed[id.0 as usize] = true);
            self.backs[gradient.0 as usize] = Some(back);
        }
        self.absorbed[pool.0 as usize] = true;
        epilogue.pool = Some(PoolBehind { operand, window, has_gradients: gradient.is_some() });
        epilogue.result = pool;
    }

    /// The results of products that have a pool behind them.
    pub fn pooled(&self) -> impl Iterator<Item = (NodeId, PoolBehind)> + '_ {
        self.epilogues.iter().flatten().filter_map(|epilogue| Some((epilogue.result, epilogue.pool?)))
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
        let product = epilogue.result;
        let is_convolution = matches!(graph.node(product).op, Op::Conv2d { .. });
        let is_product = is_convolution || matches!(graph.node(epilogue.result).op, Op::Dense);
        let same_stage = |a: NodeId, b: NodeId| order.stage[a.0 as usize] == order.stage[b.0 as usize];
        while let Some(next) = readers.only(epilogue.result).filter(|next| same_stage(epilogue.result, *next)) {
            match &graph.node(next).op {
                Op::Activate(Activation::Relu) if !epilogue.relu => epilogue.relu = true,
                _ if epilogue.relu || epilogue.added.is_some() => return,
                Op::AddBias if is_product && epilogue.bias.or(epilogue.norm).is_none() => {
                    epilogue.bias = Some(graph.node(next).inputs[1]);
                }
                Op::BatchNorm { .. } if is_convolution && epilogue.norm.is_none() => {
                    let Some(statistics) = given_statistics(graph, next) else { return };
                    if readers.only(statistics).is_some() {
                        self.absorbed[statistics.0 as usize] = true;
                    }
                    epilogue.norm = Some(next);
                }
                Op::Binary(Binary::Add) if is_convolution => {
                    // What is computed later is not there yet.
                    let is_there =
                        |operand: &&NodeId| **operand < product && graph.shape(**operand) == graph.shape(next);
                    let Some(other) = graph.node(next).inputs.iter().find(is_there) else { return };
                    epilogue.added = Some(*other);
                }
                _ => return,
            }
            self.absorbed[next.0 as usize] = true;
            epilogue.result = next;
        }
    }

    /// Whether the activation that reads `id` leaves its slope there, for its gradient.
    pub fn gives_way_to_slope(&self, id: NodeId) -> bool {
        self.slopes[id.0 as usize]
    }

    /// What follows the node `id`.
    pub fn epilogue(&self, id: NodeId) -> Option<Epilogue> {
        self.epilogues[id.0 as usize]
    }

    /// Whether the node is computed by an earlier one's step.
    pub fn is_absorbed(&self, id: NodeId) -> bool {
        self.absorbed[id.0 as usize]
    }
}

/// The statistics of a batch norm, if all that it reads beside x is given before the run: then it is part of a kernel that
/// is packed once.
fn given_statistics(graph: &Graph, norm: NodeId) -> Option<NodeId> {
    let is_given = |id: &NodeId| matches!(graph.node(*id).op, Op::Variable { .. } | Op::Constant { .. });
    let &[_, statistics, scale, offset] = graph.node(norm).inputs.as_slice() else { return None };
    let rows = matches!(graph.node(statistics).op, Op::StackRows).then(|| &graph.node(statistics).inputs)?;
    rows.iter().chain([&scale, &offset]).all(is_given).then_some(statistics)
}

/// For the gradient of a convolution's input that of its kernel, of the same dy and in the same stage.
fn gradient_of_kernel(graph: &Graph, order: &Order, readers: &Readers, id: NodeId) -> Option<NodeId> {
    let Op::Conv2dInputGradient { window, groups, .. } = graph.node(id).op else { return None };
    let (dy, stage) = (graph.node(id).inputs[0], |id: NodeId| order.stage[id.0 as usize]);
    let is_other = |other: &&NodeId| {
        let node = graph.node(**other);
        node.op == Op::Conv2dKernelGradient { window, groups }
            && node.inputs[1] == dy
            && stage(**other) == stage(id)
            && node.inputs[0] < id
            && graph.shape(node.inputs[0]) == graph.shape(id)
    };
    readers.of(dy).iter().find(is_other).copied()
}

/// Whether a value is read by gelu or silu, whose gradient is told by x, by gradients of the same, and by nothing else.
fn gives_way_to_slope(graph: &Graph, readers: &Readers, id: NodeId) -> bool {
    let all = readers.all(id).unwrap_or_default();
    let Some(activation) = all.iter().find_map(|reader| match graph.node(*reader).op {
        Op::Activate(activation @ (Activation::Gelu | Activation::Silu)) => Some(activation),
        _ => None,
    }) else {
        return false;
    };
    let count = |op: Op| all.iter().filter(|reader| graph.node(**reader).op == op).count();
    let (values, gradients) = (count(Op::Activate(activation)), count(Op::ActivateGradient(activation)));
    // A reshaped value has the memory of another.
    let is_own = !matches!(graph.node(id).op, Op::Reshape { .. });
    let reads_slope = |reader: &NodeId| graph.node(*reader).inputs.get(1) != Some(&id);
    is_own && values == 1 && gradients > 0 && values + gradients == all.len() && all.iter().all(reads_slope)
}

/// The pool that reads relu's result, its window, and the gradient of relu; none where others read the result as well.
fn pool_behind(graph: &Graph, readers: &Readers, operand: NodeId) -> Option<(NodeId, Window, Option<NodeId>)> {
    let (mut pool, mut pool_gradient, mut gradient) = (None, None, None);
    for &reader in readers.all(operand)? {
        let place = match &graph.node(reader).op {
            Op::MaxPool2d { .. } => &mut pool,
            Op::MaxPool2dGradient { .. } => &mut pool_gradient,
            Op::ActivateGradient(Activation::Relu) => &mut gradient,
            _ => return None,
        };
        if place.replace(reader).is_some() {
            return None;
        }
    }
    let (pool, Op::MaxPool2d { window }) = (pool?, &graph.node(pool?).op) else { return None };
    let suits = Pooled::suits(&super::build::window(window)) && pool_gradient.is_some() == gradient.is_some();
    suits.then_some((pool, *window, gradient))
}

/// The gradients that flow back from the gradient of relu `id`, if they fit the pattern, and the nodes that disappear.
/// Lists pay where at most a quarter of the gradient is alive.
fn back(graph: &Graph, order: &Order, readers: &Readers, id: NodeId) -> Option<(Back, Vec<NodeId>)> {
    let Op::ActivateGradient(Activation::Relu) = graph.node(id).op else { return None };
    let &[y, pool_gradient] = graph.node(id).inputs.as_slice() else { return None };
    let Op::MaxPool2dGradient { window: pool } = graph.node(pool_gradient).op else { return None };
    let &[pooled, dy] = graph.node(pool_gradient).inputs.as_slice() else { return None };
    if pooled != y || pool.kernel[0] * pool.kernel[1] < 4 || readers.only(pool_gradient) != Some(id) {
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
