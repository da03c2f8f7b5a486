//! Training: losses, optimizers, schedules, epochs, stopping, checkpoints and resuming.
//!
//! What comes in: the words of the experiment, a network, batches, and a function that measures on validation. What goes
//! out: trained variables, a history, and checkpoints from which training goes on to the bit. A training step is one graph
//! of forward, loss, gradients and updates, which the engine runs. This crate reads no data and computes no metric but
//! the loss and accuracy of the samples that it trains on; it prints nothing.

pub mod words;

pub mod losses;
pub mod optimizers;
pub mod schedules;

mod bare;
mod check;
mod error;
mod evaluation;
mod source;
mod state;
mod step;
mod training;
pub mod update;

pub use bare::BareSteps;
pub use check::{Direction, Facts, Monitor, Training, Validation, check};
pub use error::{Error, NotFinite, Value};
pub use evaluation::{LOSSES as SAMPLE_LOSSES, evaluation_graph, load};
pub use losses::LOSSES;
pub use optimizers::OPTIMIZERS;
pub use source::{Batch, Observer, Source};
pub use step::{n_kept, step_graph};
pub use training::{Ended, How, Setup, Trainer};
pub use words::{LastBatch, MlflowSection, RECORDING, TrainSection};
