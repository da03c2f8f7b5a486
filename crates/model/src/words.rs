//! The key `model`: layers, blocks of one's own, defaults by kind; brought to normal form and filled with defaults.
//!
//! In normal form every step is one key with a mapping, `preset: name` has become the step `name`, and `defaults` have
//! been written into the steps that they are for. Blocks stay blocks: their variables are bound where they are called.

use spec::{
    Entry, Fault, Faults, Field, Form, Kind, Known, Map, Node, Own, Section, Step, Type, Value, is_name, unknown,
};

use crate::layers::{LAYERS, row};
use crate::presets::{PRESETS, preset};

/// The type of the key `model`.
pub const MODEL: Type = Type::Own(&Own {
    expects: "a network: a mapping with `layers`, or with `preset`",
    forms: &[Form::Type(Type::Section(&SHELL))],
    resolve,
});

/// Layers, presets and blocks of one's own; what they hold is resolved with the blocks at hand.
const STEPS: Type = Type::Own(&Own {
    expects: "a list of layers, presets and blocks",
    forms: &[Form::OpenSteps(&LAYERS)],
    resolve: |node, _, _| node.clone(),
});

/// Parameters by names of one's own, resolved with the layers that they are for.
const BY_NAME: Type = Type::Own(&Own {
    expects: "a mapping from names to parameters",
    forms: &[Form::Named(Type::Free)],
    resolve: |node, _, _| node.clone(),
});

static SHELL: Section = Section {
    name: "model",
    doc: "The network.",
    fields: &[
        Field::optional("preset", "A network that is known by name; short for a list with this one step.", Type::Text)
            .example("resnet20"),
        Field::optional("defaults", "Parameters by kind of layer, for those that leave them out.", BY_NAME)
            .example("{conv2d: {padding: same}}"),
        Field::optional(
            "blocks",
            "Lists of layers with parameters, used like layers; new weights at each use.",
            BY_NAME,
        )
        .example("{step: {parameters: {filters: required}, layers: [{conv2d: {filters: $filters, kernel_size: 3}}]}}"),
        Field::optional("layers", "The layers in order.", STEPS)
            .synonyms(&["architecture", "layer"])
            .example("[flatten, {dense: $classes}]"),
        Field::later("networks", "Lists of layers with the same weights at each use."),
        Field::later("inputs", "The network's inputs by name."),
        Field::later("outputs", "The network's outputs by name."),
        Field::later("weights", "Weights from a run or a file."),
    ],
};

/// Keys that a call of a block takes beside the block's parameters.
pub(crate) const CALL_KEYS: [&str; 4] = ["name", "from", "when", "repeat"];

/// What a block's parameter must not be called.
const RESERVED: [&str; 5] = ["type", "name", "from", "when", "repeat"];

fn resolve(node: &Node, fill: bool, faults: &mut Faults) -> Node {
    let shell = Type::Section(&SHELL);
    let shell = if fill { spec::resolve(node, &shell, faults) } else { spec::normalize(node, &shell) };
    let Some(map) = shell.map() else { return shell };
    let section = |key: &str| map.find(key).filter(|node| !node.is_word("none") && !matches!(node.value, Value::Bad));
    let mut resolver = Resolver { fill, faults, defaults: Vec::new(), used: Vec::new(), blocks: Vec::new() };
    let mut out = Map::default();
    if !fill {
        // Defaults are written into the steps when these are filled, so until then they stay.
        let ours = |e: &&Entry| !["preset", "blocks", "layers"].contains(&e.key.as_str());
        out.entries.extend(map.entries.iter().filter(ours).cloned());
    }
    resolver.defaults = section("defaults").map(|node| resolver.read_defaults(node)).unwrap_or_default();
    if let Some(blocks) = section("blocks") {
        out.set("blocks", blocks.place, resolver.blocks(blocks));
    }
    let given = map.entry("layers").filter(|e| !e.node.is_word("none"));
    // In normal form a file may leave the layers to the one that it extends.
    if fill || given.is_some() || section("preset").is_some() {
        let layers = resolver.layers(section("preset"), given, node);
        if layers.is_sound() {
            resolver.check_defaults();
        }
        out.set("layers", layers.place, layers);
    }
    Node { value: Value::Map(out), place: node.place }
}

