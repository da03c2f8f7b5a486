//! One training step as a program: forward, loss, gradients, clipping and update.

use engine::{Clock, Feed, Input, Part, Program, Settings, Variables};
use graph::{DType, Graph, NodeId, Shape, gradients};
use model::{Mode, Network, Parameter, names};

use crate::check::Training;
use crate::losses::Loss;
use crate::optimizers::{Method, Optimizer};
use crate::source::Batch;
use crate::update::{self, Evaluation, Trained};

/// The variable that holds the weights of the classes.
pub(crate) const CLASS_WEIGHTS: &str = "loss/class_weights";

/// The node of the class weights.
pub(crate) fn class_weights(g: &mut Graph, n_classes: usize) -> NodeId {
    g.variable(CLASS_WEIGHTS, &[n_classes])
}

/// The programs of a step, ready to run.
pub(crate) struct StepProgram {
    on_batch: Program,
    on_epoch: Option<Program>,
    n_samples: usize,
}

impl StepProgram {
    pub fn new(
        network: &Network,
        training: &Training,
        weighted: bool,
        n_samples: usize,
        settings: &Settings,
    ) -> StepProgram {
        let programs = programs(network, training, weighted);
        let mut on_batch = Program::new(&programs.on_batch, settings);
        on_batch.guard(&[update::names::LOSS, update::names::GRADIENT_NORM]);
        let on_epoch = programs.on_epoch.map(|graph| Program::new(&graph, settings));
        StepProgram { on_batch, on_epoch, n_samples }
    }

    /// Runs one batch. Gives the mean loss and how many samples were decided rightly; none if the numbers went bad, and
    /// then no variable has changed.
    pub fn batch(&mut self, variables: &mut Variables, batch: &Batch<'_>, at: &At<'_>) -> Option<(f64, usize)> {
        let ran = with_feed(batch, at, self.n_samples, |feed| self.on_batch.run(variables, feed).is_ok());
        if !ran {
            return None;
        }
        let loss = f64::from(self.on_batch.output(update::names::LOSS)[0]);
        let scores = self.on_batch.output(names::SCORES);
        let n_classes = scores.len() / batch.labels.len();
        let rows = scores.chunks_exact(n_classes).zip(batch.labels);
        let right = rows.filter(|(scores, label)| largest(scores) == **label as usize).count();
        Some((loss, right))
    }

    /// Runs one batch so many times and says what each part took by `clock`; none if the numbers went bad.
    pub fn profile(
        &mut self,
        variables: &mut Variables,
        batch: &Batch<'_>,
        at: &At<'_>,
        runs: usize,
        clock: Clock,
    ) -> Option<Vec<Part>> {
        with_feed(batch, at, self.n_samples, |feed| self.on_batch.profile(variables, feed, runs, clock).ok())
    }

    /// Takes the step that an epoch has gathered, where an epoch is one step.
    pub fn epoch(&mut self, variables: &mut Variables, at: &At<'_>) {
        let Some(program) = &mut self.on_epoch else { return };
        let nothing = Batch { samples: &[], image: &[], labels: &[] };
        with_feed(&nothing, at, self.n_samples, |feed| {
            // Nothing is guarded at the end of an epoch: its batches were.
            let _ = program.run(variables, feed);
        });
    }

    /// The first node of this batch that is not finite.
    pub fn first_bad(&mut self, variables: &Variables, batch: &Batch<'_>, at: &At<'_>) -> Option<engine::BadNode> {
        with_feed(batch, at, self.n_samples, |feed| self.on_batch.first_bad(variables, feed))
    }
}

/// What a step computes, as graphs.
pub(crate) fn programs(network: &Network, training: &Training, weighted: bool) -> update::Programs {
    let optimizer = &training.updates[0].optimizer;
    let trained = trained(network);
    update::programs(optimizer, &trained, &mut |g, point| evaluate(g, network, training.loss.as_ref(), weighted, point))
}

/// What one step computes, as a graph.
pub fn step_graph(network: &Network, training: &Training) -> Graph {
    let equal_counts = vec![1; network.n_classes];
    let weighted = training.loss.class_weights().values(&equal_counts).is_some();
    programs(network, training, weighted).on_batch
}

/// How many numbers stay from step to step: parameters, running statistics and the optimizer's state.
pub fn n_kept(network: &Network, training: &Training) -> usize {
    let kept = arrays(network, &training.updates[0].optimizer, false);
    kept.iter().map(|(_, dims)| dims.iter().product::<usize>()).sum()
}

