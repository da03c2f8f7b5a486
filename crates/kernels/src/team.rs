//! A team: threads that stay awake for the parts of many short pieces of work, one after the other.
//!
//! The parts of a step take microseconds, about what it takes to hand a part to a thread that sleeps or to find one in
//! the queue of another. Here each helper watches a place of its own, and who hands something over takes it back when
//! it has done its own part and nobody has come: with no helper at all, all work is done by the caller.

mod claims;
mod cut;

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::hint::spin_loop;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::thread::{Builder, JoinHandle, park, yield_now};

use crate::flush_denormals;
use claims::Claims;
use cut::Cut;

/// Turns of waiting after which others may have the processor: some tens of microseconds.
const PATIENCE: u32 = 1 << 10;

/// Turns of waiting for the next gathering after which a helper sleeps: what lies between two steps of a training.
const LINGER: u32 = 8 * PATIENCE;

thread_local! {
    static MEMBER: Cell<usize> = const { Cell::new(0) };
}

/// The number of this thread in its team: 0 for who gathers, helpers from 1 on.
pub fn member() -> usize {
    MEMBER.get()
}

/// Threads that help whoever gathers them, and sleep otherwise. They flush denormals.
#[derive(Debug)]
pub struct Team {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// One for each helper.
    places: Vec<Place>,
    /// Gatherings that are not over.
    gatherings: AtomicUsize,
    is_dismissed: AtomicBool,
}

/// What is handed to a helper; in a line of memory of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Place(AtomicPtr<Task>);

impl Team {
    /// Starts so many helpers.
    ///
    /// # Panics
    /// If the system refuses to start them.
    pub fn new(helpers: usize) -> Team {
        let places = (0..helpers).map(|_| Place::default()).collect();
        let shared = Arc::new(Shared { places, gatherings: AtomicUsize::new(0), is_dismissed: AtomicBool::new(false) });
        let start = |helper: usize| {
            let shared = Arc::clone(&shared);
            let stay = move || {
                let _flushing = flush_denormals();
                MEMBER.set(helper + 1);
                shared.stay(helper);
            };
            Builder::new().name(format!("engine-{}", helper + 1)).spawn(stay).expect("the system starts a few threads")
        };
        let helpers = (0..helpers).map(start).collect();
        Team { shared, helpers }
    }

    /// The number of helpers.
    pub fn helpers(&self) -> usize {
        self.helpers.len()
    }

    /// Calls `work` with a crew of this thread, which flushes denormals meanwhile, and the first so many helpers.
    pub fn gather<R>(&self, helpers: usize, work: impl FnOnce(&Crew<'_>) -> R) -> R {
        let _flushing = flush_denormals();
        let helpers = &self.helpers[..helpers.min(self.helpers.len())];
        let _gathering = Gathering::begin(&self.shared.gatherings);
        helpers.iter().for_each(|helper| helper.thread().unpark());
        work(&Crew { places: &self.shared.places[..helpers.len()] })
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.is_dismissed.store(true, Ordering::Release);
        for helper in self.helpers.drain(..) {
            helper.thread().unpark();
            helper.join().expect("what a helper does wrong is told to who handed it over");
        }
    }
}

impl Shared {
    /// The life of a helper.
    fn stay(&self, helper: usize) {
        let mut turns = 0;
        while !self.is_dismissed.load(Ordering::Acquire) {
            if self.gatherings.load(Ordering::Acquire) > 0 {
                self.help(&self.places[helper].0);
                turns = 0;
            } else if turns < LINGER {
                wait(&mut turns);
            } else {
                park();
                turns = 0;
            }
        }
    }

    /// Does what is handed over until no gathering is left.
    fn help(&self, place: &AtomicPtr<Task>) {
        let mut turns = 0;
        while self.gatherings.load(Ordering::Acquire) > 0 {
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
}

/// While it is there, helpers stay awake.
struct Gathering<'a>(&'a AtomicUsize);

impl Gathering<'_> {
    fn begin(count: &AtomicUsize) -> Gathering<'_> {
        count.fetch_add(1, Ordering::Release);
        Gathering(count)
    }
}

