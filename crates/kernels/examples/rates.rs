//! Prints what everything but products takes on this processor, one thread, for each instruction set: microseconds an image.
//! (`etalon bench kernels` times the products.)
//!
//!     cargo run --release -p kernels --example rates -- 64
//!
//! The number is that of images, 64 unless told. Each figure is the best of many short runs.

use std::hint::black_box;
use std::time::Instant;

use kernels::activation::{Activation, activate_in_place, activation_gradient_in_place};
use kernels::dropout::{Dropout, dropout};
use kernels::input::normalize_bytes;
use kernels::pool::{Pool, max_pool, max_pool_gradient};
use kernels::softmax::softmax;
use kernels::{Isa, View, Window, batch_norm};

fn main() {
    let n: usize = std::env::args().nth(1).map_or(64, |n| n.parse().expect("a number of images"));
    for isa in Isa::available() {
        println!("{}, {n} images", isa.name());
        others(isa, n);
        println!();
    }
}

/// The best of many runs, in seconds.
fn seconds(mut run: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut best = f64::INFINITY;
    while start.elapsed().as_secs_f64() < 0.15 {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

/// Numbers that are neither zero nor denormal.
fn numbers(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 7 % 13) as f32 / 13.0 - 0.45).collect()
}

fn others(isa: Isa, n: usize) {
    let report = |name: &str, seconds: f64| println!("{name:28} {:9.2}   us an image", seconds * 1e6 / n as f64);
    let window = Window { kernel: [2; 2], stride: [2; 2], padding: [0; 4], dilation: [1; 2] };
    let (large, small) = (View::plain(30, 30, 32), View::plain(15, 15, 32));
    let pool = Pool { input: large, output: small, window };
    let (mut x, mut y) = (numbers(large.len(n)), numbers(small.len(n)));
    let mut dx = x.clone();
    report("max pool 2x2 of 30x30x32", seconds(|| max_pool(isa, &pool, n, &x, black_box(&mut y))));
    report("its gradient", seconds(|| max_pool_gradient(isa, &pool, n, &x, &y, black_box(&mut dx))));
    for (name, activation) in
        [("relu", Activation::Relu), ("tanh", Activation::Tanh), ("gelu", Activation::Gelu), ("silu", Activation::Silu)]
    {
        let name = format!("{name} of 30x30x32");
        report(&name, seconds(|| activate_in_place(isa, activation, black_box(&mut dx))));
        dx.copy_from_slice(&x);
        report("its gradient", seconds(|| activation_gradient_in_place(isa, activation, &x, black_box(&mut dx))));
        dx.copy_from_slice(&x);
    }
    let mut partial = vec![0.0; 64];
    report("statistics of 30x30x32", seconds(|| batch_norm::statistics(isa, &large, n, &x, black_box(&mut partial))));
    let (statistics, ones) = ([1.0; 64], [1.0; 32]);
    let norm = batch_norm::Norm { statistics: &statistics, epsilon: 1e-5 };
    let views = [&large, &large];
    let time = seconds(|| batch_norm::normalize(isa, views, n, &x, &norm, &ones, &ones, false, black_box(&mut dx)));
    report("normalize of 30x30x32", time);
    let time = seconds(|| batch_norm::gradient_sums(isa, views, n, &x, &norm, &dx, black_box(&mut partial)));
    report("gradient sums of 30x30x32", time);
    let rule = Dropout { rate: 0.5, stream: 1, seed: 1, epoch: 1 };
    let samples: Vec<u32> = (0..n as u32).collect();
    report("dropout of 30x30x32", seconds(|| dropout(isa, &rule, &samples, &large, black_box(&mut x))));
    let (bytes, mut pixels) = (vec![100; n * 3072], vec![0.0; n * 3072]);
    let view = View::plain(32, 32, 3);
    let time = seconds(|| normalize_bytes(isa, &view, n, &[0.01; 3], &[0.5; 3], &bytes, black_box(&mut pixels)));
    report("pixels 32x32x3", time);
    let (scores, mut probabilities) = (numbers(n * 10), vec![0.0; n * 10]);
    report("softmax of 10", seconds(|| softmax(isa, 10, &scores, black_box(&mut probabilities))));
}
