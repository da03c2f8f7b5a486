//! An update of the parameters in graph terms: evaluate, clip, decay, move, and what is kept for the next step.
//!
//! Everything is one program: the engine runs forward, gradients and update together, and all assignments are made at its
//! end. What is not a number of the graph but of the step (the rate, Adam's corrections) is handed in as scalar inputs.

use graph::{DType, Graph, NodeId, Shape};

use crate::optimizers::{At, Decay, Method, Moved, Optimizer};

/// Names of the scalars that are handed in and of the values that come out.
pub mod names {
    /// Input `[]`: the rate of this step.
    pub const LEARNING_RATE: &str = "learning_rate";
    /// Input `[]`: the samples of this batch divided by those of the part, where an epoch is one step.
    pub const SHARE: &str = "share";
    /// Output `[]`: mean loss over the batch.
    pub const LOSS: &str = "loss";
    /// Output `[]`: norm of the gradient of all parameters together, before it is clipped.
    pub const GRADIENT_NORM: &str = "gradient_norm";
}

/// A parameter that the update moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trained {
    /// Its path, `conv2d/kernel`.
    pub path: String,
    /// Its axes.
    pub dims: Vec<usize>,
    /// Whether it is a weight, which decays; biases, and scales and offsets of norms, are none.
    pub is_weight: bool,
}

/// The loss and its gradients at a point, as nodes.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Mean loss over the batch.
    pub loss: NodeId,
    /// One gradient a parameter.
    pub gradients: Vec<NodeId>,
    /// New values of variables that follow the data: path, value.
    pub running: Vec<(String, NodeId)>,
    /// Other values that are read after a step.
    pub outputs: Vec<(String, NodeId)>,
}

/// Makes the nodes of an [`Evaluation`] at a point, one node a parameter.
pub type Evaluate<'a> = dyn FnMut(&mut Graph, &[NodeId]) -> Evaluation + 'a;

/// The programs of an update.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Run on every batch.
    pub on_batch: Graph,
    /// Run at the end of an epoch, without data, where an epoch is one step.
    pub on_epoch: Option<Graph>,
}

/// What an optimizer keeps beside the parameters, by path and axes: `conv2d/kernel/adam/m`. Zero at the start.
pub fn state(optimizer: &Optimizer, trained: &[Trained]) -> Vec<(String, Vec<usize>)> {
    let gathers = optimizer.method == Method::WholePart;
    let names = optimizer.rule.state().into_iter().chain(gathers.then_some(GATHERED));
    let names: Vec<&str> = names.collect();
    let of_parameter =
        |p: &Trained| names.iter().map(|name| (state_path(optimizer, p, name), p.dims.clone())).collect();
    trained.iter().flat_map::<Vec<_>, _>(of_parameter).collect()
}

/// The part of the mean gradient that an epoch has gathered so far.
const GATHERED: &str = "gradient";

fn state_path(optimizer: &Optimizer, parameter: &Trained, name: &str) -> String {
    format!("{}/{}/{name}", parameter.path, optimizer.rule.name())
}

/// The programs that move `trained` with `optimizer`.
pub fn programs(optimizer: &Optimizer, trained: &[Trained], evaluate: &mut Evaluate<'_>) -> Programs {
    let mut builder = Builder { g: Graph::new(), optimizer, trained };
    match optimizer.method {
        Method::EachBatch => builder.each_batch(evaluate),
        Method::LookAhead => builder.look_ahead(evaluate),
        Method::WholePart => {
            builder.gather(evaluate);
            let mut at_end = Builder { g: Graph::new(), optimizer, trained };
            at_end.move_by_gathered();
            return Programs { on_batch: builder.g, on_epoch: Some(at_end.g) };
        }
    }
    Programs { on_batch: builder.g, on_epoch: None }
}

struct Builder<'a> {
    g: Graph,
    optimizer: &'a Optimizer,
    trained: &'a [Trained],
}

/// The scalars that the update is handed.
struct Scalars {
    learning_rate: NodeId,
    numbers: Vec<NodeId>,
}

