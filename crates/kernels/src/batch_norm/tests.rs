//! Batch normalization on every instruction set against plain loops in f64.

use super::*;
use crate::truth::{assert_close, images, numbers};

/// Shards of images, image size, border, and how far from zero the numbers are.
#[expect(clippy::type_complexity, reason = "a table of shapes")]
const SHAPES: [(&[usize], [usize; 3], [usize; 4], f32); 8] = [
    (&[1], [1, 1, 1], [0; 4], 0.0),
    (&[2, 1], [4, 5, 17], [1; 4], 3.0),
    (&[1, 2, 0], [9, 40, 32], [0; 4], -0.5),
    (&[3], [1, 1, 100], [0; 4], 0.0),
    (&[2, 2], [3, 300, 3], [0, 1, 1, 0], 0.0),
    (&[200, 100], [1, 1, 5], [0; 4], 1000.0),
    (&[2, 1], [17, 19, 90], [1; 4], 3.0),       // blocks of many channels
    (&[2, 1], [2, 3, 1037], [0, 1, 0, 0], 0.5), // more channels than have their coefficients at hand
];

/// The numbers of a channel, in order.
fn of_channel(view: &View, n: usize, x: &[f32], channel: usize) -> Vec<f64> {
    view.rows(n).flatten().skip(channel).step_by(view.channels).map(|at| f64::from(x[at])).collect()
}

#[test]
fn a_batch_in_shards_agrees_with_f64() {
    for (shards, [height, width, channels], border, shift) in SHAPES {
        let n = shards.iter().sum();
        let input = View::bordered(height, width, channels, border);
        let output = View::bordered(height, width, channels, [0, 1, 1, 0]);
        let mut x = images(1, &input, n);
        input.rows(n).flatten().for_each(|at| x[at] += shift);
        let dy = images(2, &output, n);
        let (scale, offset) = (numbers(3, channels, 0.5, 2.0), numbers(4, channels, -1.0, 1.0));
        for isa in Isa::available() {
            let name = format!("{shards:?} of {input:?} on {}", isa.name());
            let counts: Vec<usize> = shards.iter().map(|n| n * height * width).collect();
            let mut partials = vec![9.0; shards.len() * 2 * channels];
            let mut statistics_found = vec![9.0; 2 * channels];
            each_shard(shards, &mut partials, |first, n, partial| {
                statistics(isa, &input, n, &x[input.len(first)..input.len(first + n)], partial);
            });
            combine_statistics(&partials, &counts, &mut statistics_found);
            let norm = Norm { statistics: &statistics_found, epsilon: 1e-5 };
            let (mut y, mut dx) = (vec![77.0; dy.len()], vec![77.0; x.len()]);
            normalize(isa, [&input, &output], n, &x, &norm, &scale, &offset, false, &mut y);
            let mut with_relu = y.clone();
            normalize(isa, [&input, &output], n, &x, &norm, &scale, &offset, true, &mut with_relu);
            for row in output.rows(n) {
                let relu: Vec<f32> = y[row.clone()].iter().map(|y| y.max(0.0)).collect();
                assert_eq!(with_relu[row], relu);
            }
            let (mut sums, mut first) = (vec![0.0; 2 * channels], 0);
            for &n in shards {
                let (x, dy) = (&x[input.len(first)..], &dy[output.len(first)..]);
                gradient_sums(isa, [&input, &output], n, x, &norm, dy, &mut sums);
                first += n;
            }
            let sums: Vec<f32> = sums.into_iter().map(|sum| sum as f32).collect();
            let count: usize = counts.iter().sum();
            let views = [&input, &output, &input];
            input_gradient(isa, views, n, &x, &norm, &scale, &sums, count, &dy, &mut dx);
            for channel in 0..channels {
                let values = of_channel(&input, n, &x, channel);
                let mean = values.iter().sum::<f64>() / count as f64;
                let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count as f64;
                let found = [statistics_found[channel], statistics_found[channels + channel]];
                assert_close(&name, &found, &[mean, variance], 2e-6, 1e-7);
                // From here on with the statistics that were found: those of f32.
                let (mean, variance) = (f64::from(found[0]), f64::from(found[1]));
                let factor = 1.0 / (variance + f64::from(norm.epsilon)).sqrt();
                let z: Vec<f64> = values.iter().map(|v| (v - mean) * factor).collect();
                let gradients = of_channel(&output, n, &dy, channel);
                let [s, o] = [scale[channel], offset[channel]].map(f64::from);
                let found: Vec<f32> = of_channel(&output, n, &y, channel).iter().map(|&y| y as f32).collect();
                assert_close(&name, &found, &z.iter().map(|z| s * z + o).collect::<Vec<f64>>(), 2e-6, 1e-6);
                let sum: f64 = gradients.iter().sum();
                let weighted: f64 = gradients.iter().zip(&z).map(|(dy, z)| dy * z).sum();
                assert_close(&name, &[sums[channel], sums[channels + channel]], &[sum, weighted], 2e-6, 2e-5);
                let found: Vec<f32> = of_channel(&input, n, &dx, channel).iter().map(|&y| y as f32).collect();
                let through = |(dy, z): (&f64, &f64)| s * factor * (dy - (sum + z * weighted) / count as f64);
                let expected: Vec<f64> = gradients.iter().zip(&z).map(through).collect();
                assert_close(&name, &found, &expected, 2e-6, 2e-6 * s * factor);
            }
            let untouched = |view: &View, y: &[f32]| {
                let inside: Vec<usize> = view.rows(n).flatten().collect();
                y.iter().filter(|&&y| y == 77.0).count() == y.len() - inside.len()
            };
            assert!(untouched(&output, &y) && untouched(&input, &dx), "{name}: borders are left alone");
        }
    }
}

