//! From steps to layers in their places: blocks and presets unfolded, names given and looked up, shapes carried along.
//!
//! A place that has a fault gives no shape; what reads it is passed over, so that one mistake is one fault.

use std::ops::Range;

use spec::{Bindings, Fault, Faults, Map, Node, Place, Step, Value, Word, is_name, nearest, substitute_within};

use crate::layers::{Dims, Layer, LayerKind, row};
use crate::network::Parameter;
use crate::presets::preset;
use crate::words::{MODEL, resolve_layer, unknown_step};

/// More layers than any network has.
const MOST_LAYERS: usize = 20_000;

/// More calls of blocks within each other than any network has.
const DEEPEST: usize = 32;

/// A layer with its place in the file and in the network.
pub(crate) struct Unfolded {
    pub path: String,
    pub kind: &'static LayerKind,
    pub layer: Option<Box<dyn Layer>>,
    /// 0 is the image, `i + 1` what layer `i` gives.
    pub reads: Vec<usize>,
    pub place: Place,
    /// What it gives when training and when evaluating; none after a fault.
    pub shapes: Option<[Dims; 2]>,
    pub arrays: Range<usize>,
    /// Whether somebody has read it.
    pub is_read: bool,
}

/// Unfolds the steps of one network.
pub(crate) struct Unfolder<'a> {
    pub faults: &'a mut Faults,
    pub layers: Vec<Unfolded>,
    pub parameters: Vec<Parameter>,
    /// Shape of the image when training and when evaluating; none after a fault.
    pub image: Option<[Dims; 2]>,
    pub classes: Node,
    /// How many values variables may still put in.
    pub left: usize,
}

/// A list of steps within its surroundings.
struct Scope<'a> {
    /// Path before the names: empty, or ending in `/`.
    prefix: String,
    bindings: Bindings,
    blocks: Option<&'a Map>,
    /// What stands before the first step.
    input: usize,
    /// Whether `input` is a name.
    in_block: bool,
    depth: usize,
}

/// Names of a list, and which values they stand for.
#[derive(Default)]
struct Names(Vec<(String, usize, Place)>);

