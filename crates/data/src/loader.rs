//! Batches of a part, made ahead of their use by threads of their own in a bounded ring of buffers that are used again.
//!
//! Which samples a batch has is a function of (seed, epoch) alone, and what becomes of each of (seed, epoch, sample): the
//! threads, and where in the epoch one begins, change nothing. Where no step touches the images and they are in memory, a
//! batch is copied together by the thread that asks for it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use kernels::random::{Stream, purpose};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::batch::{Batch, Field, Values};
use crate::dataset::Store;
use crate::steps::{Key, Mode, Scratch};
use crate::{Dataset, Error, Part, PartName};

/// Batches that are ready or in the making beyond one a thread.
const AHEAD: usize = 2;

/// What a loader gives.
#[derive(Clone, Copy, Debug)]
pub struct LoaderSettings {
    /// Samples of a batch.
    pub batch_size: usize,
    /// Whether the last samples that do not fill a batch are left out.
    pub drop_last: bool,
    /// Whether every epoch has an order of its own; otherwise that of the dataset.
    pub shuffle: bool,
    /// What the images are for.
    pub mode: Mode,
    /// The run's seed: order and augmentation.
    pub seed: u64,
    /// How many threads make batches.
    pub threads: usize,
}

/// Gives the batches of a part, epoch by epoch.
pub struct Loader {
    work: Arc<Work>,
    /// None where nothing is to be computed.
    pool: Option<ThreadPool>,
    spare: Vec<Buffer>,
}

/// What the threads share.
struct Work {
    store: Arc<Store>,
    part: Part,
    settings: LoaderSettings,
    /// Whether images are bytes in memory that no step changes.
    plain: bool,
}

/// A place of the ring.
#[derive(Default)]
struct Buffer {
    batch: Batch,
    scratch: Scratch,
}

/// A batch that was made, or why not.
type Made = (usize, Result<Buffer, Error>);

impl Loader {
    /// A loader of a part.
    ///
    /// # Panics
    /// If there is no such part, or batches have no samples.
    pub fn new(dataset: &Dataset, part: PartName, settings: LoaderSettings) -> Result<Loader, Error> {
        assert!(settings.batch_size > 0, "a batch has samples");
        let store = dataset.store().clone();
        let part = store.part(part).clone();
        let plain = store.is_plain(&part, settings.mode);
        let pool = if plain { None } else { Some(threads(settings.threads.max(1))?) };
        Ok(Loader { work: Arc::new(Work { store, part, settings, plain }), pool, spare: Vec::new() })
    }

    /// How many samples the part has.
    pub fn n_samples(&self) -> usize {
        self.work.part.indices.len()
    }

    /// How many batches an epoch has.
    pub fn n_batches(&self) -> usize {
        let LoaderSettings { batch_size, drop_last, .. } = self.work.settings;
        if drop_last { self.n_samples() / batch_size } else { self.n_samples().div_ceil(batch_size) }
    }