impl Drop for Gathering<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// Those who do a piece of work together: who gathered them, and helpers.
#[derive(Debug)]
pub struct Crew<'a> {
    places: &'a [Place],
}

impl Crew<'_> {
    /// The number of helpers.
    pub fn helpers(&self) -> usize {
        self.places.len()
    }

    /// Does both, the second by a helper if there is this one and it comes in time. A panic of either goes on here, when
    /// both are over.
    pub fn join<A, B: Send>(
        &self,
        helper: usize,
        first: impl FnOnce() -> A,
        second: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        let Some(Place(place)) = self.places.get(helper) else { return (first(), second()) };
        let part = Part::new(second);
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

    /// Does `work` for every number below `count`. Each helper begins at a place of its own, so that it meets the same
    /// numbers in one loop after the other, and goes on with whatever nobody has begun.
    pub fn each(&self, count: usize, work: impl Fn(usize) + Sync) {
        let members = count.min(self.helpers() + 1);
        let claims = Claims::new(count);
        self.spread(0..members, &|member| claims.take_from(member, members, &work));
    }

    /// Does `work` for all of a slice's items.
    pub fn each_mut<T: Send>(&self, items: &mut [T], work: impl Fn(&mut T) + Sync) {
        let cut = Cut::new(items, 1);
        // SAFETY: every number comes once.
        self.each(cut.count(), |number| work(&mut unsafe { cut.part(number) }[0]));
    }

    /// Does `work` for parts of slices, of which part `i` begins at `i` times the length that stands beside a slice. There
    /// are as many as it takes to cut all slices; where a slice has ended, its parts are empty.
    ///
    /// # Panics
    /// If the length of parts of a slice that is not empty is zero.
    pub fn each_part<T: Send, const N: usize>(
        &self,
        slices: [(&mut [T], usize); N],
        work: impl Fn(usize, [&mut [T]; N]) + Sync,
    ) {
        let cuts = slices.map(|(slice, part)| Cut::new(slice, part));
        let count = cuts.iter().map(Cut::count).max().unwrap_or(0);
        // SAFETY: every number comes once.
        self.each(count, |number| work(number, cuts.each_ref().map(|cut| unsafe { cut.part(number) })));
    }

    /// Has each of these members do `work`, of which the first is the caller.
    fn spread(&self, members: Range<usize>, work: &(impl Fn(usize) + Sync)) {
        let middle = members.start + members.len() / 2;
        if members.len() < 2 {
            return members.into_iter().for_each(work);
        }
        self.join(middle - 1, || self.spread(members.start..middle, work), || self.spread(middle..members.end, work));
    }
}

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
        wait_for(self.is_done);
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

/// Waits until something is so.
fn wait_for(is_so: &AtomicBool) {
    let mut turns = 0;
    while !is_so.load(Ordering::Acquire) {
        wait(&mut turns);
    }
}