impl Unfolder<'_> {
    /// All steps of a resolved model; gives the value of the last.
    pub fn network(&mut self, model: &Node) -> usize {
        let bindings = Bindings::closed().with("classes", self.classes.clone());
        let blocks = model.find("blocks").and_then(Node::map);
        let scope = Scope { prefix: String::new(), bindings, blocks, input: 0, in_block: false, depth: 0 };
        self.steps(model.find("layers"), &scope)
    }

    fn steps(&mut self, steps: Option<&Node>, scope: &Scope<'_>) -> usize {
        let (mut names, mut last) = (Names::default(), scope.input);
        for node in steps.and_then(Node::list).unwrap_or_default() {
            let node = substitute_within(node, &scope.bindings, &mut self.left, self.faults);
            if self.layers.len() >= MOST_LAYERS || self.left == 0 {
                self.faults.push(Fault::new(node.place, format!("a network has at most {MOST_LAYERS} layers")));
                return last;
            }
            last = self.step(&node, scope, &mut names, last).unwrap_or(last);
        }
        last
    }

    /// The value that stands behind the step.
    fn step(&mut self, node: &Node, scope: &Scope<'_>, names: &mut Names, last: usize) -> Option<usize> {
        if matches!(node.value, Value::Bad) {
            return Some(self.after_a_fault(node.place));
        }
        let step = match Step::of(node, "layer") {
            Ok(step) => step,
            Err(fault) => {
                self.faults.push(fault);
                return None;
            }
        };
        let name = self.name(&step, names);
        let place = step.kind_place;
        let reads = self.reads(&step, scope, names, last);
        let is_left_out = step.parameters.find("when").is_some_and(|when| when.is_word("false"));
        let value = if is_left_out {
            reads.first().copied().unwrap_or(last)
        } else if let Some(kind) = row(&step.kind) {
            self.layer(&step, kind, format!("{}{name}", scope.prefix), reads)
        } else {
            self.call(&step, &name, scope, reads.first().copied().unwrap_or(last))
        };
        names.0.push((name, value, place));
        Some(value)
    }

    /// A value that nobody can say anything about, and that nobody misses.
    fn after_a_fault(&mut self, place: Place) -> usize {
        let (shapes, reads, arrays) = (None, Vec::new(), 0..0);
        let kind = row("flatten").expect("a row of the table");
        self.layers.push(Unfolded {
            path: String::new(),
            kind,
            layer: None,
            reads,
            place,
            shapes,
            arrays,
            is_read: true,
        });
        self.layers.len()
    }

    /// The name as written, or the kind, the second time `kind_2`.
    fn name(&mut self, step: &Step, names: &Names) -> String {
        let taken = |name: &str| names.0.iter().find(|(known, ..)| known == name);
        let written = step.parameters.find("name").filter(|node| !matches!(node.value, Value::Bad));
        if let Some((node, text)) = written.and_then(|node| Some((node, node.text()?))) {
            if !is_name(text) || text == "input" {
                let fault = Fault::new(node.place, format!("`{text}` cannot be a name"));
                self.faults.push(
                    fault.help("names are a-z, 0-9 and _, beginning with a letter; `input` is what a block reads"),
                );
            } else if let Some((.., place)) = taken(text) {
                let fault = Fault::new(node.place, format!("the name `{text}` is taken"));
                self.faults.push(fault.related(*place, "by this layer").help("names are unique within their list"));
            } else {
                return text.to_string();
            }
        }
        let numbered = (2..).map(|count| format!("{}_{count}", step.kind));
        std::iter::once(step.kind.clone())
            .chain(numbered)
            .find(|name| taken(name).is_none())
            .expect("some number is free")
    }

    /// The values that the step reads: those of `from`, else what stands before it.
    fn reads(&mut self, step: &Step, scope: &Scope<'_>, names: &Names, last: usize) -> Vec<usize> {
        let Some(from) = step.parameters.find("from").filter(|node| !node.is_word("none")) else { return vec![last] };
        let nodes = match &from.value {
            Value::List(items) => items.as_slice(),
            Value::Bad => return vec![self.after_a_fault(from.place)],
            _ => std::slice::from_ref(from),
        };
        let joins = row(&step.kind).is_some_and(|kind| kind.joins);
        if nodes.len() != 1 && !joins || nodes.len() < 2 && joins {
            let wanted = if joins { "two or more values" } else { "one value" };
            self.faults.push(Fault::new(from.place, format!("`{}` reads {wanted}, not {}", step.kind, nodes.len())));
            return vec![self.after_a_fault(from.place)];
        }
        nodes.iter().map(|node| self.find(node, scope, names)).collect()
    }

    fn find(&mut self, node: &Node, scope: &Scope<'_>, names: &Names) -> usize {
        let name = node.text().unwrap_or_default();
        if scope.in_block && name == "input" {
            return scope.input;
        }
        if let Some((_, value, _)) = names.0.iter().find(|(known, ..)| known == name) {
            return *value;
        }
        let fault = Fault::new(node.place, format!("no layer before this one is called `{name}`"));
        let fault = match nearest(name, names.0.iter().map(|(name, ..)| name.as_str())) {
            Some(close) => fault.help(format!("did you mean `{close}`?")),
            None => fault.help("`from` names earlier layers of the same list"),
        };
        self.faults.push(fault);
        self.after_a_fault(node.place)
    }

    fn layer(&mut self, step: &Step, kind: &'static LayerKind, path: String, reads: Vec<usize>) -> usize {
        let resolved = resolve_layer(&step.parameters, &kind.kind, true, self.faults);
        for &value in reads.iter().filter(|value| **value > 0) {
            self.layers[value - 1].is_read = true;
        }
        let layer = resolved.is_sound().then(|| (kind.read)(&resolved));
        let shapes = layer.as_deref().and_then(|layer| self.shapes(layer, step, &reads));
        let arrays = self.parameters.len();
        if let (Some(layer), true) = (&layer, shapes.is_some()) {
            let inputs: Vec<Dims> = reads.iter().filter_map(|&value| Some(self.shape(value)?[1].clone())).collect();
            self.parameters.extend(layer.parameters(&inputs).into_iter().map(|array| Parameter {
                path: format!("{path}/{}", array.name),
                dims: array.dims,
                is_weight: array.is_weight,
                trained: array.trained,
                init: array.init,
            }));
        }
        let arrays = arrays..self.parameters.len();
        self.layers.push(Unfolded { path, kind, layer, reads, place: step.kind_place, shapes, arrays, is_read: false });
        self.layers.len()
    }

    fn shape(&self, value: usize) -> Option<&[Dims; 2]> {
        if value == 0 { self.image.as_ref() } else { self.layers[value - 1].shapes.as_ref() }
    }

    /// What the layer gives when training and evaluating; its arrays must be the same in both.
    fn shapes(&mut self, layer: &dyn Layer, step: &Step, reads: &[usize]) -> Option<[Dims; 2]> {
        let inputs: Option<Vec<&[Dims; 2]>> = reads.iter().map(|&value| self.shape(value)).collect();
        let inputs = inputs?;
        let of = |mode: usize| inputs.iter().map(|shapes| shapes[mode].clone()).collect::<Vec<Dims>>();
        let (train, evaluate) = (of(0), of(1));
        let outputs = layer.output(&train).and_then(|first| Ok([first, layer.output(&evaluate)?]));
        let fault = match outputs {
            Ok(outputs) => {
                let dims = |inputs: &[Dims]| layer.parameters(inputs).into_iter().map(|a| a.dims).collect::<Vec<_>>();
                if dims(&train) == dims(&evaluate) {
                    return Some(outputs);
                }
                let message = format!(
                    "images of {:?} in training and of {:?} in evaluation need different weights",
                    train[0], evaluate[0]
                );
                Fault::new(step.kind_place, message)
                    .help("put `global_average_pool2d` before it, or make the sizes equal")
            }
            Err(refusal) => {
                let fault = Fault::new(step.kind_place, format!("`{}`: {}", step.kind, refusal.message));
                match refusal.help {
                    Some(help) => fault.help(help),
                    None => fault,
                }
            }
        };
        self.faults.push(fault);
        None
    }

    /// A block or a preset, once or several times.
    fn call(&mut self, step: &Step, name: &str, scope: &Scope<'_>, input: usize) -> usize {
        if scope.depth >= DEEPEST {
            let fault = Fault::new(step.kind_place, format!("blocks call each other more than {DEEPEST} deep"));
            self.faults.push(fault.help("a block cannot contain itself"));
            return self.after_a_fault(step.kind_place);
        }
        let own = scope.blocks.and_then(|blocks| blocks.find(&step.kind)).cloned();
        let (body, blocks) = match (own, preset(&step.kind)) {
            (Some(block), _) => (block, scope.blocks.cloned()),
            (None, Some(preset)) => {
                let model = spec::resolve(&spec::embedded(preset.yaml, step.kind_place), &MODEL, self.faults);
                let blocks = model.find("blocks").and_then(Node::map).cloned();
                (model, blocks)
            }
            (None, None) => {
                self.faults.push(unknown_step(&step.kind, step.kind_place, &[]).0);
                return self.after_a_fault(step.kind_place);
            }
        };
        let Some(rounds) = self.rounds(step) else { return self.after_a_fault(step.kind_place) };
        let mut value = input;
        for (index, bindings) in rounds.iter().enumerate() {
            let number = if step.parameters.find("repeat").is_some() { format!("/{index}") } else { String::new() };
            let bindings = bindings.clone().with("classes", self.classes.clone());
            let prefix = format!("{}{name}{number}/", scope.prefix);
            let depth = scope.depth + 1;
            let inner = Scope { prefix, bindings, blocks: blocks.as_ref(), input: value, in_block: true, depth };
            value = self.steps(body.find("layers"), &inner);
        }
        value
    }

    /// The bindings of each use: one, `repeat` times, or as many as the lists under `repeat` are long.
    fn rounds(&mut self, step: &Step) -> Option<Vec<Bindings>> {
        let parameters = step.parameters.map()?;
        let mut bindings = Bindings::closed();
        for entry in parameters.entries.iter().filter(|e| !crate::words::CALL_KEYS.contains(&e.key.as_str())) {
            bindings = bindings.with(&entry.key, entry.node.clone());
        }
        let Some(repeat) = parameters.find("repeat") else { return Some(vec![bindings]) };
        let lists = match &repeat.value {
            Value::Bad => return None,
            Value::Map(map) => map,
            _ => {
                let count = spec::resolve(repeat, &<usize as Word>::TYPE, self.faults);
                if !count.is_sound() {
                    return None;
                }
                return Some(vec![bindings; usize::read(&count).min(MOST_LAYERS)]);
            }
        };
        let length = lists.entries.first().and_then(|e| e.node.list()).map(<[Node]>::len)?;
        for entry in &lists.entries {
            let found = entry.node.list().map(<[Node]>::len);
            if found != Some(length) {
                let found = found.map_or("no list".to_string(), |n| format!("{n} values"));
                let fault =
                    Fault::new(entry.node.place, format!("`{}` has {found}, the first list {length}", entry.key));
                self.faults.push(
                    fault
                        .related(lists.entries[0].node.place, "the first list")
                        .help("lists under `repeat` have equal length"),
                );
                return None;
            }
        }
        let round = |index: usize| {
            lists.entries.iter().fold(bindings.clone(), |round, entry| {
                round.with(
                    &entry.key,
                    entry.node.list().map_or_else(|| entry.node.clone(), |items| items[index].clone()),
                )
            })
        };
        Some((0..length).map(round).collect())
    }
}
