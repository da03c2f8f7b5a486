//! Gradients against central differences: the test that every gradient rule has to pass.

use crate::backward::pull_back;
use crate::cases::{Numbers, Operand};
use crate::reference::{Feed, Tensor, run};
use crate::{DType, Graph, NodeId, Op};

/// Half the distance between the two points of a difference. Numbers of cases keep further away from kinks, and in f64
/// rounding disturbs the quotient by no more than 1e-10.
const STEP: f64 = 1e-6;
/// Largest disagreement, relative to the largest entry of the gradient (and to 1): the quotient's third-order term and
/// rounding leave some 1e-9.
const TOLERANCE: f64 = 1e-7;
/// So many single elements of an operand are looked at; the direction through all of them sees the rest.
const ELEMENTS: usize = 40;

/// Checks the gradients of `sum of dy * value of node`, for a dy with all elements different, with respect to leaves.
pub fn check(graph: &Graph, feed: &Feed, node: NodeId, leaves: &[NodeId]) {
    let (mut graph, mut feed) = (graph.clone(), feed.clone());
    let shape = graph.shape(node).clone();
    let dy_value = Operand { shape: shape.clone(), numbers: Numbers::Signed }.tensor(feed.batch, 9);
    let dy = match shape.batch {
        true => graph.input("dy", shape, DType::F32),
        false => graph.variable("dy", &shape.dims),
    };
    *leaf(&graph, &mut feed, dy) = dy_value.clone();
    let gradients = pull_back(&mut graph, node, dy, leaves);
    crate::verify(&graph).expect("gradient rules make graphs that keep the rules");
    let values = run(&graph, &feed);

    for (&operand, gradient) in leaves.iter().zip(gradients) {
        let what = &graph.node(operand).op;
        let gradient = &values[gradient.unwrap_or_else(|| panic!("{what:?} gets a gradient"))];
        let scale = gradient.data.iter().fold(1.0, |largest: f64, g| largest.max(g.abs()));
        let slope = |direction: &Tensor| {
            let [ahead, behind] = [STEP, -STEP].map(|step| {
                let mut moved = feed.clone();
                let point = leaf(&graph, &mut moved, operand);
                *point = point.zip(direction, |x, d| x + step * d);
                inner(&run(&graph, &moved)[node], &dy_value)
            });
            (ahead - behind) / (2.0 * STEP)
        };

        let everywhere =
            Operand { shape: graph.shape(operand).clone(), numbers: Numbers::Signed }.tensor(feed.batch, 8);
        let (found, expected) = (inner(gradient, &everywhere), slope(&everywhere));
        let norm = inner(&everywhere, &everywhere).sqrt();
        assert!((found - expected).abs() <= TOLERANCE * scale * norm, "{what:?}: {found} for a slope of {expected}");

        let elements = gradient.data.len();
        for element in (0..elements).step_by(elements.div_ceil(ELEMENTS)) {
            let mut direction = Tensor::zeros(&gradient.shape);
            direction.data[element] = 1.0;
            let (found, expected) = (gradient.data[element], slope(&direction));
            assert!((found - expected).abs() <= TOLERANCE * scale, "{what:?} at {element}: {found}, not {expected}");
        }
    }
}

/// Where the feed holds the value of a leaf.
fn leaf<'a>(graph: &Graph, feed: &'a mut Feed, id: NodeId) -> &'a mut Tensor {
    let nothing = || Tensor::zeros(&[0]);
    match &graph.node(id).op {
        Op::Input { name } => feed.inputs.entry(name.clone()).or_insert_with(nothing),
        Op::Variable { path } => feed.variables.entry(path.clone()).or_insert_with(nothing),
        other => panic!("{other:?} is not fed"),
    }
}

fn inner(a: &Tensor, b: &Tensor) -> f64 {
    a.data.iter().zip(&b.data).map(|(a, b)| a * b).sum()
}
