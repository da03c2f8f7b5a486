//! What a program promises to those who run it.

use std::sync::atomic::{AtomicU64, Ordering};

use engine::{Arithmetic, Feed, Input, NotFinite, Program, Settings, Threads, Variables, What};
use graph::{DType, Graph, Op, Shape};
use kernels::Isa;

fn settings() -> Settings {
    Settings { isa: Isa::best(), threads: Threads::new(2), arithmetic: Arithmetic::Accurate, keep_all: false }
}

/// `w <- w - mean over the batch of x`, with the outputs `mean` and `root` of it.
fn descent() -> Graph {
    let mut g = Graph::new();
    let x = g.input("x", Shape::batched(&[3]), DType::F32);
    let w = g.variable("w", &[3]);
    g.set_scope("update");
    let mean = g.mean_over_batch(x);
    let root = g.sqrt(mean);
    let new = g.subtract(w, mean);
    g.output("mean", mean);
    g.output("root", root);
    g.assign(w, new);
    g
}

fn variables() -> Variables {
    let mut variables = Variables::new(&[("other".to_string(), vec![2]), ("w".to_string(), vec![3])]);
    variables.set("w", &[1.0, 2.0, 3.0]);
    variables
}

fn feed<'a>(inputs: &'a [(&'a str, Input<'a>)], batch: usize) -> Feed<'a> {
    Feed { batch, inputs, seed: 0, epoch: 0, samples: &[] }
}

#[test]
fn outputs_are_read_and_variables_assigned_for_any_batch() {
    let (mut program, mut variables) = (Program::new(&descent(), &settings()), variables());
    program.guard(&["mean", "root"]);
    for (batch, x) in [(2, &[1.0, 1.0, 1.0, 3.0, 5.0, 7.0][..]), (1, &[0.0, 0.0, 1.0])] {
        program.run(&mut variables, &feed(&[("x", Input::F32(x))], batch)).unwrap();
    }
    assert_eq!(program.output("mean"), [0.0, 0.0, 1.0]);
    assert_eq!(variables.value("w").unwrap(), [-1.0, -1.0, -2.0]);
    assert_eq!(variables.value("other").unwrap(), [0.0, 0.0]);
}

#[test]
fn a_guarded_output_that_is_not_finite_leaves_the_variables_alone() {
    let (mut program, mut variables) = (Program::new(&descent(), &settings()), variables());
    let x = [1.0, -1.0, 1.0];
    let inputs = [("x", Input::F32(&x[..]))];
    program.guard(&["mean"]);
    program.run(&mut variables, &feed(&inputs, 1)).unwrap();
    program.guard(&["mean", "root"]);
    let before = variables.clone();
    let refused = program.run(&mut variables, &feed(&inputs, 1));
    assert_eq!(refused, Err(NotFinite { output: "root".to_string() }));
    assert_eq!(variables.value("w"), before.value("w"));
    let bad = program.first_bad(&variables, &feed(&inputs, 1)).expect("a root of a negative number");
    assert_eq!((bad.path.as_str(), bad.backward, bad.what), ("update", false, What::Nan));
}

#[test]
fn a_second_evaluation_reads_what_the_first_has_moved() {
    // The gradient of sum over the batch of (x w)^2 / 2, at w and at the point that it leads to (Korpelevich 1976).
    let mut g = Graph::new();
    let x = g.input("x", Shape::batched(&[1]), DType::F32);
    let w = g.variable("w", &[1, 1]);
    let gradient_at = |g: &mut Graph, point| {
        let y = g.push(Op::Dense, &[x, point]);
        g.push(Op::DenseKernelGradient, &[x, y])
    };
    let gradient = gradient_at(&mut g, w);
    let step = g.scale(gradient, 0.5);
    let ahead = g.subtract(w, step);
    let there = gradient_at(&mut g, ahead);
    let step = g.scale(there, 0.5);
    let new = g.subtract(w, step);
    g.assign(w, new);
    let mut variables = Variables::new(&[("w".to_string(), vec![1, 1])]);
    variables.set("w", &[2.0]);
    let mut program = Program::new(&g, &settings());
    let x = vec![0.5; 10];
    program.run(&mut variables, &feed(&[("x", Input::F32(&x))], 10)).unwrap();
    // w = 2, gradient 10 * 0.25 * 2 = 5, ahead -0.5, gradient there -1.25, w = 2.625
    assert_eq!(variables.value("w").unwrap(), [2.625]);
}

