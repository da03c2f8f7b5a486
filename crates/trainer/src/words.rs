//! The words of training: the section `train`, and the tables of losses, optimizers and schedules.

pub use crate::losses::LOSSES;
pub use crate::optimizers::{BASES, OPTIMIZERS};
pub use crate::schedules::SCHEDULES;

use spec::Reserved;

spec::choice! {
    /// What becomes of the samples that do not fill a batch.
    pub enum LastBatch {
        /// They are a smaller batch.
        Keep = "keep",
        /// They are left out of this epoch.
        Drop = "drop",
    }
}

spec::section! {
    /// When training ends before its time.
    pub struct EarlyStopping {
        /// The metric that is watched.
        pub monitor: String = "validation/loss", example "validation/accuracy";
        /// The number of epochs in a row without a better value after which training stops.
        pub patience: usize = required, min 1.0, unit "epochs", example "5";
        /// By how much a value must be better to count as better.
        pub min_delta: f64 = 0.0, min 0.0, synonyms &["delta"];
    }
}

spec::section! {
    /// Which epoch is the best.
    pub struct Checkpoint {
        /// The metric whose best value marks the best epoch. Where it is left out: `validation/loss`, or `train/loss` where there is no validation part to choose by.
        pub monitor: Option<String> = none, example "validation/accuracy";
        /// Inside an epoch, after how many steps the state is saved; where it is left out, only at its end.
        pub every_steps: Option<u64> = none, min 1.0, unit "steps", example "1000";
    }
}

spec::section! {
    /// An MLflow server that is told of the run.
    pub struct MlflowSection {
        /// The server's address: `http://127.0.0.1:5000`.
        pub uri: String = required, synonyms &["url", "tracking_uri", "server"], example "http://127.0.0.1:5000";
        /// Name of the experiment there; where it is left out, the name of this one.
        pub experiment: Option<String> = none, synonyms &["experiment_name"], example "cifar";
    }
}

spec::section! {
    /// How long training goes on, in what portions, and what it keeps.
    pub struct TrainSection {
        /// Passes over the training part; or give `steps`.
        pub epochs: Option<u64> = none, min 1.0, unit "epochs", synonyms &["n_epochs", "num_epochs", "max_epochs"], example "10";
        /// Updates of the parameters; or give `epochs`.
        pub steps: Option<u64> = none, min 1.0, unit "steps", synonyms &["n_steps", "num_steps", "max_steps", "iterations"], example "64000";
        /// Samples of one step.
        pub batch_size: usize = 32, min 1.0, unit "samples", synonyms &["batch", "batchsize", "minibatch"];
        /// What becomes of the samples that do not fill a batch: `keep` or `drop`.
        pub last_batch: LastBatch = keep, synonyms &["drop_last", "drop_remainder"];
        /// Stops when a metric gets no better.
        pub early_stopping: Option<EarlyStopping> = none;
        /// Which epoch is kept as the best.
        pub checkpoint: Checkpoint = {};
        /// Whether the run directory also gets the history as an event file for TensorBoard.
        pub tensorboard: bool = false, synonyms &["tensor_board"];
        /// An MLflow server that is told of settings, metrics and the end; while it does not answer, the run goes on.
        pub mlflow: Option<MlflowSection> = none, synonyms &["mlflow_tracking"];
        /// Several losses and optimizers, each moving its part of the parameters.
        pub updates: Reserved = none;
        /// Parts of the network that do not learn.
        pub freeze: Reserved = none;
        /// Stretches of training with settings of their own.
        pub phases: Reserved = none;
        /// A running mean of the weights.
        pub ema: Reserved = none;
        /// Batches whose gradients are gathered for one step.
        pub accumulate: Reserved = none;
    }
}

/// Keys of the section that tell others of a run: with and without them it has the same bits.
pub const RECORDING: [&str; 2] = ["tensorboard", "mlflow"];
