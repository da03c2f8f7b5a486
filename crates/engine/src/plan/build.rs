//! From nodes to steps: which kernel computes a node, on what geometry.

use graph::ops::{Binary, Unary, Window};
use graph::{Graph, Node, NodeId, Op};
use kernels::conv2d::{Arithmetic, Conv2d, Pooled, Product};
use kernels::dense::Dense;
use kernels::pool::Pool;

use super::fuse::{Back, Epilogue, Fusions, ReluGradient};
use super::layout::Layout;
use super::order::{Order, Role};
use super::slots::{Slots, Touch};
use super::step::{DenseGradient, Fixed, Gradients, Operand, Step, Work};
use super::{Norm, Pack, Sum, SumKind, Values, segments};

/// A node that becomes a step, and the stage that it stands in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned {
    pub node: NodeId,
    pub stage: usize,
}

/// What is known of a graph before its steps are made, and what they add.
pub(crate) struct Builder<'a> {
    pub graph: &'a Graph,
    pub arithmetic: Arithmetic,
    pub order: &'a Order,
    pub layout: &'a Layout,
    pub fusions: &'a Fusions,
    pub values: &'a mut Values,
    pub names: Vec<String>,
    pub packs: Vec<Pack>,
    pub sums: Vec<Sum>,
}

/// The nodes that become steps, in the order of their running.
pub(crate) fn planned(graph: &Graph, order: &Order, layout: &Layout, fusions: &Fusions) -> Vec<Planned> {
    let mut planned = Vec::new();
    for id in graph.ids().filter(|id| order.needed[id.0 as usize]) {
        let stage = order.stage[id.0 as usize];
        let is_step = match order.role[id.0 as usize] {
            Role::Each => !layout.is_alias(id) && !fusions.is_absorbed(id),
            Role::Sum => !fusions.is_absorbed(id),
            Role::Leaf => layout.is_copied_input(graph, id),
            Role::Whole => false,
        };
        if is_step {
            planned.push(Planned { node: id, stage });
        }
    }
    planned.sort_by_key(|planned| planned.stage); // stable: nodes keep their order
    planned
}

