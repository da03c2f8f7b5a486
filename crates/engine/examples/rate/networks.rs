//! The networks that are measured, as training steps.

use graph::ops::{Activation, Op, Window};
use graph::{DType, Graph, NodeId, Shape};

/// A training step, and paths and axes of what stays from step to step.
pub struct Network {
    pub graph: Graph,
    pub state: Vec<(String, Vec<usize>)>,
}

/// The window of pools that halve both sides.
const HALVES: Window = Window { kernel: [2; 2], stride: [2; 2], padding: [0; 4], dilation: [1; 2] };

/// A network while it is built.
struct Builder {
    activation: Activation,
    graph: Graph,
    parameters: Vec<(String, Vec<usize>)>,
}

/// The network of experiments/cifar_cnn.yaml.
pub fn cifar_cnn() -> Network {
    tutorial(Activation::Relu, &Op::MaxPool2d { window: HALVES })
}

/// The network of benches/experiments/cifar_cnn_smooth.yaml: no gradient is zero.
pub fn smooth() -> Network {
    tutorial(Activation::Gelu, &Op::AveragePool2d { window: HALVES })
}

/// The tutorial's network with these activations and pools.
fn tutorial(activation: Activation, pool: &Op) -> Network {
    let mut builder = Builder::of(activation);
    let mut x = builder.image(32, 3);
    for (number, filters) in [32, 64, 64].into_iter().enumerate() {
        x = builder.convolution(&format!("conv2d_{number}"), x, filters, Window::square(3, 1, 0));
        x = builder.add_bias(&format!("conv2d_{number}"), x);
        x = builder.activate(x);
        if number < 2 {
            x = builder.graph.push(pool.clone(), &[x]);
        }
    }
    builder.perceptron(x, &[64, 10])
}

/// The network of benches/experiments/vgg.yaml.
pub fn vgg() -> Network {
    let mut builder = Builder::of(Activation::Relu);
    let mut x = builder.image(64, 3);
    for (number, filters) in [64, 64, 128, 128, 256, 256].into_iter().enumerate() {
        x = builder.convolution(&format!("conv2d_{number}"), x, filters, Window::square(3, 1, 1));
        x = builder.add_bias(&format!("conv2d_{number}"), x);
        x = builder.activate(x);
        if number % 2 == 1 {
            x = builder.graph.push(Op::MaxPool2d { window: HALVES }, &[x]);
        }
    }
    builder.perceptron(x, &[10])
}

/// ResNet-20 with shortcuts of option A (He et al. 2015, section 4.2).
pub fn resnet20() -> Network {
    let mut builder = Builder::of(Activation::Relu);
    let mut x = builder.image(32, 3);
    x = builder.convolution("conv2d", x, 16, Window::square(3, 1, 1));
    x = builder.batch_norm("conv2d", x);
    x = builder.activate(x);
    for (stage, filters) in [16, 32, 64].into_iter().enumerate() {
        for block in 0..3 {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            x = builder.residual(&format!("stage{}/{block}", stage + 1), x, filters, stride);
        }
    }
    x = builder.graph.global_average_pool2d(x);
    let scores = builder.dense("dense", x, 10);
    builder.finish(scores)
}

/// LeNet-5 as in experiments/mnist_lenet5.yaml (LeCun et al. 1998), with averages and tanh.
pub fn lenet5() -> Network {
    let mut builder = Builder::of(Activation::Tanh);
    let mut x = builder.image(28, 1);
    for (path, filters, padding) in [("conv2d_0", 6, 2), ("conv2d_1", 16, 0)] {
        x = builder.convolution(path, x, filters, Window::square(5, 1, padding));
        x = builder.add_bias(path, x);
        x = builder.activate(x);
        x = builder.graph.push(Op::AveragePool2d { window: HALVES }, &[x]);
    }
    builder.perceptron(x, &[120, 84, 10])
}

/// The perceptron 784-512-512-10 of benches/experiments/mlp.yaml.
pub fn mlp() -> Network {
    let mut builder = Builder::of(Activation::Relu);
    let x = builder.image(28, 1);
    builder.perceptron(x, &[512, 512, 10])
}

