//! The threads that programs run on: the caller's and helpers, which sleep between runs.

use std::fmt;
use std::sync::Arc;

use kernels::team::{Crew, Team};

/// So many threads; clones share them.
#[derive(Clone)]
pub struct Threads {
    team: Arc<Team>,
}

impl Threads {
    /// `count` threads, at least one, of which the first is whoever runs a program.
    ///
    /// # Panics
    /// If the system refuses to start them.
    pub fn new(count: usize) -> Threads {
        Threads { team: Arc::new(Team::new(count.max(1) - 1)) }
    }

    /// The number of threads.
    pub fn count(&self) -> usize {
        self.team.helpers() + 1
    }

    /// Calls `work` with this thread and up to `helpers` others, which are awake until it returns.
    pub(crate) fn gather<R>(&self, helpers: usize, work: impl FnOnce(&Crew<'_>) -> R) -> R {
        self.team.gather(helpers, work)
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Threads({})", self.count())
    }
}
