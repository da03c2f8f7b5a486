//! The network for other programs: graph to ONNX, and the proof by ONNX Runtime that the file decides as the network did.
//!
//! What comes in: a network with its arrays, options, and what was predicted of real samples. What goes out: the bytes of
//! a file with all that its users must know, and a verdict. The only crate with ONNX Runtime. It reads no data set and
//! writes no file.

#[cfg(test)]
mod cases;
mod document;
mod error;
mod linear;
mod metadata;
mod onnx_model;
mod proof;
mod proto;
mod runtime;
mod translate;
mod words;

pub use document::{About, document};
pub use error::Error;
pub use onnx_model::OnnxModel;
pub use proof::{Latency, Proof, Prove, prove};
pub use words::{ExportSection, Layout, OnnxSection, ProofSamples, ProofSection, check};
