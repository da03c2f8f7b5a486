//! A team: threads that stay awake for the parts of many short pieces of work, one after the other.
//!
//! The parts of one image take microseconds, about what it takes to hand a part to a thread that sleeps or to find one in
//! the queue of another. Here each helper watches a place of its own, and who hands something over takes it back when
//! it has done its own part and nobody has come: with no helper at all, all work is done by the caller.

use std::any::Any;
use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::thread::yield_now;

/// Turns of waiting after which others may have the processor: some tens of microseconds.
const PATIENCE: u32 = 1 << 10;

/// The places of helpers, of which each is a thread's that calls [`Team::help`].
#[derive(Debug)]
pub struct Team {
    places: Vec<Place>,
    is_over: AtomicBool,
}

/// What is handed to a helper; in a line of memory of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Place(AtomicPtr<Task>);

/// The beginning of a [`Part`], by which it is run without knowing its type.
#[derive(Debug)]
struct Task {
    run: unsafe fn(*mut Task),
}

/// Work that lies on the stack of who handed it over, with its result.
#[repr(C)]
struct Part<F, R> {
    task: Task,
    work: UnsafeCell<Option<F>>,
    result: UnsafeCell<Option<Result<R, Box<dyn Any + Send>>>>,
    is_done: AtomicBool,
}

impl Team {
    /// Places for so many helpers.
    pub fn new(helpers: usize) -> Team {
        Team { places: (0..helpers).map(|_| Place::default()).collect(), is_over: AtomicBool::new(false) }
    }

    /// The number of helpers.
    pub fn helpers(&self) -> usize {
        self.places.len()
    }

    /// From here on helpers stay, until what this returns is dropped.
    pub fn gather(&self) -> Gathering<'_> {
        self.is_over.store(false, Ordering::Release);
        Gathering(&self.is_over)
    }

    /// Does what is handed to a helper until the gathering is over. No two threads are the same helper at a time.
    ///
    /// # Panics
    /// If there is no such helper.
    pub fn help(&self, helper: usize) {
        let place = &self.places[helper].0;
        let mut turns = 0;
        while !self.is_over.load(Ordering::Acquire) {
            let task = place.load(Ordering::Relaxed);
            if !task.is_null() && place.compare_exchange(task, null_mut(), Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                // SAFETY: it was there to be taken, so who handed it over waits until it is done.
                unsafe { ((*task).run)(task) };
                turns = 0;
            }
            wait(&mut turns);
        }
    }

    /// Does both, the second by a helper if it is there in time. A panic of either goes on here, when both are over.
    ///
    /// # Panics
    /// If there is no such helper.
    pub fn join<A, B: Send>(
        &self,
        helper: usize,
        first: impl FnOnce() -> A,
        second: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        let part = Part::new(second);
        let place = &self.places[helper].0;
        let task = (&raw const part).cast::<Task>().cast_mut();
        if place.compare_exchange(null_mut(), task, Ordering::Release, Ordering::Relaxed).is_err() {
            // Another's part is there, which is not ours to wait for.
            return (first(), part.run_here());
        }
        let handed = Handed { place, task, is_done: &part.is_done };
        let first = first();
        let second = if handed.take_back() { part.run_here() } else { part.into_result() };
        (first, second)
    }
}

/// While it is there, helpers are.
#[derive(Debug)]
pub struct Gathering<'a>(&'a AtomicBool);

impl Drop for Gathering<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A part that a helper may have. It is over before the frame is left that holds it.
struct Handed<'a> {
    place: &'a AtomicPtr<Task>,
    task: *mut Task,
    is_done: &'a AtomicBool,
}

impl Handed<'_> {
    /// Takes it back if no helper has it, else waits until it is done; whether it was taken back.
    fn settle(&self) -> bool {
        if self.place.compare_exchange(self.task, null_mut(), Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return true;
        }
        let mut turns = 0;
        while !self.is_done.load(Ordering::Acquire) {
            wait(&mut turns);
        }
        false
    }

    /// [`Handed::settle`], once.
    fn take_back(self) -> bool {
        let is_back = self.settle();
        std::mem::forget(self);
        is_back
    }
}

