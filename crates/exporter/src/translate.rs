//! A graph of inference as a graph of ONNX: layouts turned, chains of linear operators put together, names kept.
//!
//! Images are NHWC here and NCHW there. A flattened image keeps the order of its axes there, and the dense kernel behind
//! it is permuted instead, once; everybody else is handed the numbers in our order.

use std::collections::{HashMap, HashSet};

use engine::Variables;
use graph::ops::{Activation, Binary, Unary, Window};
use graph::{Graph, NodeId, Op, Shape};
use ndarray::ArrayView;

use crate::linear::{Finder, Linear};
use crate::proto::{AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto};
use crate::words::{Layout, OnnxSection};

/// Smaller than the variance of any image of pixels that are not all the same.
const SMALLEST_VARIANCE: f32 = 1e-7;

/// Where a node's value stands in the ONNX graph.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub name: String,
    /// Of a flattened image in NCHW's order: height, width, channels.
    pub flat: Option<[usize; 3]>,
}

/// An ONNX graph, and which of its values holds which node.
pub(crate) struct Translated {
    pub graph: GraphProto,
    pub values: HashMap<NodeId, Value>,
}

/// Translates what `output` needs.
pub(crate) fn translate(
    graph: &Graph,
    variables: &Variables,
    options: &OnnxSection,
    output: (&str, NodeId),
) -> Result<Translated, String> {
    let finder = Finder { graph, variables, fold: options.fold_batch_norm };
    let mut translator = Translator {
        finder,
        options,
        out: GraphProto { name: Some("network".to_string()), ..GraphProto::default() },
        values: HashMap::new(),
        names: HashSet::new(),
        scope: String::new(),
    };
    translator.nodes(output.1)?;
    translator.finish(output)
}

struct Translator<'a> {
    finder: Finder<'a>,
    options: &'a OnnxSection,
    out: GraphProto,
    values: HashMap<NodeId, Value>,
    names: HashSet<String>,
    /// Path of the node that is being translated.
    scope: String,
}

