//! Batch normalization (Ioffe and Szegedy 2015): statistics in parts, normalization, and the gradient's two passes.
//!
//! `z = (x - mean) / sqrt(variance + epsilon)`, `y = scale * z + offset`. Statistics are `[2, C]`: means, then biased
//! variances. Images are taken in strips of channels, whose factors stay in registers while the pixels pass.

use crate::{Isa, View};

/// Channels of a strip.
const STRIP: usize = 32;

/// The statistics to normalize with.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a> {
    pub statistics: &'a [f32],
    pub epsilon: f32,
}

impl Norm<'_> {
    /// Mean, and `1 / sqrt(variance + epsilon)`.
    #[inline(always)]
    fn of(&self, channel: usize) -> (f32, f32) {
        let channels = self.statistics.len() / 2;
        let variance = f64::from(self.statistics[channels + channel]) + f64::from(self.epsilon);
        (self.statistics[channel], (1.0 / variance.sqrt()) as f32)
    }
}

/// Writes `[2, C]` of `n` images to `part`: the means, and the sums of squared distances from them.
///
/// # Panics
/// If a slice is too short.
pub fn statistics(isa: Isa, view: &View, n: usize, x: &[f32], part: &mut [f64]) {
    assert_eq!(part.len(), 2 * view.channels);
    let count = (n * view.height * view.width) as f64;
    isa.vectorize(
        #[inline(always)]
        || {
            for first in (0..view.channels).step_by(STRIP) {
                let len = STRIP.min(view.channels - first);
                let mut sums = [0.0f64; STRIP];
                for row in view.rows(n) {
                    let mut row_sums = [0.0f32; STRIP];
                    each_pixel(
                        &x[row],
                        view.channels,
                        first,
                        len,
                        #[inline(always)]
                        |pixel| {
                            for (sum, x) in row_sums.iter_mut().zip(pixel) {
                                *sum += x;
                            }
                        },
                    );
                    add(&mut sums, &row_sums);
                }
                let mut means = [0.0f32; STRIP];
                for c in 0..len {
                    part[first + c] = sums[c] / count;
                    means[c] = part[first + c] as f32;
                }
                let mut squares = [0.0f64; STRIP];
                for row in view.rows(n) {
                    let mut row_squares = [0.0f32; STRIP];
                    each_pixel(
                        &x[row],
                        view.channels,
                        first,
                        len,
                        #[inline(always)]
                        |pixel| {
                            for c in 0..pixel.len() {
                                let centred = pixel[c] - means[c];
                                row_squares[c] += centred * centred;
                            }
                        },
                    );
                    add(&mut squares, &row_squares);
                }
                part[view.channels + first..][..len].copy_from_slice(&squares[..len]);
            }
        },
    );
}

/// Statistics of all from [`statistics`] of parts, in their order (Chan, Golub and LeVeque 1983). `counts` are the values
/// a channel of each part.
///
/// # Panics
/// If lengths do not fit.
pub fn combine_statistics(parts: &[f64], counts: &[usize], statistics: &mut [f32]) {
    assert_eq!(parts.len(), counts.len() * statistics.len());
    let channels = statistics.len() / 2;
    for channel in 0..channels {
        let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
        for (part, of_part) in parts.chunks_exact(statistics.len()).zip(counts) {
            let of_part = *of_part as f64;
            let (distance, total) = (part[channel] - mean, count + of_part);
            squares += part[channels + channel] + distance * distance * count * of_part / total;
            mean += distance * of_part / total;
            count = total;
        }
        statistics[channel] = mean as f32;
        statistics[channels + channel] = (squares / count) as f32;
    }
}

/// `y = scale * z + offset`
///
/// # Panics
/// If a slice is too short.
pub fn normalize(
    isa: Isa,
    [from, to]: [&View; 2],
    n: usize,
    x: &[f32],
    norm: &Norm<'_>,
    scale: &[f32],
    offset: &[f32],
    y: &mut [f32],
) {
    isa.vectorize(
        #[inline(always)]
        || {
            for first in (0..from.channels).step_by(STRIP) {
                let len = STRIP.min(from.channels - first);
                let (mut factor, mut mean, mut shift) = ([0.0f32; STRIP], [0.0f32; STRIP], [0.0f32; STRIP]);
                for c in 0..len {
                    let (m, inverse) = norm.of(first + c);
                    (mean[c], factor[c], shift[c]) = (m, scale[first + c] * inverse, offset[first + c]);
                }
                for (source, target) in from.rows(n).zip(to.rows(n)) {
                    let (x, y) = (&x[source], &mut y[target]);
                    for at in (first..x.len()).step_by(from.channels) {
                        let (x, y) = (&x[at..][..len], &mut y[at..][..len]);
                        for c in 0..len {
                            y[c] = (x[c] - mean[c]) * factor[c] + shift[c];
                        }
                    }
                }
            }
        },
    );
}

