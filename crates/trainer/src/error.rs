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
    /// The layer, or `loss`, `optimizer`; none where it cannot be found again.
    pub path: Option<String>,
    /// Whether it is a gradient, not an output.
    pub backward: bool,
}

impl std::fmt::Display for NotFinite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.what {
            What::Nan => "not a number",
            What::Infinite => "infinite",
        };
        let value = if self.backward { "gradient" } else { "output" };
        match &self.path {
            Some(path) => write!(f, "step {} (epoch {}): the {value} of `{path}` is {what}", self.step, self.epoch)?,
            None => write!(f, "step {} (epoch {}): the loss is {what}", self.step, self.epoch)?,
        }
        write!(f, "; the last good checkpoint is kept; try a smaller learning_rate, or clip_norm: 1.0")
    }
}
