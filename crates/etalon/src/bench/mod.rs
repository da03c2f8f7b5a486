//! Measures an experiment on this machine: how fast it trains or infers, and against which ceiling.

mod ceiling;
mod images;
mod kernels;
mod memory;
mod profile;
mod rates;
mod report;
mod work;

pub use kernels::kernels;
pub use report::{Report, Warmup, WithData};

use std::ops::ControlFlow;
use std::time::Instant;

use engine::Settings;
use graph::Graph;
use trainer::{BareSteps, Source};

use crate::cli::Common;
use crate::estimate::is_product;
use crate::experiment::Checked;
use crate::failure::Failure;
use crate::pipeline::{self, Prepared, TrainingPart};

use images::Images;
use profile::Layers;
use rates::{Rates, measure};
use work::Inference;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Whole training steps.
    Training,
    /// Scores and probabilities of images.
    Inference,
}

impl Phase {
    /// Its name for people and programs.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Training => "training",
            Phase::Inference => "inference",
        }
    }
}

/// From where the images come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Random ones in memory.
    Random,
    /// The experiment's own, through its loader.
    Data,
}

/// What is to be measured and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    pub phase: Phase,
    pub input: Input,
    /// How long each rate is measured.
    pub seconds: f64,
}

/// Measures an experiment.
///
/// # Errors
/// If its data cannot be read, or if training on it goes bad.
pub fn bench(checked: Checked, order: &Order, common: &Common) -> Result<Report, Failure> {
    match order.phase {
        Phase::Training => training(checked, order, common),
        Phase::Inference => inference(&checked, order, &pipeline::settings(common)),
    }
}

fn inference(checked: &Checked, order: &Order, settings: &Settings) -> Result<Report, Failure> {
    let (network, batch) = (&checked.network, checked.training.train.batch_size);
    let images = Images::new(network.input, network.n_classes, batch);
    let ceiling = ceiling::gflops(settings);
    let mut work = Inference::new(network, checked.experiment.seed, settings);
    let flops = products(work.graph());
    let rates = measure(order.seconds, batch, |number| {
        work.run(&images.batch(number));
        Ok(())
    })?;
    let layers =
        Layers::of(order.seconds, batch, &rates, |runs| Ok(work.profile(&images.batch(0), runs, profile::clock)))?;
    Ok(report(checked, order, settings, Measured { rates, layers, flops, ceiling, warmup: None, with_data: None }))
}

fn training(checked: Checked, order: &Order, common: &Common) -> Result<Report, Failure> {
    let prepared = match order.input {
        Input::Random => Err(checked),
        Input::Data => Ok(Prepared::open(checked, common)?),
    };
    let (checked, settings) = match &prepared {
        Ok(prepared) => (&prepared.checked, prepared.settings.clone()),
        Err(checked) => (checked, pipeline::settings(common)),
    };
    let settings = pipeline::training_settings(checked, &settings);
    let (network, training, seed) = (&checked.network, &checked.training, checked.experiment.seed);
    let batch = training.train.batch_size;
    let images = Images::new(network.train_input, network.n_classes, batch);
    let ceiling = ceiling::gflops(&settings);
    let mut steps = BareSteps::new(network, training, seed, images.len(), &settings);
    let flops = products(steps.graph());
    let mut warmup = Warmup::default();
    warm_up(&mut steps, &images, &mut warmup)?;
    let rates = measure(order.seconds, batch, |number| step(&mut steps, &images.batch(number)).map(drop))?;
    let layers = Layers::of(order.seconds, batch, &rates, |runs| {
        steps.profile(&images.batch(0), runs, profile::clock).ok_or_else(went_bad)
    })?;
    let with_data = match &prepared {
        Ok(prepared) => Some(with_data(prepared, order.seconds, &mut steps, &rates)?),
        Err(_) => None,
    };
    Ok(report(checked, order, &settings, Measured { rates, layers, flops, ceiling, warmup: Some(warmup), with_data }))
}

/// Most steps of a warm-up, and how long it may take before it takes no other.
const MOST_WARMUP_STEPS: usize = 20;
const WARMUP_SECONDS: f64 = 2.0;