impl Builder<'_> {
    fn each_batch(&mut self, evaluate: &mut Evaluate<'_>) {
        let point = self.variables();
        let evaluation = evaluate(&mut self.g, &point);
        self.outputs(&evaluation);
        let gradients = self.clipped(&evaluation.gradients);
        self.move_parameters(&point, &gradients);
        self.follow(&evaluation);
    }

    /// Korpelevich's two evaluations: loss and scores are those before the step, gradient norm and running values those
    /// at the point ahead, by whose gradient the parameters move.
    fn look_ahead(&mut self, evaluate: &mut Evaluate<'_>) {
        let point = self.variables();
        let here = evaluate(&mut self.g, &point);
        self.outputs(&here);
        let (gradients, _) = self.clip(&here.gradients);
        let scalars = self.scalars();
        let ahead: Vec<NodeId> =
            (0..point.len()).map(|i| self.moved(i, point[i], point[i], gradients[i], &scalars).0).collect();
        let there = evaluate(&mut self.g, &ahead);
        let gradients = self.clipped(&there.gradients);
        for i in 0..point.len() {
            let (value, state) = self.moved(i, point[i], ahead[i], gradients[i], &scalars);
            self.assign(i, point[i], value, &state);
        }
        self.follow(&there);
    }

    /// Adds the batch's share of the mean gradient to what the epoch has gathered.
    fn gather(&mut self, evaluate: &mut Evaluate<'_>) {
        let point = self.variables();
        let evaluation = evaluate(&mut self.g, &point);
        self.outputs(&evaluation);
        let (_, norm) = self.clip(&evaluation.gradients);
        self.g.output(names::GRADIENT_NORM, norm);
        let share = self.g.input(names::SHARE, Shape::scalar(), DType::F32);
        for (parameter, &gradient) in self.trained.iter().zip(&evaluation.gradients) {
            self.g.set_scope(&parameter.path);
            let gathered = self.g.variable(&state_path(self.optimizer, parameter, GATHERED), &parameter.dims);
            let part = self.g.multiply(gradient, share);
            let sum = self.g.add(gathered, part);
            self.g.assign(gathered, sum);
        }
        self.follow(&evaluation);
    }

    /// The step with the gathered gradient, which begins anew at zero.
    fn move_by_gathered(&mut self) {
        let point = self.variables();
        let path = |p: &Trained| state_path(self.optimizer, p, GATHERED);
        let gathered: Vec<NodeId> = self.trained.iter().map(|p| self.g.variable(&path(p), &p.dims)).collect();
        let gradients = self.clipped(&gathered);
        self.move_parameters(&point, &gradients);
        for (parameter, gathered) in self.trained.iter().zip(gathered) {
            let zero = self.g.constant(0.0, &parameter.dims);
            self.g.assign(gathered, zero);
        }
    }

    fn variables(&mut self) -> Vec<NodeId> {
        self.trained.iter().map(|p| self.g.variable(&p.path, &p.dims)).collect()
    }

    fn outputs(&mut self, evaluation: &Evaluation) {
        self.g.output(names::LOSS, evaluation.loss);
        for (name, node) in &evaluation.outputs {
            self.g.output(name, *node);
        }
    }

    /// Running values follow the data of this evaluation.
    fn follow(&mut self, evaluation: &Evaluation) {
        for (path, value) in &evaluation.running {
            let dims = self.g.shape(*value).dims.clone();
            let variable = self.g.variable(path, &dims);
            self.g.assign(variable, *value);
        }
    }

    /// The gradients to move by; their norm before clipping is an output.
    fn clipped(&mut self, gradients: &[NodeId]) -> Vec<NodeId> {
        let (clipped, norm) = self.clip(gradients);
        self.g.output(names::GRADIENT_NORM, norm);
        clipped
    }

    /// Clipping by global norm (Pascanu et al. 2013): `g ← g · c / max(c, norm)`; and the norm.
    fn clip(&mut self, gradients: &[NodeId]) -> (Vec<NodeId>, NodeId) {
        let g = &mut self.g;
        g.set_scope(names::GRADIENT_NORM);
        let squares: Vec<NodeId> = gradients.iter().map(|&gradient| g.sum_of_squares(gradient)).collect();
        let total = squares.into_iter().reduce(|sum, next| g.add(sum, next)).expect("something is trained");
        let norm = g.sqrt(total);
        let Some(largest) = self.optimizer.clip_norm else { return (gradients.to_vec(), norm) };
        let largest = g.constant(largest, &[]);
        let divisor = g.maximum(norm, largest);
        let factor = g.divide(largest, divisor);
        (gradients.iter().map(|&gradient| g.multiply(gradient, factor)).collect(), norm)
    }

    fn scalars(&mut self) -> Scalars {
        let mut scalar = |name: &str| self.g.input(name, Shape::scalar(), DType::F32);
        let learning_rate = scalar(names::LEARNING_RATE);
        let numbers = self.optimizer.rule.numbers(1).iter().map(|(name, _)| scalar(name)).collect();
        Scalars { learning_rate, numbers }
    }

    fn move_parameters(&mut self, point: &[NodeId], gradients: &[NodeId]) {
        let scalars = self.scalars();
        for i in 0..point.len() {
            let (value, state) = self.moved(i, point[i], point[i], gradients[i], &scalars);
            self.assign(i, point[i], value, &state);
        }
    }

    /// Parameter `index` at `from`, moved by the gradient that was taken `at` a point; and its state after that.
    fn moved(
        &mut self,
        index: usize,
        from: NodeId,
        at: NodeId,
        gradient: NodeId,
        by: &Scalars,
    ) -> (NodeId, Vec<NodeId>) {
        let (optimizer, parameter) = (self.optimizer, &self.trained[index]);
        let decays = optimizer.weight_decay > 0.0 && (parameter.is_weight || optimizer.decay == Decay::All);
        self.g.set_scope(&parameter.path);
        let state = self.state_of(parameter);
        let g = &mut self.g;
        let decayed = |g: &mut Graph, direction| {
            let decay = g.scale(at, optimizer.weight_decay);
            g.add(direction, decay)
        };
        let apart = optimizer.rule.decays_apart();
        let gradient = if decays && !apart { decayed(g, gradient) } else { gradient };
        let Moved { direction, state } =
            optimizer.rule.direction(g, &At { gradient, state: &state, numbers: &by.numbers });
        let direction = if decays && apart { decayed(g, direction) } else { direction };
        let step = g.multiply(direction, by.learning_rate);
        (g.subtract(from, step), state)
    }

    fn state_of(&mut self, parameter: &Trained) -> Vec<NodeId> {
        let names = self.optimizer.rule.state();
        let path = |name: &&str| state_path(self.optimizer, parameter, name);
        names.iter().map(|name| self.g.variable(&path(name), &parameter.dims)).collect()
    }

    fn assign(&mut self, index: usize, variable: NodeId, value: NodeId, state: &[NodeId]) {
        self.g.assign(variable, value);
        for (variable, &value) in self.state_of(&self.trained[index]).into_iter().zip(state) {
            self.g.assign(variable, value);
        }
    }
}
