//! A step allocates nothing: all memory is there after the first.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::{Feed, Input, Program, Settings, Threads};
use kernels::Isa;

use support::networks::Network;
use support::variables;

/// The system's allocator, counting.
struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise; the pointer came from the same allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_step_allocates_nothing() {
    for network in [Network::residual(), Network::convolutional()] {
        let feed = network.feed(33);
        let image: Vec<u8> = feed.inputs["image"].data.iter().map(|x| *x as u8).collect();
        let label: Vec<u32> = feed.inputs["label"].data.iter().map(|x| *x as u32).collect();
        let inputs =
            [("image", Input::U8(&image)), ("label", Input::Index(&label)), ("learning_rate", Input::F32(&[0.01]))];
        let step = Feed { batch: 33, inputs: &inputs, seed: 1, epoch: 0, samples: &feed.samples };
        let mut variables = variables(&feed);
        let threads = Threads::new(2);
        let settings = Settings { isa: Isa::best(), threads: threads.clone(), keep_all: false };
        let mut program = Program::new(&network.graph, &settings);
        // The pool itself allocates when a thread first steals from another, whenever that is: some round has none.
        let allocations = threads.install(|| {
            let mut round = || {
                let before = COUNT.load(Ordering::Relaxed);
                for _ in 0..50 {
                    program.run(&mut variables, &step).expect("nothing is guarded");
                }
                COUNT.load(Ordering::Relaxed) - before
            };
            (0..10).map(|_| round()).min()
        });
        assert_eq!(allocations, Some(0));
    }
}
