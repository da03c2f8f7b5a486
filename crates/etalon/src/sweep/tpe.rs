//! The tree-structured Parzen estimator (Bergstra, Bardenet, Bengio and Kégl 2011, "Algorithms for Hyper-Parameter
//! Optimization"): of what was tried, the best fifth and the rest each give a density; of some points drawn from the
//! density of the good the one is tried next that is likeliest good against bad. Each path is looked at apart.

use kernels::random::{Draws, Stream, purpose};

use super::space::{Dimension, Point, Space, Values};

/// Trials at random before anything is learned.
const AT_RANDOM: usize = 10;

/// Share of the trials that count as good.
const GOOD: f64 = 0.2;

/// Points that are drawn from the good, of which one is tried.
const CANDIDATES: usize = 24;

/// The next point after these points with their scores (larger is better, NaN for a trial that failed): a function of
/// them, the seed and the number of the trial.
pub fn next(space: &Space, tried: &[(Point, f64)], seed: u64, trial: usize) -> Point {
    if tried.len() < AT_RANDOM {
        return space.random(seed, trial);
    }
    let mut order: Vec<&(Point, f64)> = tried.iter().collect();
    let key = |score: f64| if score.is_nan() { f64::NEG_INFINITY } else { score };
    order.sort_by(|a, b| key(b.1).total_cmp(&key(a.1)));
    let (good, bad) = order.split_at(((tried.len() as f64 * GOOD).ceil() as usize).max(2));
    let mut draws = Stream::new(seed, purpose("sweep/tpe"), 0, trial as u64).draws();
    let coordinate = |(at, dimension): (usize, &Dimension)| {
        let of = |trials: &[&(Point, f64)]| trials.iter().map(|(point, _)| point[at]).collect::<Vec<f64>>();
        let (good, bad) = (Density::of(dimension, of(good)), Density::of(dimension, of(bad)));
        let candidates: Vec<f64> = (0..CANDIDATES).map(|_| good.draw(&mut draws)).collect();
        let gain = |x: &f64| good.at(*x).ln() - bad.at(*x).ln();
        candidates.into_iter().max_by(|a, b| gain(a).total_cmp(&gain(b))).expect("there are candidates")
    };
    space.dimensions.iter().enumerate().map(coordinate).collect()
}

/// How likely a place in [0, 1) is, learned from the places of trials.
enum Density {
    /// The weight of each value of a list.
    List(Vec<f64>),
    /// Normal distributions cut off at 0 and 1, equally weighted: mean and standard deviation.
    Range(Vec<(f64, f64)>),
}

impl Density {
    fn of(dimension: &Dimension, mut places: Vec<f64>) -> Density {
        match &dimension.values {
            Values::List(items) => {
                // Each value counts once before anything is known.
                let mut weights = vec![1.0; items.len()];
                places.iter().for_each(|x| weights[index(*x, items.len())] += 1.0);
                let total: f64 = weights.iter().sum();
                Density::List(weights.into_iter().map(|weight| weight / total).collect())
            }
            Values::Range { .. } => {
                places.sort_by(f64::total_cmp);
                let narrowest = 1.0 / (places.len() as f64 + 1.0).min(100.0);
                let width = |i: usize| {
                    let below = if i == 0 { 0.0 } else { places[i - 1] };
                    let above = places.get(i + 1).copied().unwrap_or(1.0);
                    (places[i] - below).max(above - places[i]).clamp(narrowest, 1.0)
                };
                let prior = (0.5, 1.0);
                Density::Range((0..places.len()).map(|i| (places[i], width(i))).chain([prior]).collect())
            }
        }
    }

    fn draw(&self, draws: &mut Draws) -> f64 {
        match self {
            Density::List(weights) => {
                let mut left = draws.uniform();
                let reached = |weight: &f64| {
                    left -= weight;
                    left < 0.0
                };
                let at = weights.iter().position(reached).unwrap_or(weights.len() - 1);
                (at as f64 + 0.5) / weights.len() as f64
            }
            Density::Range(bells) => {
                let (mean, deviation) = bells[draws.below(bells.len() as u64) as usize];
                // A bell whose middle is inside keeps at least a third of its draws, so this ends soon.
                loop {
                    let x = mean + deviation * draws.normal();
                    if (0.0..1.0).contains(&x) {
                        return x;
                    }
                }
            }
        }
    }

    fn at(&self, x: f64) -> f64 {
        match self {
            Density::List(weights) => weights[index(x, weights.len())],
            Density::Range(bells) => {
                let bell = |(mean, deviation): &(f64, f64)| {
                    let z = (x - mean) / deviation;
                    (-0.5 * z * z).exp() / (deviation * inside(*mean, *deviation))
                };
                bells.iter().map(bell).sum::<f64>() / bells.len() as f64
            }
        }
    }
}

/// The share of a normal distribution between 0 and 1, by the logistic approximation of its distribution function (Bowling
/// et al. 2009, error below 1.5e-4), which is ample for a weight.
fn inside(mean: f64, deviation: f64) -> f64 {
    let below = |x: f64| {
        let z = (x - mean) / deviation;
        1.0 / (1.0 + (-0.07056 * z.powi(3) - 1.5976 * z).exp())
    };
    below(1.0) - below(0.0)
}

fn index(x: f64, n: usize) -> usize {
    ((x * n as f64) as usize).min(n - 1)
}
