//! An element-wise function as a layer, or behind a layer with weights; softmax goes over the channels.

use graph::ops::Activation as Function;
use graph::{Graph, NodeId, Op};
use spec::{Choice, Chosen, Field, Kind, KindTable, Node, Type, Word};

use super::{Build, Dims, Layer, LayerKind, NONE, Refusal};

/// One activation of the table: its words, and its operator for a slope.
struct Row {
    kind: Kind,
    op: fn(slope: f64) -> Op,
}

const fn row(
    name: &'static str,
    synonyms: &'static [&'static str],
    doc: &'static str,
    fields: &'static [Field],
    op: fn(f64) -> Op,
) -> Row {
    Row { kind: Kind { name, synonyms, doc, main: None, fields, example: name }, op }
}

const SLOPE: Field = Field::with_default("slope", "Factor on negative values.", <f64 as Word>::TYPE, "0.01")
    .min(0.0)
    .synonyms(&["alpha", "negative_slope"]);

const ROWS: [Row; 7] = [
    row("relu", &["ReLU"], "The larger of x and 0.", NONE, |_| Op::Activate(Function::Relu)),
    row("leaky_relu", &["LeakyReLU", "lrelu"], "x where positive, else slope times x.", &[SLOPE], |slope| {
        Op::Activate(Function::LeakyRelu { slope: slope as f32 })
    }),
    row("sigmoid", &["Sigmoid", "logistic"], "1 / (1 + exp(-x)).", NONE, |_| Op::Activate(Function::Sigmoid)),
    row("tanh", &["Tanh"], "Hyperbolic tangent.", NONE, |_| Op::Activate(Function::Tanh)),
    row("gelu", &["GELU"], "x times the normal distribution of x, exact.", NONE, |_| Op::Activate(Function::Gelu)),
    row("silu", &["SiLU", "swish"], "x times sigmoid(x).", NONE, |_| Op::Activate(Function::Silu)),
    row("softmax", &["Softmax"], "Probabilities over the channels.", NONE, |_| Op::Softmax),
];

static TABLE: [Row; ROWS.len()] = ROWS;

/// What the key `activation` chooses among.
pub static ACTIVATIONS: KindTable =
    KindTable { what: "activation", kinds: || TABLE.iter().map(|row| &row.kind).collect(), common: &[], untyped: None };

/// The names of the table, and `none`, as the layer's parameter `type` knows them.
static NAMES: [Choice; ROWS.len() + 1] = {
    let mut names = [Choice { name: "none", doc: "Nothing." }; ROWS.len() + 1];
    let mut index = 0;
    while index < ROWS.len() {
        names[index] = Choice { name: ROWS[index].kind.name, doc: ROWS[index].kind.doc };
        index += 1;
    }
    names
};

static FIELDS: [Field; 2] =
    [Field::required("type", "Which function.", Type::Choice(&NAMES)).synonyms(&["function", "name"]), SLOPE];

/// The row of the layer.
pub(super) static ROW: LayerKind = LayerKind {
    kind: Kind {
        name: "activation",
        synonyms: &["Activation", "nonlinearity"],
        doc: "An element-wise function.",
        main: Some("type"),
        fields: &FIELDS,
        example: "activation: relu",
    },
    joins: false,
    read: |node| Box::new(Activation(of(node))),
};

/// The operator of a node with `type` and, where the function has one, `slope`; none of `none`.
fn of(node: &Node) -> Option<Op> {
    let name = String::read_key(node, "type");
    let slope = node.find("slope").map_or(0.0, f64::read);
    TABLE.iter().find(|row| row.kind.name == name).map(|row| (row.op)(slope))
}

#[derive(Debug)]
struct Activation(Option<Op>);

impl Layer for Activation {
    fn output(&self, inputs: &[Dims]) -> Result<Dims, Refusal> {
        Ok(inputs[0].clone())
    }

    fn build(&self, build: &mut Build<'_>, inputs: &[NodeId]) -> NodeId {
        match &self.0 {
            Some(op) => build.g.push(op.clone(), inputs),
            None => inputs[0],
        }
    }

    fn is_softmax(&self) -> bool {
        self.0 == Some(Op::Softmax)
    }
}

/// Applies what stands under the key `activation` of another layer.
pub(super) fn apply(g: &mut Graph, chosen: Option<&Chosen>, x: NodeId) -> NodeId {
    match chosen.and_then(|chosen| of(&chosen.parameters)) {
        Some(op) => g.push(op, &[x]),
        None => x,
    }
}

/// Whether what stands there gives probabilities.
pub(super) fn is_softmax(chosen: Option<&Chosen>) -> bool {
    chosen.is_some_and(|chosen| chosen.kind == "softmax")
}
