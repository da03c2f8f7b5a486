//! Evidence that `tpe` and `asha` are worth having: each against random search at an equal budget, on a function whose
//! optimum is known, over 20 seeds, by the sign test and the interval of Student's t for the paired difference.

use kernels::random::{Stream, purpose};
use spec::{Faults, Place, Sources, parse};

use super::asha::Asha;
use super::space::{Dimension, Space, Values};
use super::tpe;

const SEEDS: u64 = 20;

/// The 0.975 quantile of Student's t with 19 degrees of freedom.
const T: f64 = 2.093;

/// Says how the method fares against random search (larger is better) and holds it to being better.
fn hold_better(what: &str, pairs: &[(f64, f64)]) {
    let differences: Vec<f64> = pairs.iter().map(|(ours, random)| ours - random).collect();
    let (won, lost) =
        (differences.iter().filter(|d| **d > 0.0).count(), differences.iter().filter(|d| **d < 0.0).count());
    let p = evaluator::compare::mcnemar(won as u64, lost as u64);
    let (mean, deviation) = evaluator::compare::mean_and_deviation(&differences);
    let reach = T * deviation.expect("there are several seeds") / (differences.len() as f64).sqrt();
    let (low, high) = (mean - reach, mean + reach);
    println!("{what} against random search: better {won} times of {}, sign test p = {p:.4},", differences.len());
    println!("mean difference {mean:.4}, 95 % interval [{low:.4}, {high:.4}]");
    assert!(p < 0.05 && low > 0.0, "{what}: {won} of {}, p {p}, [{low}, {high}]", differences.len());
}

fn place() -> Place {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    parse("t", b"a: 1", &mut sources, &mut faults).expect("is YAML").place
}

/// A space of two ranges and a list of three values.
fn space() -> Space {
    let place = place();
    let range = |name: &str, low, high| Dimension {
        path: vec![name.to_string()],
        place,
        values: Values::Range { low, high, logarithmic: false, whole: false, place },
    };
    let words = ["a", "b", "c"].map(|word| spec::Node::word(word, place)).to_vec();
    let list = Dimension { path: vec!["kind".to_string()], place, values: Values::List(words) };
    Space { dimensions: vec![range("x", -5.0, 10.0), range("y", 0.0, 15.0), list] }
}

/// Branin's function, turned over (Dixon and Szegő 1978; its optimum is −0.397887), and lower for two of three kinds.
fn branin(point: &[f64]) -> f64 {
    use std::f64::consts::PI;
    let (x, y) = (-5.0 + 15.0 * point[0], 15.0 * point[1]);
    let b = 5.1 / (4.0 * PI * PI);
    let value = (y - b * x * x + 5.0 / PI * x - 6.0).powi(2) + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x.cos() + 10.0;
    let kind = (point[2] * 3.0) as usize;
    -value - [6.0, 0.0, 12.0][kind.min(2)]
}

#[test]
fn tpe_beats_random_search() {
    const TRIALS: usize = 60;
    let space = space();
    let best = |points: &[(Vec<f64>, f64)]| points.iter().map(|(_, score)| *score).fold(f64::NEG_INFINITY, f64::max);
    let pair = |seed| {
        let mut tried: Vec<(Vec<f64>, f64)> = Vec::new();
        for trial in 0..TRIALS {
            let point = tpe::next(&space, &tried, seed, trial);
            let score = branin(&point);
            tried.push((point, score));
        }
        // Other draws than those that `tpe` begins with.
        let random: Vec<(Vec<f64>, f64)> = (0..TRIALS)
            .map(|trial| space.random(seed + 1000, trial))
            .map(|point| (point.clone(), branin(&point)))
            .collect();
        (best(&tried), best(&random))
    };
    hold_better("tpe", &(0..SEEDS).map(pair).collect::<Vec<_>>());
}

/// A learning curve: what a trial reaches after so many epochs comes nearer to what it is worth, and is noisy.
struct Curve {
    worth: f64,
    speed: f64,
    seed: u64,
    trial: u64,
}

impl Curve {
    fn new(seed: u64, trial: u64) -> Curve {
        let mut draws = Stream::new(seed, purpose("curve"), 0, trial).draws();
        Curve { worth: 0.9 - 0.5 * draws.uniform().sqrt(), speed: 1.0 + 3.0 * draws.uniform(), seed, trial }
    }

    fn at(&self, epoch: usize) -> f64 {
        let noise = Stream::new(self.seed, purpose("noise"), epoch as u64, self.trial).draws().normal();
        self.worth * (1.0 - 0.6 * (-(epoch as f64) / self.speed).exp()) + 0.01 * noise
    }
}

#[test]
fn asha_beats_random_search_at_the_same_number_of_epochs() {
    const EPOCHS: usize = 27;
    const BUDGET: usize = 20 * EPOCHS;
    // The trial that ends best, as its noisy last epoch says.
    fn chosen(ended: impl Iterator<Item = Curve>) -> f64 {
        let best = ended.map(|curve| (curve.at(EPOCHS), curve.worth)).max_by(|a, b| a.0.total_cmp(&b.0));
        best.expect("some trial comes to its end").1
    }
    let asha = Asha { min_epochs: 1, reduction: 3 };
    let pair = |seed| {
        let (mut spent, mut ended, mut trial) = (0, Vec::new(), 0);
        let mut scores: Vec<Vec<f64>> = vec![Vec::new(); asha.rungs(EPOCHS).len()];
        while spent + EPOCHS <= BUDGET {
            let curve = Curve::new(seed, trial);
            let mut done = 0;
            let goes_on = asha.rungs(EPOCHS).iter().zip(&mut scores).all(|(rung, scores)| {
                done = *rung;
                scores.push(curve.at(*rung));
                asha.goes_on(scores)
            });
            if goes_on {
                done = EPOCHS;
                ended.push(curve);
            }
            (spent, trial) = (spent + done, trial + 1);
        }
        let random = (0..(BUDGET / EPOCHS) as u64).map(|trial| Curve::new(seed + 1000, trial));
        (chosen(ended.into_iter()), chosen(random))
    };
    hold_better("asha", &(0..SEEDS).map(pair).collect::<Vec<_>>());
}
