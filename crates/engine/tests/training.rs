//! Whole training steps: the engine against the reference interpreter, and against itself on other threads.

mod support;

use engine::{Arithmetic, Program, Settings};
use graph::reference;
use kernels::Isa;

use support::networks::Network;
use support::{Inputs, difference, settings, variables};

const STEPS: usize = 3;

fn networks() -> [(&'static str, Network); 5] {
    [
        ("residual", Network::residual()),
        ("convolutional", Network::convolutional()),
        ("padded", Network::padded()),
        ("transformed", Network::transformed()),
        ("cropped", Network::cropped()),
    ]
}

/// Runs a few steps on both sides and compares all that comes out.
fn check(name: &str, network: &Network, settings: &Settings, batch: usize) {
    let mut feed = network.feed(batch);
    let inputs = Inputs::new(&network.graph, &feed);
    let mut variables = variables(&feed);
    let mut program = Program::new(&network.graph, settings);
    program.guard(&["loss", "gradient_norm"]);
    for step in 0..STEPS {
        let expected = reference::run(&network.graph, &feed);
        inputs.run(&mut program, &mut variables).expect("the loss is finite");
        let here = format!("{name} on {}, batch {batch}, step {step}", settings.isa.name());
        for output in ["loss", "scores", "gradient_norm"] {
            let difference = difference(program.output(output), expected.output(&network.graph, output));
            assert!(difference < 1e-4, "{here}: {output} is {difference:e} off");
        }
        let assigned = expected.assigned(&network.graph);
        for (path, expected) in &assigned {
            let difference = difference(variables.value(path).expect("is there"), expected);
            assert!(difference < 1e-4, "{here}: {path} is {difference:e} off");
        }
        feed.variables.extend(assigned);
    }
}

#[test]
fn training_follows_the_reference() {
    for (name, network) in networks() {
        for isa in Isa::available() {
            for batch in [1, 3, 8, 9, 33] {
                check(name, &network, &settings(isa, 2), batch);
            }
        }
    }
}

#[test]
fn every_arithmetic_follows_the_reference() {
    let (network, cropped) = (Network::transformed(), Network::cropped());
    for (arithmetic, method) in
        [(Arithmetic::Strict, None), (Arithmetic::Accurate, Some("F(2x2)")), (Arithmetic::Fast, Some("F(4x4)"))]
    {
        for isa in Isa::available() {
            let settings = Settings { arithmetic, ..settings(isa, 2) };
            check("transformed", &network, &settings, 9);
            check("cropped", &cropped, &settings, 9);
            let plan = Program::new(&network.graph, &settings).plan(9);
            let used = ["F(2x2)", "F(4x4)"].into_iter().filter(|name| plan.contains(name));
            assert!(used.eq(method), "{plan}");
        }
    }
}

#[test]
fn keeping_every_value_changes_nothing_but_memory() {
    for (name, network) in networks() {
        let settings = Settings { keep_all: true, ..settings(Isa::best(), 2) };
        check(name, &network, &settings, 9);
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    for (name, network) in networks() {
        for batch in [9, 75] {
            let feed = network.feed(batch);
            let inputs = Inputs::new(&network.graph, &feed);
            let bits = |threads: usize| {
                let mut variables = variables(&feed);
                let mut program = Program::new(&network.graph, &settings(Isa::best(), threads));
                let mut bits = Vec::new();
                for _ in 0..STEPS {
                    inputs.run(&mut program, &mut variables).expect("nothing is guarded");
                    bits.extend(program.output("scores").iter().map(|x| x.to_bits()));
                }
                bits.extend(variables.iter().flat_map(|(_, _, data)| data.iter().map(|x| x.to_bits())));
                bits
            };
            let one = bits(1);
            assert!(one == bits(2) && one == bits(3), "{name}, batch {batch}");
        }
    }
}

#[test]
fn a_refused_step_changes_no_variable() {
    let network = Network::residual();
    let mut feed = network.feed(9);
    feed.variables.get_mut("same/bias").expect("is there").data[0] = f64::INFINITY;
    let inputs = Inputs::new(&network.graph, &feed);
    let mut variables = variables(&feed);
    let before: Vec<Vec<u32>> =
        variables.iter().map(|(_, _, data)| data.iter().map(|x| x.to_bits()).collect()).collect();
    let mut program = Program::new(&network.graph, &settings(Isa::best(), 2));
    program.guard(&["loss"]);
    let refused = inputs.run(&mut program, &mut variables).expect_err("infinity is seen");
    assert_eq!(refused.output, "loss");
    let after: Vec<Vec<u32>> =
        variables.iter().map(|(_, _, data)| data.iter().map(|x| x.to_bits()).collect()).collect();
    assert_eq!(before, after);
}

#[test]
fn the_plan_of_a_training_step_is_golden() {
    let network = Network::convolutional();
    let program = Program::new(&network.graph, &settings(Isa::best(), 1));
    insta::assert_snapshot!(program.plan(33));
}

#[test]
fn gelu_and_silu_leave_their_slope_unless_every_value_is_kept() {
    let network = Network::transformed();
    let kept = |keep_all| {
        let settings = Settings { keep_all, ..settings(Isa::best(), 1) };
        Program::new(&network.graph, &settings).plan(33).to_string().matches("[slope] = ").count()
    };
    assert_eq!([kept(false), kept(true)], [2, 0]);
}

#[test]
fn batch_norms_are_computed_again_for_gradients_unless_every_value_is_kept() {
    let network = Network::residual();
    let norms = |keep_all| {
        let settings = Settings { keep_all, ..settings(Isa::best(), 1) };
        let plan = Program::new(&network.graph, &settings).plan(9);
        // Of the two only the first is read by gradients: relu's and the pool's.
        (plan.matches("= BatchNorm, relu(").count(), plan.matches("= BatchNorm(").count())
    };
    assert_eq!([norms(false), norms(true)], [(2, 1), (0, 2)]);
}

#[test]
fn both_gradients_of_a_convolution_are_computed_at_once_unless_every_value_is_kept() {
    let network = Network::transformed();
    let counts = |keep_all| {
        let settings = Settings { keep_all, ..settings(Isa::best(), 1) };
        let plan = Program::new(&network.graph, &settings).plan(9);
        ["= gradients by", "= input_gradient by", "kernel_gradient by"].map(|work| plan.matches(work).count())
    };
    // The second convolution's; the first has no gradient of pixels, the third's are those of its pool.
    assert_eq!(counts(false), [1, 0, 0]);
    assert_eq!(counts(true)[0], 0);
}

#[test]
fn what_no_pool_reads_is_not_computed_unless_every_value_is_kept() {
    let network = Network::cropped();
    let plan = |keep_all| {
        let settings = Settings { keep_all, ..settings(Isa::best(), 1) };
        Program::new(&network.graph, &settings).plan(9).to_string()
    };
    let (cropped, kept) = (plan(false), plan(true));
    for (size, full) in [("[10x12x9]", "[11x13x9]"), ("[4x6x10]", "[5x6x10]")] {
        assert!(cropped.contains(size) && !cropped.contains(full), "{cropped}");
        assert!(kept.contains(full) && !kept.contains(size), "{kept}");
    }
}
