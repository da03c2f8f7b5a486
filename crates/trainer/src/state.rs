//! Where training stands: all that is needed, beside the arrays, to go on to the bit. Times stand in the history: equal
//! trainings write equal checkpoints.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::check::Monitor;

/// Saved in every checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Epochs done.
    pub epoch: u64,
    /// Batches of the running epoch that are done.
    pub batch: u64,
    /// Steps done in all.
    pub step: u64,
    /// Of the running epoch.
    pub sums: Sums,
    /// The best value so far of each metric, by `part/name`.
    pub best_values: BTreeMap<String, f64>,
    /// Epoch (counted from 1) with the best monitored value.
    pub best_epoch: Option<u64>,
    pub best: Option<f64>,
    pub stopping: Patience,
    pub plateau: Patience,
    pub plateaus: u32,
}

/// Sums over the samples of an epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sums {
    pub loss: f64,
    pub right: u64,
    pub samples: u64,
}

/// A count of epochs without a better value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Patience {
    pub best: Option<f64>,
    pub stale: u64,
}

impl Patience {
    /// Takes in an epoch's value.
    pub fn take_in(&mut self, monitor: &Monitor, value: f64, min_delta: f64) {
        if self.best.is_none_or(|best| monitor.is_better(value, best, min_delta)) {
            self.best = finite(value);
            self.stale = 0;
        } else {
            self.stale += 1;
        }
    }

    /// Whether `patience` epochs in a row have brought no better value.
    pub fn is_over(&self, patience: usize) -> bool {
        self.stale >= patience as u64
    }
}

/// Values that are no numbers are never the best.
pub(crate) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
