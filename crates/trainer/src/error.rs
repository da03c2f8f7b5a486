//! What keeps training from its end.

use engine::What;

/// An error of one line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The samples cannot be read, or measuring failed.
    #[error("{0}")]
    Data(String),
    /// A checkpoint or the history cannot be written or read.
    #[error(transparent)]
    Record(#[from] record::Error),
    /// The loss or a gradient is no longer a number to go on with.
    #[error("{0}")]
    NotFinite(NotFinite),
}

/// Where numbers first went bad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFinite {
    /// Counted from 1.
    pub step: u64,
    /// Counted from 1.
    pub epoch: u64,
    /// What was found.
    pub what: What,
    /// The layer, or `loss`, `gradient_norm`; of a parameter its own path; none where it cannot be found again.
    pub path: Option<String>,
    /// What went bad there.
    pub value: Value,
}

/// What can go bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// What a layer gives.
    Output,
    /// The gradient of a layer's output or parameter.
    Gradient,
    /// An array after the step.
    Parameter,
}

impl std::fmt::Display for NotFinite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.what {
            What::Nan => "not a number",
            What::Infinite => "infinite",
        };
        write!(f, "step {} (epoch {}): ", self.step, self.epoch)?;
        match (&self.path, self.value) {
            (Some(path), Value::Output) => write!(f, "the output of `{path}` is {what}")?,
            (Some(path), Value::Gradient) => write!(f, "the gradient of `{path}` is {what}")?,
            (Some(path), Value::Parameter) => write!(f, "`{path}` has a value that is {what}")?,
            (None, _) => write!(f, "the loss or its gradient is not a finite number")?,
        }
        write!(f, "; the last good checkpoint is kept; try a smaller learning_rate, or clip_norm: 1.0")
    }
}
