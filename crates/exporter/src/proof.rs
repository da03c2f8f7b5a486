//! The proof: ONNX Runtime over real samples against what the network said of them.

use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use engine::{Predictions, Variables};
use graph::Op;
use graph::reference::{Feed, Tensor};
use model::{Network, names};
use prost::Message;
use serde::{Deserialize, Serialize};

use crate::document::{About, model, translated};
use crate::error::Error;
use crate::onnx_model::OnnxModel;
use crate::words::{OnnxSection, ProofSamples, ProofSection};

/// Samples that the batch sizes other than the largest are tried on, in batches.
const BATCHES_OF_SMALL_SIZES: usize = 16;

/// Samples on which single nodes are compared.
const SAMPLES_FOR_NODES: usize = 2;

/// What is proven against what.
pub struct Prove<'a> {
    /// The ONNX Runtime library.
    pub library: &'a Path,
    /// The file's bytes.
    pub onnx: &'a [u8],
    pub network: &'a Network,
    pub variables: &'a Variables,
    pub options: &'a OnnxSection,
    pub section: &'a ProofSection,
    /// What the network said of the samples.
    pub predictions: &'a Predictions,
    pub threads: usize,
}

/// What ONNX Runtime said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// Whether errors and disagreements are within what is allowed.
    pub passed: bool,
    pub samples: usize,
    /// Largest absolute difference of probabilities.
    pub max_error: f64,
    pub mean_error: f64,
    /// Decisions that differ.
    pub disagreements: usize,
    pub tolerance: f64,
    pub allowed_disagreements: usize,
    /// Share of the samples that are decided rightly.
    pub accuracy_engine: f64,
    pub accuracy_onnx: f64,
    /// By batch size.
    pub latency: Vec<Latency>,
    /// Where the proof fails, the first node whose value differs by more than rounding.
    pub first_different_node: Option<String>,
}

/// Time an image takes in ONNX Runtime.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    pub batch_size: usize,
    /// Median over batches.
    pub microseconds_per_image: f64,
}

/// Differences so far.
#[derive(Default)]
struct Differences {
    largest: f64,
    sum: f64,
    numbers: usize,
    disagreements: usize,
    right_engine: usize,
    right_onnx: usize,
    samples: usize,
}

/// Runs the file on the samples of the predictions; `images` gives the pixels of a range of them.
///
/// # Errors
/// If the file or the library cannot be used, or images cannot be read.
pub fn prove(
    prove: &Prove<'_>,
    images: &mut dyn FnMut(Range<usize>) -> Result<Vec<u8>, String>,
) -> Result<Proof, Error> {
    let section = prove.section;
    let samples = match section.samples {
        ProofSamples::All => prove.predictions.len(),
        ProofSamples::Count(count) => count.min(prove.predictions.len()),
    };
    let mut onnx = OnnxModel::of_bytes(prove.library, prove.onnx, prove.threads)?;
    let largest = section.batch_sizes.iter().copied().max().unwrap_or(1);
    let (mut all, mut latency) = (Differences::default(), Vec::new());
    for &size in &section.batch_sizes {
        let n = if size == largest { samples } else { samples.min(size * BATCHES_OF_SMALL_SIZES) };
        let found = compare(prove, &mut onnx, n, size, images, &mut latency)?;
        if size == largest {
            all = Differences { largest: all.largest.max(found.largest), ..found };
        } else {
            all.largest = all.largest.max(found.largest);
            all.disagreements = all.disagreements.max(found.disagreements);
        }
    }
    // A number that is none compares as not within.
    let passed = all.largest <= section.tolerance && all.disagreements <= section.disagreements;
    let first_different_node = if passed { None } else { first_different_node(prove, samples, images)? };
    let share = |count: usize| count as f64 / all.samples.max(1) as f64;
    Ok(Proof {
        passed,
        samples,
        max_error: all.largest,
        mean_error: all.sum / all.numbers.max(1) as f64,
        disagreements: all.disagreements,
        tolerance: section.tolerance,
        allowed_disagreements: section.disagreements,
        accuracy_engine: share(all.right_engine),
        accuracy_onnx: share(all.right_onnx),
        latency,
        first_different_node,
    })
}

fn compare(
    prove: &Prove<'_>,
    onnx: &mut OnnxModel,
    n: usize,
    size: usize,
    images: &mut dyn FnMut(Range<usize>) -> Result<Vec<u8>, String>,
    latency: &mut Vec<Latency>,
) -> Result<Differences, Error> {
    let (mut found, mut times) = (Differences::default(), Vec::new());
    let n_classes = prove.predictions.n_classes;
    for start in (0..n).step_by(size) {
        let range = start..(start + size).min(n);
        let pixels = images(range.clone()).map_err(Error::new)?;
        let begun = Instant::now();
        let probabilities = onnx.probabilities(range.len(), &pixels)?;
        times.push(begun.elapsed().as_secs_f64() / range.len() as f64);
        for (place, theirs) in range.zip(probabilities.chunks_exact(n_classes)) {
            found.add(prove.predictions.row(place), theirs, prove.predictions.labels[place]);
        }
    }
    times.sort_by(f64::total_cmp);
    let median = times.get(times.len() / 2).copied().unwrap_or(0.0);
    latency.push(Latency { batch_size: size, microseconds_per_image: median * 1e6 });
    Ok(found)
}