#[test]
fn the_gradient_of_relu_with_sums_is_each_of_them_bit_by_bit() {
    for (shards, [height, width, channels], border, _) in SHAPES {
        let n = shards.iter().sum();
        let given_view = View::bordered(height, width, channels, border);
        let view = View::bordered(height, width, channels, [0, 1, 1, 0]);
        let given = images(1, &given_view, n).iter().map(|x| x.max(0.0)).collect::<Vec<f32>>();
        let (x, dy, added) = (images(2, &view, n), images(3, &view, n), images(5, &given_view, n));
        let statistics = numbers(4, 2 * channels, 0.5, 2.0);
        let norm = Norm { statistics: &statistics, epsilon: 1e-5 };
        let inside = |y: &[f32]| view.rows(n).flatten().map(|at| y[at]).collect::<Vec<f32>>();
        for (isa, has_added) in Isa::available().into_iter().flat_map(|isa| [(isa, false), (isa, true)]) {
            let name = format!("{shards:?} of {given_view:?} on {}", isa.name());
            let mut expected = vec![77.0; view.len(n)];
            for (at, given_at) in view.rows(n).flatten().zip(given_view.rows(n).flatten()) {
                let dy = if has_added { dy[at] + added[given_at] } else { dy[at] };
                expected[at] = if given[given_at] > 0.0 { dy } else { 0.0 };
            }
            let mut expected_sums = vec![1.0; 2 * channels];
            gradient_sums(isa, [&view, &view], n, &x, &norm, &expected, &mut expected_sums);
            let of = |dy| ReluGradient {
                given: (&given_view, &given),
                dy: (&view, dy),
                added: has_added.then_some((&given_view, Some(&added))),
            };
            let (mut apart, mut sums) = (vec![77.0; view.len(n)], vec![1.0; 2 * channels]);
            relu_gradient_and_sums(isa, [&view, &view], n, of(Some(&dy)), &x, &norm, &mut apart, &mut sums);
            assert_eq!((&apart, &sums), (&expected, &expected_sums), "{name}");
            let (mut in_place, mut sums) = (dy.clone(), vec![1.0; 2 * channels]);
            relu_gradient_and_sums(isa, [&view, &view], n, of(None), &x, &norm, &mut in_place, &mut sums);
            assert_eq!((inside(&in_place), &sums), (inside(&expected), &expected_sums), "{name}");
        }
    }
}

fn each_shard(shards: &[usize], partials: &mut [f64], mut visit: impl FnMut(usize, usize, &mut [f64])) {
    let (mut first, len) = (0, partials.len() / shards.len());
    for (&n, partial) in shards.iter().zip(partials.chunks_exact_mut(len)) {
        visit(first, n, partial);
        first += n;
    }
}

#[test]
fn running_statistics_move() {
    let (mut mean, mut variance) = ([1.0], [1.0]);
    running_mean(0.9, &[3.0, 5.0], &mut mean);
    running_variance(0.9, 6, &[3.0, 5.0], &mut variance);
    assert_close("mean", &mean, &[0.9 + 0.1 * 3.0], 1e-6, 0.0);
    assert_close("variance", &variance, &[0.9 + 0.1 * 6.0], 1e-6, 0.0);
    running_variance(0.0, 1, &[3.0, 5.0], &mut variance);
    assert_eq!(variance, [5.0]);
}

#[test]
fn a_folded_kernel_does_what_kernel_and_norm_do() {
    let (channels, inputs) = (3, 4);
    let kernel = numbers(1, channels * inputs, -1.0, 1.0);
    let given = [(2, -1.0), (3, 0.1), (4, -2.0), (5, -1.0)].map(|(name, low)| numbers(name, channels, low, 2.0));
    let (given, x) = (given.each_ref().map(|numbers| &numbers[..]), numbers(6, inputs, -1.0, 1.0));
    let bias = numbers(7, channels, -1.0, 1.0);
    for bias in [None, Some(&bias[..])] {
        let (mut folded_kernel, mut folded_bias) = (vec![9.0; kernel.len()], vec![9.0; channels]);
        fold((&kernel, bias), given, 1e-3, (&mut folded_kernel, &mut folded_bias));
        let product = |kernel: &[f32], channel: usize| -> f64 {
            let row = &kernel[channel * inputs..][..inputs];
            row.iter().zip(&x).map(|(k, x)| f64::from(*k) * f64::from(*x)).sum()
        };
        let [mean, variance, scale, offset] = given;
        let expected: Vec<f64> = (0..channels)
            .map(|c| {
                let y = product(&kernel, c) + bias.map_or(0.0, |bias| f64::from(bias[c]));
                let z = (y - f64::from(mean[c])) / (f64::from(variance[c]) + 1e-3).sqrt();
                z * f64::from(scale[c]) + f64::from(offset[c])
            })
            .collect();
        let found: Vec<f32> = (0..channels).map(|c| product(&folded_kernel, c) as f32 + folded_bias[c]).collect();
        assert_close("folded", &found, &expected, 1e-5, 1e-6);
    }
}
