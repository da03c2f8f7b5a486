//! Batch normalization (Ioffe and Szegedy 2015), its statistics and its gradients.
//!
//! `y = scale * z + offset`, `z = (x - mean) / sqrt(variance + epsilon)`. Statistics and sums are `[2][channels]`: mean and
//! biased variance; the sum of dy and the sum of dy * z. Each shard gives a partial in f64; partials are combined in the
//! order of shards, so that results depend on how the batch is divided and not on who computes.

use crate::activation::Relu;
use crate::channels::{self, ChannelFunction, ChannelSums, join, map, map_and_sum, moments};
use crate::each::Function;
use crate::lanes::Lanes;
use crate::softmax::load;
use crate::{Isa, View};

/// The statistics to normalize with.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a> {
    /// Mean and biased variance, `[2][channels]`.
    pub statistics: &'a [f32],
    pub epsilon: f32,
}

/// Mean and sum of squared differences from it, `[2][channels]`, of a shard of `n` images.
///
/// # Panics
/// If lengths disagree.
pub fn statistics(isa: Isa, input: &View, n: usize, x: &[f32], partial: &mut [f64]) {
    moments(isa, input, n, x, partial);
}

/// Mean and biased variance from the partials of all shards; `counts` are their numbers a channel.
///
/// # Panics
/// If lengths disagree or nothing is counted.
pub fn combine_statistics(partials: &[f64], counts: &[usize], statistics: &mut [f32]) {
    let (len, channels) = (statistics.len(), statistics.len() / 2);
    assert_eq!(partials.len(), counts.len() * len);
    let total: usize = counts.iter().sum();
    assert!(total > 0, "statistics are of at least one number");
    for channel in 0..channels {
        let (mut mean, mut squares, mut before) = (0.0, 0.0, 0);
        for (partial, &count) in partials.chunks_exact(len).zip(counts) {
            join((&mut mean, &mut squares), before, (partial[channel], partial[channels + channel]), count);
            before += count;
        }
        statistics[channel] = mean as f32;
        statistics[channels + channel] = (squares / total as f64) as f32;
    }
}

/// `y = scale * z + offset`, with relu behind it if asked; views of x and y, of which the border of `y` is left alone.
///
/// # Panics
/// If sizes differ or a slice is too short for `n` images.
pub fn normalize(
    isa: Isa,
    [from, to]: [&View; 2],
    n: usize,
    x: &[f32],
    norm: &Norm,
    scale: &[f32],
    offset: &[f32],
    relu: bool,
    y: &mut [f32],
) {
    let channels = to.channels;
    assert_eq!((norm.statistics.len(), scale.len(), offset.len()), (2 * channels, channels, channels));
    let normalize = Normalize { norm, scale, offset };
    match relu {
        true => map(isa, NormalizeRelu(normalize), n, [(from, x)], (to, y)),
        false => map(isa, normalize, n, [(from, x)], (to, y)),
    }
}

/// The kernel and bias of a convolution that does what a convolution with `kernel` and `bias` and the norm behind it do. A
/// kernel is `[channels, ...]`; `mean` and `variance` are the norm's statistics.
///
/// # Panics
/// If lengths disagree.
pub fn fold(
    (kernel, bias): (&[f32], Option<&[f32]>),
    [mean, variance, scale, offset]: [&[f32]; 4],
    epsilon: f32,
    (folded_kernel, folded_bias): (&mut [f32], &mut [f32]),
) {
    let channels = folded_bias.len();
    assert!([mean, variance, scale, offset].iter().chain(&bias).all(|numbers| numbers.len() == channels));
    assert!(kernel.len() == folded_kernel.len() && kernel.len().is_multiple_of(channels));
    let rows =
        kernel.chunks_exact(kernel.len() / channels).zip(folded_kernel.chunks_exact_mut(kernel.len() / channels));
    for (channel, (row, folded)) in rows.enumerate() {
        let deviation = (f64::from(variance[channel]) + f64::from(epsilon)).sqrt();
        let factor = f64::from(scale[channel]) / deviation;
        let shift = f64::from(bias.map_or(0.0, |bias| bias[channel])) - f64::from(mean[channel]);
        folded_bias[channel] = shift.mul_add(factor, f64::from(offset[channel])) as f32;
        folded.iter_mut().zip(row).for_each(|(folded, weight)| *folded = (f64::from(*weight) * factor) as f32);
    }
}