impl Differences {
    fn add(&mut self, ours: &[f32], theirs: &[f32], label: u32) {
        for (a, b) in ours.iter().zip(theirs) {
            let difference = f64::from((a - b).abs());
            // What is not a number is further away than anything.
            let difference = if difference.is_nan() { f64::INFINITY } else { difference };
            self.largest = self.largest.max(difference);
            self.sum += difference;
            self.numbers += 1;
        }
        let (our_class, their_class) = (largest(ours), largest(theirs));
        self.disagreements += usize::from(our_class != their_class);
        self.right_engine += usize::from(our_class == label as usize);
        self.right_onnx += usize::from(their_class == label as usize);
        self.samples += 1;
    }
}

fn largest(numbers: &[f32]) -> usize {
    numbers.iter().enumerate().fold((0, f32::MIN), |best, (i, &x)| if x > best.1 { (i, x) } else { best }).0
}

/// A node differs if it is off by more than this share of its largest number.
const ROUNDING: f64 = 1e-4;

/// Exports anew with every value as an output, takes the weights from the file that is proven, and compares each with the
/// definition of the graph.
fn first_different_node(
    prove: &Prove<'_>,
    samples: usize,
    images: &mut dyn FnMut(Range<usize>) -> Result<Vec<u8>, String>,
) -> Result<Option<String>, Error> {
    let n = samples.min(SAMPLES_FOR_NODES);
    let pixels = images(0..n).map_err(Error::new)?;
    let graph = prove.network.inference();
    let translated = translated(&graph, prove.network, prove.variables, prove.options, true)?;
    let values = translated.values.clone();
    let classes: Vec<String> = (0..prove.predictions.n_classes).map(|class| class.to_string()).collect();
    let about = About { experiment: "", run: "", dataset: "", classes: &classes, preprocess: "", fingerprints: &[] };
    let mut every = model(translated, prove.network, prove.options, &about);
    let proven = crate::proto::ModelProto::decode(prove.onnx).map_err(|e| Error::new(e.to_string()))?;
    if let (Some(graph), Some(proven)) = (&mut every.graph, proven.graph) {
        graph.initializer = proven.initializer;
        // Nodes may have been changed, too; only what has the same names can be compared.
        graph.node = proven.node;
    }
    let bytes = every.encode_to_vec();
    let mut onnx = OnnxModel::of_bytes(prove.library, &bytes, prove.threads)?;
    let truth = graph::reference::run(&graph, &reference_feed(prove, &graph, n, &pixels));
    let mut outputs = std::collections::HashMap::new();
    onnx.outputs(n, &pixels, &mut |name, numbers| {
        outputs.insert(name.to_string(), numbers.to_vec());
    })?;
    for id in graph.ids() {
        let Some(value) = values.get(&id) else { continue };
        let Some(found) = outputs.get(&value.name) else { continue };
        let expected = in_their_order(&truth[id], graph.shape(id).dims.as_slice(), value.flat);
        let scale = expected.iter().fold(1e-6, |scale: f64, x| scale.max(x.abs()));
        // What is not a number is not within.
        let is_within = |(a, b): (&f32, &f64)| (f64::from(*a) - b).abs() <= ROUNDING * scale;
        if !found.iter().zip(&expected).all(is_within) {
            return Ok(Some(value.name.clone()));
        }
    }
    Ok(None)
}

fn reference_feed(prove: &Prove<'_>, graph: &graph::Graph, n: usize, pixels: &[u8]) -> Feed {
    let mut feed = Feed::new(n);
    for node in graph.nodes() {
        let shape = node.shape.axes(n);
        match &node.op {
            Op::Input { name } if name == names::IMAGE => {
                let data = pixels.iter().map(|x| f64::from(*x)).collect();
                feed.inputs.insert(name.clone(), Tensor::new(&shape, data));
            }
            Op::Variable { path } => {
                let values = prove.variables.value(path).unwrap_or_default().iter().map(|x| f64::from(*x)).collect();
                feed.variables.insert(path.clone(), Tensor::new(&shape, values));
            }
            _ => {}
        }
    }
    feed
}

/// The numbers in the order of ONNX: channels before rows and columns.
fn in_their_order(tensor: &Tensor, dims: &[usize], flat: Option<[usize; 3]>) -> Vec<f64> {
    let image = flat.or(if let [height, width, channels] = *dims { Some([height, width, channels]) } else { None });
    let Some([height, width, channels]) = image else { return tensor.data.clone() };
    let n = tensor.data.len() / (height * width * channels);
    let view = ndarray::ArrayView4::from_shape((n, height, width, channels), &tensor.data);
    let view = view.expect("as many numbers as the shape says");
    view.permuted_axes([0, 3, 1, 2]).iter().copied().collect()
}