impl Translator<'_> {
    fn nodes(&mut self, last: NodeId) -> Result<(), String> {
        let graph = self.finder.graph;
        let needed = needed(graph, last);
        let absorbed: HashSet<NodeId> = needed
            .iter()
            .filter(|id| matches!(graph.node(**id).op, Op::AddBias | Op::BatchNorm { .. }))
            .filter(|id| self.finder.linear(**id).is_some())
            .map(|id| graph.node(*id).inputs[0])
            .collect();
        for id in graph.ids().filter(|id| needed.contains(id) && !absorbed.contains(id)) {
            let node = graph.node(id);
            if matches!(node.op, Op::Variable { .. } | Op::Constant { .. } | Op::StackRows) {
                continue;
            }
            let linear = self.finder.linear(id);
            // A folded norm goes by the name of its convolution.
            let named = linear.as_ref().map_or(node, |linear| graph.node(linear.product));
            self.scope = if named.path.is_empty() { named.op.name().to_string() } else { named.path.clone() };
            let value = match linear {
                Some(linear) => self.linear(&linear)?,
                None => self.node(id)?,
            };
            self.values.insert(id, value);
        }
        Ok(())
    }

    fn finish(mut self, (name, id): (&str, NodeId)) -> Result<Translated, String> {
        self.scope = name.to_string();
        let last = self.ordered(id)?;
        self.out.node.push(NodeProto {
            input: vec![last],
            output: vec![name.to_string()],
            name: Some(name.to_string()),
            op_type: Some("Identity".to_string()),
            attribute: Vec::new(),
        });
        let output = ValueInfoProto::new(name, &self.shape(id));
        self.out.output.push(output);
        Ok(Translated { graph: self.out, values: self.values })
    }

    /// A name that nobody has: the path, and where that is taken, with a number.
    fn fresh(&mut self, wanted: &str) -> String {
        let numbered = (2..).map(|count| format!("{wanted}_{count}"));
        let name = std::iter::once(wanted.to_string()).chain(numbered).find(|name| !self.names.contains(name));
        let name = name.expect("some number is free");
        self.names.insert(name.clone());
        name
    }

    /// Appends an operator; its value is named after the path.
    fn push(&mut self, op: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> String {
        let wanted = format!("{}/{}", self.scope, op);
        let name = self.fresh(&wanted);
        self.out.node.push(NodeProto {
            input: inputs.iter().map(|input| input.to_string()).collect(),
            output: vec![name.clone()],
            name: Some(name.clone()),
            op_type: Some(op.to_string()),
            attribute,
        });
        name
    }

    fn floats(&mut self, name: &str, dims: &[usize], values: impl IntoIterator<Item = f32>) -> String {
        let wanted = format!("{}/{name}", self.scope);
        let name = self.fresh(&wanted);
        self.out.initializer.push(TensorProto::floats(&name, dims, values));
        name
    }

    fn integers(&mut self, name: &str, values: &[i64]) -> String {
        let wanted = format!("{}/{name}", self.scope);
        let name = self.fresh(&wanted);
        self.out.initializer.push(TensorProto::integers(&name, values));
        name
    }

    fn is_image(&self, id: NodeId) -> bool {
        let shape = self.finder.graph.shape(id);
        shape.batch && shape.dims.len() == 3
    }

    /// Where a value stands; a constant takes its place when it is first asked for.
    fn value(&mut self, id: NodeId) -> Result<Value, String> {
        if !self.values.contains_key(&id) {
            let dims = self.finder.graph.shape(id).dims.clone();
            let numbers = self.constant(id)?;
            let name = self.floats("constant", &dims, numbers);
            self.values.insert(id, plain(name));
        }
        Ok(self.values[&id].clone())
    }

    /// The value in our order of elements.
    fn ordered(&mut self, id: NodeId) -> Result<String, String> {
        let Value { name, flat } = self.value(id)?;
        let Some([height, width, channels]) = flat else { return Ok(name) };
        let image = self.reshaped(&name, &Shape::batched(&[channels, height, width]));
        let turned = self.push("Transpose", &[&image], vec![AttributeProto::ints("perm", [0, 2, 3, 1])]);
        Ok(self.reshaped(&turned, &Shape::batched(&[height * width * channels])))
    }

    fn linear(&mut self, linear: &Linear) -> Result<Value, String> {
        let node = self.finder.graph.node(linear.product);
        let dims = self.finder.graph.shape(node.inputs[1]).dims.clone();
        let kernel: Vec<f32> = linear.kernel.iter().map(|k| *k as f32).collect();
        let x = self.value(node.inputs[0])?;
        let (op, kernel, attributes) = match &node.op {
            Op::Conv2d { window, groups } => {
                let (dims, values) = permuted(&kernel, &dims, &[0, 3, 1, 2]);
                let mut attributes = window_attributes(window);
                attributes.push(AttributeProto::ints("dilations", window.dilation));
                attributes.push(AttributeProto::int("group", *groups as i64));
                ("Conv", self.floats("kernel", &dims, values), attributes)
            }
            _ => {
                let values = match x.flat {
                    None => kernel,
                    Some([height, width, channels]) => {
                        permuted(&kernel, &[dims[0], height, width, channels], &[0, 3, 1, 2]).1
                    }
                };
                ("Gemm", self.floats("kernel", &dims, values), vec![AttributeProto::int("transB", 1)])
            }
        };
        let mut inputs = vec![x.name, kernel];
        if let Some(bias) = &linear.bias {
            inputs.push(self.floats("bias", &[bias.len()], bias.iter().map(|b| *b as f32)));
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        Ok(plain(self.push(op, &inputs, attributes)))
    }

    fn node(&mut self, id: NodeId) -> Result<Value, String> {
        let node = self.finder.graph.node(id).clone();
        let input = |index: usize| node.inputs[index];
        Ok(match &node.op {
            Op::Input { name } => plain(self.input(id, name)),
            Op::Normalize { scale, shift } => {
                let name = self.value(input(0))?.name;
                match self.options.normalization {
                    true => plain(self.by_channel(id, name, scale, shift)),
                    false => plain(name),
                }
            }
            Op::NormalizePerImage => {
                let name = self.value(input(0))?.name;
                match self.options.normalization {
                    true => plain(self.per_image(&name)),
                    false => plain(name),
                }
            }
            Op::AddBias => {
                let (x, bias) = (self.ordered(input(0))?, self.constant(input(1))?);
                let dims = if self.is_image(id) { vec![bias.len(), 1, 1] } else { vec![bias.len()] };
                let bias = self.floats("bias", &dims, bias);
                plain(self.push("Add", &[&x, &bias], Vec::new()))
            }
            Op::BatchNorm { epsilon } => self.batch_norm(&node.inputs, *epsilon)?,
            Op::MaxPool2d { window } => {
                let x = self.ordered(input(0))?;
                plain(self.push("MaxPool", &[&x], window_attributes(window)))
            }
            Op::AveragePool2d { window } => {
                let x = self.ordered(input(0))?;
                let mut attributes = window_attributes(window);
                attributes.push(AttributeProto::int("count_include_pad", 0));
                plain(self.push("AveragePool", &[&x], attributes))
            }
            Op::Reshape { .. } => self.reshape(id, input(0))?,
            Op::PadChannels { to } => {
                let (x, added) = (self.ordered(input(0))?, (to - self.finder.graph.shape(input(0)).channels()) as i64);
                let pads = if self.is_image(id) { vec![0, 0, 0, 0, 0, added, 0, 0] } else { vec![0, 0, 0, added] };
                let pads = self.integers("pads", &pads);
                plain(self.push("Pad", &[&x, &pads], Vec::new()))
            }
            Op::TakeChannels { count } => {
                let x = self.ordered(input(0))?;
                let names = [("starts", 0), ("ends", *count as i64), ("axes", 1)];
                let [starts, ends, axes] = names.map(|(name, value)| self.integers(name, &[value]));
                plain(self.push("Slice", &[&x, &starts, &ends, &axes], Vec::new()))
            }
            Op::Activate(activation) => {
                let Value { name, flat } = self.value(input(0))?;
                Value { name: self.activation(*activation, &name), flat }
            }
            Op::Softmax => {
                let x = self.ordered(input(0))?;
                plain(self.push("Softmax", &[&x], vec![AttributeProto::int("axis", 1)]))
            }
            Op::Binary(op) => {
                let (a, b) = (self.ordered(input(0))?, self.ordered(input(1))?);
                plain(self.push(binary_name(*op), &[&a, &b], Vec::new()))
            }
            Op::Unary(op) => self.unary(*op, input(0))?,
            other => return Err(format!("`{}`: {} has no form in ONNX", self.scope, other.name())),
        })
    }

    /// An input; of images in NCHW after this.
    fn input(&mut self, id: NodeId, name: &str) -> String {
        self.names.insert(name.to_string());
        if self.options.layout == Layout::Nhwc && self.is_image(id) {
            self.out.input.push(ValueInfoProto::new(name, self.finder.graph.shape(id)));
            return self.push("Transpose", &[name], vec![AttributeProto::ints("perm", [0, 3, 1, 2])]);
        }
        self.out.input.push(ValueInfoProto::new(name, &self.shape(id)));
        name.to_string()
    }

    /// The shape of a value there.
    fn shape(&self, id: NodeId) -> Shape {
        let shape = self.finder.graph.shape(id);
        match *shape.dims.as_slice() {
            [height, width, channels] if shape.batch => Shape::batched(&[channels, height, width]),
            _ => shape.clone(),
        }
    }

    /// `x * scale + shift`, one of each a channel.
    fn by_channel(&mut self, id: NodeId, x: String, scale: &[f32], shift: &[f32]) -> String {
        let dims = if self.is_image(id) { vec![scale.len(), 1, 1] } else { vec![scale.len()] };
        let scale = self.floats("scale", &dims, scale.iter().copied());
        let shift = self.floats("shift", &dims, shift.iter().copied());
        let scaled = self.push("Mul", &[&x, &scale], Vec::new());
        self.push("Add", &[&scaled, &shift], Vec::new())
    }

    /// Mean 0 and variance 1 over an image. MeanVarianceNormalization would make an image of one value not a number.
    fn per_image(&mut self, x: &str) -> String {
        let mean = self.mean_of_images(x);
        let difference = self.push("Sub", &[x, &mean], Vec::new());
        let square = self.push("Mul", &[&difference, &difference], Vec::new());
        let variance = self.mean_of_images(&square);
        let smallest = self.floats("smallest_variance", &[], [SMALLEST_VARIANCE]);
        let variance = self.push("Max", &[&variance, &smallest], Vec::new());
        let deviation = self.push("Sqrt", &[&variance], Vec::new());
        self.push("Div", &[&difference, &deviation], Vec::new())
    }

    /// The mean over channels, rows and columns; since opset 18 the axes are an input.
    fn mean_of_images(&mut self, x: &str) -> String {
        if self.options.opset < 18 {
            return self.push("ReduceMean", &[x], vec![AttributeProto::ints("axes", [1, 2, 3])]);
        }
        let axes = self.integers("axes", &[1, 2, 3]);
        self.push("ReduceMean", &[x, &axes], Vec::new())
    }

    fn constant(&self, id: NodeId) -> Result<Vec<f32>, String> {
        let numbers = self.finder.numbers(id).ok_or_else(|| format!("`{}` reads what is no constant", self.scope))?;
        Ok(numbers.into_iter().map(|x| x as f32).collect())
    }

    fn batch_norm(&mut self, inputs: &[NodeId], epsilon: f32) -> Result<Value, String> {
        let x = self.ordered(inputs[0])?;
        let [statistics, scale, offset] =
            [self.constant(inputs[1])?, self.constant(inputs[2])?, self.constant(inputs[3])?];
        let channels = [scale.len()];
        let (mean, variance) = statistics.split_at(scale.len());
        let scale = self.floats("scale", &channels, scale);
        let offset = self.floats("offset", &channels, offset);
        let mean = self.floats("running_mean", &channels, mean.iter().copied());
        let variance = self.floats("running_variance", &channels, variance.iter().copied());
        let attributes = vec![AttributeProto::float("epsilon", epsilon)];
        Ok(plain(self.push("BatchNormalization", &[&x, &scale, &offset, &mean, &variance], attributes)))
    }

    fn reshape(&mut self, id: NodeId, input: NodeId) -> Result<Value, String> {
        let (from, to) = (self.finder.graph.shape(input).clone(), self.finder.graph.shape(id).clone());
        if let (true, &[height, width, channels], [_]) = (from.batch, from.dims.as_slice(), to.dims.as_slice()) {
            let x = self.value(input)?.name;
            let flat = (height * width > 1).then_some([height, width, channels]);
            return Ok(Value { name: self.reshaped(&x, &to), flat });
        }
        let mut x = self.ordered(input)?;
        if self.is_image(input) {
            x = self.push("Transpose", &[&x], vec![AttributeProto::ints("perm", [0, 2, 3, 1])]);
        }
        x = self.reshaped(&x, &to);
        if self.is_image(id) {
            x = self.push("Transpose", &[&x], vec![AttributeProto::ints("perm", [0, 3, 1, 2])]);
        }
        Ok(plain(x))
    }

    /// The same elements under other axes; 0 keeps the batch.
    fn reshaped(&mut self, x: &str, to: &Shape) -> String {
        let dims: Vec<i64> = to.axes(0).into_iter().map(|size| size as i64).collect();
        let dims = self.integers("shape", &dims);
        self.push("Reshape", &[x, &dims], Vec::new())
    }

    fn activation(&mut self, activation: Activation, x: &str) -> String {
        match activation {
            Activation::Relu => self.push("Relu", &[x], Vec::new()),
            Activation::LeakyRelu { slope } => {
                self.push("LeakyRelu", &[x], vec![AttributeProto::float("alpha", slope)])
            }
            Activation::Sigmoid => self.push("Sigmoid", &[x], Vec::new()),
            Activation::Tanh => self.push("Tanh", &[x], Vec::new()),
            Activation::Silu => {
                let gate = self.push("Sigmoid", &[x], Vec::new());
                self.push("Mul", &[x, &gate], Vec::new())
            }
            Activation::Gelu => {
                let root = self.floats("root_of_two", &[], [std::f32::consts::SQRT_2]);
                let (one, half) = (self.floats("one", &[], [1.0]), self.floats("half", &[], [0.5]));
                let scaled = self.push("Div", &[x, &root], Vec::new());
                let erf = self.push("Erf", &[&scaled], Vec::new());
                let twice = self.push("Add", &[&erf, &one], Vec::new());
                let product = self.push("Mul", &[x, &twice], Vec::new());
                self.push("Mul", &[&product, &half], Vec::new())
            }
        }
    }

    fn unary(&mut self, op: Unary, input: NodeId) -> Result<Value, String> {
        let x = self.ordered(input)?;
        Ok(plain(match op {
            Unary::Scale { by } => {
                let by = self.floats("by", &[], [by as f32]);
                self.push("Mul", &[&x, &by], Vec::new())
            }
            Unary::Offset { by } => {
                let by = self.floats("by", &[], [by as f32]);
                self.push("Add", &[&x, &by], Vec::new())
            }
            Unary::Sqrt => self.push("Sqrt", &[&x], Vec::new()),
        }))
    }
}

fn plain(name: String) -> Value {
    Value { name, flat: None }
}

fn binary_name(op: Binary) -> &'static str {
    match op {
        Binary::Add => "Add",
        Binary::Subtract => "Sub",
        Binary::Multiply => "Mul",
        Binary::Divide => "Div",
        Binary::Minimum => "Min",
        Binary::Maximum => "Max",
    }
}

/// All nodes that a node depends on, itself among them.
fn needed(graph: &Graph, last: NodeId) -> HashSet<NodeId> {
    let (mut needed, mut open) = (HashSet::new(), vec![last]);
    while let Some(id) = open.pop() {
        if needed.insert(id) {
            open.extend(&graph.node(id).inputs);
        }
    }
    needed
}

/// What convolutions and pools have in common; pools have no dilation.
fn window_attributes(window: &Window) -> Vec<AttributeProto> {
    vec![
        AttributeProto::ints("kernel_shape", window.kernel),
        AttributeProto::ints("strides", window.stride),
        AttributeProto::ints("pads", window.padding),
    ]
}

/// The elements with their axes in another order, and the axes.
fn permuted(values: &[f32], dims: &[usize], order: &[usize]) -> (Vec<usize>, Vec<f32>) {
    let view = ArrayView::from_shape(dims, values).expect("as many elements as the axes say");
    let view = view.permuted_axes(order);
    (view.shape().to_vec(), view.iter().copied().collect())
}
