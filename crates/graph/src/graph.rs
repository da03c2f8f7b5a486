//! The flat list of nodes, its named inputs and outputs, and what is assigned at the end of a step.

use crate::{DType, Op, Shape};

/// Index of a node; smaller ids are computed earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

/// One operator applied to earlier nodes.
#[derive(Clone, Debug)]
pub struct Node {
    /// What is computed.
    pub op: Op,
    /// Its operands, in the operator's order.
    pub inputs: Vec<NodeId>,
    /// Shape of the result, inferred by the operator's rule.
    pub shape: Shape,
    /// Element type of the result.
    pub dtype: DType,
    /// Path of the layer (or `loss`, `optimizer`, ...) that this node was made for, as people know it.
    pub path: String,
    /// Whether this node computes a gradient; set while [`crate::gradients`] runs.
    pub backward: bool,
}

/// A program: nodes in order of computation, named outputs, and assignments to variables.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) outputs: Vec<(String, NodeId)>,
    pub(crate) assignments: Vec<(NodeId, NodeId)>,
    scope: String,
    pub(crate) in_backward: bool,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Graph {
        Graph::default()
    }

    /// Nodes pushed from now on belong to this path.
    pub fn set_scope(&mut self, path: &str) {
        self.scope = path.to_string();
    }

    /// The path that nodes pushed now belong to.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// A value handed in at every step, by name.
    pub fn input(&mut self, name: &str, shape: Shape, dtype: DType) -> NodeId {
        self.push_leaf(Op::Input { name: name.to_string() }, shape, dtype)
    }

    /// A value that stays from step to step, by path; the same path twice gives the same node.
    pub fn variable(&mut self, path: &str, dims: &[usize]) -> NodeId {
        let found = self.nodes.iter().position(|n| matches!(&n.op, Op::Variable { path: p } if p == path));
        if let Some(index) = found {
            assert_eq!(self.nodes[index].shape.dims, dims, "variable {path} asked for with two shapes");
            return NodeId(index as u32);
        }
        self.push_leaf(Op::Variable { path: path.to_string() }, Shape::fixed(dims), DType::F32)
    }

    /// A value without batch whose every element is `value`.
    pub fn constant(&mut self, value: f64, dims: &[usize]) -> NodeId {
        self.push_leaf(Op::Constant { value }, Shape::fixed(dims), DType::F32)
    }

    fn push_leaf(&mut self, op: Op, shape: Shape, dtype: DType) -> NodeId {
        let path = self.scope.clone();
        self.nodes.push(Node { op, inputs: Vec::new(), shape, dtype, path, backward: self.in_backward });
        NodeId(self.nodes.len() as u32 - 1)
    }

    /// Appends an operator; its shape comes from the operator's rule.
    ///
    /// # Panics
    /// If the rule refuses the operands. Layers check theirs first with [`Graph::infer`], so a refusal here is a bug.
    pub fn push(&mut self, op: Op, inputs: &[NodeId]) -> NodeId {
        let (shape, dtype) = self.infer(&op, inputs).unwrap_or_else(|why| {
            panic!("{} at {:?} refused: {why}", op.name(), self.scope);
        });
        let path = self.scope.clone();
        self.nodes.push(Node { op, inputs: inputs.to_vec(), shape, dtype, path, backward: self.in_backward });
        NodeId(self.nodes.len() as u32 - 1)
    }

    /// Shape and type that `op` would give on these operands, or in one sentence why it cannot be applied.
    pub fn infer(&self, op: &Op, inputs: &[NodeId]) -> Result<(Shape, DType), String> {
        let operands: Vec<(&Shape, DType)> = inputs.iter().map(|&i| (self.shape(i), self.node(i).dtype)).collect();
        op.infer(&operands)
    }

    /// Makes a node's value readable after a step under `name`.
    pub fn output(&mut self, name: &str, node: NodeId) {
        self.outputs.push((name.to_string(), node));
    }

    /// After a step, `variable` holds the value of `value`. All assignments happen together.
    pub fn assign(&mut self, variable: NodeId, value: NodeId) {
        assert!(matches!(self.node(variable).op, Op::Variable { .. }), "only variables are assigned");
        assert_eq!(self.shape(variable), self.shape(value), "an assignment keeps the shape");
        self.assignments.push((variable, value));
    }

    /// The nodes in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// One node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// Shape of a node's value.
    pub fn shape(&self, id: NodeId) -> &Shape {
        &self.node(id).shape
    }

    /// Ids of all nodes, in order.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// Named results.
    pub fn outputs(&self) -> &[(String, NodeId)] {
        &self.outputs
    }

    /// The node of a named result.
    pub fn find_output(&self, name: &str) -> Option<NodeId> {
        self.outputs.iter().find(|(n, _)| n == name).map(|(_, id)| *id)
    }

    /// Pairs (variable, new value).
    pub fn assignments(&self) -> &[(NodeId, NodeId)] {
        &self.assignments
    }
}
