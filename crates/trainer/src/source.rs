//! What training is handed: samples in batches, and somebody who wants to know how it goes.

use std::ops::ControlFlow;

use record::Epoch;

/// Samples of one step.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Which samples of the data they are.
    pub samples: &'a [u32],
    /// Pixels `[n, height, width, channels]`.
    pub image: &'a [u8],
    /// Class indices `[n]`.
    pub labels: &'a [u32],
}

/// The training part, in the batches of each epoch.
pub trait Source {
    /// The number of samples.
    fn n_samples(&self) -> usize;

    /// Hands over the batches of an epoch (counted from 0), from `first_batch` on, until there are no more or `each`
    /// breaks. The same epoch gives the same batches at every call.
    ///
    /// # Errors
    /// In one line, if samples cannot be read.
    fn epoch(
        &mut self,
        epoch: u64,
        first_batch: usize,
        each: &mut dyn FnMut(Batch<'_>) -> ControlFlow<()>,
    ) -> Result<(), String>;
}

/// Who is told how training goes.
pub trait Observer {
    /// An epoch (counted from 0) begins, with `done` of its `n_samples` behind it.
    fn begin_epoch(&mut self, epoch: u64, done: usize, n_samples: usize);

    /// A step is done: samples of the epoch so far, their mean loss, images a second.
    fn step(&mut self, done: usize, loss: f64, images_per_second: f64);

    /// An epoch is done; `best` names its values that are the best so far.
    fn end_epoch(&mut self, epoch: &Epoch, best: &[String]);
}
