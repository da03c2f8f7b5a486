//! How the values of samples lie in memory: their views, the borders that padding readers want, and which are the same
//! numbers under two shapes.

use graph::{DType, Graph, NodeId, Op, Shape};
use kernels::View;
use kernels::conv2d::Pooled;

use super::crops::Crops;
use super::fuse::Fusions;
use super::order::{Order, Role};

/// Layout of every value that belongs to samples.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    views: Vec<View>,
    root: Vec<NodeId>,
}

impl Layout {
    pub fn new(graph: &Graph, order: &Order, fusions: &Fusions, crops: &Crops) -> Layout {
        let borders = borders(graph, order, fusions);
        let view = |(id, border): (NodeId, &[usize; 4])| match crops.of(id) {
            Some([height, width]) => View::bordered(height, width, graph.shape(id).channels(), *border),
            None => view(graph.shape(id), *border),
        };
        let views = graph.ids().zip(&borders).map(view).collect();
        let mut layout = Layout { views, root: graph.ids().collect() };
        for (result, pool) in fusions.pooled() {
            let winners = Pooled::winners_len(layout.view(result));
            layout.views[pool.operand.0 as usize] = View::vectors(winners);
        }
        for (id, node) in graph.ids().zip(graph.nodes()) {
            if matches!(node.op, Op::Reshape { .. }) && node.shape.batch {
                let x = node.inputs[0];
                if layout.view(id).is_plain() && layout.view(x).is_plain() {
                    layout.root[id.0 as usize] = layout.root(x);
                }
            }
        }
        layout
    }

    /// Where the samples of a value lie.
    pub fn view(&self, id: NodeId) -> &View {
        &self.views[id.0 as usize]
    }

    /// The node whose memory this one is.
    pub fn root(&self, id: NodeId) -> NodeId {
        self.root[id.0 as usize]
    }

    /// Whether the node is another name for its operand.
    pub fn is_alias(&self, id: NodeId) -> bool {
        self.root(id) != id
    }

    /// Whether this is an input that must be copied, since readers want a border around it.
    pub fn is_copied_input(&self, graph: &Graph, id: NodeId) -> bool {
        matches!(graph.node(id).op, Op::Input { .. }) && graph.shape(id).batch && !self.view(id).is_plain()
    }
}

/// Axes as height, width and channels; those that are missing are 1.
pub(crate) fn view(shape: &Shape, border: [usize; 4]) -> View {
    match *shape.dims.as_slice() {
        [] => View::vectors(1),
        [features] => View::vectors(features),
        [height, width, channels] => View::bordered(height, width, channels, border),
        [ref rows @ .., width, channels] => View::plain(rows.iter().product(), width, channels),
    }
}

/// For each image the widest padding that a convolution reads it with.
fn borders(graph: &Graph, order: &Order, fusions: &Fusions) -> Vec<[usize; 4]> {
    let mut borders = vec![[0; 4]; graph.nodes().len()];
    for (id, node) in graph.ids().zip(graph.nodes()) {
        let (Op::Conv2d { window, .. } | Op::Conv2dKernelGradient { window, .. }) = &node.op else { continue };
        if order.is(id, Role::Each) || order.is(id, Role::Sum) {
            let border = &mut borders[node.inputs[0].0 as usize];
            for (side, padding) in border.iter_mut().zip(window.padding) {
                *side = padding.max(*side);
            }
        }
    }
    // The gradient of a maximum walks over its operand and its result at once.
    for (id, node) in graph.ids().zip(graph.nodes()).filter(|(_, n)| matches!(n.op, Op::MaxPool2dGradient { .. })) {
        borders[id.0 as usize] = borders[node.inputs[0].0 as usize];
    }
    // Lists of living gradients hold places that are those of x and of its gradient.
    for back in fusions.backs() {
        if let Some((dx, _)) = back.input_gradient {
            borders[dx.0 as usize] = borders[back.x.0 as usize];
        }
    }
    debug_assert!(graph.nodes().iter().zip(&borders).all(|(n, b)| *b == [0; 4] || n.dtype == DType::F32));
    borders
}
