//! The proof: ONNX Runtime over real samples against what the network said of them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::path::Path;

use engine::{Predictions, Variables};
use graph::reference::{Feed, Tensor};
use graph::{Graph, NodeId, Op};
use model::{Network, names};
use prost::Message;
use serde::{Deserialize, Deserializer, Serialize};

use crate::document::translated;
use crate::error::Error;
use crate::onnx_model::OnnxModel;
use crate::proto::{GraphProto, ModelProto, ValueInfoProto};
use crate::words::{OnnxSection, ProofSamples, ProofSection};

/// Samples that the batch sizes other than the largest are tried on, in batches.
const BATCHES_OF_SMALL_SIZES: usize = 16;

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
    /// Largest absolute difference of probabilities; infinite where something is not a number.
    #[serde(deserialize_with = "null_is_infinite")]
    pub max_error: f64,
    #[serde(deserialize_with = "null_is_infinite")]
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
    /// Where the proof fails, the first node whose value differs from its definition by more than rounding.
    pub first_different_node: Option<String>,
}

/// Time an image takes in ONNX Runtime.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    pub batch_size: usize,
    /// Median over batches.
    pub microseconds_per_image: f64,
}

/// What the two say of the same samples, at all batch sizes so far.
#[derive(Default)]
struct Differences {
    largest: f64,
    /// The sample with the largest difference.
    worst: usize,
    sum: f64,
    numbers: usize,
    /// Samples that are decided differently at some batch size.
    disagreements: BTreeSet<usize>,
}

/// Runs the file on the samples of the predictions; `images` gives the pixels of a range of them.
///
/// # Errors
/// If the file or the library cannot be used, or images cannot be read.
pub fn prove(
    prove: &Prove<'_>,
    images: &mut dyn FnMut(Range<usize>) -> Result<Vec<u8>, String>,
) -> Result<Proof, Error> {
    let (section, predictions) = (prove.section, prove.predictions);
    let samples = match section.samples {
        ProofSamples::All => predictions.len(),
        ProofSamples::Count(count) => count.min(predictions.len()),
    };
    let unproven = |e: Error| Error::new(format!("the exported file cannot be proven: {e}"));
    let mut onnx = OnnxModel::of_bytes(prove.library, prove.onnx, prove.threads).map_err(unproven)?;
    let (theirs, ours) = ((onnx.input(), onnx.classes().len()), (prove.network.input, predictions.n_classes));
    if theirs != ours {
        let said = |([height, width, channels], n_classes): ([usize; 3], usize)| {
            format!("images {height} x {width} x {channels} to {n_classes} classes")
        };
        return Err(unproven(Error::new(format!("it takes {}, the network {}", said(theirs), said(ours)))));
    }
    let mut sizes = section.batch_sizes.clone();
    sizes.sort_unstable();
    sizes.dedup();
    let (mut found, mut latency, mut right_onnx) = (Differences::default(), Vec::new(), 0);
    for &size in &sizes {
        let is_last = Some(&size) == sizes.last();
        let n = if is_last { samples } else { samples.min(size.saturating_mul(BATCHES_OF_SMALL_SIZES)) };
        let run = compare(predictions, &mut onnx, n, size, images, &mut found)?;
        latency.push(run.latency);
        right_onnx = run.right;
    }
    let right = |place: &usize| decision(predictions.row(*place)) == Some(predictions.labels[*place] as usize);
    let right_engine = (0..samples).filter(right).count();
    let share = |count: usize| count as f64 / samples.max(1) as f64;
    let passed = found.largest <= section.tolerance && found.disagreements.len() <= section.disagreements;
    let first_different_node = if passed { None } else { first_different_node(prove, found.worst, images)? };
    Ok(Proof {
        passed,
        samples,
        max_error: found.largest,
        mean_error: found.sum / found.numbers.max(1) as f64,
        disagreements: found.disagreements.len(),
        tolerance: section.tolerance,
        allowed_disagreements: section.disagreements,
        accuracy_engine: share(right_engine),
        accuracy_onnx: share(right_onnx),
        latency,
        first_different_node,
    })
}

/// JSON has no infinity and says null.
fn null_is_infinite<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
}

/// What one batch size gave.
struct Run {
    latency: Latency,
    /// Samples that ONNX Runtime decides rightly.
    right: usize,
}

