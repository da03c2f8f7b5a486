//! A group of shards: the memory that one thread works in, and its walk through a segment.

use std::ops::Range;

use kernels::Isa;
use kernels::buffer::Buffer;

use super::{PackTask, Whole, step};
use crate::Feed;
use crate::plan::{Plan, SumKind, Work};

/// What all groups read.
pub(crate) struct Context<'a> {
    pub isa: Isa,
    pub plan: &'a Plan,
    pub stage: usize,
    pub whole: Whole<'a>,
    pub packs: &'a [PackTask],
    pub feed: &'a Feed<'a>,
}

/// The samples of a group, their values and their part of the sums.
#[derive(Debug)]
pub(crate) struct Group {
    samples: Range<usize>,
    slots: Vec<Buffer>,
    sums: Vec<PartialSum>,
}

/// A group's part of a sum; one of the two is empty.
#[derive(Debug)]
pub(crate) struct PartialSum {
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
        let slots = plan.slots.iter().map(|slot| Buffer::zeros(Plan::slot_len(slot, &samples))).collect();
        let sum = |sum: &crate::plan::Sum| {
            let len = sum.len(&plan.values, samples.len());
            match sum.kind {
                SumKind::Kernel(_) => PartialSum { kernel: Buffer::zeros(len), numbers: Vec::new() },
                SumKind::Plain | SumKind::Mean | SumKind::Statistics { .. } => {
                    PartialSum { kernel: Buffer::default(), numbers: vec![0.0; len] }
                }
            }
        };
        Group { slots, sums: plan.sums.iter().map(sum).collect(), samples }
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// What a slot holds.
    pub fn slot(&self, slot: usize) -> &[f32] {
        &self.slots[slot]
    }

    /// The group's part of a sum.
    pub fn sum(&self, sum: usize) -> &PartialSum {
        &self.sums[sum]
    }

    /// Takes all shards through the steps of a stage, one after the other.
    pub fn run(&mut self, context: &Context<'_>) {
        let stage = &context.plan.stages[context.stage];
        for sum in &stage.sums {
            self.sums[*sum].kernel.fill(0.0);
            self.sums[*sum].numbers.fill(0.0);
        }
        for local in Plan::shards(&self.samples) {
            let shard = Shard { first: self.samples.start + local.start, n: local.len(), local };
            for one in &stage.steps {
                match one.write {
                    Some((slot, view)) => {
                        // What is written is taken out, so that the other slots can be read meanwhile.
                        let mut written = std::mem::take(&mut self.slots[slot]);
                        let start = if context.plan.slots[slot].kept { shard.local.start } else { 0 };
                        let result = &mut written[view.len(start)..][..view.len(shard.n)];
                        step::compute(context, one, &shard, &self.slots, result);
                        self.slots[slot] = written;
                    }
                    None => {
                        let sum = one.work.sum().expect("what stores nothing sums");
                        let mut part = std::mem::take(&mut self.sums[sum]);
                        step::add(context, one, &shard, &self.slots, &mut part);
                        self.sums[sum] = part;
                    }
                }
            }
        }
    }
}

impl Default for PartialSum {
    fn default() -> PartialSum {
        PartialSum { kernel: Buffer::default(), numbers: Vec::new() }
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
