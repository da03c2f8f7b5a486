//! Answers of a network that learns nothing: one image, shared by threads, and a few.

mod support;

use engine::{Arithmetic, Program, Settings};
use graph::reference;
use kernels::Isa;

use support::networks::Network;
use support::{Inputs, difference, settings, variables};

/// The scores of a batch, as bits.
fn answer(network: &Network, batch: usize, settings: &Settings) -> Vec<u32> {
    let feed = network.feed(batch);
    let mut program = Program::new(&network.graph, settings);
    Inputs::new(&network.graph, &feed).run(&mut program, &mut variables(&feed)).expect("nothing is guarded");
    program.output("scores").iter().map(|score| score.to_bits()).collect()
}

#[test]
fn answers_are_the_references_on_any_number_of_threads() {
    let network = Network::answering();
    for batch in [1, 2, 5] {
        let expected = reference::run(&network.graph, &network.feed(batch));
        let expected = expected.output(&network.graph, "scores");
        for (isa, arithmetic) in Isa::available().into_iter().flat_map(|isa| {
            [Arithmetic::Strict, Arithmetic::Accurate, Arithmetic::Fast].map(|arithmetic| (isa, arithmetic))
        }) {
            let bits = |threads| answer(&network, batch, &Settings { arithmetic, ..settings(isa, threads) });
            let one = bits(1);
            let scores: Vec<f32> = one.iter().map(|score| f32::from_bits(*score)).collect();
            let difference = difference(&scores, expected);
            assert!(difference < 1e-4, "{}, {arithmetic:?}, batch {batch}: {difference:e} off", isa.name());
            for threads in [2, 3, 8] {
                assert_eq!(bits(threads), one, "{}, {arithmetic:?}, batch {batch}, {threads} threads", isa.name());
            }
        }
    }
}

#[test]
fn threads_share_an_image_by_rows_and_a_dense_layer_by_units() {
    let network = Network::answering();
    let plan = |batch, threads| Program::new(&network.graph, &settings(Isa::best(), threads)).plan(batch);
    let shared = plan(1, 2);
    for work in ["convolve", "convolve by F(2x2)", "gelu", "sigmoid", "relu, max_pool", "AveragePool", "dense"] {
        let line = shared.lines().find(|line| line.contains(work) && line.contains(" in 2 bands"));
        assert!(line.is_some(), "{work} is not shared:\n{shared}");
    }
    assert!(!plan(1, 1).contains("bands") && !plan(2, 2).contains("bands"));
}

#[test]
fn batch_norms_with_given_statistics_become_part_of_kernels() {
    let network = Network::answering();
    let plan = Program::new(&network.graph, &settings(Isa::best(), 1)).plan(3);
    assert_eq!((plan.matches(", norm)").count(), plan.matches("BatchNorm").count()), (2, 0), "{plan}");
    let kept = Settings { keep_all: true, ..settings(Isa::best(), 1) };
    assert_eq!(Program::new(&network.graph, &kept).plan(3).matches("BatchNorm").count(), 2);

    // They are packed anew when a statistic has changed.
    let mut feed = network.feed(3);
    let (mut program, mut variables) = (Program::new(&network.graph, &settings(Isa::best(), 1)), variables(&feed));
    let inputs = Inputs::new(&network.graph, &feed);
    for mean in [0.0, 0.5] {
        feed.variables.get_mut("depthwise_norm/mean").expect("is there").data.fill(mean);
        variables.set("depthwise_norm/mean", &[mean as f32; 24]);
        inputs.run(&mut program, &mut variables).expect("nothing is guarded");
        let expected = reference::run(&network.graph, &feed);
        let difference = difference(program.output("scores"), expected.output(&network.graph, "scores"));
        assert!(difference < 1e-4, "with a mean of {mean}: {difference:e} off");
    }
}
