//! Values of the whole batch: small ones one after the other, long element-wise ones in chains.
//!
//! A chain is what an optimizer does to one parameter: element-wise nodes of one length that read each other. It runs
//! block by block, each block through all nodes while it stays in the first-level cache, and only what others read is
//! stored. A stage's passes alternate: what waits for a chain stands in a later pass, and the other way round.

use graph::ops::{Activation, Binary, Unary};
use graph::{Graph, NodeId, Op};

use super::fuse::Fusions;
use super::order::{Order, Role};
use super::readers::Readers;
use super::step::Fixed;
use super::{Values, links};

/// Most values that a chain stores, and most that it holds besides.
pub(crate) const CELLS: usize = 16;

/// Steps that do not wait for each other's kind.
#[derive(Clone, Debug)]
pub(crate) enum Pass {
    /// One after the other.
    Singles(Vec<Single>),
    /// All at once.
    Chains(Vec<Chain>),
}

/// A node computed on its own.
#[derive(Clone, Debug)]
pub(crate) struct Single {
    pub op: Op,
    pub reads: Vec<Fixed>,
    pub write: usize,
}

/// Element-wise nodes of one length.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub len: usize,
    pub links: Vec<Link>,
    /// Values stored, in the order of the first cells.
    pub stores: Vec<usize>,
}

impl Chain {
    /// How many registers it needs.
    pub fn registers(&self) -> usize {
        self.links.iter().map(|link| (link.to + 1).saturating_sub(CELLS)).max().unwrap_or(0)
    }
}

/// A node of a chain. Cells below [`CELLS`] are stored, those from there on are registers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub work: LinkWork,
    pub a: Argument,
    pub b: Argument,
    pub to: usize,
}

impl Link {
    /// Whether its result takes the place of what it reads.
    pub fn overwrites_argument(&self) -> bool {
        [self.a, self.b].iter().any(|argument| matches!(argument, Argument::Cell(cell) if *cell == self.to))
    }
}

/// What a link computes of its arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LinkWork {
    Binary(Binary),
    Pair(LinkPair),
    Scale(f32),
    Offset(f32),
    SquareRoot,
    Activate(Activation),
    ActivateGradient(Activation),
}

/// What optimizers compute of two slices.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LinkPair {
    /// The sum of both, each times its factor.
    WeightedSum([f32; 2]),
    /// The same of the second's square.
    WeightedSquare([f32; 2]),
    /// The first without the second times a number.
    SubtractScaled(Fixed),
    /// The first times a number, divided by the second's root times a number and an offset.
    ScaledRatio { by: Option<Fixed>, root_by: Option<Fixed>, offset: f32 },
}

/// What a link reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Argument {
    Cell(usize),
    /// The same place of a value as long as the chain.
    Slice(Fixed),
    /// One number for all places.
    Number(Fixed),
}

/// The passes of a stage.
pub(crate) fn passes(
    graph: &Graph,
    order: &Order,
    readers: &Readers,
    fusions: &Fusions,
    stage: usize,
    values: &mut Values,
) -> Vec<Pass> {
    let is_whole = |id: &NodeId| order.is(*id, Role::Whole) && !fusions.is_absorbed(*id);
    let of_stage = |id: &NodeId| is_whole(id) && order.stage[id.0 as usize] == stage;
    let nodes: Vec<NodeId> = graph.ids().filter(of_stage).collect();
    let pass_of = pass_numbers(graph, &nodes);
    let n_passes = nodes.iter().map(|id| pass_of[id.0 as usize] + 1).max().unwrap_or(0);
    let mut passes = Vec::new();
    for pass in 0..n_passes {
        let members: Vec<NodeId> = nodes.iter().copied().filter(|id| pass_of[id.0 as usize] == pass).collect();
        if pass % 2 == 0 {
            passes.push(Pass::Singles(singles(graph, &members, values)));
            continue;
        }
        let mut chains = Vec::new();
        for members in components(graph, &members) {
            match Builder::chain(graph, readers, &members, values) {
                Some(chain) => chains.push(chain),
                None => passes.push(Pass::Singles(singles(graph, &members, values))),
            }
        }
        passes.push(Pass::Chains(chains));
    }
    passes.retain(|pass| !matches!(pass, Pass::Singles(list) if list.is_empty()));
    passes
}

/// What a node is as a link, where it can be one.
fn link_work(graph: &Graph, id: NodeId) -> Option<LinkWork> {
    let node = graph.node(id);
    if node.shape.sample_len() < 2 {
        return None;
    }
    match node.op {
        Op::Binary(binary) => Some(LinkWork::Binary(binary)),
        Op::Unary(Unary::Scale { by }) => Some(LinkWork::Scale(by as f32)),
        Op::Unary(Unary::Offset { by }) => Some(LinkWork::Offset(by as f32)),
        Op::Unary(Unary::Sqrt) => Some(LinkWork::SquareRoot),
        Op::Activate(activation) => Some(LinkWork::Activate(activation)),
        Op::ActivateGradient(activation) => Some(LinkWork::ActivateGradient(activation)),
        _ => None,
    }
}

