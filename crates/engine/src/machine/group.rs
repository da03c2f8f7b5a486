//! A group of shards: the memory that one thread works in, and its walk through a segment.

use std::ops::Range;

use kernels::buffer::{Buffer, bytes_of_mut};
use kernels::conv2d::Living;
use kernels::{Isa, View, conv2d};

use super::{PackTask, Whole, pointwise, step};
use crate::plan::{Gradients, Plan, Step, SumKind, Work};
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
}

/// The samples of a group, their values and their part of the sums.
#[derive(Debug)]
pub(crate) struct Group {
    samples: Range<usize>,
    slots: Vec<Buffer>,
    sums: Vec<PartialSum>,
    living: Living,
    /// What products work in.
    scratch: Buffer,
    /// Nanoseconds by stage and step, where a clock was given.
    spent: Vec<Vec<u64>>,
}

/// A group's part of a sum; what the sum does not need is empty.
#[derive(Debug, Default)]
pub(crate) struct PartialSum {
    /// A kernel's gradient in the order of its product, while the shards pass.
    pub packed: Buffer,
    /// In canonical layout.
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
        let slots = plan.slots.iter().map(|slot| Buffer::zeros(plan.slot_len(slot, &samples))).collect();
        let sum = |sum: &crate::plan::Sum| {
            let (len, numbers) = (sum.len(&plan.values, samples.len()), plan.values.lens[sum.write]);
            match sum.kind {
                SumKind::Kernel(product) => PartialSum {
                    packed: Buffer::zeros(product.packed_len()),
                    kernel: Buffer::zeros(numbers),
                    numbers: Vec::new(),
                },
                SumKind::Canonical => PartialSum { kernel: Buffer::zeros(len), ..PartialSum::default() },
                SumKind::Dense(_) => PartialSum::default(),
                SumKind::Plain | SumKind::Mean | SumKind::Statistics { .. } => {
                    PartialSum { numbers: vec![0.0; len], ..PartialSum::default() }
                }
            }
        };
        let steps = || plan.stages.iter().flat_map(|stage| &stage.steps);
        let mut living = Living::default();
        for step in steps() {
            if let Work::LivingGradients(gradients) = &step.work {
                living.reserve(&gradients.pooled);
            }
        }
        let scratch = steps().map(|step| step.work.scratch_len()).max();
        let scratch = Buffer::zeros(scratch.unwrap_or(0));
        let spent = plan.stages.iter().map(|stage| vec![0; stage.steps.len()]).collect();
        Group { slots, sums: plan.sums.iter().map(sum).collect(), living, scratch, samples, spent }
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
    pub fn run(&mut self, context: &Context<'_>) {
        let stage = &context.plan.stages[context.stage];
        for sum in &stage.sums {
            self.sums[*sum].numbers.fill(0.0);
        }
        for local in Plan::shards(&self.samples, stage.shard) {
            let shard = Shard { first: self.samples.start + local.start, n: local.len(), local };
            for (index, one) in stage.steps.iter().enumerate() {
                let mut spent = self.spent[context.stage][index];
                timed(context.clock, &mut spent, || self.run_step(context, one, &shard));
                self.spent[context.stage][index] = spent;
            }
        }
        for sum in &stage.sums {
            if let SumKind::Kernel(product) = context.plan.sums[*sum].kind {
                let PartialSum { packed, kernel, .. } = &mut self.sums[*sum];
                product.unpack(context.isa, packed, kernel);
            }
        }
    }

    /// What a step writes is taken out of the group, so that all else can be read meanwhile.
    fn run_step(&mut self, context: &Context<'_>, one: &Step, shard: &Shard) {
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
            (Work::ConvolvePool { pooled, packed, bias }, Some(y)) => {
                let x = step::first_samples(context, one, shard, &self.slots);
                let (packed, bias) = (&context.packs[*packed].packed, bias.map(|bias| context.whole.get(bias)));
                let winners = aside.map(bytes_of_mut);
                pooled.forward(context.isa, shard.n, x, packed, bias, y, winners, &mut self.scratch);
            }
            (Work::ActivateWithSlope(kind), Some(y)) => {
                let slope = aside.expect("its place is that of what is read");
                pointwise::activate_with_slope(context.isa, one, shard.n, pointwise::activation_of(*kind), slope, y);
            }
            (Work::LivingGradients(gradients), dx) => self.pull_back(context, one, gradients, shard, dx),
            (_, Some(result)) => {
                step::compute(context, one, shard, &self.slots, &mut self.scratch, result);
            }
            (work, None) => {
                let sum = work.sum().expect("what stores nothing sums");
                step::add(context, one, shard, &self.slots, &mut self.scratch, &mut self.sums[sum]);
            }
        }
        for ((slot, _), written) in places.into_iter().flatten().zip(written.into_iter().flatten()) {
            self.slots[slot] = written;
        }
    }

    fn pull_back(
        &mut self,
        context: &Context<'_>,
        one: &Step,
        gradients: &Gradients,
        shard: &Shard,
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
        conv2d::living_gradients(isa, &gradients.pooled, n, signals, &mut self.living, wanted);
        self.sums[gradients.kernel_sum].kernel = kernel;
    }
}

impl Work {
    /// The sum that it adds to.
    fn sum(&self) -> Option<usize> {
        match self {
            Work::KernelGradient { sum, .. }
            | Work::SumToChannels { sum }
            | Work::SumOverBatch { sum }
            | Work::Statistics { sum }
            | Work::BatchNormSums { sum, .. } => Some(*sum),
            _ => None,
        }
    }
}
