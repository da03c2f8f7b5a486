//! A small network with everything a residual one has, trained by graphs alone: its gradients against finite
//! differences, its updates against their formulas, its text against a golden file.

use std::collections::BTreeMap;

use graph::ops::{Activation, Op, Window};
use graph::reference::{Feed, Tensor, run};
use graph::{DType, Graph, NodeId, Shape, gradients, verify};

const BATCH: usize = 4;

/// Builds the forward pass and the loss, and remembers the parameters.
struct Network {
    g: Graph,
    parameters: Vec<NodeId>,
    loss: NodeId,
}

impl Network {
    fn new() -> Network {
        let mut network = Network { g: Graph::new(), parameters: Vec::new(), loss: NodeId(0) };
        let image = network.g.input("image", Shape::batched(&[6, 6, 2]), DType::U8);
        network.g.set_scope("normalize");
        let scale = vec![1.0 / 64.0, 1.0 / 100.0];
        let x = network.g.push(Op::Normalize { scale, shift: vec![-2.0, -1.0] }, &[image]);
        let x = network.convolution("conv2d", x, 3, Window::square(3, 1, 1));
        let x = network.batch_norm("batch_norm", x);
        network.g.set_scope("activation");
        let x = network.g.push(Op::Activate(Activation::Relu), &[x]);
        network.g.set_scope("max_pool2d");
        let x = network.g.push(Op::MaxPool2d { window: Window::square(2, 2, 0) }, &[x]);
        let x = network.residual("residual", x);
        network.g.set_scope("global_average_pool2d");
        let x = network.g.global_average_pool2d(x);
        network.g.set_scope("dropout");
        let x = network.g.push(Op::Dropout { rate: 0.25, stream: 3 }, &[x]);
        let scores = network.dense("dense", x, 3);
        network.g.set_scope("loss");
        let labels = network.g.input("label", Shape::batched(&[]), DType::Index);
        let cross_entropy = Op::CrossEntropy { label_smoothing: 0.1, from_logits: true };
        let losses = network.g.push(cross_entropy, &[scores, labels]);
        network.loss = network.g.mean_over_batch(losses);
        network.g.output("loss", network.loss);
        network
    }

    fn parameter(&mut self, path: &str, dims: &[usize]) -> NodeId {
        self.parameters.push(self.g.variable(path, dims));
        self.parameters[self.parameters.len() - 1]
    }

    fn convolution(&mut self, path: &str, x: NodeId, filters: usize, window: Window) -> NodeId {
        self.g.set_scope(path);
        let dims = [filters, window.kernel[0], window.kernel[1], self.g.shape(x).channels()];
        let kernel = self.parameter(&format!("{path}/kernel"), &dims);
        let bias = self.parameter(&format!("{path}/bias"), &[filters]);
        let y = self.g.push(Op::Conv2d { window, groups: 1 }, &[x, kernel]);
        self.g.push(Op::AddBias, &[y, bias])
    }

    fn batch_norm(&mut self, path: &str, x: NodeId) -> NodeId {
        self.g.set_scope(path);
        let channels = self.g.shape(x).channels();
        let scale = self.parameter(&format!("{path}/scale"), &[channels]);
        let offset = self.parameter(&format!("{path}/offset"), &[channels]);
        self.g.batch_norm(x, scale, offset, 1e-5).0
    }

    /// A step that widens and halves the image, with a shortcut of subsampling and zeros (He et al. 2015, option A).
    fn residual(&mut self, path: &str, x: NodeId) -> NodeId {
        let main = self.convolution(&format!("{path}/conv2d"), x, 4, Window::square(3, 2, 1));
        self.g.set_scope(path);
        let subsampled = self.g.push(Op::AveragePool2d { window: Window::square(1, 2, 0) }, &[x]);
        let shortcut = self.g.push(Op::PadChannels { to: 4 }, &[subsampled]);
        let sum = self.g.add(main, shortcut);
        self.g.push(Op::Activate(Activation::Silu), &[sum])
    }

    fn dense(&mut self, path: &str, x: NodeId, units: usize) -> NodeId {
        self.g.set_scope(path);
        let kernel = self.parameter(&format!("{path}/kernel"), &[units, self.g.shape(x).channels()]);
        let bias = self.parameter(&format!("{path}/bias"), &[units]);
        let y = self.g.push(Op::Dense, &[x, kernel]);
        self.g.push(Op::AddBias, &[y, bias])
    }

