//! Numbers for values of the whole batch: variables by path, and everything that is computed, known or handed in.

use graph::{Graph, NodeId, Op};

use super::step::Fixed;

/// The values of the whole batch that a plan reads or writes.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    of: Vec<Option<Fixed>>,
    /// Paths and lengths of the variables.
    pub variables: Vec<(String, usize)>,
    /// Length of each value.
    pub lens: Vec<usize>,
    /// Values that never change: number and element.
    pub constants: Vec<(usize, f32)>,
    /// Values that are handed in: number and name.
    pub inputs: Vec<(usize, String)>,
}

impl Values {
    /// Those of a graph, of which nothing is read yet but what it assigns.
    pub fn new(graph: &Graph) -> Values {
        let (of, none) = (vec![None; graph.nodes().len()], Vec::new());
        let mut values = Values { of, variables: Vec::new(), lens: none, constants: Vec::new(), inputs: Vec::new() };
        for id in graph.ids().filter(|id| matches!(graph.node(*id).op, Op::Variable { .. })) {
            values.fixed(graph, id);
        }
        values
    }

    /// Where a value without batch is found.
    pub fn fixed(&mut self, graph: &Graph, id: NodeId) -> Fixed {
        if let Some(known) = self.of[id.0 as usize] {
            return known;
        }
        let len = graph.shape(id).sample_len();
        let fixed = match &graph.node(id).op {
            Op::Variable { path } => {
                self.variables.push((path.clone(), len));
                Fixed::Variable(self.variables.len() - 1)
            }
            op => {
                let number = self.lens.len();
                self.lens.push(len);
                match op {
                    Op::Constant { value } => self.constants.push((number, *value as f32)),
                    Op::Input { name } => self.inputs.push((number, name.clone())),
                    _ => {}
                }
                Fixed::Value(number)
            }
        };
        self.of[id.0 as usize] = Some(fixed);
        fixed
    }

    /// The number of a value that is computed.
    pub fn number(&mut self, graph: &Graph, id: NodeId) -> usize {
        match self.fixed(graph, id) {
            Fixed::Value(number) => number,
            Fixed::Variable(_) => unreachable!("variables are assigned at the end, not computed"),
        }
    }

    /// The number of a further value of this length.
    pub fn copy(&mut self, len: usize) -> usize {
        self.lens.push(len);
        self.lens.len() - 1
    }
}