impl Builder<'_> {
    /// What the steps do to memory, in the segments that follow from it.
    pub fn touches(&self, planned: &[Planned], batch: usize) -> Vec<Touch> {
        let mut touches: Vec<Touch> = planned.iter().map(|planned| self.touch(planned, batch)).collect();
        segments::leave_room(&mut touches);
        segments::cut(&mut touches);
        touches
    }

    fn touch(&self, planned: &Planned, batch: usize) -> Touch {
        let mut touch = match self.fusions.back(planned.node) {
            Some(back) => self.touch_of_back(&back),
            None => self.touch_of_node(planned.node),
        };
        let read = touch.reads.iter().map(|id| self.layout.view(*id).len(1)).sum::<usize>();
        touch.written = touch.writes.iter().map(|(_, view)| view.len(1)).sum();
        // What reads the whole batch at the end of the stage takes no shards.
        touch.shard = segments::shard(if touch.for_batch { 0 } else { read + touch.written }, batch);
        touch.stage = planned.stage;
        touch
    }

    fn touch_of_back(&self, back: &Back) -> Touch {
        let reads = [back.x, back.y, back.dy].map(|id| self.layout.root(id)).to_vec();
        let writes = back.input_gradient.map(|(dx, _)| (dx, *self.layout.view(dx))).into_iter().collect();
        Touch { reads, writes, is_product: true, ..Touch::default() }
    }

    fn touch_of_node(&self, id: NodeId) -> Touch {
        let result = self.result(id);
        let is_sum = self.order.role[id.0 as usize] == Role::Sum;
        let root = |id: &NodeId| self.layout.root(*id);
        let batched = |id: &&NodeId| self.graph.shape(**id).batch;
        let operands = self.operands(id);
        let reads: Vec<NodeId> = operands.iter().filter(batched).map(root).collect();
        let in_place = self.in_place(id).iter().filter_map(|index| operands.get(*index));
        let mut in_place: Vec<NodeId> = in_place.filter(batched).map(root).collect();
        in_place.retain(|operand| reads.iter().filter(|read| *read == operand).count() == 1);
        let written = (!is_sum).then_some(result).into_iter().chain(self.aside(id));
        let writes = written.map(|node| (self.layout.root(node), *self.layout.view(node))).collect();
        let op = &self.graph.node(id).op;
        let for_batch = matches!(op, Op::DenseKernelGradient);
        let asks = |conv| Product::new(conv, self.arithmetic).asks();
        let (is_product, asks_ahead) = (is_product(op), self.convolution(id).is_some_and(asks));
        Touch { reads, writes, in_place, for_batch, is_product, asks_ahead, ..Touch::default() }
    }

    /// What a step reads. Kernels and biases of products are named by their work.
    fn operands(&self, id: NodeId) -> Vec<NodeId> {
        let Node { op, inputs, .. } = self.graph.node(id);
        if let Some(ReluGradient { sum, norm_sums }) = self.fusions.relu_gradient(id) {
            let dy = sum.map_or(&inputs[1..2], |sum| &self.graph.node(sum).inputs);
            let of_norm = &self.graph.node(norm_sums).inputs[..2];
            return [&inputs[..1], of_norm, dy].concat();
        }
        match op {
            Op::Conv2d { .. } | Op::Dense | Op::Conv2dInputGradient { .. } | Op::DenseInputGradient => {
                // What is added to its result, or what the gradient of the kernel reads that is computed with this one.
                let added = self.fusions.epilogue(id).and_then(|epilogue| epilogue.added);
                let of_pair = self.fusions.pair(id).map(|pair| self.graph.node(pair).inputs[0]);
                [inputs[0]].into_iter().chain(added).chain(of_pair).collect()
            }
            _ => inputs.clone(),
        }
    }

    /// Which of these its result may overwrite, best first.
    fn in_place(&self, id: NodeId) -> &'static [usize] {
        match self.fusions.relu_gradient(id) {
            Some(_) => &[3, 4],
            None => in_place(&self.graph.node(id).op),
        }
    }

    /// The node whose value a step stores.
    fn result(&self, id: NodeId) -> NodeId {
        self.fusions.epilogue(id).map_or(id, |epilogue| epilogue.result)
    }

    /// Whether relu is computed with a node.
    fn has_relu(&self, id: NodeId) -> bool {
        self.fusions.epilogue(id).is_some_and(|epilogue| epilogue.relu)
    }

    /// The node under whose name a step keeps something besides.
    fn aside(&self, id: NodeId) -> Option<NodeId> {
        let pool = self.fusions.epilogue(id)?.pool?;
        pool.has_gradients.then_some(pool.operand)
    }

    /// The operand that an activation overwrites with its slope.
    fn slope(&self, id: NodeId) -> Option<NodeId> {
        let node = self.graph.node(id);
        let x = matches!(node.op, Op::Activate(_)).then(|| node.inputs[0])?;
        self.fusions.gives_way_to_slope(x).then_some(x)
    }

    /// The step of a node, through which so many samples go together; none where it is computed for the whole batch when its
    /// stage is closed.
    pub fn step(&mut self, id: NodeId, shard: usize, slots: &Slots) -> Option<Step> {
        if let Some(back) = self.fusions.back(id) {
            return Some(self.back_step(id, &back, slots));
        }
        let node = self.graph.node(id);
        if let Op::DenseKernelGradient = node.op {
            let [x, dy] = [0, 1].map(|index| self.operand(node.inputs[index], slots));
            let dense = Dense { features: x.view().channels, units: dy.view().channels };
            self.sum(id, SumKind::Dense(DenseGradient { dense, x, dy }));
            return None;
        }
        let work = self.work(id, shard);
        let reads = match &node.op {
            Op::Input { name } => {
                vec![Operand::Input { name: self.name(name), view: super::layout::view(&node.shape, [0; 4]) }]
            }
            _ => self.operands(id).into_iter().map(|operand| self.operand(operand, slots)).collect(),
        };
        let result = self.result(id);
        let place = |node: NodeId| Some((slots.of(self.layout.root(node))?, *self.layout.view(node)));
        let is_sum = self.order.role[id.0 as usize] == Role::Sum;
        let write = place(result).filter(|_| !is_sum);
        let pool = self.fusions.epilogue(id).and_then(|epilogue| epilogue.pool);
        let node = pool.map_or(result, |pool| pool.operand);
        let aside = self.aside(id).or(self.slope(id)).and_then(place);
        Some(Step { node, work, reads, write, aside, ahead: Vec::new(), bands: Vec::new() })
    }

    fn back_step(&mut self, id: NodeId, back: &Back, slots: &Slots) -> Step {
        let view = |id: NodeId| *self.layout.view(id);
        let output = super::layout::view(self.graph.shape(back.y), [0; 4]);
        let conv = Conv2d { input: view(back.x), output, window: window(&back.convolution), groups: 1 };
        let gradients = Gradients {
            pooled: Pooled::new(conv, window(&back.pool), view(back.dy), self.arithmetic),
            kernel: back.input_gradient.map(|(_, kernel)| self.values.fixed(self.graph, kernel)),
            kernel_sum: self.sum(back.kernel_gradient, SumKind::Canonical),
            bias_sum: back.bias_gradient.map(|bias| self.sum(bias, SumKind::Plain)),
        };
        let reads = [back.x, back.y, back.dy].map(|id| self.operand(id, slots)).to_vec();
        let write = back.input_gradient.map(|(dx, _)| {
            (slots.of(self.layout.root(dx)).expect("what is written has a slot"), *self.layout.view(dx))
        });
        let node = back.input_gradient.map_or(id, |(dx, _)| dx);
        Step {
            node,
            work: Work::LivingGradients(gradients),
            reads,
            write,
            aside: None,
            ahead: Vec::new(),
            bands: Vec::new(),
        }
    }

    /// Where a value is read.
    pub fn operand(&mut self, id: NodeId, slots: &Slots) -> Operand {
        if !self.graph.shape(id).batch {
            return Operand::Fixed(self.values.fixed(self.graph, id));
        }
        let (root, view) = (self.layout.root(id), *self.layout.view(id));
        match (slots.of(root), &self.graph.node(root).op) {
            (Some(slot), _) => Operand::Slot { slot, view },
            (None, Op::Input { name }) => Operand::Input { name: self.name(name), view },
            (None, op) => unreachable!("{} has no place", op.name()),
        }
    }

    fn name(&mut self, name: &str) -> usize {
        match self.names.iter().position(|known| known == name) {
            Some(index) => index,
            None => {
                self.names.push(name.to_string());
                self.names.len() - 1
            }
        }
    }

    fn work(&mut self, id: NodeId, shard: usize) -> Work {
        let graph = self.graph;
        let (op, inputs) = (&graph.node(id).op, &graph.node(id).inputs);
        let view = |id: NodeId| *self.layout.view(id);
        let pool = |x: NodeId, y: NodeId, w: &Window| Pool { input: view(x), output: view(y), window: window(w) };
        match op {
            Op::Input { .. } | Op::Reshape { .. } => Work::Copy,
            Op::AddBias => Work::AddBias,
            Op::SumToChannels => Work::SumToChannels { sum: self.sum(id, SumKind::Plain) },
            Op::SumOverBatch => Work::SumOverBatch { sum: self.sum(id, SumKind::Plain) },
            Op::MeanOverBatch => Work::SumOverBatch { sum: self.sum(id, SumKind::Mean) },
            Op::BatchStatistics => {
                let positions = view(inputs[0]).height * view(inputs[0]).width;
                Work::Statistics { sum: self.sum(id, SumKind::Statistics { positions, shard }) }
            }
            Op::BatchNormSums { epsilon } => {
                Work::BatchNormSums { epsilon: *epsilon, sum: self.sum(id, SumKind::Plain) }
            }
            Op::MaxPool2d { window } => Work::MaxPool(pool(inputs[0], id, window)),
            Op::MaxPool2dGradient { window } => Work::MaxPoolGradient(pool(id, inputs[1], window)),
            Op::AveragePool2d { window } => Work::AveragePool(pool(inputs[0], id, window)),
            Op::AveragePool2dGradient { window, .. } => Work::AveragePoolGradient(pool(id, inputs[0], window)),
            Op::PadChannels { .. } | Op::TakeChannels { .. } => Work::ChangeChannels,
            Op::Activate(activation) if self.slope(id).is_some() => Work::ActivateWithSlope(*activation),
            Op::Activate(activation) => Work::Activate(*activation),
            Op::ActivateGradient(_) if self.fusions.gives_way_to_slope(inputs[0]) => Work::Binary(Binary::Multiply),
            Op::ActivateGradient(activation) => match self.fusions.relu_gradient(id) {
                Some(relu) => self.relu_gradient(relu),
                None => Work::ActivateGradient(*activation),
            },
            Op::Softmax => Work::Softmax,
            Op::SoftmaxGradient => Work::SoftmaxGradient,
            Op::Dropout { rate, stream } => Work::Dropout { rate: *rate, stream: *stream },
            Op::BatchNorm { epsilon } => Work::BatchNorm { epsilon: *epsilon, relu: self.has_relu(id) },
            Op::BatchNormInputGradient { epsilon } => Work::BatchNormInputGradient { epsilon: *epsilon },
            &Op::CrossEntropy { label_smoothing, from_logits } => Work::CrossEntropy { label_smoothing, from_logits },
            &Op::CrossEntropyGradient { label_smoothing, from_logits } => {
                Work::CrossEntropyGradient { label_smoothing, from_logits }
            }
            Op::SquaredError => Work::SquaredError,
            Op::SquaredErrorGradient => Work::SquaredErrorGradient,
            Op::SpreadOverBatch { mean } => Work::Spread { mean: *mean },
            Op::Normalize { scale, shift } => Work::Normalize { scale: scale.clone(), shift: shift.clone() },
            Op::NormalizePerImage => Work::NormalizePerImage,
            Op::Binary(_) if self.has_relu(id) => Work::AddRelu,
            Op::Binary(binary) => Work::Binary(*binary),
            Op::Unary(Unary::Scale { by }) => Work::Scale { by: *by as f32 },
            Op::Unary(Unary::Offset { by }) => Work::Offset { by: *by as f32 },
            Op::Unary(Unary::Sqrt) => Work::SquareRoot,
            Op::Conv2d { .. }
            | Op::Dense
            | Op::Conv2dInputGradient { .. }
            | Op::DenseInputGradient
            | Op::Conv2dKernelGradient { .. } => self.product(id),
            Op::DenseKernelGradient => unreachable!("{} has no step", op.name()),
            Op::Variable { .. }
            | Op::Constant { .. }
            | Op::RunningMean { .. }
            | Op::RunningVariance { .. }
            | Op::StackRows
            | Op::TakeRow { .. }
            | Op::SumOfSquares => unreachable!("{} does not belong to samples", op.name()),
        }
    }

    fn relu_gradient(&mut self, ReluGradient { norm_sums, .. }: ReluGradient) -> Work {
        let Op::BatchNormSums { epsilon } = self.graph.node(norm_sums).op else {
            unreachable!("{} is no sums of a norm", self.graph.node(norm_sums).op.name())
        };
        Work::ReluGradientAndSums { epsilon, sum: self.sum(norm_sums, SumKind::Plain) }
    }

    /// A convolution or a dense layer, forward or back.
    fn product(&mut self, id: NodeId) -> Work {
        let graph = self.graph;
        let (op, inputs) = (&graph.node(id).op, &graph.node(id).inputs);
        let conv = |id: NodeId| self.convolution(id).expect("it is one");
        let features = |id: NodeId| graph.shape(id).channels();
        match op {
            Op::Conv2d { .. } => {
                let epilogue = self.fusions.epilogue(id).expect("every product has one");
                self.convolve(conv(id), inputs[1], epilogue)
            }
            Op::Dense => {
                let epilogue = self.fusions.epilogue(id).expect("every product has one");
                let dense = Dense { features: features(inputs[0]), units: features(id) };
                let bias = epilogue.bias.map(|bias| self.values.fixed(graph, bias));
                let kernel = self.values.fixed(graph, inputs[1]);
                Work::Dense { dense, kernel, bias, relu: epilogue.relu, first: 0 }
            }
            Op::Conv2dInputGradient { .. } => self.convolve_back(conv(id), inputs[1], self.fusions.pair(id)),
            Op::DenseInputGradient => {
                let dense = Dense { features: features(id), units: features(inputs[0]) };
                Work::DenseBack { dense, kernel: self.values.fixed(graph, inputs[1]) }
            }
            Op::Conv2dKernelGradient { .. } => self.kernel_gradient(conv(id), id),
            _ => unreachable!("{} is no product", op.name()),
        }
    }

    /// The geometry of a convolution, forward or back; none of what is no convolution.
    fn convolution(&self, id: NodeId) -> Option<Conv2d> {
        let node = self.graph.node(id);
        let (w, groups, x, y) = match &node.op {
            Op::Conv2d { window, groups } => (window, *groups, node.inputs[0], self.result(id)),
            Op::Conv2dInputGradient { window, groups, .. } => (window, *groups, id, node.inputs[0]),
            Op::Conv2dKernelGradient { window, groups } => (window, *groups, node.inputs[0], node.inputs[1]),
            _ => return None,
        };
        Some(Conv2d { input: *self.layout.view(x), output: *self.layout.view(y), window: window(w), groups })
    }

    fn convolve(&mut self, conv: Conv2d, kernel: NodeId, epilogue: Epilogue) -> Work {
        let bias = epilogue.bias.map(|bias| self.values.fixed(self.graph, bias));
        let norm = epilogue.norm.map(|norm| self.norm(norm, bias));
        // Where there is a norm, the bias is packed with it.
        let bias = bias.filter(|_| norm.is_none());
        if let Some(pool) = epilogue.pool {
            let pooled = Pooled::new(conv, window(&pool.window), conv.output, self.arithmetic);
            return Work::ConvolvePool { pooled, packed: self.pack(kernel, pooled.product, false, norm), bias };
        }
        let product = Product::new(conv, self.arithmetic);
        let packed = self.pack(kernel, product, false, norm);
        Work::Convolve { product, packed, bias, added: epilogue.added.is_some(), relu: epilogue.relu }
    }

    fn convolve_back(&mut self, conv: Conv2d, kernel: NodeId, pair: Option<NodeId>) -> Work {
        let product = Product::new(conv, self.arithmetic);
        if let Some(pair) = pair {
            let sum = self.sum(pair, SumKind::Kernel(product));
            return Work::ConvolveGradients { product, packed: self.pack(kernel, product, true, None), sum };
        }
        Work::ConvolveBack { product, packed: self.pack(kernel, product, true, None) }
    }

    fn kernel_gradient(&mut self, conv: Conv2d, id: NodeId) -> Work {
        let product = Product::new(conv, self.arithmetic);
        Work::KernelGradient { product, sum: self.sum(id, SumKind::Kernel(product)) }
    }

    /// A batch norm that reads what is given, behind a convolution with this bias.
    fn norm(&mut self, id: NodeId, bias: Option<Fixed>) -> Norm {
        let graph = self.graph;
        let (Op::BatchNorm { epsilon }, &[_, statistics, scale, offset]) =
            (&graph.node(id).op, graph.node(id).inputs.as_slice())
        else {
            unreachable!("{} is no norm", graph.node(id).op.name())
        };
        let rows = &graph.node(statistics).inputs;
        let [mean, variance, scale, offset] =
            [rows[0], rows[1], scale, offset].map(|given| self.values.fixed(graph, given));
        Norm { bias, mean, variance, scale, offset, epsilon: *epsilon }
    }

    /// The number of a kernel in the order of the tiles.
    fn pack(&mut self, kernel: NodeId, product: Product, transposed: bool, norm: Option<Norm>) -> usize {
        let source = self.values.fixed(self.graph, kernel);
        let stage = self.order.ready[kernel.0 as usize];
        let same = |pack: &Pack| {
            let order = |Product { conv, method }: &Product| {
                (conv.input.channels, conv.groups, conv.window.stride, conv.window.dilation, *method)
            };
            let [mine, other] = [(source, transposed, norm), (pack.source, pack.transposed, pack.norm)];
            mine == other && order(&pack.product) == order(&product)
        };
        self.packs.iter().position(same).unwrap_or_else(|| {
            self.packs.push(Pack { source, norm, product, transposed, stage });
            self.packs.len() - 1
        })
    }

    fn sum(&mut self, node: NodeId, kind: SumKind) -> usize {
        let write = self.values.number(self.graph, node);
        self.sums.push(Sum { node, kind, stage: self.order.stage[node.0 as usize], write });
        self.sums.len() - 1
    }
}

/// The kernels' name of a window.
pub(super) fn window(window: &Window) -> kernels::Window {
    let Window { kernel, stride, padding, dilation } = *window;
    kernels::Window { kernel, stride, padding, dilation }
}

/// Whether a node is a product of samples and weights, or a gradient of one.
fn is_product(op: &Op) -> bool {
    let is_dense = matches!(op, Op::Dense | Op::DenseInputGradient);
    is_dense || matches!(op, Op::Conv2d { .. } | Op::Conv2dInputGradient { .. } | Op::Conv2dKernelGradient { .. })
}

/// Operands that a node's result may overwrite, best first.
fn in_place(op: &Op) -> &'static [usize] {
    match op {
        Op::Activate(_) | Op::Unary(_) | Op::AddBias | Op::Dropout { .. } => &[0],
        Op::Binary(Binary::Add | Binary::Multiply) => &[0, 1],
        Op::Binary(_) => &[0],
        Op::ActivateGradient(_) => &[1],
        _ => &[],
    }
}
