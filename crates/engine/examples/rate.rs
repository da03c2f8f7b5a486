//! Trains the network of experiments/cifar_cnn.yaml on random images and prints its rate.
//!
//!     cargo run --release -p engine --example rate -- --batch 128 --threads 2 --windows 6
//!
//! Pixels in memory as u8, adam 0.001; one warm-up window is left out, a window is 6,400 images. Prints one JSON line, as
//! the peers in benches/ do. With `--plan` it prints the plan instead.

use std::time::Instant;

use engine::{Feed, Input, Program, Settings, Threads, Variables};
use graph::ops::{Activation, Op, Window};
use graph::{DType, Graph, NodeId, Shape};
use kernels::Isa;
use kernels::random::Stream;

/// Images of a window.
const IMAGES: usize = 6400;

fn main() {
    let number = |name: &str, default: usize| {
        let mut arguments = std::env::args().skip_while(|argument| argument != name);
        arguments.nth(1).map_or(default, |value| value.parse().expect("a number"))
    };
    let (batch, threads, windows) = (number("--batch", 128), number("--threads", 2), number("--windows", 6));
    let (graph, parameters) = step();
    let threads = Threads::new(threads);
    let settings = Settings { isa: Isa::best(), threads: threads.clone(), keep_all: false };
    let mut program = Program::new(&graph, &settings);
    if std::env::args().any(|argument| argument == "--plan") {
        return print!("{}", program.plan(batch));
    }
    let mut variables = initial(&parameters);
    let mut draws = Stream::new(1, 2, 0, 0).draws();
    let image: Vec<u8> = (0..IMAGES * 3072).map(|_| draws.next_u32() as u8).collect();
    let labels: Vec<u32> = (0..IMAGES).map(|_| draws.below(10) as u32).collect();
    let rates: Vec<f64> = threads.install(|| {
        let mut window = || {
            let start = Instant::now();
            for first in (0..IMAGES / batch * batch).step_by(batch) {
                let inputs = [
                    ("image", Input::U8(&image[first * 3072..][..batch * 3072])),
                    ("label", Input::Index(&labels[first..][..batch])),
                ];
                let feed = Feed { batch, inputs: &inputs, seed: 0, epoch: 0, samples: &[] };
                program.run(&mut variables, &feed).expect("nothing is guarded");
            }
            (IMAGES / batch * batch) as f64 / start.elapsed().as_secs_f64()
        };
        window();
        (0..windows).map(|_| (window() * 10.0).round() / 10.0).collect()
    });
    let threads = threads.count();
    let loss = program.output("loss")[0];
    println!(
        "{{\"peer\": \"etalon\", \"batch\": {batch}, \"threads\": {threads}, \"images_per_second\": {rates:?}, \"loss\": {loss}}}"
    );
}

/// A training step, and paths and axes of the parameters.
fn step() -> (Graph, Vec<(String, Vec<usize>)>) {
    let mut g = Graph::new();
    let mut parameters = Vec::new();
    let image = g.input("image", Shape::batched(&[32, 32, 3]), DType::U8);
    let mut x = g.push(Op::Normalize { scale: vec![1.0 / 255.0; 3], shift: vec![0.0; 3] }, &[image]);
    for (number, filters) in [32, 64, 64].into_iter().enumerate() {
        let dims = vec![filters, 3, 3, g.shape(x).channels()];
        x = product(&mut g, &mut parameters, &format!("conv2d_{number}"), x, dims, true);
        if number < 2 {
            x = g.push(Op::MaxPool2d { window: Window::square(2, 2, 0) }, &[x]);
        }
    }
    let features = g.shape(x).sample_len();
    x = g.reshape(x, &[features]);
    x = product(&mut g, &mut parameters, "dense_0", x, vec![64, features], true);
    let scores = product(&mut g, &mut parameters, "dense_1", x, vec![10, 64], false);
    let labels = g.input("label", Shape::batched(&[]), DType::Index);
    let losses = g.push(Op::CrossEntropy { label_smoothing: 0.0, from_logits: true }, &[scores, labels]);
    let loss = g.mean_over_batch(losses);
    g.output("loss", loss);
    adam(&mut g, loss, &parameters);
    let state = parameters
        .iter()
        .flat_map(|(path, dims)| ["", "/m", "/v"].map(|suffix| (format!("{path}{suffix}"), dims.clone())));
    let state = state.collect();
    (g, state)
}

/// A convolution (kernels of four axes) or a dense layer, with bias.
fn product(
    g: &mut Graph,
    parameters: &mut Vec<(String, Vec<usize>)>,
    path: &str,
    x: NodeId,
    dims: Vec<usize>,
    relu: bool,
) -> NodeId {
    g.set_scope(path);
    let kernel = g.variable(&format!("{path}/kernel"), &dims);
    let bias = g.variable(&format!("{path}/bias"), &dims[..1]);
    let op = if dims.len() == 4 { Op::Conv2d { window: Window::square(3, 1, 0), groups: 1 } } else { Op::Dense };
    parameters.push((format!("{path}/kernel"), dims.clone()));
    parameters.push((format!("{path}/bias"), vec![dims[0]]));
    let y = g.push(op, &[x, kernel]);
    let y = g.push(Op::AddBias, &[y, bias]);
    if relu { g.push(Op::Activate(Activation::Relu), &[y]) } else { y }
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

/// He's uniform distribution for kernels, zeros for all else.
fn initial(state: &[(String, Vec<usize>)]) -> Variables {
    let mut variables = Variables::new(state);
    for (number, (path, dims)) in state.iter().enumerate().filter(|(_, (path, _))| path.ends_with("kernel")) {
        let limit = (6.0 / dims[1..].iter().product::<usize>() as f64).sqrt();
        let mut draws = Stream::new(1, 1, 0, number as u64).draws();
        let len = dims.iter().product();
        let values: Vec<f32> = (0..len).map(|_| draws.range(-limit, limit) as f32).collect();
        variables.set(path, &values);
    }
    variables
}
