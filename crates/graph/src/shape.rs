//! Shapes with a symbolic batch.

use std::fmt;

/// The shape of a value: whether its first axis is the batch, and the sizes of the other axes.
///
/// An image value is `[N, height, width, channels]`, written `batch: true, dims: [height, width, channels]`; a kernel of
/// a convolution is `batch: false, dims: [out, kernel height, kernel width, in / groups]`; a scalar has no dims.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Whether the first axis is the (symbolic) batch.
    pub batch: bool,
    /// Sizes of the axes after the batch.
    pub dims: Vec<usize>,
}

impl Shape {
    /// A value with one entry for every sample.
    pub fn batched(dims: &[usize]) -> Shape {
        Shape { batch: true, dims: dims.to_vec() }
    }

    /// A value that does not depend on the number of samples.
    pub fn fixed(dims: &[usize]) -> Shape {
        Shape { batch: false, dims: dims.to_vec() }
    }

    /// One number.
    pub fn scalar() -> Shape {
        Shape::fixed(&[])
    }

    /// Elements of one sample (of the whole value where there is no batch).
    pub fn sample_len(&self) -> usize {
        self.dims.iter().product()
    }

    /// Elements for a batch of `batch` samples.
    pub fn len(&self, batch: usize) -> usize {
        self.sample_len() * if self.batch { batch } else { 1 }
    }

    /// All axes, the batch first where there is one.
    pub fn axes(&self, batch: usize) -> Vec<usize> {
        self.batch.then_some(batch).into_iter().chain(self.dims.iter().copied()).collect()
    }

    /// Whether this is one number.
    pub fn is_scalar(&self) -> bool {
        !self.batch && self.dims.is_empty()
    }

    /// Size of the last axis: channels of an image, features of a vector. One for a value without axes.
    pub fn channels(&self) -> usize {
        self.dims.last().copied().unwrap_or(1)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let batch = self.batch.then(|| "N".to_string());
        let axes: Vec<String> = batch.into_iter().chain(self.dims.iter().map(usize::to_string)).collect();
        write!(f, "[{}]", axes.join(", "))
    }
}
