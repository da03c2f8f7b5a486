//! Mean and standard deviation of the training part, as `normalize: dataset` asks for them.

use rayon::prelude::*;

use crate::dataset::Store;
use crate::steps::{Key, Mode, Scratch};
use crate::{Error, PartName};

/// Sums of one channel: exact, so that they do not depend on the order.
#[derive(Clone, Copy, Default)]
struct Sums {
    values: u64,
    squares: u64,
    n: u64,
}

/// Mean and standard deviation of each channel over the training part, preprocessed as for evaluation, of values from 0 to
/// 1. The deviation is that of all pixels (divided by their number).
pub(crate) fn statistics(store: &Store, channels: usize) -> Result<(Vec<f64>, Vec<f64>), Error> {
    let part = store.part(PartName::Train);
    let of_chunk = |samples: &[u32]| {
        let (mut sums, mut scratch) = ([Sums::default(); 3], Scratch::default());
        for &sample in samples {
            store.prepare(part, Mode::Evaluate, Key { seed: 0, epoch: 0, sample }, &mut scratch)?;
            for pixel in scratch.image().bytes.chunks_exact(channels) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    sum.values += u64::from(value);
                    sum.squares += u64::from(value) * u64::from(value);
                    sum.n += 1;
                }
            }
        }
        Ok(sums)
    };
    let add = |a: [Sums; 3], b: [Sums; 3]| {
        let sum = |a: Sums, b: Sums| Sums { values: a.values + b.values, squares: a.squares + b.squares, n: a.n + b.n };
        Ok([sum(a[0], b[0]), sum(a[1], b[1]), sum(a[2], b[2])])
    };
    let sums = part.indices.par_chunks(256).map(of_chunk).try_reduce(|| [Sums::default(); 3], add)?;
    Ok(sums[..channels].iter().map(|sum| sum.moments()).unzip())
}

impl Sums {
    fn moments(&self) -> (f64, f64) {
        let (n, values, squares) = (u128::from(self.n), u128::from(self.values), u128::from(self.squares));
        // n² times the variance, without rounding.
        let scaled = n * squares - values * values;
        (values as f64 / n as f64 / 255.0, (scaled as f64).sqrt() / n as f64 / 255.0)
    }
}
