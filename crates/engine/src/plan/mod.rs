//! A graph planned for a batch: stages of passes over the whole batch and of steps over shards, and all memory.
//!
//! Samples are dealt to groups and go through the steps in shards. A group is one unit of work: one thread runs its
//! shards in order, segment by segment of a stage, and adds what is summed over the batch to the group's own sums; after
//! that the groups' sums are added in order. How many groups there are follows from the batch, the products and the sums
//! alone, so threads never show in the bits; what follows the threads changes none: the desks at which groups work, the
//! bands of a single image. What an optimizer overwrites comes last, when the guarded outputs are known.

mod ahead;
mod bands;
mod build;
mod crops;
mod fuse;
mod layout;
mod links;
mod order;
mod readers;
mod segments;
mod show;
mod slots;
mod step;
mod update;
mod values;
mod whole;

use std::ops::Range;

use graph::{Graph, NodeId, Op};
use kernels::View;
use kernels::conv2d::{Arithmetic, Product};
use kernels::dense::Dense;

pub(crate) use ahead::{Ahead, MOST_AHEAD, Which};
pub(crate) use bands::Band;
pub(crate) use order::Order;
pub(crate) use readers::Readers;
pub(crate) use segments::Segment;
pub(crate) use slots::Slot;
pub(crate) use step::{DenseGradient, Fixed, Gradients, Operand, Step, Work};
pub(crate) use update::Update;
pub(crate) use values::Values;
pub(crate) use whole::{Argument, CELLS, Chain, Link, LinkPair, LinkWork, Pass, Single};

use crops::Crops;
use fuse::Fusions;
use layout::Layout;
use slots::Slots;

/// Samples that are dealt to groups together.
const PACKET: usize = 8;

/// Most groups; more would keep more threads busy and cost as many more buffers of sums.
const MOST_GROUPS: usize = 8;

/// Most numbers in the sums of all groups together, 512 MiB; at least two groups there are all the same.
const MOST_SUMMED: usize = 1 << 27;

/// Operations of a batch's products for each number that every group passes over, in its sums and in the kernels of dense
/// layers: where there are fewer, these passes would take a share of the time.
const OPERATIONS_PER_PASSED: u64 = 192;

/// A graph planned for a batch.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub batch: usize,
    /// The samples of each group.
    pub groups: Vec<Range<usize>>,
    /// How many groups run at a time, each with a desk of its own.
    pub desks: usize,
    /// Threads that have something to do beside the caller's.
    pub helpers: usize,
    pub stages: Vec<Stage>,
    pub slots: Vec<Slot>,
    pub packs: Vec<Pack>,
    pub sums: Vec<Sum>,
    pub values: Values,
    /// Names of inputs of samples.
    pub names: Vec<String>,
    pub outputs: Vec<Output>,
    /// What overwrites variables when all else is computed.
    pub updates: Vec<Update>,
    pub assignments: Vec<Assignment>,
}

/// What runs between two cuts of the batch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stage {
    pub passes: Vec<Pass>,
    /// What every shard goes through, segment by segment.
    pub steps: Vec<Step>,
    pub segments: Vec<Segment>,
    /// Numbers of the sums that are closed at its end.
    pub sums: Vec<usize>,
}

/// A kernel brought into the order in which the tiles read it.
#[derive(Clone, Debug)]
pub(crate) struct Pack {
    pub source: Fixed,
    /// A batch norm that becomes part of it.
    pub norm: Option<Norm>,
    pub product: Product,
    pub transposed: bool,
    /// The stage before whose steps it is made.
    pub stage: usize,
}

/// A batch norm behind a convolution, all of which is given before the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Norm {
    /// The convolution's.
    pub bias: Option<Fixed>,
    pub mean: Fixed,
    pub variance: Fixed,
    pub scale: Fixed,
    pub offset: Fixed,
    pub epsilon: f32,
}

/// A sum over the batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum {
    pub node: NodeId,
    pub kind: SumKind,
    pub stage: usize,
    /// The value that it becomes.
    pub write: usize,
}

/// What is kept while summing, and what becomes of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SumKind {
    /// A kernel's gradient in f32, summed as its product packs it.
    Kernel(Product),
    /// A kernel's gradient in f32 in its canonical layout.
    Canonical,
    /// As many f64 as the value has numbers.
    Plain,
    /// The same, divided by the batch.
    Mean,
    /// A dense kernel's gradient, for which groups keep no sums but their samples.
    Dense(DenseGradient),
    /// Mean and variance of every shard of so many samples, whose images have so many positions.
    Statistics { positions: usize, shard: usize },
}

/// A named result.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub name: String,
    pub len: usize,
    pub from: Operand,
}

