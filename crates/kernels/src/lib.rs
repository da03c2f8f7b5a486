//! The arithmetic of Etalon, and the only `unsafe` of the workspace.
//!
//! What comes in: slices, geometry and an [`Isa`] (holding one proves that the processor has it). What goes out: the
//! same slices, filled. Nothing here allocates while it computes or fails; lengths are asserted once, at the safe entry.
//! This crate knows no graph and no language. Layout everywhere: images `[n, height, width, channels]`.

// Accumulators are indexed as tiles are, and rows of the table of kernels take all of their operands.
#![allow(clippy::needless_range_loop, clippy::too_many_arguments)]
// Coefficients stand as their source prints them.
#![allow(clippy::excessive_precision)]

mod bits;
mod channels;
mod each;
mod exponential;
mod isa;
mod lanes;
mod opaque;
mod prefetch;
mod tile;
mod turn;
mod view;

pub mod activation;
pub mod arithmetic;
pub mod batch_norm;
pub mod buffer;
pub mod conv2d;
pub mod copy;
pub mod dense;
pub mod dropout;
pub mod input;
pub mod loss;
pub mod peak;
pub mod pool;
pub mod random;
pub mod softmax;
pub mod team;

mod denormals;
#[cfg(test)]
mod truth;

pub use denormals::flush_denormals;
pub use isa::Isa;
pub use prefetch::prefetch;
pub use view::{View, Window};