/// MobileNet-v2 as in benches/experiments/cifar_mobilenet_v2.yaml (Sandler et al. 2018).
pub fn mobilenet() -> Network {
    let mut builder = Builder::of(Activation::Relu);
    let mut x = builder.image(32, 3);
    x = builder.normed("conv2d", x, 32, Window::square(3, 1, 1), 1);
    x = builder.activate(x);
    x = builder.normed("conv2d_2", x, 32, Window::square(3, 1, 1), 32);
    x = builder.activate(x);
    x = builder.normed("conv2d_3", x, 16, Window::square(1, 1, 0), 1);
    let blocks = [(24, 1, 2), (32, 2, 3), (64, 2, 4), (96, 1, 3), (160, 2, 3), (320, 1, 1)];
    for (filters, stride, repeats) in blocks {
        for repeat in 0..repeats {
            let (path, input) = (format!("to{filters}/{repeat}"), x);
            let (wide, stride) = (6 * builder.graph.shape(x).channels(), if repeat == 0 { stride } else { 1 });
            x = builder.normed(&format!("{path}/wide"), x, wide, Window::square(1, 1, 0), 1);
            x = builder.activate(x);
            x = builder.normed(&format!("{path}/depthwise"), x, wide, Window::square(3, stride, 1), wide);
            x = builder.activate(x);
            x = builder.normed(&format!("{path}/narrow"), x, filters, Window::square(1, 1, 0), 1);
            if repeat > 0 {
                x = builder.graph.add(x, input);
            }
        }
    }
    x = builder.normed("conv2d_4", x, 1280, Window::square(1, 1, 0), 1);
    x = builder.activate(x);
    x = builder.graph.global_average_pool2d(x);
    let scores = builder.dense("dense", x, 10);
    builder.finish(scores)
}

impl Builder {
    fn of(activation: Activation) -> Builder {
        Builder { activation, graph: Graph::default(), parameters: Vec::new() }
    }

    fn image(&mut self, size: usize, channels: usize) -> NodeId {
        let image = self.graph.input("image", Shape::batched(&[size, size, channels]), DType::U8);
        self.graph.push(Op::Normalize { scale: vec![1.0 / 255.0; channels], shift: vec![0.0; channels] }, &[image])
    }

    fn parameter(&mut self, path: String, dims: &[usize]) -> NodeId {
        self.parameters.push((path.clone(), dims.to_vec()));
        self.graph.variable(&path, dims)
    }

    fn convolution(&mut self, path: &str, x: NodeId, filters: usize, window: Window) -> NodeId {
        self.grouped(path, x, filters, window, 1)
    }

    fn grouped(&mut self, path: &str, x: NodeId, filters: usize, window: Window, groups: usize) -> NodeId {
        self.graph.set_scope(path);
        let [height, width] = window.kernel;
        let dims = [filters, height, width, self.graph.shape(x).channels() / groups];
        let kernel = self.parameter(format!("{path}/kernel"), &dims);
        self.graph.push(Op::Conv2d { window, groups }, &[x, kernel])
    }

    /// A convolution in groups with a batch norm behind it.
    fn normed(&mut self, path: &str, x: NodeId, filters: usize, window: Window, groups: usize) -> NodeId {
        let y = self.grouped(path, x, filters, window, groups);
        self.batch_norm(path, y)
    }

    fn dense(&mut self, path: &str, x: NodeId, units: usize) -> NodeId {
        self.graph.set_scope(path);
        let kernel = self.parameter(format!("{path}/kernel"), &[units, self.graph.shape(x).channels()]);
        let y = self.graph.push(Op::Dense, &[x, kernel]);
        self.add_bias(path, y)
    }

    fn add_bias(&mut self, path: &str, y: NodeId) -> NodeId {
        let bias = self.parameter(format!("{path}/bias"), &[self.graph.shape(y).channels()]);
        self.graph.push(Op::AddBias, &[y, bias])
    }

