//! The file: the translated graph with versions and metadata.

use engine::Variables;
use graph::{Graph, NodeId};
use model::{Network, names};
use prost::Message;

use crate::error::Error;
use crate::metadata::Metadata;
use crate::proto::{GraphProto, ModelProto, OperatorSetIdProto};
use crate::translate::{Translated, translate};
use crate::words::{Layout, OnnxSection};

/// Where the network comes from and what it is for.
#[derive(Clone, Debug)]
pub struct About<'a> {
    pub experiment: &'a str,
    /// Name of the run's directory.
    pub run: &'a str,
    /// The dataset as it was read: `cifar10 (published)`.
    pub dataset: &'a str,
    pub classes: &'a [String],
    /// The steps before the normalization, as YAML of the experiment language.
    pub preprocess: &'a str,
    /// Of what has to be equal for equal results, by name.
    pub fingerprints: &'a [(String, String)],
}

/// The bytes of an ONNX file: input `image`, output `scores` or `probabilities`, any batch.
///
/// # Errors
/// In one line, if something in the network has no form in ONNX.
pub fn document(
    network: &Network,
    variables: &Variables,
    options: &OnnxSection,
    about: &About<'_>,
) -> Result<Vec<u8>, Error> {
    let graph = network.inference();
    let translated = translated(&graph, network, variables, options)?;
    Ok(model(translated.graph, network, options, about).encode_to_vec())
}

/// The graph's ONNX form with the output that the options ask for.
pub(crate) fn translated(
    graph: &Graph,
    network: &Network,
    variables: &Variables,
    options: &OnnxSection,
) -> Result<Translated, Error> {
    let name = if options.softmax || network.ends_in_softmax { names::PROBABILITIES } else { names::SCORES };
    let id: NodeId = graph.find_output(name).expect("an inference graph has both outputs");
    translate(graph, variables, options, (name, id)).map_err(Error::new)
}

/// The whole file around a graph.
fn model(graph: GraphProto, network: &Network, options: &OnnxSection, about: &About<'_>) -> ModelProto {
    let metadata = Metadata {
        format: Metadata::FORMAT,
        experiment: about.experiment.to_string(),
        run: about.run.to_string(),
        dataset: about.dataset.to_string(),
        classes: about.classes.to_vec(),
        input: network.input,
        preprocess: about.preprocess.to_string(),
        normalization: network.normalization.clone(),
        takes_pixels: options.normalization,
        gives_probabilities: options.softmax || network.ends_in_softmax,
        is_nhwc: options.layout == Layout::Nhwc,
        fingerprints: about.fingerprints.to_vec(),
    };
    ModelProto {
        ir_version: Some(ir_version(options.opset)),
        producer_name: Some("etalon".to_string()),
        producer_version: Some(env!("CARGO_PKG_VERSION").to_string()),
        doc_string: Some(format!("{} of run {}", about.experiment, about.run)),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(options.opset as i64) }],
        metadata_props: metadata.entries(),
    }
}

/// The file format that came with an operator set (the versioning table of the ONNX project).
fn ir_version(opset: usize) -> i64 {
    match opset {
        ..19 => 8,
        19 | 20 => 9,
        _ => 10,
    }
}
