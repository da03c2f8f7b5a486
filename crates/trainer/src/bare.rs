//! Training steps by themselves, without epochs, files and validation: to measure them.

use engine::{Clock, Part, Settings, Variables};
use graph::Graph;
use model::Network;

use crate::check::Training;
use crate::source::Batch;
use crate::step::{At, CLASS_WEIGHTS, StepProgram, arrays, programs};

/// A network in training, from its first values, at the optimizer's rate without its schedule.
pub struct BareSteps<'a> {
    training: &'a Training,
    seed: u64,
    variables: Variables,
    graph: Graph,
    program: StepProgram,
    done: u64,
}

impl<'a> BareSteps<'a> {
    /// The steps that an experiment with `n_samples` training samples takes; where classes are weighted, all weigh the
    /// same.
    pub fn new(
        network: &Network,
        training: &'a Training,
        seed: u64,
        n_samples: usize,
        settings: &Settings,
    ) -> BareSteps<'a> {
        let optimizer = &training.updates[0].optimizer;
        let equal_counts = vec![1; network.n_classes];
        let class_weights = training.loss.class_weights().values(&equal_counts);
        let weighted = class_weights.is_some();
        let mut variables = Variables::new(&arrays(network, optimizer, weighted));
        for (path, _, values) in network.initial(seed) {
            variables.set(&path, &values);
        }
        if let Some(weights) = class_weights {
            variables.set(CLASS_WEIGHTS, &weights);
        }
        let program = StepProgram::new(network, training, weighted, n_samples, settings);
        let graph = programs(network, training, weighted).on_batch;
        BareSteps { training, seed, variables, graph, program, done: 0 }
    }

    /// Takes a step. Gives the mean loss before it; none if the numbers went bad, and then no variable has changed.
    pub fn step(&mut self, batch: &Batch<'_>) -> Option<f64> {
        let at = self.at();
        let (loss, _) = self.program.batch(&mut self.variables, batch, &at)?;
        self.done += 1;
        Some(loss)
    }

    /// Takes so many steps with one batch and says what each part of them took by `clock`; none if the numbers went bad.
    pub fn profile(&mut self, batch: &Batch<'_>, steps: usize, clock: Clock) -> Option<Vec<Part>> {
        let at = self.at();
        self.program.profile(&mut self.variables, batch, &at, steps, clock)
    }

    fn at(&self) -> At<'a> {
        let optimizer = &self.training.updates[0].optimizer;
        At { optimizer, learning_rate: optimizer.learning_rate, step: self.done + 1, epoch: 0, seed: self.seed }
    }

    /// What is computed in a step.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }
}
