//! What a network does with images when nothing is learned.

use engine::{Clock, Feed, Input, Part, Program, Settings, Variables};
use graph::Graph;
use model::{Network, names};

/// The network with its first weights, as it answers for images.
pub struct Inference {
    graph: Graph,
    program: Program,
    variables: Variables,
}

impl Inference {
    /// For a network, on these threads.
    pub fn new(network: &Network, seed: u64, settings: &Settings) -> Inference {
        let first = network.initial(seed);
        let arrays: Vec<(String, Vec<usize>)> =
            first.iter().map(|(path, dims, _)| (path.clone(), dims.clone())).collect();
        let mut variables = Variables::new(&arrays);
        first.iter().for_each(|(path, _, values)| variables.set(path, values));
        let graph = network.inference();
        let program = Program::new(&graph, settings);
        Inference { graph, program, variables }
    }

    /// What is computed.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Answers for the images of a batch.
    pub fn run(&mut self, batch: &trainer::Batch<'_>) {
        let inputs = [(names::IMAGE, Input::U8(batch.image))];
        self.program.run(&mut self.variables, &feed(batch, &inputs)).expect("nothing is guarded");
    }

    /// What each part of so many answers for a batch takes by `clock`.
    pub fn profile(&mut self, batch: &trainer::Batch<'_>, runs: usize, clock: Clock) -> Vec<Part> {
        let inputs = [(names::IMAGE, Input::U8(batch.image))];
        let found = self.program.profile(&mut self.variables, &feed(batch, &inputs), runs, clock);
        found.expect("nothing is guarded")
    }
}

fn feed<'a>(batch: &trainer::Batch<'a>, inputs: &'a [(&'a str, Input<'a>)]) -> Feed<'a> {
    Feed { batch: batch.labels.len(), inputs, seed: 0, epoch: 0, samples: batch.samples }
}
