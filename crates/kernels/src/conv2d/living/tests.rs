//! Gradients over lists against plain loops in f64: the definition of pool, relu and convolution, product by product.

use super::*;
use crate::conv2d::{Arithmetic, Conv2d};
use crate::pool::max_pool_with_winners;
use crate::truth::{assert_close, images, numbers};
use crate::{View, Window};

/// Image height, width, channels; filters; window of the convolution; of the pool.
type Shape = ([usize; 3], usize, Window, Window);

fn window(kernel: [usize; 2], stride: [usize; 2], padding: [usize; 4], dilation: [usize; 2]) -> Window {
    Window { kernel, stride, padding, dilation }
}

fn shapes() -> Vec<Shape> {
    let square = |kernel: usize, stride: usize, padding: usize| window([kernel; 2], [stride; 2], [padding; 4], [1; 2]);
    vec![
        ([4, 4, 1], 1, square(3, 1, 0), square(2, 2, 0)),
        ([9, 8, 3], 17, square(3, 1, 0), square(2, 2, 0)), // a row and no column left over
        ([7, 9, 32], 5, square(3, 1, 1), square(2, 2, 0)), // same, six vectors a row
        ([6, 6, 40], 16, square(3, 1, 1), square(3, 3, 0)), // more than a tile a row
        ([11, 10, 2], 33, square(2, 2, 0), square(2, 3, 0)), // strides, a gap between windows
        ([7, 9, 32], 70, square(3, 1, 1), square(2, 2, 0)), // long lists, two blocks of channels
        ([9, 12, 48], 20, square(3, 1, 1), square(2, 3, 0)), // patches of three vectors with gaps
        ([5, 5, 16], 3, square(3, 1, 0), square(2, 2, 0)), // one patch of one vector
        ([19, 19, 32], 9, square(3, 1, 0), square(2, 2, 0)), // three bands, the last shorter
        ([12, 70, 20], 3, square(3, 1, 1), square(2, 2, 0)), // a row of the pool is a band
        ([8, 40, 4], 3, square(5, 1, 2), square(2, 2, 0)), // a row of more places than are turned at once
        ([10, 12, 3], 130, square(3, 1, 1), square(2, 2, 0)), // more than a block of channels
        ([13, 12, 1], 20, square(5, 1, 2), square(2, 2, 0)), // rows of the kernel one by one, three vectors of channels
        ([9, 9, 2], 10, square(2, 1, 0), window([1, 3], [2, 3], [0; 4], [1; 2])), // two rows at once, three taps
        ([7, 8, 1], 40, square(3, 2, 1), square(2, 2, 0)), // two rows at once and one
        ([9, 9, 7], 8, square(3, 1, 0), square(2, 2, 0)),  // rows of the kernel in parts
        ([9, 9, 6], 4, window([3, 2], [1, 2], [0, 1, 2, 0], [2, 1]), window([2, 1], [2, 1], [0; 4], [1; 2])),
    ]
}

fn pooled(&([height, width, channels], filters, conv, pool): &Shape) -> Pooled {
    let places = |size: [usize; 2], window: &Window| {
        [0, 1].map(|axis| {
            let padded = size[axis] + window.padding[axis] + window.padding[axis + 2];
            (padded - window.dilation[axis] * (window.kernel[axis] - 1) - 1) / window.stride[axis] + 1
        })
    };
    let [rows, columns] = places([height, width], &conv);
    let [pooled_rows, pooled_columns] = places([rows, columns], &pool);
    let input = View::bordered(height, width, channels, conv.padding);
    let conv = Conv2d { input, output: View::plain(rows, columns, filters), window: conv, groups: 1 };
    Pooled::new(conv, pool, View::bordered(pooled_rows, pooled_columns, filters, [1, 0, 0, 1]), Arithmetic::Strict)
}

