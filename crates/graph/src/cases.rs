//! Operands on which every test of every implementation runs: the reference, the kernels, the plan and ONNX Runtime.
//!
//! A row lists its cases; a case builds a graph of one operator and numbers for it, the same at every call. All numbers
//! are exact in f32 and keep away from kinks: no zero, no two equal ones in a tensor, none equal across operands.

use crate::reference::{Feed, Tensor};
use crate::{DType, Graph, NodeId, Op, Shape};

/// Tolerance where f32 gives the same bits: copies, comparisons, zeros.
pub const EXACT: f64 = 0.0;
/// Tolerance for a few roundings of f32 (2^-24 each) an element.
pub const ROUNDING: f64 = 1e-6;
/// Tolerance for sums of up to some hundred terms, and for exponentials and logarithms, in f32.
pub const SUM: f64 = 1e-5;

/// An operator with operand shapes for a batch.
#[derive(Clone, Debug)]
pub struct Case {
    /// The operator.
    pub op: Op,
    /// The number of samples.
    pub batch: usize,
    /// Its operands.
    pub operands: Vec<Operand>,
    /// Largest difference allowed to an f32 implementation, relative to the largest entry of the result.
    pub tolerance: f64,
}

/// Shape of an operand, and what numbers make sense there.
#[derive(Clone, Debug)]
pub struct Operand {
    /// Its shape.
    pub shape: Shape,
    /// Its numbers.
    pub numbers: Numbers,
}

/// What numbers make sense for an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Between -2 and 2, never 0.
    Signed,
    /// Between 0.5 and 2.5.
    Positive,
    /// Positive along the last axis, with sum 1.
    Probabilities,
    /// Statistics `[2, C]`: a signed row (means) and a positive one (variances).
    Statistics,
    /// 0..=255.
    Pixels,
    /// `0..n_classes`.
    Labels { n_classes: usize },
}

/// A case as a graph with one operator, and what to feed it.
pub struct Program {
    /// Batched operands are inputs `operand_0`, `operand_1`, ..., the others are variables of that path. The result is
    /// the output `result`.
    pub graph: Graph,
    /// The operands' nodes.
    pub operands: Vec<NodeId>,
    /// The result's node.
    pub result: NodeId,
    /// Values for the operands.
    pub feed: Feed,
}

impl Case {
    /// A case from its parts.
    pub fn new(op: Op, batch: usize, operands: Vec<Operand>, tolerance: f64) -> Case {
        Case { op, batch, operands, tolerance }
    }

    /// The case as a graph with numbers.
    pub fn program(&self) -> Program {
        let mut graph = Graph::new();
        let mut feed = Feed::new(self.batch);
        let mut operands = Vec::new();
        for (index, operand) in self.operands.iter().enumerate() {
            let name = format!("operand_{index}");
            let value = operand.tensor(self.batch, index);
            if operand.shape.batch || operand.dtype() != DType::F32 {
                operands.push(graph.input(&name, operand.shape.clone(), operand.dtype()));
                feed.inputs.insert(name, value);
            } else {
                operands.push(graph.variable(&name, &operand.shape.dims));
                feed.variables.insert(name, value);
            }
        }
        let result = graph.push(self.op.clone(), &operands);
        graph.output("result", result);
        Program { graph, operands, result, feed }
    }
}

impl Operand {
    /// An operand with one entry a sample.
    pub fn batched(dims: &[usize], numbers: Numbers) -> Operand {
        Operand { shape: Shape::batched(dims), numbers }
    }

    /// An operand without batch.
    pub fn fixed(dims: &[usize], numbers: Numbers) -> Operand {
        Operand { shape: Shape::fixed(dims), numbers }
    }

    /// Its element type.
    pub fn dtype(&self) -> DType {
        match self.numbers {
            Numbers::Signed | Numbers::Positive | Numbers::Probabilities | Numbers::Statistics => DType::F32,
            Numbers::Pixels => DType::U8,
            Numbers::Labels { .. } => DType::Index,
        }
    }

    /// Its numbers, as operand `index` of a case.
    pub fn tensor(&self, batch: usize, index: usize) -> Tensor {
        let shape = self.shape.axes(batch);
        let spread = spread(self.shape.len(batch), index);
        let data: Vec<f64> = match self.numbers {
            Numbers::Signed => spread.iter().map(|u| 4.0 * u - 2.0).collect(),
            Numbers::Positive => spread.iter().map(|u| 2.0 * u + 0.5).collect(),
            Numbers::Probabilities => {
                let rows = spread.chunks_exact(self.shape.channels());
                let normalized = |row: &[f64]| {
                    let total: f64 = row.iter().map(|u| u + 0.1).sum();
                    row.iter().map(|u| (u + 0.1) / total).collect::<Vec<f64>>()
                };
                rows.flat_map(normalized).collect()
            }
            Numbers::Statistics => {
                let (means, variances) = spread.split_at(spread.len() / 2);
                means.iter().map(|u| 4.0 * u - 2.0).chain(variances.iter().map(|u| 2.0 * u + 0.5)).collect()
            }
            Numbers::Pixels => spread.iter().map(|u| (u * 256.0).floor()).collect(),
            Numbers::Labels { n_classes } => spread.iter().map(|u| (u * n_classes as f64).floor()).collect(),
        };
        Tensor::new(&shape, data).map(|x| f64::from(x as f32))
    }
}

/// `length` different numbers between 0 and 1, evenly spaced, in shuffled order. `operand` shifts them by a fraction of
/// their distance, so that no two operands share a number and none is one half.
fn spread(length: usize, operand: usize) -> Vec<f64> {
    let mut order: Vec<usize> = (0..length).collect();
    let mut state = operand as u64 + 1;
    for last in (1..length).rev() {
        state = split_mix(state);
        order.swap(last, (state % (last as u64 + 1)) as usize);
    }
    let shift = 0.2 + 0.6 / (operand as f64 + 1.5);
    order.into_iter().map(|place| (place as f64 + shift) / length as f64).collect()
}

/// One step of SplitMix64 (Steele, Lea and Flood 2014): enough to shuffle test numbers.
fn split_mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
