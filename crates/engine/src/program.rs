//! A graph made ready to run.

use std::fmt;

use graph::reference::{self, Tensor};
use graph::{Graph, NodeId, Op};
use kernels::Isa;
use kernels::conv2d::{Arithmetic, Product};
use kernels::dense::Dense;

use crate::machine::Machine;
use crate::plan::{Plan, Step, Work};
use crate::{Clock, Feed, Input, Part, Threads, Variables, again, profile};

/// On what and how a program runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The instruction set.
    pub isa: Isa,
    /// The threads.
    pub threads: Threads,
    /// How exact products must be.
    pub arithmetic: Arithmetic,
    /// Whether every value is kept, which is slow and takes much memory: for looking at single nodes.
    pub keep_all: bool,
}

/// A guarded output was not finite; no variable was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFinite {
    /// The output's name.
    pub output: String,
}

/// The first node whose value is not finite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadNode {
    /// The path of the layer that it was made for.
    pub path: String,
    /// Whether it computes a gradient.
    pub backward: bool,
    /// What was found.
    pub what: What,
}

/// A value that is no number to go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Not a number.
    Nan,
    /// Too large for f32.
    Infinite,
}

/// A graph made ready to run for one or more batch sizes.
#[derive(Debug)]
pub struct Program {
    graph: Graph,
    /// Nodes of the graph that are computed again where later stages read them.
    again: Vec<NodeId>,
    settings: Settings,
    guarded: Vec<String>,
    /// One for each batch size, the last that ran in front.
    machines: Vec<Machine>,
}

impl Program {
    /// A program for `graph`.
    ///
    /// # Panics
    /// If the graph breaks a rule of [`graph::verify`].
    pub fn new(graph: &Graph, settings: &Settings) -> Program {
        graph::verify(graph).unwrap_or_else(|why| panic!("only verified graphs are run: {why}"));
        let (graph, again) = match settings.keep_all {
            true => (graph.clone(), Vec::new()),
            false => again::computed_again(graph),
        };
        Program { graph, again, settings: settings.clone(), guarded: Vec::new(), machines: Vec::new() }
    }

    /// From now on variables keep their values if one of these outputs is not finite.
    pub fn guard(&mut self, outputs: &[&str]) {
        self.guarded = outputs.iter().map(|name| name.to_string()).collect();
    }

    /// Plans and allocates for batches of `batch` samples. A run does this itself where it has not been done.
    pub fn prepare(&mut self, batch: usize) {
        match self.machines.iter().position(|machine| machine.batch() == batch) {
            Some(found) => self.machines.swap(0, found),
            None => {
                let plan = self.make_plan(batch);
                self.machines.insert(0, Machine::new(plan, self.settings.isa));
            }
        }
    }

    fn make_plan(&self, batch: usize) -> Plan {
        let Settings { arithmetic, keep_all, ref threads, .. } = self.settings;
        let mut plan = Plan::new(&self.graph, &self.again, batch, arithmetic, keep_all);
        plan.share(threads.count());
        plan
    }

    /// What is done for a batch of `batch` samples, as text.
    pub fn plan(&self, batch: usize) -> String {
        match self.machines.iter().find(|machine| machine.batch() == batch) {
            Some(machine) => machine.plan().to_string(),
            None => self.make_plan(batch).to_string(),
        }
    }

    /// The convolutions that are computed for a batch, forward and back, in the order of the plan, each with
    /// the path of its layer.
    pub fn products(&self, batch: usize) -> Vec<(String, Product)> {
        self.of_steps(batch, |work| work.product().copied())
    }

    /// The same of dense layers.
    pub fn dense_layers(&self, batch: usize) -> Vec<(String, Dense)> {
        self.of_steps(batch, |work| work.dense().copied())
    }

    fn of_steps<T>(&self, batch: usize, pick: impl Fn(&Work) -> Option<T>) -> Vec<(String, T)> {
        let plan = self.make_plan(batch);
        let steps = plan.stages.iter().flat_map(|stage| &stage.steps);
        let of = |step: &Step| Some((self.graph.node(step.node).path.clone(), pick(&step.work)?));
        steps.filter_map(of).collect()
    }

