//! Small networks: with their training steps, one with everything a residual one has, others plain and convolutional; and
//! one that only answers.

use graph::ops::{Activation, Op, Window};
use graph::reference::{Feed, Tensor};
use graph::{DType, Graph, NodeId, Shape, gradients};

/// A training step of `w -> w - 0.1 * clipped gradient` with momentum, and its parameters.
pub struct Network {
    pub graph: Graph,
    parameters: Vec<NodeId>,
    image: [usize; 3],
    classes: usize,
}

impl Network {
    /// Same-padded convolutions, batch norm with running statistics, a residual step with subsampling, dropout, silu.
    pub fn residual() -> Network {
        let mut network = Network::empty([6, 6, 2], 3);
        let x = network.pixels();
        let x = network.convolution("conv2d", x, 3, Window::square(3, 1, 1));
        let x = network.batch_norm("batch_norm", x);
        let x = network.graph.push(Op::Activate(Activation::Relu), &[x]);
        let x = network.graph.push(Op::MaxPool2d { window: Window::square(2, 2, 0) }, &[x]);
        let main = network.convolution("residual", x, 4, Window::square(3, 2, 1));
        let main = network.batch_norm("residual_norm", main);
        let shortcut = network.graph.push(Op::AveragePool2d { window: Window::square(1, 2, 0) }, &[x]);
        let shortcut = network.graph.push(Op::PadChannels { to: 4 }, &[shortcut]);
        let sum = network.graph.add(main, shortcut);
        let x = network.graph.push(Op::Activate(Activation::Silu), &[sum]);
        let x = network.convolution("same", x, 5, Window::square(3, 1, 1));
        let x = network.graph.push(Op::Activate(Activation::Gelu), &[x]);
        let x = network.graph.global_average_pool2d(x);
        let x = network.graph.push(Op::Dropout { rate: 0.25, stream: 3 }, &[x]);
        let scores = network.dense("dense", x, 3);
        network.finish(scores)
    }

    /// Convolutions with relu, two max pools that leave a row over, dense layers.
    pub fn convolutional() -> Network {
        let mut network = Network::empty([13, 12, 3], 4);
        let x = network.pixels();
        let x = network.convolution("conv2d_0", x, 20, Window::square(3, 1, 0));
        let x = network.graph.push(Op::Activate(Activation::Relu), &[x]);
        let x = network.graph.push(Op::MaxPool2d { window: Window::square(2, 2, 0) }, &[x]);
        let x = network.convolution("conv2d_1", x, 17, Window::square(2, 1, 0));
        let x = network.graph.push(Op::Activate(Activation::Relu), &[x]);
        let x = network.graph.push(Op::MaxPool2d { window: Window::square(2, 2, 0) }, &[x]);
        let features = network.graph.shape(x).sample_len();
        let x = network.graph.reshape(x, &[features]);
        let x = network.dense("dense_0", x, 9);
        let x = network.graph.push(Op::Activate(Activation::Relu), &[x]);
        let scores = network.dense("dense_1", x, 4);
        network.finish(scores)
    }

    /// Same-padded convolutions with relu and max pools behind them, one of which leaves rows and columns over.
    pub fn padded() -> Network {
        let mut network = Network::empty([10, 11, 3], 3);
        let x = network.pixels();
        let x = network.convolution("conv2d_0", x, 18, Window::square(3, 1, 1));
        let x = network.graph.push(Op::Activate(Activation::Relu), &[x]);
        let x = network.graph.push(Op::MaxPool2d { window: Window::square(2, 2, 0) }, &[x]);
        let x = network.convolution("conv2d_1", x, 16, Window::square(5, 1, 2));
        let x = network.graph.push(Op::Activate(Activation::Relu), &[x]);
        let x = network.graph.push(Op::MaxPool2d { window: Window::square(2, 3, 0) }, &[x]);
        let x = network.convolution("conv2d_2", x, 6, Window::square(3, 1, 1));
        let x = network.graph.global_max_pool2d(x);
        let scores = network.dense("dense", x, 3);
        network.finish(scores)
    }

    /// Kernels of 3×3 with enough channels for transformed products, on sizes that their tiles do not divide; behind the
    /// last stand a relu and a max pool.
    pub fn transformed() -> Network {
        let mut network = Network::empty([9, 11, 3], 3);
        let x = network.pixels();
        let x = network.convolution("conv2d_0", x, 9, Window::square(3, 1, 1));
        let x = network.graph.push(Op::Activate(Activation::Gelu), &[x]);
        let x = network.convolution("conv2d_1", x, 17, Window::square(3, 1, 1));
        let x = network.batch_norm("batch_norm", x);
        let x = network.graph.push(Op::Activate(Activation::Silu), &[x]);
        let x = network.convolution("conv2d_2", x, 10, Window::square(3, 1, 0));
        let x = network.graph.push(Op::Activate(Activation::Relu), &[x]);
        let x = network.graph.push(Op::MaxPool2d { window: Window::square(2, 2, 0) }, &[x]);
        let features = network.graph.shape(x).sample_len();
        let x = network.graph.reshape(x, &[features]);
        let scores = network.dense("dense", x, 3);
        network.finish(scores)
    }

