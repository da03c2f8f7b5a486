//! The network as it is measured: probabilities and the loss of every sample, in evaluate mode.

use std::path::Path;

use engine::Variables;
use graph::{DType, Graph, Op, Shape};
use model::{Mode, Network, names};

use crate::losses::Loss;
use crate::step::{CLASS_WEIGHTS, class_weights};

/// Output `[N]` of [`evaluation_graph`].
pub const LOSSES: &str = "losses";

/// Inputs `image` and `label`; outputs `probabilities` `[N, K]` and `losses` `[N]`.
pub fn evaluation_graph(network: &Network, loss: &dyn Loss, is_weighted: bool) -> Graph {
    let mut g = Graph::new();
    let pixels = g.input(names::IMAGE, Shape::batched(&network.input), DType::U8);
    let labels = g.input(names::LABEL, Shape::batched(&[]), DType::Index);
    let variable = |g: &mut Graph, p: &model::Parameter| g.variable(&p.path, &p.dims);
    let scores = network.forward(&mut g, pixels, &variable, Mode::Evaluate).scores;
    g.set_scope("loss");
    let probabilities = if loss.takes_logits() { g.push(Op::Softmax, &[scores]) } else { scores };
    g.output(names::PROBABILITIES, probabilities);
    let weights = is_weighted.then(|| class_weights(&mut g, network.n_classes));
    let losses = loss.of_samples(&mut g, scores, labels, weights);
    g.output(LOSSES, losses);
    g
}

/// The arrays of a network (and its loss's class weights, where there are some) out of a checkpoint.
///
/// # Errors
/// If the file cannot be read, or belongs to another network.
pub fn load(network: &Network, path: &Path) -> record::Result<Variables> {
    let checkpoint = record::checkpoint::load::<serde_json::Value>(path)?;
    let mut arrays: Vec<_> = network.parameters.iter().map(|p| (p.path.clone(), p.dims.clone())).collect();
    if checkpoint.tensors().contains_key(CLASS_WEIGHTS) {
        arrays.push((CLASS_WEIGHTS.to_string(), vec![network.n_classes]));
    }
    let mut variables = Variables::new(&arrays);
    for (path, dims) in &arrays {
        variables.set(path, checkpoint.tensor(path, dims)?);
    }
    Ok(variables)
}
