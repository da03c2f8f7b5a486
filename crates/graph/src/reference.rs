//! The reference interpreter: any graph, node by node, in f64, with plain loops. Short, slow and obviously right.
//!
//! What each operator means stands in its row; here is only the walk. Every plan, kernel and fusion is tested against
//! this, and this against finite differences and ONNX Runtime.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};

use crate::{Graph, NodeId, Op};

/// Numbers in row order; pixels and class indices are numbers too.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Sizes of all axes, the batch among them.
    pub shape: Vec<usize>,
    /// The elements, the last axis running fastest.
    pub data: Vec<f64>,
}

/// What one run of a graph is given.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The number of samples.
    pub batch: usize,
    /// Values of the inputs, by name.
    pub inputs: BTreeMap<String, Tensor>,
    /// Values of the variables, by path.
    pub variables: BTreeMap<String, Tensor>,
    /// Seed of the run: with `epoch` and `samples` it decides what dropout drops.
    pub seed: u64,
    /// The epoch that the batch belongs to.
    pub epoch: u64,
    /// Which sample of the data stands at each place of the batch.
    pub samples: Vec<u32>,
}

/// The value of every node of a graph.
#[derive(Clone, Debug)]
pub struct Values(Vec<Tensor>);

/// What an operator's definition is handed.
pub struct Call<'a> {
    /// The operator with its attributes.
    pub op: &'a Op,
    /// Values of the operands.
    pub operands: &'a [&'a Tensor],
    /// Sizes of all axes of the result, the batch among them.
    pub shape: &'a [usize],
    /// What the run was given.
    pub feed: &'a Feed,
}

/// An operator's definition.
pub type Evaluate = fn(&Call<'_>) -> Tensor;

/// Computes every node of `graph`.
///
/// # Panics
/// If an input or a variable is missing from `feed` or has another shape.
pub fn run(graph: &Graph, feed: &Feed) -> Values {
    assert_eq!(feed.samples.len(), feed.batch, "one sample number for each place of the batch");
    let mut values: Vec<Tensor> = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let operands: Vec<&Tensor> = node.inputs.iter().map(|id| &values[id.0 as usize]).collect();
        let shape = node.shape.axes(feed.batch);
        let value = (node.op.rule().reference)(&Call { op: &node.op, operands: &operands, shape: &shape, feed });
        assert_eq!(value.shape, shape, "{} at {:?} gives the shape that its rule infers", node.op.name(), node.path);
        values.push(value);
    }
    Values(values)
}

impl Feed {
    /// An empty feed for samples `0..batch` of epoch 0.
    pub fn new(batch: usize) -> Feed {
        Feed {
            batch,
            inputs: BTreeMap::new(),
            variables: BTreeMap::new(),
            seed: 0,
            epoch: 0,
            samples: (0..batch as u32).collect(),
        }
    }
}

impl Values {
    /// The result named `name`.
    pub fn output(&self, graph: &Graph, name: &str) -> &Tensor {
        &self[graph.find_output(name).unwrap_or_else(|| panic!("the graph has no output {name:?}"))]
    }

    /// What the variables hold after the step, by path; only those that the graph assigns.
    pub fn assigned(&self, graph: &Graph) -> BTreeMap<String, Tensor> {
        let new_value = |&(variable, value): &(NodeId, NodeId)| match &graph.node(variable).op {
            Op::Variable { path } => (path.clone(), self[value].clone()),
            other => unreachable!("{} is assigned to, and Graph::assign takes only variables", other.name()),
        };
        graph.assignments().iter().map(new_value).collect()
    }
}

impl Index<NodeId> for Values {
    type Output = Tensor;

    fn index(&self, id: NodeId) -> &Tensor {
        &self.0[id.0 as usize]
    }
}

impl Tensor {
    /// All zeros.
    pub fn zeros(shape: &[usize]) -> Tensor {
        Tensor::filled(shape, 0.0)
    }

    /// Every element `value`.
    pub fn filled(shape: &[usize], value: f64) -> Tensor {
        Tensor { shape: shape.to_vec(), data: vec![value; shape.iter().product()] }
    }

    /// These elements in row order.
    pub fn new(shape: &[usize], data: Vec<f64>) -> Tensor {
        assert_eq!(shape.iter().product::<usize>(), data.len(), "as many elements as the shape {shape:?} says");
        Tensor { shape: shape.to_vec(), data }
    }

    /// The same elements under another shape.
    pub fn reshaped(&self, shape: &[usize]) -> Tensor {
        Tensor::new(shape, self.data.clone())
    }

    /// `f` of every element.
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Tensor {
        Tensor::new(&self.shape, self.data.iter().map(|&x| f(x)).collect())
    }

    /// `f` of the elements at the same place of two tensors of one shape.
    pub fn zip(&self, other: &Tensor, f: impl Fn(f64, f64) -> f64) -> Tensor {
        assert_eq!(self.shape, other.shape, "element by element needs equal shapes");
        Tensor::new(&self.shape, self.data.iter().zip(&other.data).map(|(&a, &b)| f(a, b)).collect())
    }

    /// Runs of `length` elements: samples, or the channels of one position.
    pub fn rows(&self, length: usize) -> impl Iterator<Item = &[f64]> {
        self.data.chunks_exact(length)
    }

    /// The size of the last axis; one for a value without axes.
    pub fn channels(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    fn place<const AXES: usize>(&self, position: [usize; AXES]) -> usize {
        assert_eq!(AXES, self.shape.len(), "one index an axis");
        position.iter().zip(&self.shape).fold(0, |place, (&index, &size)| {
            assert!(index < size, "{position:?} lies inside {:?}", self.shape);
            place * size + index
        })
    }
}

impl<const AXES: usize> Index<[usize; AXES]> for Tensor {
    type Output = f64;

    fn index(&self, position: [usize; AXES]) -> &f64 {
        &self.data[self.place(position)]
    }
}

impl<const AXES: usize> IndexMut<[usize; AXES]> for Tensor {
    fn index_mut(&mut self, position: [usize; AXES]) -> &mut f64 {
        let place = self.place(position);
        &mut self.data[place]
    }
}
