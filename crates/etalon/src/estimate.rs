//! What a run will take, before it runs: arithmetic, memory and time of a checked experiment.
//!
//! Arithmetic and the engine's memory are counted, from the step's graph and its plan. Time is an estimate: convolutions
//! and dense layers at a rate taken from few measurements, all else at a rate at which memory is passed through.
//! It tells minutes from hours; other processors and other work on the machine change it by more than a factor of two.

use std::time::Duration;

use engine::{Arithmetic, Program, Settings, Threads};
use graph::{Graph, Op};
use kernels::Isa;
use serde_json::{Value, json};
use spec::{Fault, Faults};

use crate::experiment::Checked;
use crate::pipeline;
use crate::progress::{duration, thousands};

/// What a run will take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Floating-point operations of one training step; a multiply-add is two.
    pub step_flops: f64,
    /// Those of the whole training, where the card says how many samples there are.
    pub flops: Option<f64>,
    /// Most bytes that are held at once.
    pub memory_bytes: usize,
    /// How long training takes on the threads and the instruction set that were asked for.
    pub seconds: Option<f64>,
}

/// Bytes allowed for the program itself with its libraries; not measured.
const PROGRAM_BYTES: usize = 100_000_000;

impl Estimate {
    /// For a checked experiment on so many threads.
    pub fn new(checked: &Checked, isa: Isa, threads: usize) -> Estimate {
        let batch = checked.training.train.batch_size;
        let graph = trainer::step_graph(&checked.network, &checked.training);
        let settings = Settings { isa, threads: Threads::new(1), arithmetic: Arithmetic::Accurate, keep_all: false };
        let settings = pipeline::training_settings(checked, &settings);
        let planned = Program::new(&graph, &settings).memory_bytes(batch);
        let Flops { products, others, update } = Flops::of(&graph);
        let steps = n_steps(checked);
        let kept = 4 * trainer::n_kept(&checked.network, &checked.training);
        let batch = batch as f64;
        let step_flops = (products + others) * batch + update;
        let step_seconds = products * batch / product_rate(isa) + (others * batch + update) / OTHER_RATE;
        Estimate {
            step_flops,
            flops: steps.map(|steps| steps * step_flops),
            memory_bytes: planned + kept + data_bytes(checked) + PROGRAM_BYTES,
            seconds: steps.map(|steps| steps * step_seconds / threads as f64),
        }
    }

    /// `0.23 GB, 12.8 TFLOP, about 52 s on 2 threads`.
    pub fn in_a_line(&self, threads: usize) -> String {
        let flops = self.flops.map(|flops| format!(", {}FLOP", short(flops))).unwrap_or_default();
        let time = self.seconds.map(|s| format!(", about {}", duration(Duration::from_secs_f64(s))));
        let on = if time.is_some() { format!(" on {threads} threads") } else { String::new() };
        format!("{:.2} GB{flops}{}{on}", self.memory_bytes as f64 / 1e9, time.unwrap_or_default())
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "step_flops": self.step_flops,
            "flops": self.flops,
            "memory_bytes": self.memory_bytes,
            "seconds": self.seconds,
        })
    }
}

/// `1.6 M`, `250 G`.
pub fn short(value: f64) -> String {
    let units = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match units.into_iter().find(|(unit, _)| value >= *unit) {
        Some((unit, letter)) if value < 10.0 * unit => format!("{:.1} {letter}", value / unit),
        Some((unit, letter)) => format!("{} {letter}", thousands(value / unit)),
        None => format!("{value:.0} "),
    }
}

