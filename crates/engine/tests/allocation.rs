//! A step allocates nothing: all memory is there after the first.

mod support;

use std::alloc::System;

use engine::{Arithmetic, Feed, Input, Program, Settings, Threads};
use kernels::Isa;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use support::networks::Network;
use support::variables;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_step_allocates_nothing() {
    for network in [Network::residual(), Network::convolutional(), Network::transformed()] {
        let feed = network.feed(33);
        let image: Vec<u8> = feed.inputs["image"].data.iter().map(|x| *x as u8).collect();
        let label: Vec<u32> = feed.inputs["label"].data.iter().map(|x| *x as u32).collect();
        let inputs =
            [("image", Input::U8(&image)), ("label", Input::Index(&label)), ("learning_rate", Input::F32(&[0.01]))];
        let step = Feed { batch: 33, inputs: &inputs, seed: 1, epoch: 0, samples: &feed.samples };
        let mut variables = variables(&feed);
        let settings =
            Settings { isa: Isa::best(), threads: Threads::new(2), arithmetic: Arithmetic::Accurate, keep_all: false };
        let building = Region::new(ALLOCATOR);
        let mut program = Program::new(&network.graph, &settings);
        assert!(building.change().allocations > 0, "allocations are counted");
        let mut round = || {
            let region = Region::new(ALLOCATOR);
            for _ in 0..50 {
                program.run(&mut variables, &step).expect("nothing is guarded");
            }
            region.change().allocations
        };
        // The first makes the memory, and a helper allocates when it starts.
        round();
        assert_eq!([(); 9].map(|()| round()), [0; 9]);
    }
}