/// Where training stands before a step, as its program sees it.
pub(crate) struct At<'a> {
    pub optimizer: &'a Optimizer,
    pub learning_rate: f64,
    /// Counted from 1.
    pub step: u64,
    pub epoch: u64,
    pub seed: u64,
}

/// Scalars of a rule beside the rate and the share; no optimizer has more.
const MOST_NUMBERS: usize = 4;

fn with_feed<R>(batch: &Batch<'_>, at: &At<'_>, n_samples: usize, run: impl FnOnce(&Feed<'_>) -> R) -> R {
    let numbers = at.optimizer.rule.numbers(at.step);
    let mut scalars = [[0.0f32]; MOST_NUMBERS + 2];
    scalars[0] = [at.learning_rate as f32];
    scalars[1] = [(batch.samples.len() as f64 / n_samples as f64) as f32];
    for (scalar, (_, number)) in scalars[2..].iter_mut().zip(&numbers) {
        *scalar = [*number as f32];
    }
    let mut inputs = vec![(names::IMAGE, Input::U8(batch.image)), (names::LABEL, Input::Index(batch.labels))];
    let scalar_names = [update::names::LEARNING_RATE, update::names::SHARE].into_iter();
    let scalar_names = scalar_names.chain(numbers.iter().map(|(name, _)| *name));
    inputs.extend(scalar_names.zip(&scalars).map(|(name, scalar)| (name, Input::F32(scalar))));
    let (n, samples) = (batch.samples.len(), batch.samples);
    run(&Feed { batch: n, inputs: &inputs, seed: at.seed, epoch: at.epoch, samples })
}

/// The parameters that the optimizer moves.
pub(crate) fn trained(network: &Network) -> Vec<Trained> {
    let of = |p: &Parameter| Trained { path: p.path.clone(), dims: p.dims.clone(), is_weight: p.is_weight };
    network.parameters.iter().filter(|p| p.trained).map(of).collect()
}

/// All that stays from step to step, by path and axes.
pub(crate) fn arrays(network: &Network, optimizer: &Optimizer, weighted: bool) -> Vec<(String, Vec<usize>)> {
    let parameters = network.parameters.iter().map(|p| (p.path.clone(), p.dims.clone()));
    let state = update::state(optimizer, &trained(network));
    let weights = weighted.then(|| (CLASS_WEIGHTS.to_string(), vec![network.n_classes]));
    parameters.chain(state).chain(weights).collect()
}

/// Whether an epoch is one step.
pub(crate) fn is_whole_part(optimizer: &Optimizer) -> bool {
    optimizer.method == Method::WholePart
}

fn evaluate(g: &mut Graph, network: &Network, loss: &dyn Loss, weighted: bool, point: &[NodeId]) -> Evaluation {
    let pixels = input(g, names::IMAGE, Shape::batched(&network.train_input), DType::U8);
    let labels = input(g, names::LABEL, Shape::batched(&[]), DType::Index);
    let trained: Vec<&str> = network.parameters.iter().filter(|p| p.trained).map(|p| p.path.as_str()).collect();
    let node = |g: &mut Graph, p: &Parameter| match trained.iter().position(|path| *path == p.path) {
        Some(index) => point[index],
        None => g.variable(&p.path, &p.dims),
    };
    let forward = network.forward(g, pixels, &node, Mode::Train);
    g.set_scope("loss");
    let weights = weighted.then(|| class_weights(g, network.n_classes));
    let of_samples = loss.of_samples(g, forward.scores, labels, weights);
    let mean = g.mean_over_batch(of_samples);
    let found = gradients(g, mean, point);
    let gradient = |(found, &p): (Option<NodeId>, &NodeId)| {
        found.unwrap_or_else(|| {
            let dims = g.shape(p).dims.clone();
            g.constant(0.0, &dims)
        })
    };
    let gradients = found.into_iter().zip(point).map(gradient).collect();
    let outputs = vec![(names::SCORES.to_string(), forward.scores)];
    Evaluation { loss: mean, gradients, running: forward.running, outputs }
}

/// The input of this name: a second evaluation in one graph reads the first one's.
fn input(g: &mut Graph, name: &str, shape: Shape, dtype: DType) -> NodeId {
    let is_it = |id: &NodeId| matches!(&g.node(*id).op, graph::Op::Input { name: found } if found == name);
    let found = g.ids().find(is_it);
    found.unwrap_or_else(|| g.input(name, shape, dtype))
}

/// Index of the largest number; of equal ones the first.
fn largest(scores: &[f32]) -> usize {
    scores.iter().enumerate().fold((0, f32::MIN), |best, (i, &x)| if x > best.1 { (i, x) } else { best }).0
}
