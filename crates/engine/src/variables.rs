//! Persistent arrays by path: weights, the optimizer's state, running statistics.
//!
//! Each has one canonical layout, that of its graph node in row order, which checkpoints and exports read. A program
//! finds its variables by path, so that several programs can share them.

use std::sync::atomic::{AtomicU64, Ordering};

use kernels::buffer::Buffer;

/// Named f32 arrays that stay from step to step.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    path: String,
    dims: Vec<usize>,
    data: Buffer,
    stamp: u64,
}

/// Every change of an array takes the next number, so that equal stamps mean equal numbers, also among clones.
static STAMPS: AtomicU64 = AtomicU64::new(0);

fn next_stamp() -> u64 {
    STAMPS.fetch_add(1, Ordering::Relaxed)
}

impl Variables {
    /// Zeros under these paths, with these dims.
    ///
    /// # Panics
    /// If a path stands there twice.
    pub fn new(arrays: &[(String, Vec<usize>)]) -> Variables {
        let mut variables = Variables::default();
        for (path, dims) in arrays {
            assert!(variables.index_of(path).is_none(), "there are two variables {path:?}");
            let data = Buffer::zeros(dims.iter().product());
            variables.entries.push(Entry { path: path.clone(), dims: dims.clone(), data, stamp: next_stamp() });
        }
        variables
    }

    /// The place of `path` in [`Variables::iter`].
    pub fn index_of(&self, path: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.path == path)
    }

    /// The array of `path`.
    pub fn value(&self, path: &str) -> Option<&[f32]> {
        self.index_of(path).map(|index| &self.entries[index].data[..])
    }

    /// Replaces the array of `path`.
    ///
    /// # Panics
    /// If there is none, or if it has another length.
    pub fn set(&mut self, path: &str, data: &[f32]) {
        let index = self.index_of(path).unwrap_or_else(|| panic!("there is no variable {path:?}"));
        self.at_mut(index).copy_from_slice(data);
    }

    /// Whether `path` stands at this place.
    pub(crate) fn is_at(&self, place: usize, path: &str) -> bool {
        self.entries.get(place).is_some_and(|entry| entry.path == path)
    }

    /// The array at a place.
    pub(crate) fn at(&self, place: usize) -> &Buffer {
        &self.entries[place].data
    }

    /// The array at a place; it keeps its length.
    pub(crate) fn at_mut(&mut self, place: usize) -> &mut Buffer {
        self.entries[place].stamp = next_stamp();
        &mut self.entries[place].data
    }

    /// Which change of the array at a place was the last.
    pub(crate) fn stamp(&self, place: usize) -> u64 {
        self.entries[place].stamp
    }

    /// Path, dims and array of each, in the order of creation.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[usize], &[f32])> {
        self.entries.iter().map(|entry| (entry.path.as_str(), entry.dims.as_slice(), &entry.data[..]))
    }

    /// The number of arrays.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no arrays.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