    /// How many bytes a run with batches of `batch` samples takes beside the variables.
    pub fn memory_bytes(&self, batch: usize) -> usize {
        4 * match self.machines.iter().find(|machine| machine.batch() == batch) {
            Some(machine) => machine.plan().n_numbers(),
            None => self.make_plan(batch).n_numbers(),
        }
    }

    /// Computes the outputs and assigns the variables.
    ///
    /// # Errors
    /// If a guarded output is not finite; then no variable is changed.
    ///
    /// # Panics
    /// If `variables` or `feed` lack something that the graph reads, or have it in another size.
    pub fn run(&mut self, variables: &mut Variables, feed: &Feed<'_>) -> Result<(), NotFinite> {
        self.run_with(variables, feed, None)
    }

    /// Runs as [`Program::run`] does, `runs` times on the same feed, and says what each part took by `clock`.
    ///
    /// # Errors
    /// # Panics
    /// As [`Program::run`].
    pub fn profile(
        &mut self,
        variables: &mut Variables,
        feed: &Feed<'_>,
        runs: usize,
        clock: Clock,
    ) -> Result<Vec<Part>, NotFinite> {
        self.prepare(feed.batch);
        self.machines[0].forget_times();
        for _ in 0..runs {
            self.run_with(variables, feed, Some(clock))?;
        }
        Ok(profile::parts(&self.graph, &self.machines[0]))
    }

    fn run_with(&mut self, variables: &mut Variables, feed: &Feed<'_>, clock: Option<Clock>) -> Result<(), NotFinite> {
        self.prepare(feed.batch);
        let Program { machines, settings, guarded, .. } = self;
        let machine = &mut machines[0];
        settings.threads.gather(machine.helpers(), |crew| {
            machine.compute(crew, variables, feed, clock);
            let is_bad = |name: &&String| machine.result(name).iter().any(|value| !value.is_finite());
            if let Some(output) = guarded.iter().find(is_bad) {
                return Err(NotFinite { output: output.clone() });
            }
            machine.assign(crew, variables, clock);
            Ok(())
        })
    }

    /// What the last run computed for the output `name`, in row order.
    ///
    /// # Panics
    /// If the graph has no such output, or if nothing has run yet.
    pub fn output(&self, name: &str) -> &[f32] {
        self.machines.first().expect("nothing has run").result(name)
    }

    /// Computes every node and names the first whose value is not finite. Changes no variable.
    pub fn first_bad(&mut self, variables: &Variables, feed: &Feed<'_>) -> Option<BadNode> {
        let values = reference::run(&self.graph, &self.reference_feed(variables, feed));
        self.graph.ids().zip(self.graph.nodes()).find_map(|(id, node)| {
            let bad = to_f32(&values[id]).into_iter().find(|value| !value.is_finite())?;
            let what = if bad.is_nan() { What::Nan } else { What::Infinite };
            Some(BadNode { path: node.path.clone(), backward: node.backward, what })
        })
    }

    fn reference_feed(&self, variables: &Variables, feed: &Feed<'_>) -> reference::Feed {
        let mut values = reference::Feed::new(feed.batch);
        (values.seed, values.epoch) = (feed.seed, feed.epoch);
        if feed.samples.len() == feed.batch {
            values.samples = feed.samples.to_vec();
        }
        for node in self.graph.nodes() {
            let shape = node.shape.axes(feed.batch);
            match &node.op {
                Op::Input { name } => {
                    let data = to_f64(feed.input(name));
                    values.inputs.insert(name.clone(), Tensor::new(&shape, data));
                }
                Op::Variable { path } => {
                    let value = variables.value(path).unwrap_or_else(|| panic!("there is no variable {path:?}"));
                    values.variables.insert(path.clone(), Tensor::new(&shape, to_f64(Input::F32(value))));
                }
                _ => {}
            }
        }
        values
    }
}

fn to_f64(input: Input<'_>) -> Vec<f64> {
    match input {
        Input::F32(values) => values.iter().map(|&x| f64::from(x)).collect(),
        Input::U8(values) => values.iter().map(|&x| f64::from(x)).collect(),
        Input::Index(values) => values.iter().map(|&x| f64::from(x)).collect(),
    }
}

fn to_f32(tensor: &Tensor) -> Vec<f32> {
    tensor.data.iter().map(|&x| x as f32).collect()
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the output {:?} is not finite", self.output)
    }
}

impl std::error::Error for NotFinite {}