    /// The batches of an epoch from number `first_batch` on.
    pub fn batches(&mut self, epoch: u64, first_batch: usize) -> Batches<'_> {
        let order = Arc::new(self.work.order(epoch));
        let (sender, receiver) = channel();
        let end = self.n_batches();
        let first = first_batch.min(end);
        let mut batches = Batches {
            loader: self,
            epoch,
            order,
            end,
            asked: first,
            given: first,
            current: None,
            early: BTreeMap::new(),
            sender,
            receiver,
        };
        let ring = batches.loader.pool.as_ref().map_or(0, |pool| pool.current_num_threads() + AHEAD);
        (0..ring).for_each(|_| batches.ask());
        batches
    }

    /// Hands the batches of an epoch from number `first_batch` on to `each`, until it breaks off.
    pub fn epoch(
        &mut self,
        epoch: u64,
        first_batch: usize,
        each: &mut dyn FnMut(&Batch) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut batches = self.batches(epoch, first_batch);
        while let Some(batch) = batches.next() {
            if each(batch?).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn threads(n: usize) -> Result<ThreadPool, Error> {
    let builder = ThreadPoolBuilder::new().num_threads(n).thread_name(|i| format!("loader {i}"));
    builder.build().map_err(|e| Error::plain(format!("could not start the threads that load images: {e}")))
}

/// The batches of an epoch, one after the other. A batch stands until the next is asked for.
pub struct Batches<'l> {
    loader: &'l mut Loader,
    epoch: u64,
    order: Arc<Vec<u32>>,
    /// One after the last batch.
    end: usize,
    /// The next batch to be made.
    asked: usize,
    /// The next batch to be given.
    given: usize,
    current: Option<Buffer>,
    /// Batches that were made before their turn.
    early: BTreeMap<usize, Result<Buffer, Error>>,
    sender: Sender<Made>,
    receiver: Receiver<Made>,
}

impl Batches<'_> {
    /// The next batch; none at the end of the epoch or behind an error.
    #[expect(clippy::should_implement_trait, reason = "a batch borrows a buffer that the next one uses again")]
    pub fn next(&mut self) -> Option<Result<&Batch, Error>> {
        if let Some(buffer) = self.current.take() {
            self.loader.spare.push(buffer);
            self.ask();
        }
        if self.given >= self.end {
            return None;
        }
        let number = self.given;
        let made = match self.loader.pool {
            None => {
                let buffer = self.loader.spare.pop().unwrap_or_default();
                self.loader.work.make(number, self.epoch, &self.order, buffer)
            }
            Some(_) => self.wait_for(number),
        };
        match made {
            Ok(buffer) => {
                self.given += 1;
                Some(Ok(&self.current.insert(buffer).batch))
            }
            Err(error) => {
                self.given = self.end;
                self.asked = self.end;
                Some(Err(error))
            }
        }
    }

    /// Has a thread make the next batch, in a buffer that is free.
    fn ask(&mut self) {
        let Some(pool) = &self.loader.pool else { return };
        if self.asked < self.end {
            let (number, epoch) = (self.asked, self.epoch);
            let buffer = self.loader.spare.pop().unwrap_or_default();
            let (work, order, sender) = (self.loader.work.clone(), self.order.clone(), self.sender.clone());
            // Nobody receives where an epoch was broken off.
            pool.spawn(move || drop(sender.send((number, work.make(number, epoch, &order, buffer)))));
            self.asked += 1;
        }
    }

    fn wait_for(&mut self, number: usize) -> Result<Buffer, Error> {
        loop {
            if let Some(made) = self.early.remove(&number) {
                return made;
            }
            let (other, made) = self.receiver.recv().expect("the sender is held here");
            self.early.insert(other, made);
        }
    }
}

impl Drop for Batches<'_> {
    /// Keeps the buffers for the next epoch.
    fn drop(&mut self) {
        let early = std::mem::take(&mut self.early).into_values().flatten();
        self.loader.spare.extend(early.chain(self.current.take()));
        self.loader.spare.extend(self.receiver.try_iter().filter_map(|(_, made)| made.ok()));
    }
}

impl Work {
    /// The samples of an epoch in their order.
    fn order(&self, epoch: u64) -> Vec<u32> {
        let mut order = self.part.indices.clone();
        if self.settings.shuffle {
            Stream::new(self.settings.seed, purpose("order"), epoch, 0).draws().shuffle(&mut order);
        }
        order
    }

    /// Makes batch `number` of an epoch.
    fn make(&self, number: usize, epoch: u64, order: &[u32], mut buffer: Buffer) -> Result<Buffer, Error> {
        let LoaderSettings { batch_size, mode, seed, .. } = self.settings;
        let start = number * batch_size;
        let samples = &order[start..(start + batch_size).min(order.len())];
        let shape = self.store.shape(mode);
        let (images, labels) = buffer.batch.reset(&self.store.fields, shape, samples);
        let size: usize = shape.iter().product();
        for (&sample, image) in samples.iter().zip(images.chunks_exact_mut(size)) {
            let (split, index) = self.store.locate(&self.part, sample);
            labels.push(split.labels[index]);
            match split.in_memory(index).filter(|_| self.plain) {
                Some((_, bytes)) => image.copy_from_slice(bytes),
                None => {
                    self.store.prepare(&self.part, mode, Key { seed, epoch, sample }, &mut buffer.scratch)?;
                    image.copy_from_slice(&buffer.scratch.image().bytes);
                }
            }
        }
        Ok(buffer)
    }
}

impl Batch {
    /// Makes room for samples; gives the bytes of their images, and their labels, of which there are none yet.
    fn reset(&mut self, names: &[String; 2], shape: [usize; 3], samples: &[u32]) -> (&mut [u8], &mut Vec<u32>) {
        self.samples.clear();
        self.samples.extend_from_slice(samples);
        if self.fields.is_empty() {
            let [image, label] = names.clone();
            self.fields = vec![
                Field { name: image, values: Values::U8 { shape, bytes: Vec::new() } },
                Field { name: label, values: Values::Index(Vec::new()) },
            ];
        }
        let [Field { values: Values::U8 { bytes, .. }, .. }, Field { values: Values::Index(labels), .. }] =
            self.fields.as_mut_slice()
        else {
            unreachable!("a loader's buffers have an image and a class");
        };
        bytes.resize(samples.len() * shape.iter().product::<usize>(), 0);
        labels.clear();
        (bytes, labels)
    }
}
