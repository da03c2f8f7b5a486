//! The pipeline: hands each crate what it needs, in the order of a run.

mod export;
mod finish;
mod finished_run;
mod measure;
mod prepared;
mod reuse;
mod run;
mod source;

pub use export::{export, is_onnx, prove, record_of, said_of};
pub use finish::{finish, judge};
pub use finished_run::FinishedRun;
pub use measure::Measurer;
pub use prepared::{Prepared, settings, training_settings};
pub use reuse::{Identity, finished, runs_of, why_not};
pub use run::{Finished, Reach, findings, fingerprints, resume, start};
pub use source::TrainingPart;
