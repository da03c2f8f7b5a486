//! What becomes one Conv or Gemm: the product, its bias, and in inference the batch norm behind it.
//!
//! Folding (Ioffe and Szegedy 2015, end of section 3.1): `kernel' = kernel * f`, `bias' = offset + (bias - mean) * f` with
//! `f = scale / sqrt(variance + epsilon)`, one a channel, in f64.

use engine::Variables;
use graph::{Graph, NodeId, Op};

/// Product, bias and folded norm.
pub(crate) struct Linear {
    /// The node of the product.
    pub product: NodeId,
    /// As in the graph, the output axis first.
    pub kernel: Vec<f64>,
    pub bias: Option<Vec<f64>>,
}

/// Looks for linear chains.
pub(crate) struct Finder<'a> {
    pub graph: &'a Graph,
    pub variables: &'a Variables,
    pub fold: bool,
}

impl Finder<'_> {
    /// The chain that ends in this node, where one does.
    pub fn linear(&self, id: NodeId) -> Option<Linear> {
        let node = self.graph.node(id);
        match &node.op {
            Op::Conv2d { .. } | Op::Dense => {
                Some(Linear { product: id, kernel: self.numbers(node.inputs[1])?, bias: None })
            }
            Op::AddBias => {
                let linear = self.linear(self.single(node.inputs[0])?).filter(|l| l.bias.is_none())?;
                Some(Linear { bias: Some(self.numbers(node.inputs[1])?), ..linear })
            }
            Op::BatchNorm { epsilon } if self.fold => {
                let linear = self.linear(self.single(node.inputs[0])?)?;
                let [statistics, scale, offset] = [1, 2, 3].map(|index| self.numbers(node.inputs[index]));
                Some(folded(linear, &statistics?, &scale?, &offset?, f64::from(*epsilon)))
            }
            _ => None,
        }
    }

    /// The node before another in its chain: part of nothing else, and no output.
    fn single(&self, id: NodeId) -> Option<NodeId> {
        let reads = self.graph.nodes().iter().flat_map(|node| &node.inputs).filter(|input| **input == id).count();
        let is_output = self.graph.outputs().iter().any(|(_, output)| *output == id);
        (reads == 1 && !is_output).then_some(id)
    }

    /// Constant numbers: a variable's, a constant's, or two of them as rows.
    pub fn numbers(&self, id: NodeId) -> Option<Vec<f64>> {
        let node = self.graph.node(id);
        match &node.op {
            Op::Variable { path } => Some(self.variables.value(path)?.iter().map(|x| f64::from(*x)).collect()),
            Op::Constant { value } => Some(vec![*value; node.shape.sample_len()]),
            Op::StackRows => Some([self.numbers(node.inputs[0])?, self.numbers(node.inputs[1])?].concat()),
            _ => None,
        }
    }
}

fn folded(linear: Linear, statistics: &[f64], scale: &[f64], offset: &[f64], epsilon: f64) -> Linear {
    let channels = scale.len();
    let (mean, variance) = statistics.split_at(channels);
    let factor: Vec<f64> = (0..channels).map(|c| scale[c] / (variance[c] + epsilon).sqrt()).collect();
    let row = linear.kernel.len() / channels;
    let kernel = linear.kernel.iter().enumerate().map(|(index, k)| k * factor[index / row]).collect();
    let old = |c: usize| linear.bias.as_ref().map_or(0.0, |bias| bias[c]);
    let bias = (0..channels).map(|c| offset[c] + (old(c) - mean[c]) * factor[c]).collect();
    Linear { kernel, bias: Some(bias), ..linear }
}
