//! The tree-structured Parzen estimator (Bergstra, Bardenet, Bengio and Kégl 2011, "Algorithms for Hyper-Parameter
//! Optimization") over all paths together (Falkner, Klein and Hutter 2018, "BOHB"): of what was tried, the best tenth and
//! the rest each give a density; of some points drawn from the density of the good the one is tried next that is
//! likeliest good against bad.

use kernels::random::{Draws, Stream, purpose};

use super::space::{Dimension, Point, Space, Values};

/// Trials at random before anything is learned.
const AT_RANDOM: usize = 10;

/// Share of the trials that count as good.
const GOOD: f64 = 0.1;

/// Fewest trials that count as good.
const FEWEST: usize = 3;

/// Points that are drawn from the good, of which one is tried.
const CANDIDATES: usize = 48;

/// Width of a bell over one path where there is one trial, as a share of the path's range.
const WIDTH: f64 = 0.2;

/// Narrowest bell.
const NARROWEST: f64 = 0.02;

/// How much of a list's value goes to all values alike.
const SPREAD: f64 = 0.2;

/// The next point after these points with their scores (larger is better, NaN for a trial that failed): a function of
/// them, the seed and the number of the trial.
pub fn next(space: &Space, tried: &[(Point, f64)], seed: u64, trial: usize) -> Point {
    if tried.len() < AT_RANDOM {
        return space.random(seed, trial);
    }
    let mut order: Vec<&(Point, f64)> = tried.iter().collect();
    let key = |score: f64| if score.is_nan() { f64::NEG_INFINITY } else { score };
    order.sort_by(|a, b| key(b.1).total_cmp(&key(a.1)));
    let n_good = ((tried.len() as f64 * GOOD).ceil() as usize).max(FEWEST);
    let (good, bad) = order.split_at(n_good);
    let (good, bad) = (Density::of(space, good), Density::of(space, bad));
    let mut draws = Stream::new(seed, purpose("sweep/tpe"), 0, trial as u64).draws();
    let candidates: Vec<Point> = (0..CANDIDATES).map(|_| good.draw(&mut draws)).collect();
    let gain = |point: &Point| good.at(point).ln() - bad.at(point).ln();
    candidates.into_iter().max_by(|a, b| gain(a).total_cmp(&gain(b))).expect("there are candidates")
}

/// How likely a point is, learned from trials: a bell around each of them, and the whole space once, all of equal weight.
struct Density<'a> {
    space: &'a Space,
    centres: Vec<&'a Point>,
    /// Standard deviation of a bell over a range.
    width: f64,
}

impl<'a> Density<'a> {
    fn of(space: &'a Space, trials: &[&'a (Point, f64)]) -> Density<'a> {
        let centres: Vec<&Point> = trials.iter().map(|(point, _)| point).collect();
        // Scott's rule (1992): narrower the more there are, slowly where there are many paths.
        let n = centres.len().max(1) as f64;
        let width = WIDTH * n.powf(-1.0 / (space.dimensions.len() as f64 + 4.0));
        Density { space, centres, width: width.max(NARROWEST) }
    }

    fn draw(&self, draws: &mut Draws) -> Point {
        let centre = self.centres.get(draws.below(self.centres.len() as u64 + 1) as usize);
        let coordinate = |(at, dimension): (usize, &Dimension)| match (centre, &dimension.values) {
            (None, _) => draws.uniform(),
            (Some(centre), Values::Range { .. }) => self.bell(centre[at], draws),
            (Some(centre), Values::List(_)) if draws.uniform() >= SPREAD => centre[at],
            (Some(_), Values::List(_)) => draws.uniform(),
        };
        self.space.dimensions.iter().enumerate().map(coordinate).collect()
    }

    /// A draw around `mean` in [0, 1). Its middle is inside, so at least a third of the draws are, and this ends soon.
    fn bell(&self, mean: f64, draws: &mut Draws) -> f64 {
        loop {
            let x = mean + self.width * draws.normal();
            if (0.0..1.0).contains(&x) {
                return x;
            }
        }
    }

    fn at(&self, point: &Point) -> f64 {
        let around = |centre: &&Point| -> f64 {
            let of = |(at, dimension): (usize, &Dimension)| self.one(dimension, centre[at], point[at]);
            self.space.dimensions.iter().enumerate().map(of).product()
        };
        // The whole space has density one: a range has, and a value of a list stands for its share of [0, 1).
        (1.0 + self.centres.iter().map(around).sum::<f64>()) / (self.centres.len() as f64 + 1.0)
    }

    fn one(&self, dimension: &Dimension, centre: f64, x: f64) -> f64 {
        match &dimension.values {
            Values::Range { .. } => {
                let z = (x - centre) / self.width;
                (-0.5 * z * z).exp() / ((2.0 * std::f64::consts::PI).sqrt() * self.width * inside(centre, self.width))
            }
            Values::List(items) => {
                let n = items.len();
                let own = if index(x, n) == index(centre, n) { (1.0 - SPREAD) * n as f64 } else { 0.0 };
                own + SPREAD
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
