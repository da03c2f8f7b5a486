//! A group of shards: what is kept of its samples, and its walk through a stage at a desk.

use std::ops::Range;

use kernels::buffer::{Buffer, LINE};
use kernels::conv2d::Living;
use kernels::team::Crew;
use kernels::{Isa, View, conv2d};

use super::desk::Desk;
use super::pack::PackTask;
use super::{Whole, step};
use crate::plan::{Band, Fixed, Gradients, Plan, Slot, Step, Sum, SumKind, Work};
use crate::profile::timed;
use crate::{Clock, Feed};

/// What all groups read.
pub(crate) struct Context<'a> {
    pub isa: Isa,
    pub plan: &'a Plan,
    pub stage: usize,
    pub whole: Whole<'a>,
    pub packs: &'a [PackTask],
    pub feed: &'a Feed<'a>,
    pub clock: Option<Clock>,
    /// Who computes bands.
    pub crew: &'a Crew<'a>,
}

impl<'a> Context<'a> {
    /// A packed kernel, and the bias that goes with it.
    pub fn kernel(&self, packed: usize, bias: Option<Fixed>) -> (&'a [f32], Option<&'a [f32]>) {
        let task = &self.packs[packed];
        (task.kernel(), task.bias().or(bias.map(|bias| self.whole.get(bias))))
    }
}

/// The samples of a group, their values and their part of the sums.
#[derive(Debug)]
pub(crate) struct Group {
    samples: Range<usize>,
    /// By number; those of a shard are at the desk.
    slots: Vec<Buffer>,
    sums: Vec<PartialSum>,
    /// Nanoseconds by stage and step, where a clock was given.
    spent: Vec<Vec<u64>>,
}

/// A group's part of a sum; what the sum does not need is empty.
#[derive(Debug, Default)]
pub(crate) struct PartialSum {
    /// A kernel's gradient.
    pub kernel: Buffer,
    pub numbers: Vec<f64>,
}

/// Samples that go through the steps together.
pub(crate) struct Shard {
    /// Their places in the group.
    pub local: Range<usize>,
    /// The place of the first in the batch.
    pub first: usize,
    pub n: usize,
}