fn compare(
    predictions: &Predictions,
    onnx: &mut OnnxModel,
    n: usize,
    size: usize,
    images: &mut dyn FnMut(Range<usize>) -> Result<Vec<u8>, String>,
    found: &mut Differences,
) -> Result<Run, Error> {
    let (mut times, mut right) = (Vec::new(), 0);
    for start in (0..n).step_by(size) {
        let range = start..start.saturating_add(size).min(n);
        let pixels = images(range.clone()).map_err(Error::new)?;
        let (probabilities, time) = onnx.timed_probabilities(range.len(), &pixels)?;
        // What is left over for the last batch would stand for another batch size.
        if range.len() == size || start == 0 {
            times.push(time.as_secs_f64() / range.len() as f64);
        }
        for (place, theirs) in range.zip(probabilities.chunks_exact(predictions.n_classes)) {
            found.add(place, predictions.row(place), theirs);
            right += usize::from(decision(theirs) == Some(predictions.labels[place] as usize));
        }
    }
    times.sort_by(f64::total_cmp);
    let median = times.get(times.len() / 2).copied().unwrap_or(0.0);
    Ok(Run { latency: Latency { batch_size: size, microseconds_per_image: median * 1e6 }, right })
}

impl Differences {
    fn add(&mut self, place: usize, ours: &[f32], theirs: &[f32]) {
        for (a, b) in ours.iter().zip(theirs) {
            let difference = f64::from((a - b).abs());
            // What is not a number is further away than anything.
            let difference = if difference.is_nan() { f64::INFINITY } else { difference };
            if difference > self.largest {
                (self.largest, self.worst) = (difference, place);
            }
            self.sum += difference;
            self.numbers += 1;
        }
        if decision(ours) != decision(theirs) {
            self.disagreements.insert(place);
        }
    }
}

/// The class of the largest number; none where one is not a number.
fn decision(probabilities: &[f32]) -> Option<usize> {
    let larger = |best: usize, class: usize| if probabilities[class] > probabilities[best] { class } else { best };
    let is_decided = !probabilities.iter().any(|p| p.is_nan());
    (0..probabilities.len()).reduce(larger).filter(|_| is_decided)
}

/// A node differs if it is off by more than this share of its largest number, or than the tolerance where that is less.
const ROUNDING: f64 = 1e-4;

/// Looks at one sample: every value that the proven file computes, compared in order with the definition of the graph.
/// None if all agree: then it is the engine that strayed from the definition.
fn first_different_node(
    prove: &Prove<'_>,
    place: usize,
    images: &mut dyn FnMut(Range<usize>) -> Result<Vec<u8>, String>,
) -> Result<Option<String>, Error> {
    let pixels = images(place..place + 1).map_err(Error::new)?;
    let graph = prove.network.inference();
    let values = translated(&graph, prove.network, prove.variables, prove.options)?.values;
    let bytes = with_outputs(prove.onnx, values.values().map(|value| value.name.as_str()))?;
    let mut outputs = HashMap::new();
    OnnxModel::of_bytes(prove.library, &bytes, prove.threads)?.outputs(1, &pixels, &mut |name, numbers| {
        outputs.insert(name.to_string(), numbers.to_vec());
    })?;
    let truth = graph::reference::run(&graph, &reference_feed(prove, &graph, &pixels));
    let tolerance = ROUNDING.min(prove.section.tolerance);
    let differs = |id: &NodeId| {
        let found = values.get(id).and_then(|value| outputs.get(&value.name));
        // The file may take numbers where the graph takes pixels.
        let Some(found) = found.filter(|_| !matches!(graph.node(*id).op, Op::Input { .. })) else { return false };
        let expected = in_their_order(&truth[*id], &graph.shape(*id).dims, values[id].flat);
        let scale = expected.iter().fold(1e-6, |scale: f64, x| scale.max(x.abs()));
        // What is not a number is not within.
        let is_within = |(a, b): (&f32, &f64)| (f64::from(*a) - b).abs() <= tolerance * scale;
        found.len() != expected.len() || !found.iter().zip(&expected).all(is_within)
    };
    Ok(graph.ids().find(differs).map(|id| values[&id].name.clone()))
}

/// The file with those of its values as further outputs that it computes. Messages of protobuf are put together by
/// writing one behind the other.
fn with_outputs<'a>(onnx: &[u8], names: impl Iterator<Item = &'a str>) -> Result<Vec<u8>, Error> {
    let model = ModelProto::decode(onnx).map_err(|e| Error::new(e.to_string()))?;
    let file = model.graph.unwrap_or_default();
    let computed: HashSet<&str> = file.node.iter().flat_map(|node| &node.output).map(String::as_str).collect();
    let known: HashSet<&str> = file.output.iter().filter_map(|output| output.name.as_deref()).collect();
    let wanted: BTreeSet<&str> = names.filter(|name| computed.contains(name) && !known.contains(name)).collect();
    let output = |name: &&str| ValueInfoProto { name: Some(name.to_string()), r#type: None };
    let added = GraphProto { output: wanted.iter().map(output).collect(), ..GraphProto::default() };
    let added = ModelProto { graph: Some(added), ..ModelProto::default() };
    Ok([onnx, &added.encode_to_vec()].concat())
}

fn reference_feed(prove: &Prove<'_>, graph: &Graph, pixels: &[u8]) -> Feed {
    let mut feed = Feed::new(1);
    for node in graph.nodes() {
        let shape = node.shape.axes(1);
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
