//! Sums over the batch, closed: the groups' parts are added in order and become a value of the whole batch.

use kernels::buffer::Buffer;
use kernels::{Isa, batch_norm};

use super::group::Group;
use crate::plan::{Plan, Sum, SumKind};

/// Numbers of a packed gradient that one task adds up.
const TASK: usize = 1 << 14;

/// A sum with its result, while it is closed.
#[derive(Debug)]
pub(crate) struct SumTask {
    index: usize,
    sum: Sum,
    result: Buffer,
    /// The groups' parts together.
    kernel: Buffer,
    numbers: Vec<f64>,
    /// Values a channel in each part, for statistics.
    counts: Vec<usize>,
}

impl SumTask {
    pub fn new(plan: &Plan, index: usize) -> SumTask {
        let sum = plan.sums[index];
        let (mut kernel, mut numbers, mut counts) = (Buffer::default(), Vec::new(), Vec::new());
        match sum.kind {
            SumKind::Kernel(product) => kernel = Buffer::zeros(product.packed_len()),
            SumKind::Canonical => {}
            SumKind::Plain | SumKind::Mean => numbers = vec![0.0; plan.values.lens[sum.write]],
            SumKind::Statistics { positions, shard } => {
                let shards = plan.groups.iter().flat_map(|samples| Plan::shards(samples, shard));
                let shards: Vec<usize> = shards.map(|shard| shard.len()).collect();
                numbers = vec![0.0; shards.len() * plan.values.lens[sum.write]];
                counts = shards.iter().map(|n| n * positions).collect();
            }
        }
        SumTask { index, sum, result: Buffer::default(), kernel, numbers, counts }
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

    pub fn close(&mut self, isa: Isa, plan: &Plan, groups: &[Group]) {
        match self.sum.kind {
            SumKind::Kernel(product) => {
                add_kernels(groups, self.index, 0, &mut self.kernel);
                product.unpack(isa, &self.kernel, &mut self.result);
            }
            SumKind::Canonical => add_kernels(groups, self.index, 0, &mut self.result),
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

/// The sum of the groups' gradients from `start` on, in the order of the groups.
fn add_kernels(groups: &[Group], sum: usize, start: usize, total: &mut [f32]) {
    if total.len() > TASK {
        let half = total.len() / 2;
        let (first, second) = total.split_at_mut(half);
        rayon::join(|| add_kernels(groups, sum, start, first), || add_kernels(groups, sum, start + half, second));
        return;
    }
    total.fill(0.0);
    for group in groups {
        let part = &group.sum(sum).kernel[start..];
        total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
    }
}