/// One more turn of waiting.
fn wait(turns: &mut u32) {
    *turns += 1;
    if turns.is_multiple_of(PATIENCE) {
        yield_now();
    } else {
        spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    /// Calls `work` while a thread helps.
    fn with_helper<R>(work: impl FnOnce(&Crew<'_>) -> R) -> R {
        Team::new(1).gather(1, work)
    }

    /// A crew of one.
    fn alone<R>(work: impl FnOnce(&Crew<'_>) -> R) -> R {
        Team::new(0).gather(1, work)
    }

    /// Calls `work` with helpers that never come.
    fn in_vain<R>(work: impl FnOnce(&Crew<'_>) -> R) -> R {
        work(&Crew { places: &std::array::from_fn::<_, 5, _>(|_| Place::default()) })
    }

    /// The sum of the squares below `end`, cut in two again and again.
    fn sum(crew: &Crew<'_>, end: u64) -> u64 {
        let (mut first, mut second) = (0, 0);
        for number in 0..end {
            let (a, b) = crew.join(0, || number * number / 2, || number * number - number * number / 2);
            (first, second) = (first + a, second + b);
        }
        first + second
    }

    #[test]
    fn both_parts_are_done_with_and_without_a_helper() {
        let expected = (0..10_000).map(|number| number * number).sum::<u64>();
        assert_eq!(with_helper(|crew| sum(crew, 10_000)), expected);
        assert_eq!(in_vain(|crew| sum(crew, 10_000)), expected);
        assert_eq!(alone(|crew| sum(crew, 10_000)), expected);
    }

    #[test]
    fn a_helper_that_is_there_takes_its_part() {
        // The first part ends when the second has begun, which only another thread can see to.
        let is_begun = AtomicBool::new(false);
        with_helper(|crew| {
            let first = || {
                wait_for(&is_begun);
                member()
            };
            let second = || {
                is_begun.store(true, Ordering::Release);
                member()
            };
            assert_eq!(crew.join(0, first, second), (0, 1));
        });
    }

    #[test]
    fn helpers_come_to_one_gathering_after_the_other() {
        let team = Team::new(1);
        for pause in [0, 1, 10, 0] {
            let is_begun = AtomicBool::new(false);
            let wait_for_second = || wait_for(&is_begun);
            team.gather(1, |crew| crew.join(0, wait_for_second, || is_begun.store(true, Ordering::Release)));
            std::thread::sleep(std::time::Duration::from_millis(pause));
        }
    }

    #[test]
    fn parts_within_parts_are_done() {
        let nested = |crew: &Crew<'_>| crew.join(0, || 1, || crew.join(0, || 2, || 3));
        assert_eq!(with_helper(nested), (1, (2, 3)));
    }

    #[test]
    fn each_number_comes_once() {
        let check = |crew: &Crew<'_>| {
            for count in [0, 1, 2, 3, 7, 63, 64, 65, 1000] {
                let met: Vec<AtomicU64> = (0..count).map(|_| AtomicU64::new(0)).collect();
                crew.each(count, |number| {
                    met[number].fetch_add(1, Ordering::Relaxed);
                });
                assert!(met.iter().all(|met| met.load(Ordering::Relaxed) == 1), "{count}");
            }
        };
        with_helper(check);
        alone(check);
        in_vain(check);
    }

    #[test]
    fn parts_cut_all_slices() {
        with_helper(|crew| {
            let (mut long, mut short) = (vec![0; 10], vec![0; 5]);
            crew.each_part([(&mut long[..], 4), (&mut short[..], 3), (&mut [], 0)], |part, [long, short, none]| {
                assert!(none.is_empty());
                long.fill(part + 1);
                short.fill(10 * (part + 1));
            });
            assert_eq!(long, [1, 1, 1, 1, 2, 2, 2, 2, 3, 3]);
            assert_eq!(short, [10, 10, 10, 20, 20]);
            crew.each_mut(&mut long, |number| *number += 1);
            assert_eq!(long, [2, 2, 2, 2, 3, 3, 3, 3, 4, 4]);
        });
    }

    #[test]
    fn a_panic_of_one_number_goes_on_behind_the_loop() {
        let work = |number| assert_ne!(number, 5, "the fifth");
        assert!(catch_unwind(AssertUnwindSafe(|| with_helper(|crew| crew.each(8, work)))).is_err());
    }

    #[test]
    fn a_panic_of_either_part_goes_on_when_both_are_over() {
        let is_begun = AtomicBool::new(false);
        let wait_for_second = || wait_for(&is_begun);
        let second = || {
            is_begun.store(true, Ordering::Release);
            panic!("the second");
        };
        let found = catch_unwind(AssertUnwindSafe(|| with_helper(|crew| crew.join(0, wait_for_second, second))));
        assert_eq!(found.unwrap_err().downcast_ref(), Some(&"the second"));
        let both = AtomicBool::new(false);
        let first = || -> () { panic!("the first") };
        let found = catch_unwind(AssertUnwindSafe(|| {
            with_helper(|crew| crew.join(0, first, || both.store(true, Ordering::Release)))
        }));
        assert!(found.is_err());
    }
}
