//! Which nodes are computed together with the convolution or dense layer before them: a bias, then a relu.

use graph::ops::Activation;
use graph::{Graph, NodeId, Op};

use super::order::{Order, Role};

/// What a product is followed by before it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epilogue {
    /// The node whose value is stored.
    pub result: NodeId,
    pub bias: Option<NodeId>,
    pub relu: bool,
}

/// For every node the epilogue of its product, and whether it is part of another's.
#[derive(Clone, Debug)]
pub(crate) struct Fusions {
    epilogues: Vec<Option<Epilogue>>,
    absorbed: Vec<bool>,
}

impl Fusions {
    /// The fusions of a graph; none if every node is to keep its own value.
    pub fn new(graph: &Graph, order: &Order, keep_all: bool) -> Fusions {
        let n = graph.nodes().len();
        let mut fusions = Fusions { epilogues: vec![None; n], absorbed: vec![false; n] };
        let readers = Readers::new(graph, order);
        for id in graph.ids().filter(|id| order.is(*id, Role::Each)) {
            if !matches!(graph.node(id).op, Op::Conv2d { .. } | Op::Dense) {
                continue;
            }
            let mut epilogue = Epilogue { result: id, bias: None, relu: false };
            if !keep_all {
                fusions.extend(graph, order, &readers, &mut epilogue);
            }
            fusions.epilogues[id.0 as usize] = Some(epilogue);
        }
        fusions
    }

    fn extend(&mut self, graph: &Graph, order: &Order, readers: &Readers, epilogue: &mut Epilogue) {
        let same_stage = |a: NodeId, b: NodeId| order.stage[a.0 as usize] == order.stage[b.0 as usize];
        while let Some(next) = readers.only(epilogue.result).filter(|next| same_stage(epilogue.result, *next)) {
            match &graph.node(next).op {
                Op::AddBias if epilogue.bias.is_none() && !epilogue.relu => {
                    epilogue.bias = Some(graph.node(next).inputs[1]);
                }
                Op::Activate(Activation::Relu) if !epilogue.relu => epilogue.relu = true,
                _ => return,
            }
            self.absorbed[next.0 as usize] = true;
            epilogue.result = next;
        }
    }

    /// What follows the product `id`.
    pub fn epilogue(&self, id: NodeId) -> Option<Epilogue> {
        self.epilogues[id.0 as usize]
    }

    /// Whether the node is computed by an earlier one's step.
    pub fn is_absorbed(&self, id: NodeId) -> bool {
        self.absorbed[id.0 as usize]
    }
}

/// Who reads a value: nobody else may, where it is to disappear in a fusion.
struct Readers {
    by_node: Vec<Vec<NodeId>>,
    is_output: Vec<bool>,
}

impl Readers {
    fn new(graph: &Graph, order: &Order) -> Readers {
        let mut by_node = vec![Vec::new(); graph.nodes().len()];
        for (id, node) in graph.ids().zip(graph.nodes()).filter(|(id, _)| order.needed[id.0 as usize]) {
            node.inputs.iter().for_each(|input| by_node[input.0 as usize].push(id));
        }
        let mut is_output = vec![false; by_node.len()];
        graph.outputs().iter().for_each(|(_, id)| is_output[id.0 as usize] = true);
        Readers { by_node, is_output }
    }

    /// The one reader of a value that is no output.
    fn only(&self, id: NodeId) -> Option<NodeId> {
        match self.by_node[id.0 as usize].as_slice() {
            &[reader] if !self.is_output[id.0 as usize] => Some(reader),
            _ => None,
        }
    }
}