/// The first steps, in which everything is planned and allocated; their losses show that training learns.
fn warm_up(steps: &mut BareSteps<'_>, images: &Images, warmup: &mut Warmup) -> Result<(), Failure> {
    let (start, mut sum) = (Instant::now(), 0.0);
    while warmup.steps < MOST_WARMUP_STEPS && (warmup.steps == 0 || start.elapsed().as_secs_f64() < WARMUP_SECONDS) {
        sum += step(steps, &images.batch(warmup.steps))?;
        warmup.steps += 1;
    }
    warmup.loss = sum / warmup.steps as f64;
    Ok(())
}

fn step(steps: &mut BareSteps<'_>, batch: &trainer::Batch<'_>) -> Result<f64, Failure> {
    steps.step(batch).ok_or_else(went_bad)
}

fn went_bad() -> Failure {
    Failure::Work("training went bad: the loss is not finite; a smaller learning rate may help".to_string())
}

/// The loader by itself, then training on what it loads.
fn with_data(
    prepared: &Prepared,
    seconds: f64,
    steps: &mut BareSteps<'_>,
    computing: &Rates,
) -> Result<WithData, Failure> {
    let Prepared { checked, dataset, settings } = prepared;
    let threads = settings.threads.count();
    let (train, seed) = (&checked.training.train, checked.experiment.seed);
    let mut source = TrainingPart::new(dataset, train, seed, threads)?;
    let loading = through(&mut source, seconds, &mut |_| Ok(()))?;
    let together = through(&mut source, seconds, &mut |batch| step(steps, &batch).map(drop))?;
    Ok(WithData { data: dataset.described(), computing: computing.median(), loading, together })
}

/// Images a second, over epoch after epoch until the time is over; the first batches, which fill the ring, do not count.
fn through(
    source: &mut TrainingPart,
    seconds: f64,
    each: &mut dyn FnMut(trainer::Batch<'_>) -> Result<(), Failure>,
) -> Result<f64, Failure> {
    const UNCOUNTED: usize = 4;
    let (mut batches, mut images, mut failed) = (0, 0, None);
    let mut start = Instant::now();
    let mut epoch = 0;
    while failed.is_none() && (epoch == 0 || start.elapsed().as_secs_f64() < seconds) {
        let read = source.epoch(epoch, 0, &mut |batch| {
            let n = batch.labels.len();
            failed = each(batch).err();
            batches += 1;
            if batches == UNCOUNTED {
                start = Instant::now();
            } else if batches > UNCOUNTED {
                images += n;
            }
            let over = batches > UNCOUNTED && start.elapsed().as_secs_f64() >= seconds;
            if over || failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        read.map_err(Failure::Work)?;
        epoch += 1;
    }
    match failed {
        Some(failure) => Err(failure),
        None => Ok(images as f64 / start.elapsed().as_secs_f64()),
    }
}

struct Measured {
    rates: Rates,
    layers: Layers,
    flops: u64,
    ceiling: f64,
    warmup: Option<Warmup>,
    with_data: Option<WithData>,
}

fn report(checked: &Checked, order: &Order, settings: &Settings, measured: Measured) -> Report {
    let Measured { rates, layers, flops, ceiling, warmup, with_data } = measured;
    Report {
        name: checked.experiment.name.clone(),
        phase: order.phase,
        batch: checked.training.train.batch_size,
        threads: settings.threads.count(),
        instruction_set: settings.isa.name(),
        flops_per_image: flops,
        ceiling_gflops: ceiling,
        peak_rss_bytes: memory::peak_rss_bytes(),
        rates,
        layers,
        warmup,
        with_data,
    }
}

/// Multiplications and additions of convolutions and dense layers for an image, as if each product were computed.
fn products(graph: &Graph) -> u64 {
    let of = |id| {
        let node = graph.node(id);
        let operands: Vec<&graph::Shape> = node.inputs.iter().map(|&input| graph.shape(input)).collect();
        if is_product(&node.op) { node.op.flops(&operands, &node.shape) } else { 0 }
    };
    graph.ids().map(of).sum()
}