/// Adds the sums of dy and of dy * z of a shard of `n` images to `sums`, `[2][channels]`; views of x and dy.
///
/// # Panics
/// If lengths disagree.
pub fn gradient_sums(
    isa: Isa,
    [of_x, of_dy]: [&View; 2],
    n: usize,
    x: &[f32],
    norm: &Norm,
    dy: &[f32],
    sums: &mut [f64],
) {
    assert_eq!(norm.statistics.len(), 2 * of_x.channels);
    channels::sums(isa, GradientSums(norm), n, [(of_x, x), (of_dy, dy)], sums);
}

/// What the gradient of the relu behind a norm is computed of; a gradient without numbers lies where the result is made.
#[derive(Clone, Copy, Debug)]
pub struct ReluGradient<'a> {
    /// What relu has given.
    pub given: (&'a View, &'a [f32]),
    /// The gradient of that.
    pub dy: (&'a View, Option<&'a [f32]>),
    /// Added to it.
    pub added: Option<(&'a View, Option<&'a [f32]>)>,
}

/// The gradient of relu, and what [`gradient_sums`] adds of it for the norm before relu, whose operand is x: `dz = dy + added`
/// where relu has given more than zero, else 0; views of x and dz, of which the border of `dz` is left alone.
///
/// # Panics
/// If sizes differ or a slice is too short for `n` images.
pub fn relu_gradient_and_sums(
    isa: Isa,
    [of_x, of_dz]: [&View; 2],
    n: usize,
    relu: ReluGradient<'_>,
    x: &[f32],
    norm: &Norm,
    dz: &mut [f32],
    sums: &mut [f64],
) {
    assert_eq!(norm.statistics.len(), 2 * of_x.channels);
    let (of_given, given) = relu.given;
    let operands = [(of_given, Some(given)), (of_x, Some(x)), relu.dy];
    match relu.added {
        None => map_and_sum(isa, ReluGradientSums(norm), n, operands, (of_dz, dz), sums),
        Some(added) => {
            let [given, x, dy] = operands;
            map_and_sum(isa, ReluGradientSums(norm), n, [given, x, dy, added], (of_dz, dz), sums);
        }
    }
}

/// `dx = scale / sqrt(variance + epsilon) * (dy - sum of dy / count - z * sum of dy * z / count)`; views of x, dy and dx, of
/// which the border of `dx` is left alone. `sums` are those of the whole batch, of `count` numbers a channel.
///
/// # Panics
/// If sizes differ or a slice is too short for `n` images.
pub fn input_gradient(
    isa: Isa,
    [of_x, of_dy, to]: [&View; 3],
    n: usize,
    x: &[f32],
    norm: &Norm,
    scale: &[f32],
    sums: &[f32],
    count: usize,
    dy: &[f32],
    dx: &mut [f32],
) {
    let channels = to.channels;
    assert_eq!((norm.statistics.len(), scale.len(), sums.len()), (2 * channels, channels, 2 * channels));
    let gradient = InputGradient { norm, scale, sums, share: 1.0 / count as f32 };
    map(isa, gradient, n, [(of_x, x), (of_dy, dy)], (to, dx));
}

/// `momentum * running + (1 - momentum) * mean`.
pub fn running_mean(momentum: f32, statistics: &[f32], running: &mut [f32]) {
    assert_eq!(statistics.len(), 2 * running.len());
    move_towards(momentum, &statistics[..running.len()], 1.0, running);
}

/// `momentum * running + (1 - momentum) * variance`, with the unbiased variance of `count` numbers; of one the biased.
pub fn running_variance(momentum: f32, count: usize, statistics: &[f32], running: &mut [f32]) {
    assert_eq!(statistics.len(), 2 * running.len());
    let unbiased = if count > 1 { count as f64 / (count - 1) as f64 } else { 1.0 };
    move_towards(momentum, &statistics[running.len()..], unbiased, running);
}

fn move_towards(momentum: f32, statistics: &[f32], factor: f64, running: &mut [f32]) {
    let momentum = f64::from(momentum);
    for (running, &new) in running.iter_mut().zip(statistics) {
        *running = (momentum * f64::from(*running) + (1.0 - momentum) * factor * f64::from(new)) as f32;
    }
}

impl Norm<'_> {
    /// Mean, and `1 / sqrt(variance + epsilon)`.
    #[inline(always)]
    fn centre_and_factor<L: Lanes>(&self, channel: usize, count: usize) -> (L, L) {
        let channels = self.statistics.len() / 2;
        let variance = load::<L>(&self.statistics[channels + channel..][..count]);
        let deviation = variance.add(L::splat(self.epsilon)).sqrt();
        (load(&self.statistics[channel..][..count]), L::splat(1.0).div(deviation))
    }
}