/// A variable's new value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Assignment {
    pub variable: usize,
    /// The number of the value.
    pub value: usize,
    /// Whether the two may change places, since nobody else needs the value.
    pub swap: bool,
}

impl Plan {
    /// Plans `graph`, whose nodes `again` are copies for later stages, for products of this exactness; with `keep_all` no
    /// node disappears in another, none is cropped, and no two values share memory.
    pub fn new(graph: &Graph, again: &[NodeId], batch: usize, arithmetic: Arithmetic, keep_all: bool) -> Plan {
        let order = Order::new(graph, again);
        let readers = Readers::new(graph, &order);
        let fusions = Fusions::new(graph, &order, &readers, keep_all);
        let crops = if keep_all { Crops::none(graph) } else { Crops::new(graph, &order, &readers) };
        let layout = Layout::new(graph, &order, &fusions, &crops);
        let mut values = Values::new(graph);
        let mut builder = build::Builder {
            graph,
            arithmetic,
            order: &order,
            layout: &layout,
            fusions: &fusions,
            values: &mut values,
            names: Vec::new(),
            packs: Vec::new(),
            sums: Vec::new(),
        };
        let planned = build::planned(graph, &order, &layout, &fusions);
        let touches = builder.touches(&planned, batch);
        let outputs = graph.outputs().iter().map(|(_, id)| layout.root(*id)).collect::<Vec<_>>();
        let slots = Slots::new(graph.nodes().len(), &touches, &outputs, !keep_all);
        let mut stages = vec![Stage::default(); order.n_stages];
        let mut segment = None;
        for (planned, touch) in planned.iter().zip(&touches) {
            let Stage { steps, segments, .. } = &mut stages[planned.stage];
            if segment.replace(touch.segment) != Some(touch.segment) {
                segments.push(Segment { steps: steps.len()..steps.len(), shard: touch.shard });
            }
            steps.extend(builder.step(planned.node, touch.shard, &slots));
            segments.last_mut().expect("one is begun").steps.end = steps.len();
        }
        ahead::tell(&mut stages, &slots.slots);
        let output = |(name, id): &(String, NodeId)| Output {
            name: name.clone(),
            len: graph.shape(*id).len(batch),
            from: builder.operand(*id, &slots),
        };
        let outputs: Vec<Output> = graph.outputs().iter().map(output).collect();
        let (names, packs, sums) = (builder.names, builder.packs, builder.sums);
        for (number, stage) in stages.iter_mut().enumerate() {
            stage.passes = whole::passes(graph, &order, &readers, &fusions, number, &mut values);
            stage.sums = (0..sums.len()).filter(|index| sums[*index].stage == number).collect();
        }
        let mut assignments = assignments(graph, &mut values, &mut stages[0].passes);
        let updates = match keep_all {
            true => Vec::new(),
            false => update::updates(&mut stages, &mut assignments, &outputs, &mut values),
        };
        let groups = groups(batch, &Cost::new(&stages, &sums, &values));
        Plan {
            batch,
            groups,
            desks: 1,
            helpers: 0,
            stages,
            slots: slots.slots,
            packs,
            sums,
            values,
            names,
            outputs,
            updates,
            assignments,
        }
    }

    /// Shares the work with so many threads, which changes no bit.
    pub fn share(&mut self, threads: usize) {
        self.desks = threads.clamp(1, self.groups.len().max(1));
        bands::cut(self, threads);
        let bands = self.stages.iter().flat_map(|stage| &stage.steps).map(|step| step.bands.len()).max().unwrap_or(0);
        // What learns has sums and variables for all threads, even where there is one group of samples.
        let learns = !(self.updates.is_empty() && self.assignments.is_empty());
        let busy = if learns { threads } else { self.desks };
        self.helpers = busy.max(bands).saturating_sub(1);
    }

    /// Sizes of the slots of a desk; those whose values are kept are the groups'.
    pub fn desk_slots(&self) -> impl Iterator<Item = usize> + '_ {
        let largest = |slot| self.groups.iter().map(|samples| self.slot_len(slot, samples)).max().unwrap_or(0);
        self.slots.iter().map(move |slot| if slot.kept { 0 } else { largest(slot) })
    }

    /// Sizes of the gradients that a desk has room for in the order of their products.
    pub fn desk_packed(&self) -> Vec<usize> {
        let mut lens: Vec<usize> = Vec::new();
        for stage in &self.stages {
            for (place, (_, product)) in self.packed_sums(stage).enumerate() {
                lens.resize(lens.len().max(place + 1), 0);
                lens[place] = lens[place].max(product.gradient_len());
            }
        }
        lens
    }

    /// The sums of a stage that are kept in the order of their products while the shards of a group pass.
    pub fn packed_sums(&self, stage: &Stage) -> impl Iterator<Item = (usize, Product)> {
        let packed = |sum: &usize| match self.sums[*sum].kind {
            SumKind::Kernel(product) => Some((*sum, product)),
            _ => None,
        };
        stage.sums.iter().filter_map(packed)
    }

    /// The shards of a group, `shard` samples each, as samples counted from its first.
    pub fn shards(samples: &Range<usize>, shard: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let len = samples.len();
        (0..len).step_by(shard).map(move |start| start..len.min(start + shard))
    }

    /// Numbers that a slot holds of a group of `samples`.
    pub fn slot_len(&self, slot: &Slot, samples: &Range<usize>) -> usize {
        let all = slot.pitch * samples.len();
        if slot.kept { all } else { all.min(slot.len) }
    }
}

