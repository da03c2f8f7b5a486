//! Differences of several pairs of runs on the same samples: both the pairs and the samples stand for more than themselves.
//!
//! Five seeds on one test part are neither fifty thousand samples nor five numbers. As in studies where several readers
//! judge the same cases, the variance of the mean difference is estimated from the mean squares of pairs, of samples and of
//! what is left (Dorfman, Berbaum and Metz 1992), and the mean is judged by Student's t with the degrees of freedom of
//! Hillis (2007), which are few where the pairs disagree and many where they agree.

/// A mean difference with its standard error and the degrees of freedom of that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Crossed {
    pub mean: f64,
    pub error: f64,
    pub degrees: f64,
}

/// More degrees of freedom are as good as infinitely many.
const MOST_DEGREES: f64 = 10_000.0;

/// Steps of the integration, and of the search for a quantile.
const STEPS: usize = 1000;
const HALVINGS: usize = 30;

/// Of the values of at least two pairs at these samples: `rows[pair][sample]`.
pub(super) fn crossed(rows: &[Vec<f64>], samples: &[usize]) -> Crossed {
    let (pairs, n) = (rows.len() as f64, samples.len() as f64);
    let of_pairs: Vec<f64> = rows.iter().map(|row| samples.iter().map(|at| row[*at]).sum::<f64>() / n).collect();
    let of_samples: Vec<f64> = samples.iter().map(|at| rows.iter().map(|row| row[*at]).sum::<f64>() / pairs).collect();
    let mean = of_pairs.iter().sum::<f64>() / pairs;
    let squares = |means: &[f64]| means.iter().map(|one| (one - mean).powi(2)).sum::<f64>();
    let left = |(row, of_pair): (&Vec<f64>, &f64)| {
        let one = |(at, of_sample): (&usize, &f64)| (row[*at] - of_pair - of_sample + mean).powi(2);
        samples.iter().zip(&of_samples).map(one).sum::<f64>()
    };
    let left = rows.iter().zip(&of_pairs).map(left).sum::<f64>() / ((pairs - 1.0) * (n - 1.0).max(1.0));
    let by_pair = n * squares(&of_pairs) / (pairs - 1.0);
    let by_sample = pairs * squares(&of_samples) / (n - 1.0).max(1.0);
    let whole = by_pair + (by_sample - left).max(0.0);
    let degrees = match by_pair > 0.0 {
        true => (whole.powi(2) * (pairs - 1.0) / by_pair.powi(2)).min(MOST_DEGREES),
        false => MOST_DEGREES,
    };
    Crossed { mean, error: (whole / (pairs * n)).sqrt(), degrees }
}

impl Crossed {
    /// The chance of a mean as large where the true one is zero, two-sided.
    pub(super) fn p(&self) -> f64 {
        if self.mean == 0.0 { 1.0 } else { beyond(self.mean.abs() / self.error, self.degrees) }
    }

    /// How far the ends of the interval lie from the mean.
    pub(super) fn reach(&self, confidence: f64) -> f64 {
        let (mut below, mut above) = (0.0, 1e3);
        for _ in 0..HALVINGS {
            let middle = (below + above) / 2.0;
            if beyond(middle, self.degrees) > 1.0 - confidence { below = middle } else { above = middle }
        }
        below * self.error
    }
}

/// The chance that a variable of Student's distribution (1908) is beyond ±t, for one degree of freedom and more: with
/// `t = √ν tan θ` its density is that of `cosᵛ⁻¹ θ`, which is integrated by Simpson's rule.
fn beyond(t: f64, degrees: f64) -> f64 {
    let from = (t / degrees.sqrt()).atan();
    let area = |from: f64| {
        let step = (std::f64::consts::FRAC_PI_2 - from) / STEPS as f64;
        let value = |at: usize| (from + at as f64 * step).cos().max(0.0).powf(degrees - 1.0);
        let inner = |at: usize| value(at) * if at.is_multiple_of(2) { 2.0 } else { 4.0 };
        (value(0) + value(STEPS) + (1..STEPS).map(inner).sum::<f64>()) * step / 3.0
    };
    area(from) / area(0.0)
}

#[cfg(test)]
mod tests {
    use kernels::random::{Stream, purpose};

    use super::*;

    #[test]
    fn students_distribution_is_that_of_scipy() {
        // `2 * scipy.stats.t.sf(t, df)` and `scipy.stats.t.ppf(0.975, df)`.
        for (t, degrees, p) in [
            (2.0, 4.0, 0.11611652351681556),
            (0.5, 2.5, 0.6576979198697148),
            (3.2, 19.0, 0.004714189028263183),
            (1.0, 1.0, 0.5),
            (12.0, 3.0, 0.0012450158007893362),
        ] {
            assert!((beyond(t, degrees) - p).abs() < 1e-6, "{t} {degrees}: {}", beyond(t, degrees));
        }
        for (degrees, quantile) in [(1.0, 12.706204736174694), (2.5, 3.5746548420036817), (19.0, 2.0930240544083087)] {
            let reach = Crossed { mean: 0.0, error: 1.0, degrees }.reach(0.95);
            assert!((reach - quantile).abs() < 1e-3, "{degrees}: {reach}");
        }
    }

    /// Differences of equal methods: pairs of runs differ by their seeds, samples by themselves, and both at random.
    fn equal(number: u64, pairs: usize, seeds: f64, n: usize) -> Crossed {
        let mut draws = Stream::new(6, purpose("equal methods"), 0, number).draws();
        let of_samples: Vec<f64> = (0..n).map(|_| 0.1 * draws.normal()).collect();
        let rows: Vec<Vec<f64>> = (0..pairs)
            .map(|_| {
                let of_pair = seeds * draws.normal();
                of_samples.iter().map(|of_sample| of_pair + of_sample + 0.4 * draws.normal()).collect()
            })
            .collect();
        crossed(&rows, &(0..n).collect::<Vec<_>>())
    }

    #[test]
    fn equal_methods_are_seldom_told_apart_however_much_their_seeds_differ() {
        for (pairs, seeds) in [(5, 0.02), (5, 0.0), (3, 0.02), (10, 0.01)] {
            let all: Vec<Crossed> = (0..1000).map(|number| equal(number, pairs, seeds, 300)).collect();
            let told = all.iter().filter(|one| one.p() < 0.05).count();
            assert!((25..=75).contains(&told), "{pairs} pairs, seeds {seeds}: {told} of 1000");
            let agree = |one: &&Crossed| (one.mean.abs() <= one.reach(0.95)) == (one.p() >= 0.05);
            assert!(all.iter().take(40).filter(agree).count() >= 39, "interval and p-value say the same");
        }
    }
}