/// A sum or difference with the factors of the scaled values that only it reads, and what these scale.
fn weighted_sum(
    graph: &Graph,
    readers: &Readers,
    members: &[NodeId],
    id: NodeId,
) -> Option<([f32; 2], [NodeId; 2], Vec<NodeId>)> {
    let sign = match graph.node(id).op {
        Op::Binary(Binary::Add) => 1.0,
        Op::Binary(Binary::Subtract) => -1.0,
        _ => return None,
    };
    let (mut by, mut of, mut scaled) = ([1.0, sign], [NodeId(0); 2], Vec::new());
    for (side, &input) in graph.node(id).inputs.iter().enumerate() {
        let is_only_here =
            members.binary_search(&input).is_ok() && readers.of(input) == [id] && !readers.is_result(input);
        match graph.node(input).op {
            Op::Unary(Unary::Scale { by: factor }) if is_only_here => {
                by[side] *= factor as f32;
                of[side] = graph.node(input).inputs[0];
                scaled.push(input);
            }
            _ => of[side] = input,
        }
    }
    (!scaled.is_empty() && !of.iter().any(|id| is_number(graph, *id))).then_some((by, of, scaled))
}

/// Whether a chain reads it as one number for all places.
fn is_number(graph: &Graph, id: NodeId) -> bool {
    graph.shape(id).sample_len() == 1 || matches!(graph.node(id).op, Op::Constant { .. })
}

/// Even numbers for nodes on their own, odd ones for links.
fn pass_numbers(graph: &Graph, nodes: &[NodeId]) -> Vec<usize> {
    let mut pass_of = vec![0; graph.nodes().len()];
    let mut is_here = vec![false; graph.nodes().len()];
    nodes.iter().for_each(|id| is_here[id.0 as usize] = true);
    for &id in nodes {
        let parity = usize::from(link_work(graph, id).is_some());
        let after = |input: &NodeId| {
            let pass = if is_here[input.0 as usize] { pass_of[input.0 as usize] } else { 0 };
            pass + (pass + parity) % 2
        };
        pass_of[id.0 as usize] = graph.node(id).inputs.iter().map(after).max().unwrap_or(0).max(parity);
    }
    pass_of
}

fn singles(graph: &Graph, nodes: &[NodeId], values: &mut Values) -> Vec<Single> {
    let single = |&node: &NodeId| Single {
        op: graph.node(node).op.clone(),
        reads: graph.node(node).inputs.iter().map(|input| values.fixed(graph, *input)).collect(),
        write: values.number(graph, node),
    };
    nodes.iter().map(single).collect()
}

/// Links that read each other, in order.
fn components(graph: &Graph, nodes: &[NodeId]) -> Vec<Vec<NodeId>> {
    let mut component_of: Vec<Option<usize>> = vec![None; graph.nodes().len()];
    let mut components: Vec<Vec<NodeId>> = Vec::new();
    for &id in nodes {
        let mut joined = vec![id];
        for found in graph.node(id).inputs.iter().filter_map(|input| component_of[input.0 as usize]) {
            joined.append(&mut components[found]); // empty where both operands are of the same one
        }
        joined.iter().for_each(|member| component_of[member.0 as usize] = Some(components.len()));
        joined.sort();
        components.push(joined);
    }
    components.retain(|component| !component.is_empty());
    components
}

/// Cells of the chain being built.
struct Builder {
    cell_of: Vec<(NodeId, usize)>,
    registers: [Option<NodeId>; CELLS],
}

impl Builder {
    /// The chain of these nodes, if its values have room.
    fn chain(graph: &Graph, readers: &Readers, members: &[NodeId], values: &mut Values) -> Option<Chain> {
        let mut chain = Chain { len: graph.shape(members[0]).sample_len(), links: Vec::new(), stores: Vec::new() };
        let mut builder = Builder { cell_of: Vec::new(), registers: [None; CELLS] };
        let sums: Vec<_> = members.iter().map(|id| weighted_sum(graph, readers, members, *id)).collect();
        let is_scaled = |id: &NodeId| sums.iter().flatten().any(|(_, _, scaled)| scaled.contains(id));
        for (&id, sum) in members.iter().zip(&sums).filter(|(id, _)| !is_scaled(id)) {
            let is_inside = |reader: &NodeId| members.binary_search(reader).is_ok();
            let to = if readers.is_result(id) || !readers.of(id).iter().all(is_inside) {
                chain.stores.push(values.number(graph, id));
                (chain.stores.len() <= CELLS).then(|| chain.stores.len() - 1)?
            } else {
                let free = builder.registers.iter().position(Option::is_none)?;
                builder.registers[free] = Some(id);
                CELLS + free
            };
            let inputs = &graph.node(id).inputs;
            let (work, [first, last]) = match sum {
                Some((by, of, _)) => (LinkWork::Pair(LinkPair::WeightedSum(*by)), *of),
                None => {
                    let work = link_work(graph, id).expect("chains are made of links");
                    (work, [inputs[0], inputs[inputs.len() - 1]])
                }
            };
            let a = builder.argument(graph, first, values);
            let b = builder.argument(graph, last, values);
            chain.links.push(Link { work, a, b, to });
            builder.cell_of.push((id, to));
            // What is scaled is read by the sum.
            let reads_later = |reader: &NodeId| match is_scaled(reader) {
                true => readers.of(*reader)[0] > id,
                false => *reader > id,
            };
            let is_done = |held: &NodeId| !readers.of(*held).iter().any(reads_later);
            for register in &mut builder.registers {
                *register = register.filter(|held| !is_done(held));
            }
        }
        links::fuse(&mut chain.links);
        Some(chain)
    }

    fn argument(&self, graph: &Graph, id: NodeId, values: &mut Values) -> Argument {
        if let Some((_, cell)) = self.cell_of.iter().find(|(member, _)| *member == id) {
            return Argument::Cell(*cell);
        }
        let fixed = values.fixed(graph, id);
        if is_number(graph, id) { Argument::Number(fixed) } else { Argument::Slice(fixed) }
    }
}