    fn gradients(&mut self) -> Vec<NodeId> {
        let found = gradients(&mut self.g, self.loss, &self.parameters);
        found.into_iter().map(|gradient| gradient.expect("the loss depends on every parameter")).collect()
    }

    /// Pixels, labels and parameters: numbers without pattern, always the same.
    fn feed(&self) -> Feed {
        let mut feed = Feed::new(BATCH);
        let pixel = |index: usize| ((index * 7919 + 13) % 251) as f64;
        feed.inputs.insert("image".to_string(), Tensor::new(&[BATCH, 6, 6, 2], (0..BATCH * 72).map(pixel).collect()));
        feed.inputs.insert("label".to_string(), Tensor::new(&[BATCH], vec![0.0, 2.0, 1.0, 1.0]));
        for (number, &id) in self.parameters.iter().enumerate() {
            let dims = &self.g.shape(id).dims;
            let weight = |index: usize| ((index * 31 + number * 17 + 5) % 101) as f64 / 101.0 - 0.45;
            let length = dims.iter().product();
            feed.variables.insert(path(&self.g, id), Tensor::new(dims, (0..length).map(weight).collect()));
        }
        feed
    }
}

fn path(g: &Graph, variable: NodeId) -> String {
    match &g.node(variable).op {
        Op::Variable { path } => path.clone(),
        other => panic!("{} is no variable", other.name()),
    }
}

#[test]
fn every_parameter_gradient_agrees_with_finite_differences() {
    let mut network = Network::new();
    let gradients = network.gradients();
    verify(&network.g).expect("gradients keep the rules of graphs");
    let feed = network.feed();
    let values = run(&network.g, &feed);
    let forward = Network::new();
    for (&parameter, &gradient) in network.parameters.iter().zip(&gradients) {
        let path = path(&network.g, parameter);
        for (element, &found) in values[gradient].data.iter().enumerate() {
            let loss_at = |step: f64| {
                let mut moved = feed.clone();
                moved.variables.get_mut(&path).expect("is fed").data[element] += step;
                run(&forward.g, &moved)[forward.loss].data[0]
            };
            let expected = (loss_at(1e-6) - loss_at(-1e-6)) / 2e-6;
            assert!((found - expected).abs() < 1e-8, "{path} at {element}: {found}, not {expected}");
        }
    }
}

/// Stochastic gradient descent with momentum and clipping by the global norm, as nodes. Gives the gradients' nodes.
fn add_sgd(network: &mut Network, momentum: f64, clip_norm: f64) -> Vec<NodeId> {
    let gradients = network.gradients();
    let (g, parameters) = (&mut network.g, &network.parameters);
    g.set_scope("optimizer");
    let learning_rate = g.input("learning_rate", Shape::scalar(), DType::F32);
    let squares: Vec<NodeId> = gradients.iter().map(|&gradient| g.sum_of_squares(gradient)).collect();
    let total = squares.into_iter().reduce(|sum, next| g.add(sum, next)).expect("there are parameters");
    let norm = g.sqrt(total);
    g.output("gradient_norm", norm);
    let limit = g.constant(clip_norm, &[]);
    let ratio = g.divide(limit, norm);
    let one = g.constant(1.0, &[]);
    let factor = g.minimum(ratio, one);
    for (&parameter, &gradient) in parameters.iter().zip(&gradients) {
        let dims = g.shape(parameter).dims.clone();
        let velocity = g.variable(&format!("{}/velocity", path(g, parameter)), &dims);
        let clipped = g.multiply(gradient, factor);
        let kept = g.scale(velocity, momentum);
        let new_velocity = g.add(kept, clipped);
        let step = g.multiply(new_velocity, learning_rate);
        let moved = g.subtract(parameter, step);
        g.assign(velocity, new_velocity);
        g.assign(parameter, moved);
    }
    gradients
}

/// A feed with the optimizer's variables at zero and a learning rate.
fn optimizer_feed(network: &Network, inputs: &[(&str, f64)]) -> Feed {
    let mut feed = network.feed();
    for &(variable, _) in network.g.assignments() {
        let zeros = || Tensor::zeros(&network.g.shape(variable).dims);
        feed.variables.entry(path(&network.g, variable)).or_insert_with(zeros);
    }
    for &(name, value) in inputs {
        feed.inputs.insert(name.to_string(), Tensor::filled(&[], value));
    }
    feed
}