#[test]
fn variables_change_places_and_nothing_is_needed_of_a_batch() {
    let mut g = Graph::new();
    let [a, b, c] = ["a", "b", "c"].map(|path| g.variable(path, &[2]));
    let zero = g.constant(0.0, &[2]);
    g.assign(a, b);
    g.assign(b, a);
    g.assign(c, zero);
    let mut variables = Variables::new(&["a", "b", "c"].map(|path| (path.to_string(), vec![2])));
    let mut program = Program::new(&g, &settings());
    for _ in 0..3 {
        variables.set("a", &[1.0, 2.0]);
        variables.set("b", &[3.0, 4.0]);
        variables.set("c", &[5.0, 6.0]);
        program.run(&mut variables, &feed(&[], 0)).unwrap();
        let value = |path: &str| variables.value(path).unwrap().to_vec();
        assert_eq!([value("a"), value("b"), value("c")], [[3.0, 4.0], [1.0, 2.0], [0.0, 0.0]]);
    }
}

#[test]
fn variables_that_are_overwritten_are_read_before() {
    // a and b read each other, c only itself and twice, also after its first use; d is read by what becomes e.
    let mut g = Graph::new();
    let [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map(|path| g.variable(path, &[3]));
    let sum = g.add(a, b);
    let product = g.multiply(a, b);
    g.assign(a, sum);
    g.assign(b, product);
    let double = g.scale(c, 2.0);
    let root = g.sqrt(double);
    let back = g.subtract(c, root);
    g.assign(c, back);
    let [half, ahead] = [g.scale(d, 0.5), g.offset(d, 1.0)];
    g.assign(d, half);
    g.assign(e, ahead);
    let paths = ["a", "b", "c", "d", "e"];
    let mut variables = Variables::new(&paths.map(|path| (path.to_string(), vec![3])));
    for (path, start) in paths.into_iter().zip([[2.0; 3], [5.0; 3], [8.0; 3], [4.0; 3], [0.0; 3]]) {
        variables.set(path, &start);
    }
    Program::new(&g, &settings()).run(&mut variables, &feed(&[], 0)).unwrap();
    assert_eq!(paths.map(|path| variables.value(path).unwrap()[2]), [7.0, 10.0, 4.0, 2.0, 5.0]);
}

#[test]
fn kernels_are_read_anew_when_they_have_changed() {
    let mut g = Graph::new();
    let x = g.input("x", Shape::batched(&[2]), DType::F32);
    let w = g.variable("w", &[1, 2]);
    let y = g.push(Op::Dense, &[x, w]);
    g.output("y", y);
    let mut variables = Variables::new(&[("w".to_string(), vec![1, 2])]);
    let mut program = Program::new(&g, &settings());
    let mut result = |variables: &mut Variables| {
        program.run(variables, &feed(&[("x", Input::F32(&[1.0, 10.0]))], 1)).unwrap();
        program.output("y")[0]
    };
    variables.set("w", &[1.0, 2.0]);
    assert_eq!([result(&mut variables), result(&mut variables)], [21.0, 21.0]);
    let mut copy = variables.clone();
    variables.set("w", &[3.0, 4.0]);
    copy.set("w", &[5.0, 6.0]);
    assert_eq!([result(&mut variables), result(&mut copy), result(&mut variables)], [43.0, 65.0, 43.0]);
}

#[test]
fn a_profile_has_every_step_with_its_products() {
    static TICKS: AtomicU64 = AtomicU64::new(0);
    let mut g = Graph::new();
    let x = g.input("x", Shape::batched(&[3]), DType::F32);
    let kernel = g.variable("kernel", &[2, 3]);
    g.set_scope("dense");
    let y = g.push(Op::Dense, &[x, kernel]);
    g.output("y", y);
    let gradient = g.push(Op::DenseKernelGradient, &[x, y]);
    g.output("gradient", gradient);
    let settings = Settings { threads: Threads::new(1), ..settings() };
    let mut variables = Variables::new(&[("kernel".to_string(), vec![2, 3])]);
    let mut program = Program::new(&g, &settings);
    let numbers = [1.0; 20 * 3];
    let inputs = [("x", Input::F32(&numbers[..]))];
    let clock = || TICKS.fetch_add(1, Ordering::Relaxed);
    // The second asking counts anew: two runs of two groups, each of which is one shard.
    for runs in [1, 2] {
        let parts = program.profile(&mut variables, &feed(&inputs, 20), runs, clock).unwrap();
        let dense: Vec<_> = parts.iter().filter(|part| part.path == "dense").collect();
        assert_eq!(dense.len(), 2, "{parts:?}");
        assert_eq!((dense[0].flops, dense[0].nanoseconds), (20 * 3 * 2 * 2, 2 * runs as u64));
        assert!(!dense[0].backward && dense[0].work.starts_with("dense"), "{parts:?}");
        // The gradient is one task.
        assert_eq!((dense[1].flops, dense[1].nanoseconds), (20 * 3 * 2 * 2, runs as u64));
        assert_eq!(dense[1].work, "kernel_gradient over the batch");
    }
}