impl Sum {
    /// Numbers that a group of `samples` keeps for it.
    pub fn len(&self, values: &Values, samples: usize) -> usize {
        let numbers = values.lens[self.write];
        match self.kind {
            SumKind::Kernel(_) | SumKind::Canonical | SumKind::Plain | SumKind::Mean => numbers,
            SumKind::Dense(_) => 0,
            SumKind::Statistics { shard, .. } => samples.div_ceil(shard) * numbers,
        }
    }
}

/// The layout of an operand of samples.
impl Operand {
    pub fn view(&self) -> &View {
        match self {
            Operand::Slot { view, .. } | Operand::Input { view, .. } => view,
            Operand::Fixed(_) => panic!("a value of the whole batch has no samples"),
        }
    }
}

/// Variables and their new values. All assignments happen together, so a variable's value is copied at the beginning
/// where another one takes it.
fn assignments(graph: &Graph, values: &mut Values, first_passes: &mut Vec<Pass>) -> Vec<Assignment> {
    let mut assignments: Vec<Assignment> = Vec::new();
    for &(variable, value) in graph.assignments() {
        let Fixed::Variable(index) = values.fixed(graph, variable) else {
            unreachable!("{:?} is no variable", graph.node(variable).op)
        };
        let number = match values.fixed(graph, value) {
            Fixed::Value(number) => number,
            Fixed::Variable(_) => {
                let op = Op::Reshape { dims: graph.shape(value).dims.clone() };
                let reads = vec![values.fixed(graph, value)];
                let write = values.copy(graph.shape(value).sample_len());
                first_passes.push(Pass::Singles(vec![Single { op, reads, write }]));
                write
            }
        };
        assignments.push(Assignment { variable: index, value: number, swap: true });
    }
    let mut users = vec![0; values.lens.len()];
    assignments.iter().for_each(|assignment| users[assignment.value] += 1);
    for assignment in &mut assignments {
        let is_constant = values.constants.iter().any(|(number, _)| *number == assignment.value);
        assignment.swap = users[assignment.value] == 1 && !is_constant;
    }
    assignments
}

/// What decides how many groups there are.
struct Cost {
    /// Operations of the products of a sample.
    flops: u64,
    /// Numbers of the sums of a group.
    summed: usize,
    /// Numbers that a group passes over besides what belongs to its samples.
    passed: usize,
}

impl Cost {
    fn new(stages: &[Stage], sums: &[Sum], values: &Values) -> Cost {
        let works = || stages.iter().flat_map(|stage| &stage.steps).map(|step| &step.work);
        let dense = |sum: &Sum| if let SumKind::Dense(one) = sum.kind { one.dense.flops() } else { 0 };
        let packed = |sum: &Sum| if let SumKind::Kernel(product) = sum.kind { product.gradient_len() } else { 0 };
        let summed = sums.iter().map(|sum| packed(sum) + sum.len(values, PACKET)).sum();
        let read: usize = works().filter_map(Work::dense).map(Dense::kernel_len).sum();
        let flops = works().map(Work::flops).chain(sums.iter().map(dense)).sum();
        Cost { flops, summed, passed: summed + read }
    }
}

/// Whole packets dealt to groups as evenly as they go: a power of two, so that as many threads, or half of them, have the
/// same to do. Where nothing is summed, as when a network answers, even single samples have their groups.
fn groups(batch: usize, cost: &Cost) -> Vec<Range<usize>> {
    let packet = if cost.summed == 0 { 1 } else { PACKET };
    let packets = batch.div_ceil(packet);
    let worth = (batch as u64 * cost.flops / OPERATIONS_PER_PASSED / cost.passed.max(1) as u64) as usize;
    // Without products, as where only a norm is summed, sums are all there is.
    let worth = if cost.flops == 0 { MOST_GROUPS } else { worth };
    let most = worth.min(MOST_SUMMED / cost.summed.max(1)).clamp(2, MOST_GROUPS);
    let count = 1 << packets.min(most).max(1).ilog2();
    let start = |group: usize| (group * packets / count * packet).min(batch);
    (0..count).map(|group| start(group)..start(group + 1)).collect()
}
