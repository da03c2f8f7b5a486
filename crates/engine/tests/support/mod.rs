//! What the engine's tests share: feeds of the reference interpreter run by the engine, and comparisons.
#![allow(dead_code)] // each test file uses a part

pub mod networks;

use std::collections::BTreeMap;

use engine::{Arithmetic, Feed, Input, NotFinite, Program, Settings, Threads, Variables};
use graph::reference::{self, Tensor};
use graph::{DType, Graph, Op};
use kernels::Isa;

/// Settings for an instruction set and a number of threads.
pub fn settings(isa: Isa, threads: usize) -> Settings {
    Settings { isa, threads: Threads::new(threads), arithmetic: Arithmetic::Accurate, keep_all: false }
}

/// Numbers below this are compared as if they were as large.
const SMALL: f64 = 1e-2;

/// A feed of the reference interpreter in the engine's types.
pub struct Inputs {
    numbers: BTreeMap<String, Vec<f32>>,
    bytes: BTreeMap<String, Vec<u8>>,
    indices: BTreeMap<String, Vec<u32>>,
    batch: usize,
    seed: u64,
    epoch: u64,
    samples: Vec<u32>,
}

impl Inputs {
    pub fn new(graph: &Graph, feed: &reference::Feed) -> Inputs {
        let (numbers, bytes, indices) = Default::default();
        let (batch, seed, epoch, samples) = (feed.batch, feed.seed, feed.epoch, feed.samples.clone());
        let mut inputs = Inputs { numbers, bytes, indices, batch, seed, epoch, samples };
        for node in graph.nodes() {
            let Op::Input { name } = &node.op else { continue };
            let data = &feed.inputs[name].data;
            match node.dtype {
                DType::F32 => drop(inputs.numbers.insert(name.clone(), data.iter().map(|x| *x as f32).collect())),
                DType::U8 => drop(inputs.bytes.insert(name.clone(), data.iter().map(|x| *x as u8).collect())),
                DType::Index => drop(inputs.indices.insert(name.clone(), data.iter().map(|x| *x as u32).collect())),
            }
        }
        inputs
    }

    pub fn run(&self, program: &mut Program, variables: &mut Variables) -> Result<(), NotFinite> {
        let numbers = self.numbers.iter().map(|(name, values)| (name.as_str(), Input::F32(values)));
        let bytes = self.bytes.iter().map(|(name, values)| (name.as_str(), Input::U8(values)));
        let indices = self.indices.iter().map(|(name, values)| (name.as_str(), Input::Index(values)));
        let inputs: Vec<(&str, Input<'_>)> = numbers.chain(bytes).chain(indices).collect();
        let (batch, seed, epoch) = (self.batch, self.seed, self.epoch);
        program.run(variables, &Feed { batch, inputs: &inputs, seed, epoch, samples: &self.samples })
    }
}

/// The variables of a feed.
pub fn variables(feed: &reference::Feed) -> Variables {
    let arrays: Vec<(String, Vec<usize>)> =
        feed.variables.iter().map(|(path, tensor)| (path.clone(), tensor.shape.clone())).collect();
    let mut variables = Variables::new(&arrays);
    for (path, tensor) in &feed.variables {
        variables.set(path, &tensor.data.iter().map(|x| *x as f32).collect::<Vec<_>>());
    }
    variables
}

/// The largest difference, as a share of the largest expected number; nothing counts as less than `SMALL`, since the
/// gradient of a bias before a batch norm is zero but for roundings.
pub fn difference(found: &[f32], expected: &Tensor) -> f64 {
    assert_eq!(found.len(), expected.data.len());
    let largest = expected.data.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    let difference = found.iter().zip(&expected.data).map(|(found, expected)| {
        let difference = (f64::from(*found) - expected).abs();
        if difference.is_nan() { f64::INFINITY } else { difference }
    });
    difference.fold(0.0, f64::max) / largest.max(SMALL)
}