#[test]
fn sgd_as_nodes_follows_its_formula() {
    let mut network = Network::new();
    let gradients = add_sgd(&mut network, 0.9, 0.5);
    verify(&network.g).expect("an update keeps the rules of graphs");
    let mut feed = optimizer_feed(&network, &[("learning_rate", 0.2)]);
    let mut velocities: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let mut losses = Vec::new();
    for _ in 0..6 {
        let values = run(&network.g, &feed);
        losses.push(values.output(&network.g, "loss").data[0]);
        let norm = values.output(&network.g, "gradient_norm").data[0];
        let assigned = values.assigned(&network.g);
        for (&parameter, &gradient) in network.parameters.iter().zip(&gradients) {
            let path = path(&network.g, parameter);
            let velocity = velocities.entry(path.clone()).or_insert_with(|| vec![0.0; values[gradient].data.len()]);
            for (element, velocity) in velocity.iter_mut().enumerate() {
                *velocity = 0.9 * *velocity + values[gradient].data[element] * (0.5 / norm).min(1.0);
                let expected = feed.variables[&path].data[element] - 0.2 * *velocity;
                let found = assigned[&path].data[element];
                assert!((found - expected).abs() < 1e-12, "{path} at {element}: {found}, not {expected}");
            }
        }
        feed.variables.extend(assigned);
    }
    assert!(losses[5] < losses[0], "the loss falls: {losses:?}");
}

#[test]
fn adam_as_nodes_follows_its_formula() {
    let (beta1, beta2, epsilon) = (0.9, 0.999, 1e-8);
    let mut g = Graph::new();
    let gradient = g.input("gradient", Shape::fixed(&[2]), DType::F32);
    let step_size = g.input("step_size", Shape::scalar(), DType::F32); // learning_rate / (1 - beta1^t)
    let correction = g.input("correction", Shape::scalar(), DType::F32); // 1 / (1 - beta2^t)
    let [w, m, v] = ["w", "m", "v"].map(|path| g.variable(path, &[2]));
    let (kept, new) = (g.scale(m, beta1), g.scale(gradient, 1.0 - beta1));
    let new_m = g.add(kept, new);
    let square = g.multiply(gradient, gradient);
    let (kept, new) = (g.scale(v, beta2), g.scale(square, 1.0 - beta2));
    let new_v = g.add(kept, new);
    let corrected = g.multiply(new_v, correction);
    let root = g.sqrt(corrected);
    let divisor = g.offset(root, epsilon);
    let quotient = g.divide(new_m, divisor);
    let step = g.multiply(quotient, step_size);
    let new_w = g.subtract(w, step);
    for (variable, value) in [(w, new_w), (m, new_m), (v, new_v)] {
        g.assign(variable, value);
    }
    verify(&g).expect("an update keeps the rules of graphs");

    let mut feed = Feed::new(1);
    feed.variables.insert("w".to_string(), Tensor::new(&[2], vec![1.0, -1.0]));
    feed.variables.insert("m".to_string(), Tensor::zeros(&[2]));
    feed.variables.insert("v".to_string(), Tensor::zeros(&[2]));
    // With one gradient g forever, adam (Kingma and Ba 2014, algorithm 1) steps by learning_rate * g / (|g| + epsilon).
    feed.inputs.insert("gradient".to_string(), Tensor::new(&[2], vec![3.0, -0.5]));
    for t in 1..=5 {
        feed.inputs.insert("step_size".to_string(), Tensor::filled(&[], 0.01 / (1.0 - f64::powi(beta1, t))));
        feed.inputs.insert("correction".to_string(), Tensor::filled(&[], 1.0 / (1.0 - f64::powi(beta2, t))));
        let values = run(&g, &feed);
        feed.variables.extend(values.assigned(&g));
        for (found, expected) in
            feed.variables["w"].data.iter().zip([1.0 - 0.01 * f64::from(t), -1.0 + 0.01 * f64::from(t)])
        {
            assert!((found - expected).abs() < 1e-8, "after {t} steps {found}, not {expected}");
        }
    }
}

#[test]
fn the_text_of_a_training_step_is_golden() {
    let mut network = Network::new();
    add_sgd(&mut network, 0.9, 1.0);
    insta::assert_snapshot!(network.g);
}
