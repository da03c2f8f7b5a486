//! A desk: the memory that a thread works with and hands on to the next group, so that it stays in the thread's cache.

use std::sync::{Mutex, MutexGuard, TryLockError};

use kernels::buffer::Buffer;
use kernels::conv2d::Living;
use kernels::team;

use crate::plan::{Plan, Step, Work};

/// Memory whose contents end with a shard, or with a group's walk through a stage.
#[derive(Debug)]
pub(crate) struct Desk {
    /// By number; those whose values are kept are empty.
    pub slots: Vec<Buffer>,
    /// Gradients in the order of their products: for the first kernel that is summed in a stage, the second and so on.
    pub packed: Vec<Buffer>,
    pub living: Living,
    /// What products work in.
    pub scratch: Buffer,
}

impl Desk {
    fn new(plan: &Plan) -> Desk {
        let steps = || plan.stages.iter().flat_map(|stage| &stage.steps);
        let mut living = Living::default();
        for step in steps() {
            if let Work::LivingGradients(gradients) = &step.work {
                living.reserve(&gradients.pooled);
            }
        }
        Desk {
            slots: plan.desk_slots().map(Buffer::zeros).collect(),
            packed: plan.desk_packed().into_iter().map(Buffer::zeros).collect(),
            living,
            scratch: Buffer::zeros(steps().map(Step::scratch_len).max().unwrap_or(0)),
        }
    }
}

/// The desks of a machine, one for each thread that has work at a time.
#[derive(Debug)]
pub(crate) struct Desks(Vec<Mutex<Desk>>);

impl Desks {
    pub fn new(plan: &Plan) -> Desks {
        Desks((0..plan.desks).map(|_| Mutex::new(Desk::new(plan))).collect())
    }

    /// The desk of this thread, or any that is free: there are as many as groups run at a time.
    pub fn take(&self) -> MutexGuard<'_, Desk> {
        let own = team::member();
        loop {
            let from_own = (0..self.0.len()).map(|step| &self.0[(own + step) % self.0.len()]);
            for desk in from_own {
                match desk.try_lock() {
                    Ok(desk) => return desk,
                    // A step went wrong on it, which its thread has told: what comes next must not wait for it.
                    Err(TryLockError::Poisoned(desk)) => return desk.into_inner(),
                    Err(TryLockError::WouldBlock) => {}
                }
            }
            std::thread::yield_now();
        }
    }
}