/// Refuses an experiment whose estimate is above what it allows itself.
pub fn check_limits(checked: &Checked, faults: &mut Faults) {
    let limits = &checked.experiment.limits;
    if limits.memory_gb.is_none() && limits.hours.is_none() {
        return;
    }
    let place = |key| checked.tree.find("limits").map_or(checked.tree.place, |section| section.place_of(key));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let estimate = Estimate::new(checked, Isa::best(), threads);
    let gigabytes = estimate.memory_bytes as f64 / 1e9;
    if let Some(most) = limits.memory_gb.filter(|most| gigabytes > *most) {
        let message = format!("the run would take about {gigabytes:.2} GB of memory, more than {most}");
        faults.push(Fault::new(place("memory_gb"), message).help("a smaller `train.batch_size` takes less"));
    }
    let hours = estimate.seconds.map(|seconds| seconds / 3600.0);
    if let (Some(most), Some(hours)) = (limits.hours, hours)
        && hours > most
    {
        let message = format!("training would take about {hours:.2} hours on {threads} threads, more than {most}");
        faults.push(Fault::new(place("hours"), message).help("fewer `train.epochs`, or a smaller network, take less"));
    }
}

/// Floating-point operations a second and thread that convolutions and dense layers reach in training, counting every
/// product even where the engine skips zeros or multiplies less. `avx2`: fitted with [`OTHER_RATE`] to rates measured on two
/// threads; of the networks of `cifar_resnet20` and `activations` it gives the time within a tenth, of `cifar_cnn`, whose
/// gradients are mostly zero, half as much again. `avx512`: from the run of `cifar_cnn` before products were saved. Portable
/// code was not measured.
fn product_rate(isa: Isa) -> f64 {
    match isa.name() {
        "avx512" => 1.2e11,
        "avx2" => 1e11,
        _ => 1e10,
    }
}

/// The same for everything else, which waits for memory.
const OTHER_RATE: f64 = 6e9;

/// Floating-point operations of a step.
struct Flops {
    /// Of convolutions and dense layers, for one sample.
    products: f64,
    /// Of all else that belongs to samples, for one.
    others: f64,
    /// Of what is computed once for any batch: the update of the parameters.
    update: f64,
}

impl Flops {
    fn of(graph: &Graph) -> Flops {
        let mut sums = Flops { products: 0.0, others: 0.0, update: 0.0 };
        for node in graph.nodes() {
            let operands: Vec<&graph::Shape> = node.inputs.iter().map(|&input| graph.shape(input)).collect();
            let of_samples = node.shape.batch || operands.iter().any(|shape| shape.batch);
            let sum = match (of_samples, is_product(&node.op)) {
                (true, true) => &mut sums.products,
                (true, false) => &mut sums.others,
                (false, _) => &mut sums.update,
            };
            *sum += node.op.flops(&operands, &node.shape) as f64;
        }
        sums
    }
}

/// Whether an operator is a convolution or a dense layer, or a gradient of one.
pub fn is_product(op: &Op) -> bool {
    matches!(
        op,
        Op::Conv2d { .. }
            | Op::Conv2dInputGradient { .. }
            | Op::Conv2dKernelGradient { .. }
            | Op::Dense
            | Op::DenseInputGradient
            | Op::DenseKernelGradient
    )
}

/// How many batches training goes through.
fn n_steps(checked: &Checked) -> Option<f64> {
    let train = &checked.training.train;
    let samples = checked.data.n_samples(data::PartName::Train);
    match (train.steps, train.epochs, samples) {
        (Some(steps), _, _) => Some(steps as f64),
        (None, Some(epochs), Some(samples)) => Some(epochs as f64 * samples.div_ceil(train.batch_size) as f64),
        (None, _, _) => None,
    }
}

/// Bytes of the dataset's images in memory, where their number and shape are known.
fn data_bytes(checked: &Checked) -> usize {
    let Some(choice) = checked.data.choices.first() else { return 0 };
    let image: usize = choice.card.image().fixed().map_or(0, |dims| dims.iter().product());
    image * choice.card.samples.values().sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_short() {
        assert_eq!(short(999.0), "999 ");
        assert_eq!(short(1_555_200.0), "1.6 M");
        assert_eq!(short(81_234_000_000.0), "81 G");
    }
}
