//! A file that was exported here, ready to score images: for the proof and for predicting.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use kernels::input::Normalization;
use model::names;
use ndarray::ArrayView4;
use prost::Message;

use crate::error::Error;
use crate::metadata::Metadata;
use crate::proto::ModelProto;
use crate::runtime::Runtime;
use crate::words::Layout;

/// Larger than any file of ours; protobuf itself ends at 2 GiB.
const LARGEST: u64 = 1 << 31;

/// A loaded file.
pub struct OnnxModel {
    runtime: Runtime,
    metadata: Metadata,
    numbers: Vec<f32>,
}

impl OnnxModel {
    /// Reads a file.
    ///
    /// # Errors
    /// In one line, if it cannot be read, was not written here, or is refused by ONNX Runtime.
    pub fn open(library: &Path, path: &Path, threads: usize) -> Result<OnnxModel, Error> {
        let at = |e: Error| Error::new(format!("{}: {e}", path.display()));
        let refused = |e: std::io::Error| Error::new(format!("{}: {e}", path.display()));
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(refused)?;
        file.take(LARGEST).read_to_end(&mut bytes).map_err(refused)?;
        if bytes.len() as u64 == LARGEST {
            return Err(at(Error::new("it is larger than any ONNX file")));
        }
        OnnxModel::of_bytes(library, &bytes, threads).map_err(at)
    }

    /// The same from bytes.
    pub fn of_bytes(library: &Path, bytes: &[u8], threads: usize) -> Result<OnnxModel, Error> {
        let model = ModelProto::decode(bytes).map_err(|_| Error::new("it is no ONNX file, or a damaged one"))?;
        let metadata = Metadata::of(&model)?;
        let runtime = Runtime::new(library, bytes, threads)?;
        Ok(OnnxModel { runtime, metadata, numbers: Vec::new() })
    }

    /// Class names.
    pub fn classes(&self) -> &[String] {
        &self.metadata.classes
    }

    /// Shape of an image: height, width, channels.
    pub fn input(&self) -> [usize; 3] {
        self.metadata.input
    }

    /// The steps before the normalization, as YAML of the experiment language.
    pub fn preprocess(&self) -> &str {
        &self.metadata.preprocess
    }

    /// Name of the run that it came from.
    pub fn run(&self) -> &str {
        &self.metadata.run
    }

    /// Probabilities `[n, classes]` of `n` images of pixels `[n, height, width, channels]`.
    pub fn probabilities(&mut self, n: usize, pixels: &[u8]) -> Result<Vec<f32>, Error> {
        self.timed_probabilities(n, pixels).map(|(probabilities, _)| probabilities)
    }

    /// The same with the time that ONNX Runtime took for the scores.
    pub(crate) fn timed_probabilities(&mut self, n: usize, pixels: &[u8]) -> Result<(Vec<f32>, Duration), Error> {
        let mut found = Vec::new();
        let time = self.outputs(n, pixels, &mut |name, numbers| {
            if name == names::SCORES || name == names::PROBABILITIES {
                found = numbers.to_vec();
            }
        })?;
        let n_classes = self.metadata.classes.len();
        if found.len() != n * n_classes {
            return Err(Error::new(format!("it gives {} numbers for {n} images of {n_classes} classes", found.len())));
        }
        if !self.metadata.gives_probabilities {
            found.chunks_exact_mut(n_classes).for_each(softmax);
        }
        Ok((found, time))
    }

    /// Every output by name, and the time that ONNX Runtime took.
    pub(crate) fn outputs(
        &mut self,
        n: usize,
        pixels: &[u8],
        visit: &mut dyn FnMut(&str, &[f32]),
    ) -> Result<Duration, Error> {
        let [height, width, channels] = self.metadata.input;
        assert_eq!(pixels.len(), n * height * width * channels, "pixels of whole images");
        let nhwc = self.normalized(pixels, height * width * channels, channels);
        let view = ArrayView4::from_shape((n, height, width, channels), &nhwc).expect("as many numbers as pixels");
        let dims = match self.metadata.layout() {
            Layout::Nhwc => {
                self.numbers.clear();
                self.numbers.extend(view.iter());
                [n, height, width, channels]
            }
            Layout::Nchw => {
                self.numbers.clear();
                self.numbers.extend(view.permuted_axes([0, 3, 1, 2]).iter());
                [n, channels, height, width]
            }
        };
        self.runtime.run(&[(names::IMAGE, &dims, &self.numbers)], visit)
    }

    /// The numbers that the graph takes, in the pixels' order.
    fn normalized(&self, pixels: &[u8], image: usize, channels: usize) -> Vec<f32> {
        if self.metadata.takes_pixels {
            return pixels.iter().map(|x| f32::from(*x)).collect();
        }
        match &self.metadata.normalization {
            Normalization::Affine { scale, shift } => {
                let of =
                    |(index, x): (usize, &u8)| f32::from(*x).mul_add(scale[index % channels], shift[index % channels]);
                pixels.iter().enumerate().map(of).collect()
            }
            Normalization::PerImage => pixels.chunks_exact(image).flat_map(standardized).collect(),
        }
    }
}

/// Mean 0 and variance 1 over an image; an image of one value gives zeros.
fn standardized(pixels: &[u8]) -> Vec<f32> {
    let n = pixels.len() as f64;
    let mean = pixels.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
    let variance = pixels.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n;
    let divisor = if variance == 0.0 { 1.0 } else { variance.sqrt() };
    pixels.iter().map(|x| ((f64::from(*x) - mean) / divisor) as f32).collect()
}

/// Scores become probabilities, in f64.
fn softmax(scores: &mut [f32]) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f64> = scores.iter().map(|s| (f64::from(*s) - f64::from(largest)).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    scores.iter_mut().zip(exponentials).for_each(|(score, e)| *score = (e / sum) as f32);
}