impl Drop for Handed<'_> {
    /// Where the first part panics.
    fn drop(&mut self) {
        self.settle();
    }
}

impl<F: FnOnce() -> R, R> Part<F, R> {
    fn new(work: F) -> Part<F, R> {
        let (work, result) = (UnsafeCell::new(Some(work)), UnsafeCell::new(None));
        Part { task: Task { run: Part::<F, R>::run }, work, result, is_done: AtomicBool::new(false) }
    }

    /// # Safety
    /// `task` is the beginning of such a part, which nobody else touches until it is done.
    unsafe fn run(task: *mut Task) {
        // SAFETY: the caller's promise; a part begins with its task.
        let part = unsafe { &*task.cast::<Part<F, R>>() };
        // SAFETY: as above.
        unsafe {
            let work = (*part.work.get()).take().expect("it runs once");
            *part.result.get() = Some(catch_unwind(AssertUnwindSafe(work)));
        }
        part.is_done.store(true, Ordering::Release);
    }

    /// By the thread that made it.
    fn run_here(self) -> R {
        self.work.into_inner().expect("nobody has run it")()
    }

    /// What a helper has left.
    fn into_result(self) -> R {
        self.result.into_inner().expect("it is done").unwrap_or_else(|panic| resume_unwind(panic))
    }
}

fn wait(turns: &mut u32) {
    *turns += 1;
    if *turns < PATIENCE {
        spin_loop();
    } else {
        *turns = 0;
        yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `work` while a thread helps.
    fn with_helper<R: Send>(work: impl FnOnce(&Team) -> R + Send) -> R {
        let team = Team::new(1);
        let gathering = team.gather();
        std::thread::scope(|scope| {
            scope.spawn(|| team.help(0));
            let _until_here = gathering;
            work(&team)
        })
    }

    /// The sum of the squares below `end`, cut in two again and again.
    fn sum(team: &Team, end: u64) -> u64 {
        let (mut first, mut second) = (0, 0);
        for number in 0..end {
            let (a, b) = team.join(0, || number * number / 2, || number * number - number * number / 2);
            (first, second) = (first + a, second + b);
        }
        first + second
    }

    #[test]
    fn both_parts_are_done_with_and_without_a_helper() {
        let expected = (0..10_000).map(|number| number * number).sum::<u64>();
        assert_eq!(with_helper(|team| sum(team, 10_000)), expected);
        assert_eq!(sum(&Team::new(1), 10_000), expected);
    }

    #[test]
    fn a_helper_that_is_there_takes_its_part() {
        // The first part ends when the second has begun, which only another thread can see to.
        let is_begun = AtomicBool::new(false);
        with_helper(|team| {
            let first = || {
                let mut turns = 0;
                while !is_begun.load(Ordering::Acquire) {
                    wait(&mut turns);
                }
            };
            team.join(0, first, || is_begun.store(true, Ordering::Release));
        });
    }

    #[test]
    fn parts_within_parts_are_done() {
        let nested = |team: &Team| team.join(0, || 1, || team.join(0, || 2, || 3));
        assert_eq!(with_helper(nested), (1, (2, 3)));
    }

    #[test]
    fn a_panic_of_either_part_goes_on_when_both_are_over() {
        let is_begun = AtomicBool::new(false);
        let wait_for_second = || {
            let mut turns = 0;
            while !is_begun.load(Ordering::Acquire) {
                wait(&mut turns);
            }
        };
        let second = || {
            is_begun.store(true, Ordering::Release);
            panic!("the second");
        };
        let found = catch_unwind(AssertUnwindSafe(|| with_helper(|team| team.join(0, wait_for_second, second))));
        assert_eq!(found.unwrap_err().downcast_ref(), Some(&"the second"));
        let both = AtomicBool::new(false);
        let first = || -> () { panic!("the first") };
        let found = catch_unwind(AssertUnwindSafe(|| {
            with_helper(|team| team.join(0, first, || both.store(true, Ordering::Release)))
        }));
        assert!(found.is_err());
    }
}
