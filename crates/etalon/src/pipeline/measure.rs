//! What a network says about a part: probabilities and losses of every sample, in evaluate mode.

use std::ops::ControlFlow;

use data::{Dataset, Loader, LoaderSettings, Mode, PartName};
use engine::{Feed, Input, Predictions, Program, Variables};
use model::names;

use super::Prepared;
use crate::failure::Failure;

/// Samples that are measured at a time. What is said of a sample does not depend on it.
const BATCH: usize = 256;

/// An evaluation program, kept for many measurements.
pub struct Measurer<'a> {
    dataset: &'a Dataset,
    program: Program,
    n_classes: usize,
    threads: usize,
}

/// What was measured of a part.
pub struct Said {
    pub predictions: Predictions,
    /// Mean loss over the samples.
    pub loss: f64,
}

impl<'a> Measurer<'a> {
    /// For the network and loss of an experiment.
    pub fn new(prepared: &'a Prepared) -> Measurer<'a> {
        let (network, loss) = (prepared.network(), prepared.checked.training.loss.as_ref());
        let counts = prepared.dataset.class_counts(PartName::Train);
        let is_weighted = loss.class_weights().values(&counts).is_some();
        let graph = trainer::evaluation_graph(network, loss, is_weighted);
        let threads = prepared.settings.threads.count();
        let program = Program::new(&graph, &prepared.settings);
        Measurer { dataset: &prepared.dataset, program, n_classes: network.n_classes, threads }
    }

    /// Asks for every sample of the part, in its order.
    pub fn measure(&mut self, variables: &mut Variables, part: PartName) -> Result<Said, Failure> {
        let (seed, threads) = (0, self.threads);
        let settings =
            LoaderSettings { batch_size: BATCH, drop_last: false, shuffle: false, mode: Mode::Evaluate, seed, threads };
        let mut loader = Loader::new(self.dataset, part, settings).map_err(Failure::work)?;
        let mut predictions = Predictions {
            output: names::SCORES.to_string(),
            field: names::LABEL.to_string(),
            n_classes: self.n_classes,
            ..Predictions::default()
        };
        let mut sum = 0.0;
        let program = &mut self.program;
        let read = loader.epoch(0, 0, &mut |batch| {
            let inputs = [(names::IMAGE, Input::U8(batch.image())), (names::LABEL, Input::Index(batch.labels()))];
            let feed = Feed { batch: batch.len(), inputs: &inputs, seed: 0, epoch: 0, samples: &batch.samples };
            program.run(variables, &feed).expect("an evaluation guards nothing");
            sum += program.output(trainer::SAMPLE_LOSSES).iter().map(|&x| f64::from(x)).sum::<f64>();
            predictions.probabilities.extend_from_slice(program.output(names::PROBABILITIES));
            predictions.samples.extend_from_slice(&batch.samples);
            predictions.labels.extend_from_slice(batch.labels());
            ControlFlow::Continue(())
        });
        read.map_err(Failure::work)?;
        let loss = sum / predictions.len().max(1) as f64;
        Ok(Said { predictions, loss })
    }
}
