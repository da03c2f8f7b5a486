//! Fifty steps of two networks of the experiments, loss by loss beside PyTorch: `references/trajectory.py` makes the
//! numbers, from weights and batches that the same formulas give here.

#[path = "support/run.rs"]
mod run;

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use engine::{Settings, Threads, Variables};
use kernels::Isa;
use kernels::input::Normalization;
use model::Network;
use record::{Epoch, RunDirectory};
use serde_json::Value as Json;
use spec::{Faults, Node, Sources};
use trainer::{Batch, Facts, Observer, Setup, Source, Trainer, Training, Validation};

const SIDE: usize = 32;
const CLASSES: u32 = 10;

/// A mixing function on u32.
fn mixed(x: u32) -> u32 {
    let x = (x ^ (x >> 16)).wrapping_mul(0x7FEB_352D);
    let x = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
    x ^ (x >> 16)
}

/// `n` numbers that belong to a key.
fn stream(key: u32, n: usize) -> Vec<u32> {
    (0..n as u32).map(|i| mixed(i.wrapping_add(mixed(key)))).collect()
}

/// Parameter `index`: multiples of a power of two in ± `spread` times the largest power of two up to √(6 / inputs).
fn weights(index: usize, dims: &[usize], spread: f32) -> Vec<f32> {
    let inputs: usize = dims[1..].iter().product();
    let mut bound = 1.0;
    while bound * bound * inputs as f32 > 6.0 {
        bound /= 2.0;
    }
    bound *= spread;
    let value = |x: u32| ((x >> 16) as f32 - 32768.0) / 32768.0 * bound;
    stream(index as u32, dims.iter().product()).into_iter().map(value).collect()
}

/// A pattern of 8 x 8 fields that belongs to the label, under noise that belongs to the image.
fn image(label: u32, number: usize) -> impl Iterator<Item = u8> {
    let pattern = stream(3000 + label, 4 * 4 * 3);
    let noise = stream(100_000 + number as u32, SIDE * SIDE * 3);
    (0..SIDE * SIDE * 3).map(move |at| {
        let (y, x, channel) = (at / 3 / SIDE, at / 3 % SIDE, at % 3);
        let field = (y / 8 * 4 + x / 8) * 3 + channel;
        ((pattern[field] >> 26) + noise[at] % 192) as u8
    })
}

/// Epochs of one batch each, of which there are a number that take turns.
struct Batches {
    size: usize,
    n: usize,
}

impl Source for Batches {
    fn n_samples(&self) -> usize {
        self.size
    }

