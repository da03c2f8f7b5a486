//! What the tests of kernels share: numbers, lengths and comparison with f64.

use crate::View;
use crate::random::Stream;

/// Around the widths of all vectors.
pub(crate) const LENGTHS: [usize; 12] = [0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 131];

/// Uniform in `[low, high)`, always the same for the same arguments.
pub(crate) fn numbers(name: u64, len: usize, low: f64, high: f64) -> Vec<f32> {
    let mut draws = Stream::new(5, name, 0, 0).draws();
    (0..len).map(|_| draws.range(low, high) as f32).collect()
}

/// Images in a view, uniform in [-1, 1), with the border as it is written by nobody: 77.
pub(crate) fn images(name: u64, view: &View, n: usize) -> Vec<f32> {
    let mut values = vec![77.0; view.len(n)];
    let drawn = numbers(name, n * view.height * view.width * view.channels, -1.0, 1.0);
    for (to, value) in view.rows(n).flatten().zip(drawn) {
        values[to] = value;
    }
    values
}

/// Each number found within `relative` of the expected one, or within `absolute`.
#[track_caller]
pub(crate) fn assert_close(what: &str, found: &[f32], expected: &[f64], relative: f64, absolute: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let close = (f64::from(found) - expected).abs() <= relative * expected.abs() + absolute;
        let same = f64::from(found) == expected || found.is_nan() && expected.is_nan();
        assert!(close || same, "{what}: [{index}] is {found:e}, not {expected:e}");
    }
}