struct Resolver<'a> {
    fill: bool,
    faults: &'a mut Faults,
    /// Parameters by kind of layer.
    defaults: Vec<Entry>,
    /// Kinds of the layers so far.
    used: Vec<&'static str>,
    /// Names and parameters of the blocks.
    blocks: Vec<(String, Map)>,
}

impl Resolver<'_> {
    fn fail(&mut self, node: &Node, fault: Fault) -> Node {
        if self.fill {
            self.faults.push(fault);
            return Node::bad(node.place);
        }
        node.clone()
    }

    /// Defaults of a kind that no layer has are read by nothing.
    fn check_defaults(&mut self) {
        for entry in self.defaults.iter().filter(|entry| self.fill && LAYERS.find(&entry.key).is_some()) {
            if !self.used.contains(&entry.key.as_str()) {
                let message = format!("no layer is a `{}`, so nothing reads these defaults", entry.key);
                self.faults.push(Fault::new(entry.key_place, message).help("take them out"));
            }
        }
    }

    fn layers(&mut self, preset: Option<&Node>, layers: Option<&Entry>, model: &Node) -> Node {
        match (preset, layers) {
            (None, Some(entry)) => self.steps(&entry.node),
            (Some(name), None) => {
                let place = name.place;
                let steps = Node { value: Value::List(vec![name.clone()]), place };
                self.steps(&steps)
            }
            (Some(name), Some(entry)) => {
                let fault = Fault::new(name.place, "a network is given twice, by `preset` and by `layers`");
                let fault = fault.related(entry.key_place, "the other").help("a preset is a step of `layers`, too");
                self.fail(&entry.node, fault)
            }
            (None, None) => {
                let fault = Fault::new(model.place, "the network has no layers");
                self.fail(model, fault.help("give `layers: [...]`, or `preset: resnet20`"))
            }
        }
    }

    /// Checks the names of kinds and keys; values are checked in the steps that they are written into.
    fn read_defaults(&mut self, node: &Node) -> Vec<Entry> {
        let Some(map) = node.map() else {
            self.fail(
                node,
                Fault::new(
                    node.place,
                    format!("expected a mapping from kinds to parameters, found {}", node.describe()),
                ),
            );
            return Vec::new();
        };
        for entry in &map.entries {
            let Some(kind) = LAYERS.find(&entry.key) else {
                self.fail(node, unknown_step(&entry.key, entry.key_place, &[]).0);
                continue;
            };
            let known: Vec<Known> = kind.fields.iter().map(|f| Known { name: f.name, synonyms: f.synonyms }).collect();
            for parameter in entry.node.map().map(|m| m.entries.as_slice()).unwrap_or_default() {
                if !known.iter().any(|k| k.name == parameter.key) {
                    self.fail(node, unknown(parameter.key_place, "key", &parameter.key, &known).0);
                }
            }
        }
        map.entries.clone()
    }

    fn blocks(&mut self, node: &Node) -> Node {
        let Some(map) = node.map() else {
            return self.fail(
                node,
                Fault::new(node.place, format!("expected a mapping from names to blocks, found {}", node.describe())),
            );
        };
        self.blocks = map.entries.iter().map(|e| (e.key.clone(), self.block_parameters(e))).collect();
        let mut out = Map::default();
        for entry in &map.entries {
            let block = self.block(entry);
            out.set(&entry.key, entry.key_place, block);
        }
        Node { value: Value::Map(out), place: node.place }
    }

    fn block_parameters(&mut self, entry: &Entry) -> Map {
        let node = Node::bad(entry.key_place);
        if row(&entry.key).is_some() || preset(&entry.key).is_some() || !is_name(&entry.key) {
            let fault = Fault::new(entry.key_place, format!("`{}` cannot be the name of a block", entry.key));
            self.fail(&node, fault.help("use a-z, 0-9 and _, and no name of a layer or preset"));
        }
        let parameters = entry.node.find("parameters").and_then(Node::map).cloned().unwrap_or_default();
        for parameter in &parameters.entries {
            if RESERVED.contains(&parameter.key.as_str()) || !is_name(&parameter.key) {
                let fault =
                    Fault::new(parameter.key_place, format!("`{}` cannot be the name of a parameter", parameter.key));
                self.fail(&node, fault.help("type, name, from, when and repeat have a meaning of their own"));
            }
        }
        parameters
    }

    fn block(&mut self, entry: &Entry) -> Node {
        const BLOCK: Section = Section {
            name: "block",
            doc: "A list of layers with parameters.",
            fields: &[
                Field::with_default("parameters", "Names with defaults, or `required`.", Type::Free, "{}"),
                Field::required("layers", "The layers in order; `input` is what the block reads.", Type::Free),
            ],
        };
        let ty = Type::Section(&BLOCK);
        let block =
            if self.fill { spec::resolve(&entry.node, &ty, self.faults) } else { spec::normalize(&entry.node, &ty) };
        let Some(map) = block.map() else { return block };
        let mut map = map.clone();
        if let Some(layers) = map.find("layers").cloned() {
            let steps = self.steps(&layers);
            map.set("layers", layers.place, steps);
        }
        Node { value: Value::Map(map), place: block.place }
    }

    fn steps(&mut self, node: &Node) -> Node {
        match &node.value {
            Value::Bad => node.clone(),
            Value::List(items) => {
                let items = items.iter().map(|item| self.step(item)).collect();
                Node { value: Value::List(items), place: node.place }
            }
            _ => {
                let message = format!("expected a list of layers, each beginning with `- `, found {}", node.describe());
                self.fail(node, Fault::new(node.place, message))
            }
        }
    }

    fn step(&mut self, node: &Node) -> Node {
        if matches!(node.value, Value::Bad) || spec::variable(node).is_some() {
            return node.clone();
        }
        let step = match Step::of(node, "layer") {
            Ok(step) => step,
            Err(fault) => return self.fail(node, fault),
        };
        let parameters = if let Some(kind) = LAYERS.find(&step.kind) {
            self.layer(&step, kind)
        } else if let Some((_, parameters)) = self.blocks.iter().find(|(name, _)| *name == step.kind).cloned() {
            self.call(&step, &parameters)
        } else if preset(&step.kind).is_some() {
            self.call(&step, &Map::default())
        } else {
            let blocks: Vec<&str> = self.blocks.iter().map(|(name, _)| name.as_str()).collect();
            let (fault, meant) = unknown_step(&step.kind, step.kind_place, &blocks);
            let Some(kind) = meant.filter(|_| self.fill) else { return self.fail(node, fault) };
            self.faults.push(fault);
            let step = Step { kind: kind.name.to_string(), ..step };
            let parameters = self.layer(&step, kind);
            return Step { parameters, ..step }.written(node.place);
        };
        Step { parameters, ..step }.written(node.place)
    }

    fn layer(&mut self, step: &Step, kind: &Kind) -> Node {
        let given = match (&step.parameters.value, kind.main) {
            (Value::Empty, _) => Node { value: Value::Map(Map::default()), place: step.kind_place },
            (Value::Map(_) | Value::Bad, _) | (_, None) => step.parameters.clone(),
            (_, Some(main)) => {
                let mut map = Map::default();
                map.set(main, step.parameters.place, step.parameters.clone());
                Node { value: Value::Map(map), place: step.parameters.place }
            }
        };
        self.used.push(kind.name);
        resolve_layer(&self.with_defaults(given, kind), kind, self.fill, self.faults)
    }

    /// What the model's defaults say of this kind stands where the step leaves it out.
    fn with_defaults(&self, mut node: Node, kind: &Kind) -> Node {
        let defaults = self.defaults.iter().find(|e| e.key == kind.name).and_then(|e| e.node.map());
        if let (true, Some(defaults), Some(map)) = (self.fill, defaults, node.map_mut()) {
            for entry in &defaults.entries {
                if map.find(&entry.key).is_none() && kind.fields.iter().any(|f| f.name == entry.key) {
                    map.set(&entry.key, entry.key_place, entry.node.clone());
                }
            }
        }
        node
    }

    /// A call of a block: its parameters as given, with the block's defaults.
    fn call(&mut self, step: &Step, parameters: &Map) -> Node {
        let place = if matches!(step.parameters.value, Value::Empty) { step.kind_place } else { step.parameters.place };
        let empty = Map::default();
        let given = match &step.parameters.value {
            Value::Map(map) => map,
            Value::Empty => &empty,
            Value::Bad => return step.parameters.clone(),
            _ => {
                let message =
                    format!("`{}` takes its parameters as a mapping, found {}", step.kind, step.parameters.describe());
                return self.fail(&step.parameters, Fault::new(place, message));
            }
        };
        let repeated = given.find("repeat").and_then(Node::map);
        let mut out = Map::default();
        for entry in &given.entries {
            let own = parameters.find(&entry.key).is_some();
            if !own && !CALL_KEYS.contains(&entry.key.as_str()) {
                let names = parameters.entries.iter().map(|e| e.key.as_str()).chain(CALL_KEYS);
                let known: Vec<Known> = names.map(|name| Known { name, synonyms: &[] }).collect();
                let (fault, _) = unknown(entry.key_place, "key", &entry.key, &known);
                self.fail(&entry.node, fault);
            }
            out.set(&entry.key, entry.key_place, entry.node.clone());
        }
        let meant =
            given.entries.iter().any(|e| parameters.find(&e.key).is_none() && !CALL_KEYS.contains(&e.key.as_str()));
        for parameter in &parameters.entries {
            let there =
                given.find(&parameter.key).is_some() || repeated.is_some_and(|map| map.find(&parameter.key).is_some());
            if there || !self.fill {
                continue;
            }
            let node = if !parameter.node.is_word("required") {
                parameter.node.clone()
            } else if meant {
                Node::bad(place)
            } else {
                let fault = Fault::new(place, format!("`{}` is missing", parameter.key));
                self.faults.push(fault.related(parameter.key_place, "the block requires it"));
                Node::bad(place)
            };
            out.set(&parameter.key, place.as_default(), node);
        }
        Node { value: Value::Map(out), place }
    }
}

