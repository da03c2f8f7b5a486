//! Updates run in f64 by the reference interpreter, without an engine.

use std::collections::BTreeMap;

use graph::reference::{Feed, Tensor, run};
use graph::{Graph, verify};
use spec::{Chosen, Sources, Type, Word, parse, resolve};
use trainer::optimizers::{OPTIMIZERS, Optimizer, optimizer};
use trainer::schedules::Position;
use trainer::update::{Evaluate, Programs, Trained, names, programs, state};

/// The optimizer that a text says.
pub fn read_optimizer(text: &str) -> Optimizer {
    let (mut sources, mut faults) = (Sources::new(), Default::default());
    let tree = parse("optimizer.yaml", text.as_bytes(), &mut sources, &mut faults).unwrap();
    let node = resolve(&tree, &Type::Kind(&OPTIMIZERS), &mut faults);
    assert!(faults.is_empty(), "{}", faults.render(&sources, false));
    optimizer(&<Chosen as Word>::read(&node))
}

/// Vectors that an optimizer moves.
pub struct Simulation {
    pub optimizer: Optimizer,
    programs: Programs,
    pub variables: BTreeMap<String, Tensor>,
    step: u64,
}

/// A parameter that is a vector; `kernel` is the one that decays.
pub fn vector(path: &str, length: usize) -> Trained {
    Trained { path: path.into(), dims: vec![length], is_weight: path == "kernel" }
}

impl Simulation {
    pub fn new(text: &str, start: &[(&str, &[f64])], evaluate: &mut Evaluate<'_>) -> Simulation {
        let optimizer = read_optimizer(text);
        let trained: Vec<Trained> = start.iter().map(|(path, value)| vector(path, value.len())).collect();
        let programs = programs(&optimizer, &trained, evaluate);
        let zeros = state(&optimizer, &trained).into_iter().map(|(path, dims)| (path, Tensor::zeros(&dims)));
        let values = start.iter().map(|(path, v)| (path.to_string(), Tensor::new(&[v.len()], v.to_vec())));
        let variables = zeros.chain(values).collect();
        let simulation = Simulation { optimizer, programs, variables, step: 0 };
        verify(&simulation.programs.on_batch).unwrap();
        simulation.programs.on_epoch.iter().for_each(|graph| verify(graph).unwrap());
        simulation
    }

    /// Runs the program of a batch with these inputs beside the scalars; gives its outputs.
    pub fn on_batch(&mut self, batch: usize, inputs: &[(&str, Tensor)]) -> BTreeMap<String, Tensor> {
        let graph = self.programs.on_batch.clone();
        let values = self.run(&graph, batch, inputs);
        self.step += u64::from(self.programs.on_epoch.is_none());
        values
    }

    /// Runs the program of an epoch's end.
    pub fn on_epoch(&mut self) -> BTreeMap<String, Tensor> {
        let graph = self.programs.on_epoch.clone().unwrap();
        let values = self.run(&graph, 1, &[]);
        self.step += 1;
        values
    }

    fn run(&mut self, graph: &Graph, batch: usize, inputs: &[(&str, Tensor)]) -> BTreeMap<String, Tensor> {
        let mut feed = Feed::new(batch);
        let at = Position { step: self.step, steps_per_epoch: 1, total_steps: 100, plateaus: 0 };
        let rate = self.optimizer.learning_rate * self.optimizer.schedule.factor(&at);
        let numbers = self.optimizer.rule.numbers(self.step + 1);
        for (name, value) in numbers.into_iter().chain([(names::LEARNING_RATE, rate)]) {
            feed.inputs.insert(name.into(), Tensor::new(&[], vec![value]));
        }
        for (name, value) in inputs {
            feed.inputs.insert(name.to_string(), value.clone());
        }
        feed.variables = self.variables.clone();
        let values = run(graph, &feed);
        self.variables.extend(values.assigned(graph));
        graph.outputs().iter().map(|(name, node)| (name.clone(), values[*node].clone())).collect()
    }

    pub fn value(&self, path: &str) -> &[f64] {
        &self.variables[path].data
    }
}
