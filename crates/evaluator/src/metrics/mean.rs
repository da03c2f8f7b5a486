//! Metrics that are the mean of one number a sample.

use super::{Judged, Statistic};
use crate::intervals::{Interval, wilson};

/// The mean over the samples.
pub struct Mean {
    samples: Vec<f64>,
    is_share: bool,
}

impl Mean {
    /// Of a number for each sample.
    pub fn of_numbers(judged: &Judged<'_>, number: impl Fn(usize) -> f64) -> Box<dyn Statistic> {
        Box::new(Mean { samples: (0..judged.len()).map(number).collect(), is_share: false })
    }

    /// The share of the samples that are right.
    pub fn of_hits(judged: &Judged<'_>, is_right: impl Fn(usize) -> bool) -> Box<dyn Statistic> {
        let samples = (0..judged.len()).map(|index| f64::from(u8::from(is_right(index)))).collect();
        Box::new(Mean { samples, is_share: true })
    }
}

impl Statistic for Mean {
    fn n_values(&self) -> usize {
        1
    }

    fn values(&self, weights: &[u32], values: &mut [f64]) {
        let weighted = |(sum, count): (f64, f64), (sample, &weight): (&f64, &u32)| {
            // A sample that does not count does not spoil the sum with its infinity.
            let weight = f64::from(weight);
            (if weight > 0.0 { sum + weight * sample } else { sum }, count + weight)
        };
        let (sum, count) = self.samples.iter().zip(weights).fold((0.0, 0.0), weighted);
        values[0] = sum / count;
    }

    fn n(&self, _: usize) -> usize {
        self.samples.len()
    }

    fn interval(&self, _: usize, confidence: f64, _: u64) -> Option<Interval> {
        let (hits, n) = (self.samples.iter().sum::<f64>() as usize, self.samples.len());
        (self.is_share && n > 0).then(|| wilson(hits, n, confidence))
    }
}