#[derive(Clone, Copy)]
struct Normalize<'a> {
    norm: &'a Norm<'a>,
    scale: &'a [f32],
    offset: &'a [f32],
}

impl ChannelFunction<1> for Normalize<'_> {
    /// Mean, factor of the difference from it, offset.
    type Coefficients<L: Lanes> = [L; 3];

    #[inline(always)]
    fn coefficients<L: Lanes>(self, channel: usize, count: usize) -> [L; 3] {
        let (centre, factor) = self.norm.centre_and_factor::<L>(channel, count);
        let scale = load::<L>(&self.scale[channel..][..count]);
        [centre, factor.mul(scale), load(&self.offset[channel..][..count])]
    }

    #[inline(always)]
    fn of<L: Lanes>([centre, factor, offset]: [L; 3], [x]: [L; 1]) -> L {
        x.sub(centre).mul_add(factor, offset)
    }
}

#[derive(Clone, Copy)]
struct NormalizeRelu<'a>(Normalize<'a>);

impl ChannelFunction<1> for NormalizeRelu<'_> {
    type Coefficients<L: Lanes> = [L; 3];

    #[inline(always)]
    fn coefficients<L: Lanes>(self, channel: usize, count: usize) -> [L; 3] {
        self.0.coefficients(channel, count)
    }

    #[inline(always)]
    fn of<L: Lanes>(coefficients: [L; 3], x: [L; 1]) -> L {
        // What is not a number stays: `max` gives its second operand.
        L::splat(0.0).max(Normalize::of(coefficients, x))
    }
}

#[derive(Clone, Copy)]
struct GradientSums<'a>(&'a Norm<'a>);

impl ChannelSums<2, 2> for GradientSums<'_> {
    type Coefficients<L: Lanes> = (L, L);

    #[inline(always)]
    fn coefficients<L: Lanes>(self, channel: usize, count: usize) -> (L, L) {
        self.0.centre_and_factor(channel, count)
    }

    #[inline(always)]
    fn of<L: Lanes>((centre, factor): (L, L), [x, dy]: [L; 2]) -> [L; 2] {
        [dy, dy.mul(x.sub(centre).mul(factor))]
    }
}

/// Of what relu has given, x, dy and what is added to dy, if anything.
#[derive(Clone, Copy)]
struct ReluGradientSums<'a>(&'a Norm<'a>);

impl<const A: usize> ChannelSums<A, 2> for ReluGradientSums<'_> {
    type Coefficients<L: Lanes> = (L, L);

    #[inline(always)]
    fn coefficients<L: Lanes>(self, channel: usize, count: usize) -> (L, L) {
        GradientSums(self.0).coefficients(channel, count)
    }

    #[inline(always)]
    fn of<L: Lanes>(coefficients: (L, L), operands: [L; A]) -> [L; 2] {
        GradientSums::of(coefficients, [operands[1], Self::value(operands)])
    }

    #[inline(always)]
    fn value<L: Lanes>(operands: [L; A]) -> L {
        let mut dy = operands[2];
        for added in &operands[3..] {
            dy = dy.add(*added);
        }
        Relu.of([dy, operands[0]])
    }
}

#[derive(Clone, Copy)]
struct InputGradient<'a> {
    norm: &'a Norm<'a>,
    scale: &'a [f32],
    sums: &'a [f32],
    share: f32,
}

impl ChannelFunction<2> for InputGradient<'_> {
    /// Mean, factor of the difference from it, factor of the gradient, means of dy and of dy * z.
    type Coefficients<L: Lanes> = [L; 5];

    #[inline(always)]
    fn coefficients<L: Lanes>(self, channel: usize, count: usize) -> [L; 5] {
        let (centre, factor) = self.norm.centre_and_factor::<L>(channel, count);
        let scale = load::<L>(&self.scale[channel..][..count]);
        let channels = self.sums.len() / 2;
        let mean = |row: usize| load::<L>(&self.sums[row * channels + channel..][..count]).mul(L::splat(self.share));
        [centre, factor, factor.mul(scale), mean(0), mean(1)]
    }

    #[inline(always)]
    fn of<L: Lanes>([centre, factor, scale, mean, weighted]: [L; 5], [x, dy]: [L; 2]) -> L {
        let z = x.sub(centre).mul(factor);
        dy.sub(mean).sub(z.mul(weighted)).mul(scale)
    }
}

#[cfg(test)]
mod tests;
