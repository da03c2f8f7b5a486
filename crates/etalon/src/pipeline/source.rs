//! The training part as the trainer takes it: batches of the loader, in the order of each epoch.

use std::ops::ControlFlow;

use data::{Dataset, Loader, LoaderSettings, Mode, PartName};
use trainer::{Batch, LastBatch, TrainSection};

use crate::failure::Failure;

/// Batches of the training part.
pub struct TrainingPart(Loader);

impl TrainingPart {
    /// The part in the batches that the section `train` asks for.
    pub fn new(dataset: &Dataset, train: &TrainSection, seed: u64, threads: usize) -> Result<TrainingPart, Failure> {
        let settings = LoaderSettings {
            batch_size: train.batch_size,
            drop_last: train.last_batch == LastBatch::Drop,
            shuffle: true,
            mode: Mode::Train,
            seed,
            threads,
        };
        Loader::new(dataset, PartName::Train, settings).map(TrainingPart).map_err(Failure::work)
    }
}

impl trainer::Source for TrainingPart {
    fn n_samples(&self) -> usize {
        self.0.n_samples()
    }

    fn epoch(
        &mut self,
        epoch: u64,
        first_batch: usize,
        each: &mut dyn FnMut(Batch<'_>) -> ControlFlow<()>,
    ) -> Result<(), String> {
        let mut hand_over =
            |batch: &data::Batch| each(Batch { samples: &batch.samples, image: batch.image(), labels: batch.labels() });
        self.0.epoch(epoch, first_batch, &mut hand_over).map_err(|e| e.to_string())
    }
}
