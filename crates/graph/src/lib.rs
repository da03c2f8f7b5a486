//! A network, its loss, its gradients and its updates as one flat list of operators.
//!
//! What comes in: calls of [`Graph::push`] by layers, losses and optimizers. What goes out: a verified, printable
//! [`Graph`] that the engine plans, the exporter translates and the [`mod@reference`] interpreter runs in f64.
//! The batch is symbolic. This crate holds no tensor data, knows no device, no language and no file.

mod backward;
pub mod cases;
mod copies;
mod dtype;
#[cfg(test)]
mod finite_differences;
mod graph;
pub mod ops;
pub mod reference;
mod shape;
mod show;
mod verify;

pub use backward::gradients;
pub use copies::Copies;
pub use dtype::DType;
pub use graph::{Graph, Node, NodeId};
pub use ops::{Op, OpRule};
pub use shape::Shape;
pub use verify::verify;
