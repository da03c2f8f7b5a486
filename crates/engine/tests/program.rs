//! What a program promises to those who run it.

use engine::{Feed, Input, NotFinite, Program, Settings, Threads, Variables, What};
use graph::{DType, Graph, Shape};
use kernels::Isa;

fn settings() -> Settings {
    Settings { isa: Isa::best(), threads: Threads::new(2), keep_all: false }
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
