//! One number a channel, added everywhere; and sums over everything but the channels.

use crate::channels::{ChannelFunction, Plain, map_in_place, sums};
use crate::lanes::Lanes;
use crate::{Isa, View};

/// `y += bias` for all pixels of `n` images.
///
/// # Panics
/// If the slice is too short for `n` images.
pub fn add_bias(isa: Isa, view: &View, n: usize, bias: &[f32], y: &mut [f32]) {
    assert_eq!(bias.len(), view.channels);
    map_in_place(isa, AddBias(bias), n, view, y);
}

/// Adds the sum of each channel over the pixels of `n` images to `totals`: in f32 over blocks, then in f64.
///
/// # Panics
/// If lengths do not suit.
pub fn sum_to_channels(isa: Isa, view: &View, n: usize, x: &[f32], totals: &mut [f64]) {
    sums(isa, Plain, n, [(view, x)], totals);
}

#[derive(Clone, Copy)]
struct AddBias<'a>(&'a [f32]);

impl ChannelFunction<1> for AddBias<'_> {
    type Coefficients<L: Lanes> = L;

    #[inline(always)]
    fn coefficients<L: Lanes>(self, channel: usize, count: usize) -> L {
        crate::softmax::load(&self.0[channel..channel + count])
    }

    #[inline(always)]
    fn of<L: Lanes>(bias: L, [x]: [L; 1]) -> L {
        x.add(bias)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::{assert_close, images, numbers};

    #[test]
    fn biases_and_sums_agree_with_f64() {
        for (n, [height, width, channels], border) in [
            (1, [1, 1, 1], [0; 4]),
            (300, [1, 1, 5], [0; 4]),
            (2, [1, 1, 4], [0; 4]),
            (3, [4, 5, 17], [0; 4]),
            (2, [9, 33, 32], [1, 2, 0, 1]),
            (2, [3, 300, 3], [0, 0, 1, 1]),
            (2, [9, 33, 600], [1, 0, 0, 1]),
        ] {
            let view = View::bordered(height, width, channels, border);
            let (x, bias) = (images(1, &view, n), numbers(2, channels, -1.0, 1.0));
            let (mut added, mut summed) = (vec![77.0; x.len()], vec![9.0; channels]);
            for (index, at) in view.rows(n).flatten().enumerate() {
                added[at] = f64::from(x[at]) + f64::from(bias[index % channels]);
                summed[index % channels] += f64::from(x[at]);
            }
            for isa in Isa::available() {
                let mut y = x.clone();
                add_bias(isa, &view, n, &bias, &mut y);
                assert_close(isa.name(), &y, &added, 1e-7, 1e-7);
                let mut totals = vec![9.0; channels];
                sum_to_channels(isa, &view, n, &x, &mut totals);
                let found: Vec<f32> = totals.iter().map(|&sum| sum as f32).collect();
                assert_close(isa.name(), &found, &summed, 1e-6, 1e-5);
            }
        }
    }
}
