//! The threads that programs run on: a pool of their own, whose workers flush denormals.

use std::fmt;
use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// A pool of threads; clones share it.
#[derive(Clone)]
pub struct Threads {
    pool: Arc<ThreadPool>,
}

impl Threads {
    /// A pool of `count` threads, at least one.
    ///
    /// # Panics
    /// If the system refuses to start them.
    pub fn new(count: usize) -> Threads {
        let builder = ThreadPoolBuilder::new().num_threads(count.max(1));
        let builder = builder.thread_name(|index| format!("engine-{index}"));
        let builder = builder.start_handler(|_| kernels::flush_denormals());
        Threads { pool: Arc::new(builder.build().expect("the system starts a few threads")) }
    }

    /// The number of threads.
    pub fn count(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs `work` on the pool and waits for it. A loop over many runs of a program may be put inside: then no run has
    /// to enter the pool by itself.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.pool.install(work)
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Threads({})", self.count())
    }
}
