//! All pools on every instruction set against plain loops in f64.

use super::*;
use crate::truth::{assert_close, images};

fn pools() -> Vec<(usize, Pool)> {
    let window = |kernel, stride, padding| Window { kernel, stride, padding, dilation: [1, 1] };
    let square = |kernel: usize, stride: usize, padding: usize| window([kernel; 2], [stride; 2], [padding; 4]);
    let pool = |n, [height, width, channels]: [usize; 3], border, window: Window| {
        let places = |axis: usize, size: usize| {
            (size + window.padding[axis] + window.padding[axis + 2] - window.kernel[axis]) / window.stride[axis] + 1
        };
        let input = View::bordered(height, width, channels, border);
        let output = View::bordered(places(0, height), places(1, width), channels, [1, 0, 2, 1]);
        (n, Pool { input, output, window })
    };
    vec![
        pool(1, [1, 1, 1], [0; 4], square(1, 1, 0)),
        pool(2, [4, 6, 32], [0; 4], square(2, 2, 0)),
        pool(3, [5, 7, 17], [1; 4], square(2, 2, 0)),
        pool(2, [5, 5, 3], [0; 4], square(3, 2, 1)),
        pool(2, [5, 7, 6], [0, 0, 1, 0], window([2, 2], [2, 2], [0, 0, 1, 1])), // the last reach beyond the image
        pool(1, [5, 4, 9], [0, 1, 2, 3], window([2, 3], [1, 2], [0, 1, 1, 2])),
        pool(2, [5, 5, 2], [0; 4], square(1, 2, 0)),
        pool(2, [3, 4, 33], [0; 4], window([3, 4], [1, 1], [0; 4])),
        pool(1, [1, 1, 2], [0; 4], square(3, 1, 1)),
    ]
}

/// The places of a window in x, in row order.
fn places(pool: &Pool, image: usize, row: usize, column: usize, channel: usize) -> Vec<usize> {
    let source = |axis: usize, place: usize, tap: usize, size: usize| {
        (place * pool.window.stride[axis] + tap).checked_sub(pool.window.padding[axis]).filter(|&s| s < size)
    };
    (0..pool.window.kernel[0])
        .filter_map(|i| source(0, row, i, pool.input.height))
        .flat_map(|y| {
            (0..pool.window.kernel[1])
                .filter_map(move |j| source(1, column, j, pool.input.width))
                .map(move |x| pool.input.at(image, y, x) + channel)
        })
        .collect()
}

fn each_place(pool: &Pool, n: usize, mut visit: impl FnMut(usize, Vec<usize>)) {
    let output = &pool.output;
    for at in 0..n * output.height * output.width * output.channels {
        let (channel, pixel) = (at % output.channels, at / output.channels);
        let (column, row) = (pixel % output.width, pixel / output.width % output.height);
        let image = pixel / output.width / output.height;
        visit(output.at(image, row, column) + channel, places(pool, image, row, column, channel));
    }
}

fn first_of_largest(x: &[f32], places: &[usize]) -> usize {
    places.iter().copied().reduce(|best, next| if x[next] > x[best] { next } else { best }).unwrap()
}

#[test]
fn pools_agree_with_plain_loops() {
    for (n, pool) in pools() {
        // Few different numbers, so that there are ties.
        let coarse = |x: &f32| if *x == 77.0 { *x } else { (x * 3.0).round() };
        let x: Vec<f32> = images(1, &pool.input, n).iter().map(coarse).collect();
        let dy = images(2, &pool.output, n);
        let (mut max, mut mean) = (vec![9.0; dy.len()], vec![9.0; dy.len()]);
        let (mut of_max, mut of_mean) = (vec![9.0; x.len()], vec![9.0; x.len()]);
        pool.input.rows(n).flatten().for_each(|at| (of_max[at], of_mean[at]) = (0.0, 0.0));
        each_place(&pool, n, |at, places| {
            let best = first_of_largest(&x, &places);
            let count = places.len() as f64;
            max[at] = f64::from(x[best]);
            of_max[best] += f64::from(dy[at]);
            mean[at] = places.iter().map(|&p| f64::from(x[p])).sum::<f64>() / count;
            places.iter().for_each(|&p| of_mean[p] += f64::from(dy[at]) / count);
        });
        for isa in Isa::available() {
            let name = format!("{pool:?} on {}", isa.name());
            let (mut y, mut dx) = (vec![9.0; dy.len()], vec![9.0; x.len()]);
            max_pool(isa, &pool, n, &x, &mut y);
            assert_close(&name, &y, &max, 0.0, 0.0);
            average_pool(isa, &pool, n, &x, &mut y);
            assert_close(&name, &y, &mean, 1e-6, 1e-6);
            max_pool_gradient(isa, &pool, n, &x, &dy, &mut dx);
            assert_close(&name, &dx, &of_max, 1e-6, 1e-6);
            average_pool_gradient(isa, &pool, n, &dy, &mut dx);
            assert_close(&name, &dx, &of_mean, 1e-6, 1e-6);
        }
    }
}

#[test]
fn a_maximum_shows_what_is_not_a_number() {
    let window = Window { kernel: [2, 2], stride: [2, 2], padding: [0; 4], dilation: [1, 1] };
    let pool = Pool { input: View::plain(2, 2, 3), output: View::plain(1, 1, 3), window };
    for isa in Isa::available() {
        for place in 0..4 {
            let mut x = vec![f32::NEG_INFINITY; 12];
            x[place * 3 + 1] = f32::NAN;
            let mut y = [0.0; 3];
            max_pool(isa, &pool, 1, &x, &mut y);
            assert!(y[0] == f32::NEG_INFINITY && y[1].is_nan() && y[2] == f32::NEG_INFINITY, "{y:?}");
        }
    }
}
