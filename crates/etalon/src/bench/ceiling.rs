//! How fast this machine multiplies and adds, as the ceiling of everything else.

use std::hint::black_box;
use std::time::Instant;

use engine::Settings;
use kernels::{Isa, peak};

/// How long the processor is kept busy at a time.
const WINDOW_SECONDS: f64 = 0.05;

/// Windows, of which the best counts: a ceiling is what can be reached.
const WINDOWS: usize = 5;

/// Floating-point operations a second of all threads together, in billions.
pub fn gflops(settings: &Settings) -> f64 {
    let rounds = rounds_of_a_window(settings.isa);
    (0..WINDOWS).map(|_| window(settings, rounds)).fold(0.0, f64::max)
}

fn window(settings: &Settings, rounds: u64) -> f64 {
    let threads = settings.threads.count();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| black_box(peak::multiply_adds(settings.isa, rounds)));
        }
    });
    threads as f64 * peak::operations(settings.isa, rounds) as f64 * 1e-9 / start.elapsed().as_secs_f64()
}

/// How many rounds take about [`WINDOW_SECONDS`].
fn rounds_of_a_window(isa: Isa) -> u64 {
    let mut rounds = 1024;
    loop {
        let start = Instant::now();
        black_box(peak::multiply_adds(isa, rounds));
        let seconds = start.elapsed().as_secs_f64();
        if seconds >= WINDOW_SECONDS / 4.0 {
            return (rounds as f64 * WINDOW_SECONDS / seconds) as u64;
        }
        rounds *= 2;
    }
}