    /// Dense layers with activations between them, and the end.
    fn perceptron(mut self, x: NodeId, units: &[usize]) -> Network {
        let features = self.graph.shape(x).sample_len();
        let mut x = self.graph.reshape(x, &[features]);
        for (number, units) in units.iter().enumerate() {
            if number > 0 {
                x = self.activate(x);
            }
            x = self.dense(&format!("dense_{number}"), x, *units);
        }
        self.finish(x)
    }

    fn activate(&mut self, x: NodeId) -> NodeId {
        self.graph.push(Op::Activate(self.activation), &[x])
    }

    fn batch_norm(&mut self, path: &str, x: NodeId) -> NodeId {
        let channels = self.graph.shape(x).channels();
        let [scale, offset] = ["scale", "offset"].map(|name| self.parameter(format!("{path}/{name}"), &[channels]));
        self.graph.batch_norm(x, scale, offset, 1e-5).0
    }

    fn residual(&mut self, path: &str, x: NodeId, filters: usize, stride: usize) -> NodeId {
        let (first, second) = (format!("{path}/first"), format!("{path}/second"));
        let mut y = self.convolution(&first, x, filters, Window::square(3, stride, 1));
        y = self.batch_norm(&first, y);
        y = self.activate(y);
        y = self.convolution(&second, y, filters, Window::square(3, 1, 1));
        y = self.batch_norm(&second, y);
        self.graph.set_scope(path);
        let shortcut = if stride == 1 {
            x
        } else {
            let kept = self.graph.push(Op::MaxPool2d { window: Window::square(1, stride, 0) }, &[x]);
            self.graph.push(Op::PadChannels { to: filters }, &[kept])
        };
        let sum = self.graph.add(y, shortcut);
        self.activate(sum)
    }

    /// Loss, gradients and adam.
    fn finish(self, scores: NodeId) -> Network {
        let Builder { mut graph, parameters, .. } = self;
        graph.set_scope("loss");
        let labels = graph.input("label", Shape::batched(&[]), DType::Index);
        let losses = graph.push(Op::CrossEntropy { label_smoothing: 0.0, from_logits: true }, &[scores, labels]);
        let loss = graph.mean_over_batch(losses);
        graph.output("loss", loss);
        adam(&mut graph, loss, &parameters);
        let suffixes = ["", "/m", "/v"];
        let of = |(path, dims): &(String, Vec<usize>)| suffixes.map(|suffix| (format!("{path}{suffix}"), dims.clone()));
        Network { graph, state: parameters.iter().flat_map(of).collect() }
    }
}

/// Adam after many steps, when its corrections are one; and the norm of the gradient, as the trainer reports it.
fn adam(g: &mut Graph, loss: NodeId, parameters: &[(String, Vec<usize>)]) {
    let points: Vec<NodeId> = parameters.iter().map(|(path, dims)| g.variable(path, dims)).collect();
    let gradients: Vec<NodeId> = graph::gradients(g, loss, &points).into_iter().flatten().collect();
    let squares: Vec<NodeId> = gradients.iter().map(|gradient| g.sum_of_squares(*gradient)).collect();
    let total = squares.into_iter().reduce(|sum, next| g.add(sum, next)).expect("there are parameters");
    let norm = g.sqrt(total);
    g.output("gradient_norm", norm);
    for ((path, dims), (point, gradient)) in parameters.iter().zip(points.into_iter().zip(gradients)) {
        let [m, v] = ["m", "v"].map(|name| g.variable(&format!("{path}/{name}"), dims));
        let square = g.multiply(gradient, gradient);
        let mean = |g: &mut Graph, old: NodeId, new: NodeId, beta: f64| {
            let (kept, taken) = (g.scale(old, beta), g.scale(new, 1.0 - beta));
            let sum = g.add(kept, taken);
            g.assign(old, sum);
            sum
        };
        let (m, v) = (mean(g, m, gradient, 0.9), mean(g, v, square, 0.999));
        let root = g.sqrt(v);
        let divisor = g.offset(root, 1e-8);
        let direction = g.divide(m, divisor);
        let step = g.scale(direction, 1e-3);
        let new = g.subtract(point, step);
        g.assign(point, new);
    }
}
