//! Runs graphs: what a program computes is planned once for a batch size, then run at every step.
//!
//! What comes in: a verified graph, [`Variables`] that stay from step to step, a [`Feed`] for each run. What goes out:
//! named results, and variables with their new values, the same bits for any number of threads. This crate reads no file
//! and no clock, knows no language, no layer and no data set, and has no unsafe code.

mod again;
mod feed;
mod machine;
mod plan;
mod predictions;
mod profile;
mod program;
mod threads;
mod variables;

pub use kernels::conv2d::Arithmetic;

pub use feed::{Feed, Input};
pub use predictions::Predictions;
pub use profile::{Clock, Part};
pub use program::{BadNode, NotFinite, Program, Settings, What};
pub use threads::Threads;
pub use variables::Variables;