/// Adds `[2, C]` of `n` images to `sums`: dy, and dy times z.
///
/// # Panics
/// If a slice is too short.
pub fn gradient_sums(
    isa: Isa,
    [of_x, of_dy]: [&View; 2],
    n: usize,
    x: &[f32],
    norm: &Norm<'_>,
    dy: &[f32],
    sums: &mut [f64],
) {
    let channels = of_x.channels;
    assert_eq!(sums.len(), 2 * channels);
    isa.vectorize(
        #[inline(always)]
        || {
            for first in (0..channels).step_by(STRIP) {
                let len = STRIP.min(channels - first);
                let (mut mean, mut factor) = ([0.0f32; STRIP], [0.0f32; STRIP]);
                for c in 0..len {
                    (mean[c], factor[c]) = norm.of(first + c);
                }
                let (mut plain, mut products) = ([0.0f64; STRIP], [0.0f64; STRIP]);
                for (of_x, of_dy) in of_x.rows(n).zip(of_dy.rows(n)) {
                    let (x, dy) = (&x[of_x], &dy[of_dy]);
                    let (mut row_plain, mut row_products) = ([0.0f32; STRIP], [0.0f32; STRIP]);
                    for at in (first..x.len()).step_by(channels) {
                        let (x, dy) = (&x[at..][..len], &dy[at..][..len]);
                        for c in 0..len {
                            row_plain[c] += dy[c];
                            row_products[c] += dy[c] * ((x[c] - mean[c]) * factor[c]);
                        }
                    }
                    add(&mut plain, &row_plain);
                    add(&mut products, &row_products);
                }
                for c in 0..len {
                    sums[first + c] += plain[c];
                    sums[channels + first + c] += products[c];
                }
            }
        },
    );
}

/// `dx = scale / sqrt(variance + epsilon) * (dy - (sum of dy + z * sum of dy * z) / count)`; views of x, dy and dx, `sums`
/// those of [`gradient_sums`] over `count` values a channel.
///
/// # Panics
/// If a slice is too short.
#[allow(clippy::too_many_arguments)]
pub fn input_gradient(
    isa: Isa,
    [of_x, of_dy, to]: [&View; 3],
    n: usize,
    x: &[f32],
    norm: &Norm<'_>,
    scale: &[f32],
    sums: &[f32],
    count: usize,
    dy: &[f32],
    dx: &mut [f32],
) {
    let channels = of_x.channels;
    assert_eq!(sums.len(), 2 * channels);
    isa.vectorize(
        #[inline(always)]
        || {
            for first in (0..channels).step_by(STRIP) {
                let len = STRIP.min(channels - first);
                // dx = a * dy + b * (x - mean) + d
                let (mut a, mut b, mut d, mut mean) =
                    ([0.0f32; STRIP], [0.0f32; STRIP], [0.0f32; STRIP], [0.0f32; STRIP]);
                for c in 0..len {
                    let (m, inverse) = norm.of(first + c);
                    mean[c] = m;
                    a[c] = scale[first + c] * inverse;
                    b[c] = -a[c] * inverse * sums[channels + first + c] / count as f32;
                    d[c] = -a[c] * sums[first + c] / count as f32;
                }
                for ((of_x, of_dy), of_dx) in of_x.rows(n).zip(of_dy.rows(n)).zip(to.rows(n)) {
                    let (x, dy, dx) = (&x[of_x], &dy[of_dy], &mut dx[of_dx]);
                    for at in (first..x.len()).step_by(channels) {
                        let (x, dy, dx) = (&x[at..][..len], &dy[at..][..len], &mut dx[at..][..len]);
                        for c in 0..len {
                            dx[c] = a[c] * dy[c] + (b[c] * (x[c] - mean[c]) + d[c]);
                        }
                    }
                }
            }
        },
    );
}

/// `running = momentum * running + (1 - momentum) * mean`
///
/// # Panics
/// If lengths do not fit.
pub fn running_mean(momentum: f32, statistics: &[f32], running: &mut [f32]) {
    move_towards(momentum, 1.0, &statistics[..running.len()], running);
}

/// The same with the unbiased variance of `count` values.
///
/// # Panics
/// If lengths do not fit.
pub fn running_variance(momentum: f32, count: usize, statistics: &[f32], running: &mut [f32]) {
    let unbiased = if count > 1 { count as f64 / (count - 1) as f64 } else { 1.0 };
    move_towards(momentum, unbiased, &statistics[running.len()..], running);
}

fn move_towards(momentum: f32, factor: f64, values: &[f32], running: &mut [f32]) {
    assert_eq!(values.len(), running.len());
    let momentum = f64::from(momentum);
    for (running, value) in running.iter_mut().zip(values) {
        *running = (momentum * f64::from(*running) + (1.0 - momentum) * factor * f64::from(*value)) as f32;
    }
}

#[inline(always)]
fn each_pixel(row: &[f32], channels: usize, first: usize, len: usize, mut visit: impl FnMut(&[f32])) {
    for at in (first..row.len()).step_by(channels) {
        visit(&row[at..][..len]);
    }
}

#[inline(always)]
fn add(sums: &mut [f64; STRIP], row: &[f32; STRIP]) {
    for c in 0..STRIP {
        sums[c] += f64::from(row[c]);
    }
}
