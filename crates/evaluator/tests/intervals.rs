//! Intervals against published examples, and against how often they hold the truth.

use engine::Predictions;
use evaluator::intervals::{Interval, bootstrap, normal_quantile, wilson};
use evaluator::metrics::{Measure, Metric};
use evaluator::{Judged, decision};
use kernels::random::{Stream, purpose};

/// Newcombe, "Two-sided confidence intervals for the single proportion" (Statistics in Medicine 17, 1998), table I,
/// method 3: Wilson's score interval without correction, at 95 %.
#[test]
fn wilson_gives_the_published_examples() {
    for (hits, n, low, high) in
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
    {
        let found = wilson(hits, n, 0.95);
        assert!((found.low - low).abs() < 5e-5 && (found.high - high).abs() < 5e-5, "{hits} of {n}: {found:?}");
    }
}

#[test]
fn wilson_stays_inside_and_holds_its_proportion() {
    assert_eq!(wilson(0, 0, 0.95), Interval { low: 0.0, high: 1.0 });
    for n in [1, 2, 7, 10_000] {
        for hits in [0, 1, n / 2, n] {
            let Interval { low, high } = wilson(hits, n, 0.99);
            let p = hits as f64 / n as f64;
            assert!(0.0 <= low && low <= p && p <= high && high <= 1.0 && low < high, "{hits} of {n}");
        }
    }
}

/// The usual table of the normal distribution.
#[test]
fn quantiles_are_those_of_the_table() {
    for (p, z) in [(0.5, 0.0), (0.975, 1.959963984540), (0.995, 2.575829303549), (0.001, -3.090232306168)] {
        assert!((normal_quantile(p) - z).abs() < 1e-8, "{p}: {}", normal_quantile(p));
    }
}

/// Two classes, the label's probability uniform: the log loss is exponential, so its true mean is 1.
fn drawn(experiment: u64, n: usize) -> Predictions {
    let mut draws = Stream::new(5, purpose("coverage"), 0, experiment).draws();
    let rows = (0..n).flat_map(|_| {
        let p = 1.0 - draws.uniform() as f32;
        [p, 1.0 - p]
    });
    Predictions {
        n_classes: 2,
        samples: (0..n as u32).collect(),
        labels: vec![0; n],
        probabilities: rows.collect(),
        ..Predictions::default()
    }
}

#[test]
fn the_bootstrap_holds_the_truth_about_as_often_as_it_says() {
    let Measure::Alone(prepare) = Metric::find("log_loss").unwrap().row.measure else { panic!("one value") };
    let holds = |experiment: u64| {
        let predictions = drawn(experiment, 100);
        let statistic = prepare(&Judged::new(&predictions));
        let Interval { low, high } = bootstrap(&[statistic.as_ref()], 100, 0.9, experiment)[0][0];
        low <= 1.0 && 1.0 <= high
    };
    let held = (0..200).filter(|&experiment| holds(experiment)).count();
    // 90 % of 200 is 180 with a standard deviation of 4.2; with 100 skewed samples the percentile bootstrap is a few
    // percent short.
    assert!((161..=192).contains(&held), "{held} of 200");
}

#[test]
fn the_first_of_equal_probabilities_is_decided() {
    assert_eq!(decision(&[0.2, 0.4, 0.4]), 1);
    assert_eq!(decision(&[1.0]), 0);
}
