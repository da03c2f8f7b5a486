//! What the parts of a run take, by the clock of whoever asks: the engine itself has none.

use graph::{Graph, NodeId};

use crate::machine::Machine;
use crate::plan::{DenseGradient, SumKind};

/// Nanoseconds since any moment that stays the same.
pub type Clock = fn() -> u64;

/// A part of a run: a step of all shards, or what is done between the steps of a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What is done, in the words of the plan.
    pub work: String,
    /// The path of the layer that it is done for; empty for what belongs to no single one.
    pub path: String,
    /// Whether it computes gradients.
    pub backward: bool,
    /// Floating-point operations of a batch's products, as if each were computed directly; none for what is no product.
    pub flops: u64,
    /// Of all runs and all threads together.
    pub nanoseconds: u64,
}

/// Runs `work`; with a clock adds to `spent` what it took.
pub(crate) fn timed<R>(clock: Option<Clock>, spent: &mut u64, work: impl FnOnce() -> R) -> R {
    let Some(clock) = clock else { return work() };
    let start = clock();
    let result = work();
    *spent += clock() - start;
    result
}

/// What a machine has spent, in the order of its plan.
pub(crate) fn parts(graph: &Graph, machine: &Machine) -> Vec<Part> {
    let plan = machine.plan();
    let mut parts = Vec::new();
    for (number, stage) in plan.stages.iter().enumerate() {
        let between = |work: &str, nanoseconds: u64| Part {
            work: work.to_string(),
            path: String::new(),
            backward: false,
            flops: 0,
            nanoseconds,
        };
        let of_node = |id: NodeId, work: String, flops: u64, nanoseconds: u64| {
            let node = graph.node(id);
            let flops = flops * plan.batch as u64;
            Part { work, path: node.path.clone(), backward: node.backward, flops, nanoseconds }
        };
        let spent = machine.spent(number);
        parts.push(between("values of the whole batch", spent.passes));
        parts.push(between("kernels in the order of tiles", spent.packs));
        for (index, step) in stage.steps.iter().enumerate() {
            let nanoseconds = machine.spent_by_step(number, index);
            parts.push(of_node(step.node, step.work.name(), step.work.flops(), nanoseconds));
        }
        let mut sums = spent.sums;
        for &index in &stage.sums {
            if let SumKind::Dense(DenseGradient { dense, .. }) = plan.sums[index].kind {
                let nanoseconds = machine.spent_by_sum(index);
                sums = sums.saturating_sub(nanoseconds);
                let work = "kernel_gradient over the batch".to_string();
                parts.push(of_node(plan.sums[index].node, work, dense.flops(), nanoseconds));
            }
        }
        parts.push(between("sums over groups", sums));
    }
    parts.retain(|part| part.nanoseconds > 0);
    parts
}