    fn epoch(
        &mut self,
        epoch: u64,
        _: usize,
        each: &mut dyn FnMut(Batch<'_>) -> ControlFlow<()>,
    ) -> Result<(), String> {
        let number = epoch as usize % self.n;
        let labels: Vec<u32> = stream(1000 + number as u32, self.size).into_iter().map(|x| x % CLASSES).collect();
        let image =
            labels.iter().enumerate().flat_map(|(i, &label)| image(label, self.size * number + i)).collect::<Vec<_>>();
        let samples: Vec<u32> = (0..self.size as u32).collect();
        let _ = each(Batch { samples: &samples, image: &image, labels: &labels });
        Ok(())
    }
}

/// The loss of every epoch, which is that of its one step.
struct Losses(Vec<f64>);

impl Observer for Losses {
    fn begin_epoch(&mut self, _: u64, _: usize, _: usize) {}
    fn step(&mut self, _: usize, _: f64, _: f64) {}
    fn end_epoch(&mut self, epoch: &Epoch, _: &[String]) {
        self.0.push(epoch.metrics["train/loss"]);
    }
}

/// The network and the training that a file's keys describe.
fn described(keys: &str) -> (Network, Training) {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let root = spec::parse("case.yaml", keys.as_bytes(), &mut sources, &mut faults).unwrap();
    let mut section = |key: &str, ty: spec::Type| -> Node { spec::resolve(root.find(key).unwrap(), &ty, &mut faults) };
    let model = section("model", model::MODEL);
    let loss = section("loss", spec::Type::Kind(&trainer::LOSSES));
    let optimizer = section("optimizer", spec::Type::Kind(&trainer::OPTIMIZERS));
    let train = section("train", <trainer::TrainSection as spec::Word>::TYPE);
    let size = Some([SIDE, SIDE, 3]);
    let inputs = model::Inputs { train: size, evaluate: size, n_classes: Some(CLASSES as usize) };
    let network = model::check(&model, &inputs, &mut faults);
    let facts = Facts {
        n_classes: Some(CLASSES as usize),
        ends_in_softmax: Some(false),
        validation: Validation::Absent,
        metrics: &[],
        n_train: None,
        evaluates_best: None,
    };
    let training = trainer::check(&loss, &optimizer, &train, &facts, &mut faults);
    assert!(faults.is_empty(), "{}", faults.render(&sources, false));
    let mut network = network.unwrap();
    network.normalization = Normalization::Affine { scale: vec![1.0 / 128.0; 3], shift: vec![-1.0; 3] };
    (network, training.unwrap())
}

/// Trains on so many batches in turns, from kernels of so much spread, and gives the loss of each step.
fn losses(network: &Network, training: &Training, n_batches: usize, spread: f32) -> Vec<f64> {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        isa: Isa::best(),
        threads: Threads::new(2),
        arithmetic: engine::Arithmetic::Accurate,
        keep_all: false,
    };
    let batch = training.train.batch_size;
    let directory: RunDirectory = run::directory(&folder);
    let setup = Setup {
        network,
        training,
        seed: 1,
        settings: &settings,
        n_samples: batch,
        class_counts: &[1; CLASSES as usize],
        directory: &directory,
        directions: &[],
        stop: &AtomicBool::new(false),
        pause_after: None,
    };
    let mut trainer = Trainer::new(setup).unwrap();
    for (index, parameter) in network.parameters.iter().filter(|p| p.trained).enumerate() {
        if parameter.is_weight {
            let spread = if parameter.dims.len() == 4 { spread } else { 1.0 };
            trainer.variables().set(&parameter.path, &weights(index, &parameter.dims, spread));
        }
    }
    let mut found = Losses(Vec::new());
    let mut nothing = |_: &mut Variables| -> Result<Vec<(String, f64)>, String> { Ok(Vec::new()) };
    trainer.train(&mut Batches { size: batch, n: n_batches }, &mut found, &mut nothing).unwrap();
    found.0
}

fn check_losses(name: &str, n_batches: usize, spread: f32, keys: &str) {
    let reference: Json = serde_json::from_str(include_str!("references/trajectory.json")).unwrap();
    let expected: Vec<f64> = serde_json::from_value(reference[name]["losses"].clone()).unwrap();
    let (network, training) = described(keys);
    let found = losses(&network, &training, n_batches, spread);
    assert_eq!(found.len(), expected.len());
    for (step, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let off = (found / expected - 1.0).abs();
        assert!(off < 1e-4, "{name}, step {step}: loss {found}, PyTorch has {expected}, relative difference {off:.1e}");
    }
    // The network learns, or equal losses would say little.
    assert!(expected[49] < 0.9 * expected[0]);
}

#[test]
fn the_cifar_network_with_adam_goes_the_way_of_pytorch() {
    check_losses(
        "cifar_cnn",
        50,
        1.0,
        "model:
  layers:
    - conv2d: {filters: 32, kernel_size: 3, activation: relu}
    - max_pool2d: 2
    - conv2d: {filters: 64, kernel_size: 3, activation: relu}
    - max_pool2d: 2
    - conv2d: {filters: 64, kernel_size: 3, activation: relu}
    - flatten
    - dense: {units: 64, activation: relu}
    - dense: $classes
loss: cross_entropy
optimizer: {type: adam, learning_rate: 0.001}
train: {epochs: 50, batch_size: 16}
",
    );
}

#[test]
fn resnet20_with_sgd_and_batch_norm_goes_the_way_of_pytorch() {
    check_losses(
        "resnet20",
        2,
        8.0,
        "model: {preset: resnet20}
loss: cross_entropy
optimizer: {type: sgd, learning_rate: 0.003, momentum: 0.9, weight_decay: 0.0001}
train: {epochs: 50, batch_size: 32}
",
    );
}
