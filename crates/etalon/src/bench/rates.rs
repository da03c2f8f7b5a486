//! A rate over many short windows: the median is told, the spread is shown, since machines are shared.

use std::time::Instant;

use crate::failure::Failure;

/// Windows are at least so long, so that the clock does not matter.
const WINDOW_SECONDS: f64 = 0.1;

/// Images a second, a number a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Rates(Vec<f64>);

impl Rates {
    /// The rate of the middle window.
    pub fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len().is_multiple_of(2) { (self.0[middle - 1] + self.0[middle]) / 2.0 } else { self.0[middle] }
    }

    /// The slowest window.
    pub fn worst(&self) -> f64 {
        self.0[0]
    }

    /// The fastest window.
    pub fn best(&self) -> f64 {
        self.0[self.0.len() - 1]
    }

    /// How many windows there were.
    pub fn n_windows(&self) -> usize {
        self.0.len()
    }

    /// At least one window.
    fn new(mut windows: Vec<f64>) -> Rates {
        windows.sort_by(f64::total_cmp);
        Rates(windows)
    }
}

/// Calls `step` with 0, 1, 2, … for about `seconds`, one of which takes `batch` images, after a call that does not count.
pub fn measure(
    seconds: f64,
    batch: usize,
    mut step: impl FnMut(usize) -> Result<(), Failure>,
) -> Result<Rates, Failure> {
    step(0)?;
    let (start, mut number, mut windows) = (Instant::now(), 0, Vec::new());
    while windows.is_empty() || start.elapsed().as_secs_f64() < seconds {
        let (window, first) = (Instant::now(), number);
        while number == first || window.elapsed().as_secs_f64() < WINDOW_SECONDS {
            step(number)?;
            number += 1;
        }
        windows.push(((number - first) * batch) as f64 / window.elapsed().as_secs_f64());
    }
    Ok(Rates::new(windows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_between_worst_and_best() {
        let odd = Rates::new(vec![3.0, 1.0, 2.0]);
        assert_eq!((odd.worst(), odd.median(), odd.best()), (1.0, 2.0, 3.0));
        assert_eq!(Rates::new(vec![4.0, 1.0, 2.0, 3.0]).median(), 2.5);
    }

    #[test]
    fn a_slow_step_is_a_window_and_a_failure_ends_it() {
        let mut calls = Vec::new();
        let rates = measure(0.0, 8, |number| {
            calls.push(number);
            std::thread::sleep(std::time::Duration::from_millis(120));
            Ok(())
        });
        let rates = rates.ok().expect("no step fails");
        assert_eq!((calls, rates.n_windows()), (vec![0, 0], 1));
        assert!(rates.median() <= 8.0 / 0.12, "{rates:?}");
        assert!(measure(1.0, 1, |_| Err(Failure::Told)).is_err());
    }
}
