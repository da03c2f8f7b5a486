//! Pictures of a run, as PNG: learning curves, confusion matrix, reliability diagram, a sheet of mistakes.
//!
//! Every function gives the bytes of a whole file, for the run directory to write.

mod canvas;
mod confusion;
mod curves;
mod disagreements;
mod fine;
mod mistakes;
mod reliability;
mod sheet;

pub use confusion::confusion;
pub use curves::curves;
pub use disagreements::disagreements;
pub use mistakes::{Mistake, mistakes, most_confident};
pub use reliability::reliability;
pub use sheet::Pixels;

/// Why a picture could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("a plot could not be drawn: {0}")]
pub struct PlotError(String);