    /// Pools that leave a row or a column over of what no relu stands before: of activations, and of a sum.
    pub fn cropped() -> Network {
        let mut network = Network::empty([11, 13, 3], 3);
        let x = network.pixels();
        let x = network.convolution("conv2d_0", x, 9, Window::square(3, 1, 1));
        let x = network.graph.push(Op::Activate(Activation::Gelu), &[x]);
        let x = network.graph.push(Op::AveragePool2d { window: Window::square(2, 2, 0) }, &[x]);
        let main = network.convolution("conv2d_1", x, 10, Window::square(3, 1, 1));
        let main = network.graph.push(Op::Activate(Activation::Tanh), &[main]);
        let side = network.convolution("conv2d_2", x, 10, Window::square(1, 1, 0));
        let x = network.graph.add(main, side);
        let x = network.graph.push(Op::MaxPool2d { window: Window::square(2, 2, 0) }, &[x]);
        let features = network.graph.shape(x).sample_len();
        let x = network.graph.reshape(x, &[features]);
        let scores = network.dense("dense", x, 3);
        network.finish(scores)
    }

    /// Answers without a training step, for an image that threads share: products of every kind, pools, and steps that take
    /// every number on its own, on rows that tiles do not divide.
    pub fn answering() -> Network {
        let mut network = Network::empty([43, 38, 3], 5);
        let x = network.pixels();
        let x = network.convolution("first", x, 16, Window::square(3, 1, 1));
        let x = network.graph.push(Op::Activate(Activation::Gelu), &[x]);
        let main = network.convolution("main", x, 16, Window::square(3, 1, 1));
        let main = network.given_norm("main_norm", main);
        let sum = network.graph.add(main, x);
        let x = network.graph.push(Op::Activate(Activation::Relu), &[sum]);
        let x = network.convolution("strided", x, 24, Window::square(5, 2, 2));
        let x = network.depthwise("depthwise", x, Window::square(3, 1, 1));
        let x = network.given_norm("depthwise_norm", x);
        let x = network.graph.push(Op::Activate(Activation::Sigmoid), &[x]);
        let x = network.convolution("pooled", x, 96, Window::square(3, 1, 1));
        let x = network.graph.push(Op::Activate(Activation::Relu), &[x]);
        let x = network.graph.push(Op::MaxPool2d { window: Window::square(2, 2, 0) }, &[x]);
        let x = network.graph.push(Op::AveragePool2d { window: Window::square(2, 1, 0) }, &[x]);
        let features = network.graph.shape(x).sample_len();
        let x = network.graph.reshape(x, &[features]);
        let x = network.dense("dense", x, 45);
        let scores = network.dense("scores", x, 5);
        network.graph.output("scores", scores);
        network
    }

    fn empty(image: [usize; 3], classes: usize) -> Network {
        Network { graph: Graph::new(), parameters: Vec::new(), image, classes }
    }

    fn pixels(&mut self) -> NodeId {
        let channels = self.image[2];
        let pixels = self.graph.input("image", Shape::batched(&self.image), DType::U8);
        self.graph.push(Op::Normalize { scale: vec![1.0 / 64.0; channels], shift: vec![-2.0; channels] }, &[pixels])
    }

    fn parameter(&mut self, path: &str, dims: &[usize]) -> NodeId {
        self.parameters.push(self.graph.variable(path, dims));
        self.parameters[self.parameters.len() - 1]
    }

    fn convolution(&mut self, path: &str, x: NodeId, filters: usize, window: Window) -> NodeId {
        let dims = [filters, window.kernel[0], window.kernel[1], self.graph.shape(x).channels()];
        let kernel = self.parameter(&format!("{path}/kernel"), &dims);
        let bias = self.parameter(&format!("{path}/bias"), &[filters]);
        let y = self.graph.push(Op::Conv2d { window, groups: 1 }, &[x, kernel]);
        self.graph.push(Op::AddBias, &[y, bias])
    }

    fn depthwise(&mut self, path: &str, x: NodeId, window: Window) -> NodeId {
        let groups = self.graph.shape(x).channels();
        let kernel = self.parameter(&format!("{path}/kernel"), &[groups, window.kernel[0], window.kernel[1], 1]);
        self.graph.push(Op::Conv2d { window, groups }, &[x, kernel])
    }

