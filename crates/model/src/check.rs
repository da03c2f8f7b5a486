//! A network checked as a whole: shapes from the image to the scores, nothing unread, as many scores as classes.

use graph::{DType, Graph, Op, Shape};
use kernels::input::Normalization;
use spec::{Fault, Faults, Node, Value};

use crate::expand::{Unfolded, Unfolder};
use crate::layers::{Build, show};
use crate::network::{LayerRow, Mode, Network, Parameter, Placed, variable};

/// How many values variables may put into a network.
const MOST_VALUES: usize = 1_000_000;

/// What the network is fed with; none where that is at fault.
#[derive(Clone, Copy, Debug)]
pub struct Inputs {
    /// `[height, width, channels]` of an image when training.
    pub train: Option<[usize; 3]>,
    /// The same when evaluating.
    pub evaluate: Option<[usize; 3]>,
    /// Classes of the dataset.
    pub n_classes: Option<usize>,
}

/// Checks the resolved value of `model`. Returns the network where nothing here is wrong.
pub fn check(model: &Node, inputs: &Inputs, faults: &mut Faults) -> Option<Network> {
    let before = faults.len();
    let image = inputs.train.zip(inputs.evaluate).map(|(train, evaluate)| [train.to_vec(), evaluate.to_vec()]);
    let classes = match inputs.n_classes {
        Some(n) => Node::word(n.to_string(), model.place),
        None => Node::bad(model.place),
    };
    let mut unfolder =
        Unfolder { faults, layers: Vec::new(), parameters: Vec::new(), image, classes, left: MOST_VALUES };
    let last = unfolder.network(model);
    let Unfolder { layers, parameters, faults, .. } = unfolder;
    if faults.len() == before && model.is_sound() {
        check_unread(&layers, last, faults);
        check_blocks(model, faults);
    }
    let last_layer = last.checked_sub(1).map(|index| &layers[index]);
    match last_layer {
        Some(layer) => check_scores(layer, inputs.n_classes, faults),
        None if model.is_sound() && faults.len() == before => {
            let fault = Fault::new(model.place, "the network has no layers");
            faults.push(fault.help("its last one gives a score a class"));
        }
        None => {}
    }
    if faults.len() > before || !model.is_sound() {
        return None;
    }
    Some(network(layers, parameters, last, inputs.train?, inputs.evaluate?, inputs.n_classes?))
}

fn check_unread(layers: &[Unfolded], last: usize, faults: &mut Faults) {
    for (index, layer) in layers.iter().enumerate() {
        if !layer.is_read && index + 1 != last && layer.layer.is_some() {
            let fault = Fault::new(layer.place, format!("nobody reads what `{}` gives", layer.path));
            faults.push(fault.help("name it in a later `from`, or take it out"));
        }
    }
}

/// A block that no step calls changes nothing.
fn check_blocks(model: &Node, faults: &mut Faults) {
    let blocks = model.find("blocks").and_then(Node::map).map(|map| map.entries.as_slice()).unwrap_or_default();
    for block in blocks {
        let others = blocks.iter().filter(|other| other.key != block.key).map(|other| &other.node);
        if !model.find("layers").into_iter().chain(others).any(|node| names(node, &block.key)) {
            let fault = Fault::new(block.key_place, format!("nothing uses the block `{}`", block.key));
            faults.push(fault.help(format!("write `- {}` where it belongs, or take it out", block.key)));
        }
    }
}

/// Whether a name stands anywhere in a tree, as a step or as a value that a block may make one.
fn names(node: &Node, name: &str) -> bool {
    match &node.value {
        Value::Scalar(scalar) => scalar.text == name,
        Value::List(items) => items.iter().any(|item| names(item, name)),
        Value::Map(map) => map.entries.iter().any(|entry| entry.key == name || names(&entry.node, name)),
        Value::Empty | Value::Bad => false,
    }
}

fn check_scores(layer: &Unfolded, n_classes: Option<usize>, faults: &mut Faults) {
    let (Some([_, shape]), Some(n_classes)) = (&layer.shapes, n_classes) else { return };
    if *shape != [n_classes] {
        let message = format!("the network ends in {} where the dataset has {n_classes} classes", show(shape));
        faults.push(Fault::new(layer.place, message).help("end it in `dense: $classes`"));
    }
}

fn network(
    layers: Vec<Unfolded>,
    parameters: Vec<Parameter>,
    last: usize,
    train_input: [usize; 3],
    input: [usize; 3],
    n_classes: usize,
) -> Network {
    let ends_in_softmax = layers[last - 1].layer.as_deref().is_some_and(|layer| layer.is_softmax());
    let shapes: Vec<Vec<usize>> =
        layers.iter().map(|l| l.shapes.as_ref().map(|[_, shape]| shape.clone()).unwrap_or_default()).collect();
    let place = |l: Unfolded| Placed {
        path: l.path,
        kind: l.kind.kind.name,
        layer: l.layer.expect("a network without faults has only layers"),
        reads: l.reads,
        parameters: l.arrays,
    };
    let placed: Vec<Placed> = layers.into_iter().map(place).collect();
    let rows = rows(&placed, &parameters, &shapes, input);
    let channels = input[2];
    let normalization = Normalization::Affine { scale: vec![1.0 / 255.0; channels], shift: vec![0.0; channels] };
    Network { layers: rows, parameters, input, train_input, n_classes, ends_in_softmax, normalization, placed }
}

/// The table of layers; what each becomes in ONNX is read off the nodes that it writes.
fn rows(placed: &[Placed], parameters: &[Parameter], shapes: &[Vec<usize>], input: [usize; 3]) -> Vec<LayerRow> {
    let mut g = Graph::new();
    let mut values = vec![g.input("image", Shape::batched(&input), DType::F32)];
    let mut running = Vec::new();
    let mut rows = Vec::new();
    for (layer, shape) in placed.iter().zip(shapes) {
        let begin = g.nodes().len();
        let reads: Vec<_> = layer.reads.iter().map(|&value| values[value]).collect();
        let arrays = &parameters[layer.parameters.clone()];
        let mut build = Build {
            g: &mut g,
            mode: Mode::Evaluate,
            path: &layer.path,
            parameters: arrays,
            parameter: &variable,
            running: &mut running,
        };
        values.push(layer.layer.build(&mut build, &reads));
        let mut operators: Vec<&str> = Vec::new();
        let flops = (g.nodes()[begin..].iter())
            .map(|node| {
                let operands: Vec<&Shape> = node.inputs.iter().map(|&input| g.shape(input)).collect();
                node.op.flops(&operands, &node.shape)
            })
            .sum();
        let opset = g.nodes()[begin..].iter().filter_map(|node| node.op.onnx()).map(|(_, since)| since).max();
        // A bias is an operand of Conv and Gemm.
        for op in g.nodes()[begin..].iter().map(|node| &node.op).filter(|op| **op != Op::AddBias) {
            operators.extend(op.onnx().map(|(name, _)| name).filter(|name| !operators.contains(name)));
        }
        rows.push(LayerRow {
            path: layer.path.clone(),
            kind: layer.kind,
            output: shape.clone(),
            parameters: arrays.iter().filter(|p| p.trained).map(|p| p.dims.iter().product::<usize>()).sum(),
            flops,
            onnx: operators.join(" + "),
            opset: opset.unwrap_or(1),
            reads: layer.reads.clone(),
        });
    }
    rows
}