/// dx (of the layout of x), the kernel's and the bias' gradient.
fn definition(pooled: &Pooled, n: usize, signals: &Signals<'_>, y: &[f32], kernel: &[f32]) -> [Vec<f64>; 3] {
    let (conv, pool) = (&pooled.product.conv, &pooled.pool);
    let (input, channels) = (&conv.input, conv.input.channels);
    let mut dx = vec![0.0; input.len(n)];
    let mut dkernel = vec![0.0; conv.kernel_len()];
    let mut dbias = vec![0.0; conv.output.channels];
    for place in 0..n * pool.output.height * pool.output.width {
        let (image, row) =
            (place / pool.output.width / pool.output.height, place / pool.output.width % pool.output.height);
        let column = place % pool.output.width;
        for o in 0..conv.output.channels {
            let dy = f64::from(signals.dy[pool.output.at(image, row, column) + o]);
            let mut best = (f32::NEG_INFINITY, [0, 0]);
            for tap in 0..pool.window.kernel[0] * pool.window.kernel[1] {
                let (i, j) = (tap / pool.window.kernel[1], tap % pool.window.kernel[1]);
                let at = [row * pool.window.stride[0] + i, column * pool.window.stride[1] + j];
                let y = y[pool.input.at(image, at[0], at[1]) + o];
                if y > best.0 {
                    best = (y, at);
                }
            }
            if best.0 <= 0.0 {
                continue;
            }
            dbias[o] += dy;
            for k in 0..conv.kernel_rows() {
                let (i, j, c) =
                    (k / channels / conv.window.kernel[1], k / channels % conv.window.kernel[1], k % channels);
                let at = |axis: usize, tap: usize| {
                    let window = &conv.window;
                    (best.1[axis] * window.stride[axis] + tap * window.dilation[axis]).checked_sub(window.padding[axis])
                };
                let (Some(y), Some(x)) = (at(0, i), at(1, j)) else { continue };
                if y < input.height && x < input.width {
                    let at = input.at(image, y, x) + c;
                    dkernel[o * conv.kernel_rows() + k] += dy * f64::from(signals.x[at]);
                    dx[at] += dy * f64::from(kernel[o * conv.kernel_rows() + k]);
                }
            }
        }
    }
    [dx, dkernel, dbias]
}

#[test]
fn all_gradients_are_those_of_the_definition() {
    for (shape, isa) in shapes().iter().flat_map(|shape| Isa::available().into_iter().map(move |isa| (shape, isa))) {
        let pooled = pooled(shape);
        assert!(Pooled::suits(&pooled.pool.window) && pooled.has_living_gradients());
        let (conv, n) = (&pooled.product.conv, 3);
        let mut x = images(1, &conv.input, n);
        clear_border(&conv.input, n, &mut x);
        let y: Vec<f32> = images(2, &conv.output, n).iter().map(|y| y.max(0.0)).collect();
        let mut dy = images(3, &pooled.pool.output, n);
        dy.iter_mut().step_by(5).for_each(|dy| *dy = 0.0);
        let kernel = numbers(4, conv.kernel_len(), -1.0, 1.0);
        let mut winners = vec![0; n * pooled.winners_pitch()];
        let mut result = vec![0.0; dy.len()];
        max_pool_with_winners(isa, &pooled.pool, n, &y, &mut result, pooled.winners_pitch(), &mut winners);
        let signals = Signals { x: &x, winners: &winners, dy: &dy };
        let [expected_dx, expected_kernel, expected_bias] = definition(&pooled, n, &signals, &y, &kernel);
        let one_more = |values: &[f64]| values.iter().map(|value| value + 1.0).collect::<Vec<f64>>();
        let mut living = Living::default();
        living.reserve(&pooled);
        for with_input in [true, false] {
            let what = format!("{shape:?} on {}, with the input's: {with_input}", isa.name());
            let mut dx = images(5, &conv.input, n);
            let (mut dkernel, mut dbias) = (vec![1.0; kernel.len()], vec![1.0; conv.output.channels]);
            let wanted = Gradients {
                input: with_input.then_some((&kernel, &mut dx)),
                kernel: Some((false, &mut dkernel)),
                bias: Some(&mut dbias),
            };
            living_gradients(isa, &pooled, n, signals, &mut living, wanted);
            if with_input {
                assert_close(&format!("dx of {what}"), &dx, &expected_dx, 0.0, 1e-5);
            }
            assert_close(&format!("dkernel of {what}"), &dkernel, &one_more(&expected_kernel), 0.0, 3e-5);
            let dbias: Vec<f32> = dbias.iter().map(|value| *value as f32).collect();
            assert_close(&format!("dbias of {what}"), &dbias, &one_more(&expected_bias), 0.0, 1e-5);
        }
    }
}

#[test]
fn pools_that_overlap_and_groups_do_not_suit() {
    assert!(!Pooled::suits(&window([3; 2], [2; 2], [0; 4], [1; 2])));
    assert!(!Pooled::suits(&window([2; 2], [2; 2], [1; 4], [1; 2])));
    assert!(!Pooled::suits(&window([16; 2], [16; 2], [0; 4], [1; 2])));
    let mut grouped = pooled(&shapes()[1]);
    grouped.product.conv.groups = 3;
    assert!(!grouped.has_living_gradients());
}