    fn batch_norm(&mut self, path: &str, x: NodeId) -> NodeId {
        let channels = self.graph.shape(x).channels();
        let positions = self.graph.shape(x).sample_len() / channels;
        let scale = self.parameter(&format!("{path}/scale"), &[channels]);
        let offset = self.parameter(&format!("{path}/offset"), &[channels]);
        let g = &mut self.graph;
        let (y, statistics) = g.batch_norm(x, scale, offset, 1e-3);
        let [mean, variance] = ["mean", "variance"].map(|name| g.variable(&format!("{path}/{name}"), &[channels]));
        let new = g.push(Op::RunningMean { momentum: 0.9 }, &[mean, statistics]);
        g.assign(mean, new);
        let new = g.push(Op::RunningVariance { momentum: 0.9, positions }, &[variance, statistics]);
        g.assign(variance, new);
        y
    }

    /// A batch norm with running statistics; its scale is a constant.
    fn given_norm(&mut self, path: &str, x: NodeId) -> NodeId {
        let channels = self.graph.shape(x).channels();
        let [mean, variance, offset] =
            ["mean", "variance", "offset"].map(|name| self.parameter(&format!("{path}/{name}"), &[channels]));
        let scale = self.graph.constant(0.75, &[channels]);
        let statistics = self.graph.push(Op::StackRows, &[mean, variance]);
        // Variances are drawn as other numbers are, from -0.45 on.
        self.graph.push(Op::BatchNorm { epsilon: 1.0 }, &[x, statistics, scale, offset])
    }

    fn dense(&mut self, path: &str, x: NodeId, units: usize) -> NodeId {
        let kernel = self.parameter(&format!("{path}/kernel"), &[units, self.graph.shape(x).channels()]);
        let bias = self.parameter(&format!("{path}/bias"), &[units]);
        let y = self.graph.push(Op::Dense, &[x, kernel]);
        self.graph.push(Op::AddBias, &[y, bias])
    }

    /// Loss, gradients, clipping by the global norm, momentum.
    fn finish(mut self, scores: NodeId) -> Network {
        let g = &mut self.graph;
        let labels = g.input("label", Shape::batched(&[]), DType::Index);
        let losses = g.push(Op::CrossEntropy { label_smoothing: 0.1, from_logits: true }, &[scores, labels]);
        let loss = g.mean_over_batch(losses);
        g.output("loss", loss);
        g.output("scores", scores);
        let gradients: Vec<NodeId> = gradients(g, loss, &self.parameters).into_iter().flatten().collect();
        let squares: Vec<NodeId> = gradients.iter().map(|gradient| g.sum_of_squares(*gradient)).collect();
        let total = squares.into_iter().reduce(|sum, next| g.add(sum, next)).expect("there are parameters");
        let norm = g.sqrt(total);
        g.output("gradient_norm", norm);
        let largest = g.constant(0.5, &[]);
        let divisor = g.maximum(norm, largest);
        let factor = g.divide(largest, divisor);
        let rate = g.input("learning_rate", Shape::scalar(), DType::F32);
        for (&parameter, gradient) in self.parameters.iter().zip(gradients) {
            let Op::Variable { path } = g.node(parameter).op.clone() else { unreachable!("a parameter") };
            let dims = g.shape(parameter).dims.clone();
            let velocity = g.variable(&format!("{path}/velocity"), &dims);
            let clipped = g.multiply(gradient, factor);
            let kept = g.scale(velocity, 0.9);
            let moved = g.add(kept, clipped);
            let step = g.multiply(moved, rate);
            let new = g.subtract(parameter, step);
            g.assign(velocity, moved);
            g.assign(parameter, new);
        }
        self
    }

    /// Pixels, labels and weights without pattern, always the same; all else zero.
    pub fn feed(&self, batch: usize) -> Feed {
        let mut feed = Feed::new(batch);
        feed.samples = (0..batch as u32).map(|n| 3 * n + 1).collect();
        (feed.seed, feed.epoch) = (11, 2);
        let [height, width, channels] = self.image;
        let pixels = (0..batch * height * width * channels).map(|i| ((i * 7919 + i / 5 + 13) % 251) as f64);
        let labels = (0..batch).map(|n| ((n * 5 + 1) % self.classes) as f64);
        feed.inputs.insert("image".to_string(), Tensor::new(&[batch, height, width, channels], pixels.collect()));
        feed.inputs.insert("label".to_string(), Tensor::new(&[batch], labels.collect()));
        feed.inputs.insert("learning_rate".to_string(), Tensor::filled(&[], 0.25));
        for (number, node) in self.graph.nodes().iter().enumerate() {
            let Op::Variable { path } = &node.op else { continue };
            let weight = |i: usize| f64::from((((i * 31 + number * 17 + 5) % 101) as f32) / 101.0 - 0.45);
            let is_parameter = self.parameters.iter().any(|id| id.0 as usize == number);
            let data = (0..node.shape.sample_len()).map(|i| if is_parameter { weight(i) } else { 0.0 }).collect();
            feed.variables.insert(path.clone(), Tensor::new(&node.shape.dims, data));
        }
        feed
    }
}
