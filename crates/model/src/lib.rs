//! Layers, blocks and presets: the words of a network, its shapes, its initial weights, and the graph of its forward pass.
//!
//! What comes in: the key `model` of an experiment, the shape of the images and the number of classes. What goes out: a
//! [`Network`], which writes itself into a graph for training and for evaluation. This crate reads no data, computes
//! nothing with tensors but their initial values, and knows no loss and no optimizer.

mod check;
mod expand;
mod initializers;
mod layers;
mod network;
mod presets;
mod words;

pub use check::{Inputs, check};
pub use initializers::{INITIALIZERS, Initializer};
pub use layers::{ACTIVATIONS, LAYERS};
pub use network::{Forward, LayerRow, Mode, Network, Parameter, names};
pub use presets::presets;
pub use words::MODEL;
