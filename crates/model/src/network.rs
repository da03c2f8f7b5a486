//! A network with shapes: its layers in order, its parameters by path, and how it is written into a graph.

use graph::{DType, Graph, NodeId, Op, Shape};
use kernels::input::Normalization;

use crate::initializers::Initializer;
use crate::layers::{Build, Layer};

/// Names in the graphs of a network.
pub mod names {
    /// Input: pixels, U8 `[N, H, W, C]`.
    pub const IMAGE: &str = "image";
    /// Input: class indices `[N]`.
    pub const LABEL: &str = "label";
    /// Output of [`super::Network::inference`]: what the last layer gives, `[N, classes]`.
    pub const SCORES: &str = "scores";
    /// Output of [`super::Network::inference`]: softmax of the scores, or the scores where the network ends in softmax.
    pub const PROBABILITIES: &str = "probabilities";
}

/// What a graph of a network is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Dropout drops, batch norm follows the batch.
    Train,
    /// Dropout is gone, batch norm uses its running statistics.
    Evaluate,
}

/// An array that stays from step to step.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// `conv2d/kernel`, `stage2/1/batch_norm/running_mean`.
    pub path: String,
    /// Its axes, the output axis first.
    pub dims: Vec<usize>,
    /// Whether it is a weight, which decays; biases and the parameters of norms are none.
    pub is_weight: bool,
    /// Whether the optimizer moves it; running statistics follow the data.
    pub trained: bool,
    /// How it begins.
    pub init: Initializer,
}

/// A layer as people see it in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerRow {
    /// Its name, with those of the blocks around it.
    pub path: String,
    /// Its kind.
    pub kind: &'static str,
    /// What it gives for one image when evaluating.
    pub output: Vec<usize>,
    /// Trainable numbers.
    pub parameters: usize,
    /// Floating-point operations for one image; a multiply-add is two.
    pub flops: u64,
    /// What it becomes in ONNX: `Conv + Relu`.
    pub onnx: String,
    /// The first opset in which all of that has the meaning that we rely on.
    pub opset: u32,
    /// Which values it reads: 0 is the image, `i + 1` what layer `i` gives.
    pub reads: Vec<usize>,
}

/// A layer in its place.
#[derive(Debug)]
pub(crate) struct Placed {
    pub path: String,
    pub kind: &'static str,
    pub layer: Box<dyn Layer>,
    /// Which values it reads: 0 is the image, `i + 1` what layer `i` gives.
    pub reads: Vec<usize>,
    /// Range of its parameters.
    pub parameters: std::ops::Range<usize>,
}

/// A checked network.
#[derive(Debug)]
pub struct Network {
    /// The layers as a table, in order.
    pub layers: Vec<LayerRow>,
    /// All parameters, in order.
    pub parameters: Vec<Parameter>,
    /// The shape of an image when evaluating: `[height, width, channels]`.
    pub input: [usize; 3],
    /// The shape of an image when training.
    pub train_input: [usize; 3],
    /// The number of scores.
    pub n_classes: usize,
    /// Whether the scores are probabilities.
    pub ends_in_softmax: bool,
    /// How pixels become numbers; 0..255 to 0..1 until it is set.
    pub normalization: Normalization,
    pub(crate) placed: Vec<Placed>,
}

/// What [`Network::forward`] gives.
#[derive(Clone, Debug)]
pub struct Forward {
    /// What the last layer gives, `[N, classes]`.
    pub scores: NodeId,
    /// New values of running statistics, by path, when training.
    pub running: Vec<(String, NodeId)>,
}

impl Network {
    /// The number of trainable numbers.
    pub fn n_trainable(&self) -> usize {
        self.parameters.iter().filter(|p| p.trained).map(|p| p.dims.iter().product::<usize>()).sum()
    }

    /// Writes the forward pass into `g`. `parameter` gives the node of each parameter.
    pub fn forward(
        &self,
        g: &mut Graph,
        pixels: NodeId,
        parameter: &dyn Fn(&mut Graph, &Parameter) -> NodeId,
        mode: Mode,
    ) -> Forward {
        g.set_scope("normalize");
        let first = match &self.normalization {
            Normalization::Affine { scale, shift } => {
                g.push(Op::Normalize { scale: scale.clone(), shift: shift.clone() }, &[pixels])
            }
            Normalization::PerImage => g.push(Op::NormalizePerImage, &[pixels]),
        };
        let (mut values, mut running) = (vec![first], Vec::new());
        for placed in &self.placed {
            g.set_scope(&placed.path);
            let reads: Vec<NodeId> = placed.reads.iter().map(|&value| values[value]).collect();
            let parameters = &self.parameters[placed.parameters.clone()];
            let mut build = Build { g, mode, path: &placed.path, parameters, parameter, running: &mut running };
            values.push(placed.layer.build(&mut build, &reads));
        }
        Forward { scores: *values.last().expect("the image is a value"), running }
    }

    /// A graph that scores images: input `image`, outputs `scores` and `probabilities`, parameters as variables.
    pub fn inference(&self) -> Graph {
        let mut g = Graph::new();
        let pixels = g.input(names::IMAGE, Shape::batched(&self.input), DType::U8);
        let scores = self.forward(&mut g, pixels, &variable, Mode::Evaluate).scores;
        g.output(names::SCORES, scores);
        g.set_scope(names::PROBABILITIES);
        let probabilities = if self.ends_in_softmax { scores } else { g.push(Op::Softmax, &[scores]) };
        g.output(names::PROBABILITIES, probabilities);
        g
    }

    /// First values of all parameters: path, axes, values. A function of seed and path.
    pub fn initial(&self, seed: u64) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        let first = |p: &Parameter| (p.path.clone(), p.dims.clone(), p.init.values(seed, &p.path, &p.dims));
        self.parameters.iter().map(first).collect()
    }
}

/// The parameter as a variable of its path.
pub(crate) fn variable(g: &mut Graph, parameter: &Parameter) -> NodeId {
    g.variable(&parameter.path, &parameter.dims)
}