/// The parameters of a layer, checked; what is off among the keys of every layer is left out again.
pub(crate) fn resolve_layer(node: &Node, kind: &Kind, fill: bool, faults: &mut Faults) -> Node {
    let own = |field: &&Field| !kind.fields.iter().any(|f| f.name == field.name);
    let common: Vec<Field> = LAYERS.common.iter().filter(own).copied().collect();
    let mut resolved = spec::resolve_kind(node, kind, &common, fill, faults);
    if let Some(map) = resolved.map_mut() {
        map.entries.retain(|e| !(common.iter().any(|f| f.name == e.key) && e.node.is_word("none")));
    }
    resolved
}

/// The fault of a step that is no layer, no block and no preset; and the layer that was probably meant, so that its
/// parameters and shapes are checked all the same.
pub(crate) fn unknown_step(name: &str, place: spec::Place, blocks: &[&str]) -> (Fault, Option<&'static Kind>) {
    let layers = (LAYERS.kinds)();
    let known: Vec<Known> = layers
        .iter()
        .map(|kind| Known { name: kind.name, synonyms: kind.synonyms })
        .chain(PRESETS.iter().map(|p| Known { name: p.name, synonyms: &[] }))
        .chain(blocks.iter().map(|name| Known { name, synonyms: &[] }))
        .collect();
    let (fault, meant) = unknown(place, LAYERS.what, name, &known);
    (fault, meant.and_then(|name| LAYERS.find(name)))
}