impl Group {
    pub fn new(plan: &Plan, samples: Range<usize>) -> Group {
        let kept_len = |slot: &Slot| if slot.kept { plan.slot_len(slot, &samples) } else { 0 };
        let slots = plan.slots.iter().map(|slot| Buffer::zeros(kept_len(slot))).collect();
        let sum = |sum: &Sum| {
            let len = sum.len(&plan.values, samples.len());
            match sum.kind {
                SumKind::Kernel(_) | SumKind::Canonical => {
                    PartialSum { kernel: Buffer::zeros(len), ..PartialSum::default() }
                }
                SumKind::Dense(_) => PartialSum::default(),
                SumKind::Plain | SumKind::Mean | SumKind::Statistics { .. } => {
                    PartialSum { numbers: vec![0.0; len], ..PartialSum::default() }
                }
            }
        };
        let spent = plan.stages.iter().map(|stage| vec![0; stage.steps.len()]).collect();
        Group { slots, sums: plan.sums.iter().map(sum).collect(), samples, spent }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether the sample of this place in the batch is the group's.
    pub fn has(&self, sample: usize) -> bool {
        self.samples.contains(&sample)
    }

    /// A sample, by its place in the batch, of a value that is kept.
    pub fn sample(&self, slot: usize, view: &View, sample: usize) -> &[f32] {
        &self.slots[slot][view.len(sample - self.samples.start)..][..view.len(1)]
    }

    /// What a slot holds.
    pub fn slot(&self, slot: usize) -> &[f32] {
        &self.slots[slot]
    }

    /// The group's part of a sum.
    pub fn sum(&self, sum: usize) -> &PartialSum {
        &self.sums[sum]
    }

    /// What a step of a stage has taken.
    pub fn spent(&self, stage: usize, step: usize) -> u64 {
        self.spent[stage][step]
    }

    /// Begins to count anew.
    pub fn forget_times(&mut self) {
        self.spent.iter_mut().for_each(|stage| stage.fill(0));
    }

    /// Takes all shards through the steps of a stage, one after the other.
    pub fn run(&mut self, context: &Context<'_>, desk: &mut Desk) {
        let stage = &context.plan.stages[context.stage];
        self.swap_slots(context.plan, desk);
        for sum in &stage.sums {
            self.sums[*sum].numbers.fill(0.0);
        }
        for segment in &stage.segments {
            for local in Plan::shards(&self.samples, segment.shard) {
                let shard = Shard { first: self.samples.start + local.start, n: local.len(), local };
                for index in segment.steps.clone() {
                    self.spent[context.stage][index] += self.run_step(context, &stage.steps[index], &shard, desk);
                }
            }
        }
        for (packed, (sum, product)) in desk.packed.iter().zip(context.plan.packed_sums(stage)) {
            product.unpack(context.isa, &packed[..product.gradient_len()], &mut self.sums[sum].kernel);
        }
        self.swap_slots(context.plan, desk);
    }

    /// Takes the slots of a shard from a desk, or gives them back.
    fn swap_slots(&mut self, plan: &Plan, desk: &mut Desk) {
        let slots = self.slots.iter_mut().zip(&mut desk.slots).zip(&plan.slots);
        slots.filter(|(_, slot)| !slot.kept).for_each(|((own, at_desk), _)| std::mem::swap(own, at_desk));
    }

    /// What a step writes is taken out of the group, so that all else can be read meanwhile. Returns what it took.
    fn run_step(&mut self, context: &Context<'_>, one: &Step, shard: &Shard, desk: &mut Desk) -> u64 {
        let mut spent = 0;
        let places = [one.write, one.aside];
        let mut written = places.map(|place| place.map(|(slot, _)| std::mem::take(&mut self.slots[slot])));
        let [result, aside] = {
            let [result, aside] = &mut written;
            [(one.write, result), (one.aside, aside)].map(|(place, written)| {
                place.zip(written.as_mut()).map(|((slot, view), written)| {
                    let start = if context.plan.slots[slot].kept { shard.local.start } else { 0 };
                    &mut written[view.len(start)..][..view.len(shard.n)]
                })
            })
        };
        match (&one.work, result) {
            (Work::LivingGradients(gradients), dx) => timed(context.clock, &mut spent, || {
                self.pull_back(context, one, gradients, shard, &mut desk.living, dx);
            }),
            (Work::KernelGradient { product, sum } | Work::ConvolveGradients { product, sum, .. }, dx) => {
                let mut sums = context.plan.packed_sums(&context.plan.stages[context.stage]);
                let place = sums.position(|(other, _)| other == *sum).expect("its stage knows it");
                let packed = &mut desk.packed[place][..product.gradient_len()];
                timed(context.clock, &mut spent, || {
                    step::kernel_gradient(context, one, shard, &self.slots, &mut desk.scratch, packed, dx);
                });
            }
            (Work::ReluGradientAndSums { sum, .. }, Some(y)) => timed(context.clock, &mut spent, || {
                step::relu_gradient_and_sums(context, one, shard, &self.slots, &mut self.sums[*sum].numbers, y);
            }),
            (_, Some(y)) if !one.bands.is_empty() => {
                let from = one.bands[0].from;
                spent = run_bands(context, 0, &one.bands, shard, &self.slots, &mut desk.scratch, &mut y[from..]);
            }
            (_, Some(y)) => timed(context.clock, &mut spent, || {
                step::compute(context, one, shard, &self.slots, &mut desk.scratch, aside, y);
            }),
            (work, None) => timed(context.clock, &mut spent, || {
                let sum = work.sum().expect("what stores nothing sums");
                step::add(context, one, shard, &self.slots, &mut self.sums[sum].numbers);
            }),
        }
        for ((slot, _), written) in places.into_iter().flatten().zip(written.into_iter().flatten()) {
            self.slots[slot] = written;
        }
        spent
    }

    fn pull_back(
        &mut self,
        context: &Context<'_>,
        one: &Step,
        gradients: &Gradients,
        shard: &Shard,
        living: &mut Living,
        dx: Option<&mut [f32]>,
    ) {
        let mut kernel = std::mem::take(&mut self.sums[gradients.kernel_sum].kernel);
        let bias = gradients.bias_sum.map(|sum| &mut self.sums[sum].numbers[..]);
        let wanted = conv2d::Gradients {
            input: gradients.kernel.map(|kernel| context.whole.get(kernel)).zip(dx),
            // The first shard overwrites what the last batch has left.
            kernel: Some((shard.local.start == 0, &mut kernel)),
            bias,
        };
        let signals = step::signals(context, one, shard, &self.slots);
        let (isa, n) = (context.isa, shard.n);
        conv2d::living_gradients(isa, &gradients.pooled, n, signals, living, wanted);
        self.sums[gradients.kernel_sum].kernel = kernel;
    }
}

/// Computes bands, each beyond `me` by a helper if it is there, into `y` from the first's place on. Returns what they took
/// together.
fn run_bands(
    context: &Context<'_>,
    me: usize,
    bands: &[Band],
    shard: &Shard,
    slots: &[Buffer],
    scratch: &mut [f32],
    y: &mut [f32],
) -> u64 {
    if let [Band { step, .. }] = bands {
        let mut spent = 0;
        timed(context.clock, &mut spent, || step::compute(context, step, shard, slots, scratch, None, y));
        return spent;
    }
    let half = bands.len() / 2;
    let (first, second) = bands.split_at(half);
    let (y, y_of_second) = y.split_at_mut(second[0].from - first[0].from);
    let (scratch, scratch_of_second) = scratch.split_at_mut(scratch.len() / 2 / LINE * LINE);
    let other = me + half;
    let (spent, spent_by_second) = context.crew.join(
        other - 1,
        || run_bands(context, me, first, shard, slots, scratch, y),
        || run_bands(context, other, second, shard, slots, scratch_of_second, y_of_second),
    );
    spent + spent_by_second
}

impl Work {
    /// The sum that it adds to.
    fn sum(&self) -> Option<usize> {
        match self {
            Work::SumToChannels { sum }
            | Work::SumOverBatch { sum }
            | Work::Statistics { sum }
            | Work::BatchNormSums { sum, .. } => Some(*sum),
            _ => None,
        }
    }
}
