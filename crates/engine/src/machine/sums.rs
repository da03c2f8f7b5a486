//! Sums over the batch, closed: the groups' parts are added in order and become a value of the whole batch. The gradient
//! of a dense kernel is one product over the samples of all groups.

use std::sync::atomic::{AtomicU64, Ordering};

use kernels::buffer::Buffer;
use kernels::dense::Dense;
use kernels::team::Crew;
use kernels::{Isa, arithmetic, batch_norm};

use super::group::Group;
use crate::plan::{DenseGradient, Operand, Plan, Sum, SumKind};
use crate::profile::timed;
use crate::{Clock, Feed, Input};

/// Numbers of a gradient that one thread adds up at a time.
const PART: usize = 1 << 12;

/// Most operations of a product over the batch that one thread does at a time.
const MOST_OPERATIONS: u64 = 1 << 25;

/// Operations of a product over the batch that are worth another thread's attention.
const LEAST_OPERATIONS: u64 = 1 << 19;

/// What closing reads.
pub(crate) struct Closing<'a> {
    pub isa: Isa,
    pub plan: &'a Plan,
    pub groups: &'a [Group],
    pub feed: &'a Feed<'a>,
    pub clock: Option<Clock>,
    pub crew: &'a Crew<'a>,
}

/// A sum with its result, while it is closed.
#[derive(Debug)]
pub(crate) struct SumTask {
    index: usize,
    sum: Sum,
    result: Buffer,
    /// What a product over the batch works in.
    scratch: Buffer,
    numbers: Vec<f64>,
    /// Values a channel in each part, for statistics.
    counts: Vec<usize>,
    /// Nanoseconds that products over the batch took on all threads, where a clock was given.
    spent: u64,
}

impl SumTask {
    pub fn new(plan: &Plan, index: usize) -> SumTask {
        let sum = plan.sums[index];
        let (mut scratch, mut numbers, mut counts) = (Buffer::default(), Vec::new(), Vec::new());
        match sum.kind {
            SumKind::Dense(DenseGradient { dense, .. }) => {
                let units = part_units(&dense, plan);
                let parts = dense.units.div_ceil(units);
                scratch = Buffer::zeros(parts * Dense::kernel_gradient_scratch_len(units, plan.batch));
            }
            SumKind::Kernel(_) | SumKind::Canonical => {}
            SumKind::Plain | SumKind::Mean => numbers = vec![0.0; plan.values.lens[sum.write]],
            SumKind::Statistics { positions, shard } => {
                let shards = plan.groups.iter().flat_map(|samples| Plan::shards(samples, shard));
                let shards: Vec<usize> = shards.map(|shard| shard.len()).collect();
                numbers = vec![0.0; shards.len() * plan.values.lens[sum.write]];
                counts = shards.iter().map(|n| n * positions).collect();
            }
        }
        SumTask { index, sum, result: Buffer::default(), scratch, numbers, counts, spent: 0 }
    }

    /// Nanoseconds of a product over the batch.
    pub fn spent(&self) -> u64 {
        self.spent
    }

    /// Begins to count anew.
    pub fn forget_times(&mut self) {
        self.spent = 0;
    }

    /// The stage that it closes.
    pub fn stage(&self) -> usize {
        self.sum.stage
    }

    /// Takes the result's memory out of the values, so that other sums can be closed at the same time.
    pub fn take_result(&mut self, values: &mut [Buffer]) {
        std::mem::swap(&mut self.result, &mut values[self.sum.write]);
    }

    /// Puts it back.
    pub fn give_result(&mut self, values: &mut [Buffer]) {
        std::mem::swap(&mut self.result, &mut values[self.sum.write]);
    }

    pub fn close(&mut self, closing: &Closing<'_>) {
        let Closing { plan, groups, .. } = *closing;
        match self.sum.kind {
            SumKind::Dense(gradient) => self.spent += multiply(closing, &gradient, &mut self.result, &mut self.scratch),
            SumKind::Kernel(_) | SumKind::Canonical => {
                let index = self.index;
                closing.crew.each_part([(&mut self.result, PART)], |part, [total]| {
                    let of = |group: usize| &groups[group].sum(index).kernel[part * PART..];
                    arithmetic::sum_of_parts(closing.isa, groups.len(), &of, total);
                });
            }
            SumKind::Plain | SumKind::Mean => {
                let divisor = if matches!(self.sum.kind, SumKind::Mean) { plan.batch as f64 } else { 1.0 };
                for (place, result) in self.result.iter_mut().enumerate() {
                    let total: f64 = groups.iter().map(|group| group.sum(self.index).numbers[place]).sum();
                    *result = (total / divisor) as f32;
                }
            }
            SumKind::Statistics { .. } => {
                let mut rest = &mut self.numbers[..];
                for part in groups.iter().map(|group| &group.sum(self.index).numbers) {
                    let (to, behind) = rest.split_at_mut(part.len());
                    to.copy_from_slice(part);
                    rest = behind;
                }
                batch_norm::combine_statistics(&self.numbers, &self.counts, &mut self.result);
            }
        }
    }
}

/// Units whose gradients one thread computes at a time: every thread has as many such parts as any other. The parts change
/// no bit, since each gradient is summed on its own.
fn part_units(dense: &Dense, plan: &Plan) -> usize {
    let operations = dense.flops() * plan.batch as u64;
    let threads = (plan.helpers as u64 + 1).min(operations / LEAST_OPERATIONS).max(1);
    let parts = threads * operations.div_ceil(threads * MOST_OPERATIONS).max(1);
    dense.units.div_ceil(parts as usize).max(1)
}

/// The gradient of a dense kernel; what its parts took.
fn multiply(closing: &Closing<'_>, gradient: &DenseGradient, result: &mut [f32], scratch: &mut [f32]) -> u64 {
    let DenseGradient { dense, x, dy } = gradient;
    let batch = closing.plan.batch;
    let units = part_units(dense, closing.plan);
    let spent = AtomicU64::new(0);
    let slices = [(result, units * dense.features), (scratch, Dense::kernel_gradient_scratch_len(units, batch))];
    closing.crew.each_part(slices, |part, [result, scratch]| {
        let (first, mut spent_here) = (part * units, 0);
        let range = first..dense.units.min(first + units);
        let [x, dy] = [x, dy].map(|operand| move |sample: usize| sample_of(closing, operand, sample));
        timed(closing.clock, &mut spent_here, || {
            dense.kernel_gradient(closing.isa, batch, &x, &dy, range, result, scratch);
        });
        spent.fetch_add(spent_here, Ordering::Relaxed);
    });
    spent.into_inner()
}

/// A sample of an operand, by its place in the batch.
fn sample_of<'a>(closing: &Closing<'a>, operand: &Operand, sample: usize) -> &'a [f32] {
    match operand {
        Operand::Slot { slot, view } => {
            let group = closing.groups.iter().find(|group| group.has(sample)).expect("groups hold the batch");
            group.sample(*slot, view, sample)
        }
        Operand::Input { name, view } => match closing.feed.input(&closing.plan.names[*name]) {
            Input::F32(numbers) => &numbers[view.len(sample)..][..view.len(1)],
            other => panic!("a dense layer reads numbers, not {other:?}"),
        },
        Operand::Fixed(_) => panic!("a dense layer reads samples"),
    }
}
