//! All three products on every instruction set against plain loops in f64.

use proptest::prelude::*;

use super::Dense;
use crate::Isa;
use crate::truth::{assert_close, numbers};

/// `a[i, k] · b[k, j]` summed over k, by index functions.
fn product(rows: usize, columns: usize, depth: usize, of: impl Fn(usize, usize, usize) -> f64) -> Vec<f64> {
    let sum = |at: usize| (0..depth).map(|k| of(at / columns, at % columns, k)).sum();
    (0..rows * columns).map(sum).collect()
}

fn check(n: usize, features: usize, units: usize) {
    let dense = Dense { features, units };
    let [x, dy, kernel, bias] = [(1, n * features), (2, n * units), (3, features * units), (4, units)]
        .map(|(name, len)| numbers(name, len, -1.0, 1.0));
    let real = |slice: &[f32], at: usize| f64::from(slice[at]);
    let y = product(n, units, features, |s, u, f| real(&x, s * features + f) * real(&kernel, u * features + f));
    let y: Vec<f64> = y.iter().enumerate().map(|(at, sum)| sum + real(&bias, at % units)).collect();
    let living: Vec<f64> = y.iter().map(|y| y.max(0.0)).collect();
    let dx = product(n, features, units, |s, f, u| real(&dy, s * units + u) * real(&kernel, u * features + f));
    let dkernel = product(units, features, n, |u, f, s| real(&dy, s * units + u) * real(&x, s * features + f));
    for isa in Isa::available() {
        let what = |which: &str| format!("{which} of {n} x {features} x {units} on {}", isa.name());
        let mut scratch = vec![f32::NAN; dense.scratch_len()];
        for (relu, expected) in [(false, &y), (true, &living)] {
            let mut found = vec![f32::NAN; n * units];
            dense.forward(isa, n, &x, &kernel, Some(&bias), relu, &mut found, &mut scratch);
            assert_close(&what("y"), &found, expected, 2e-6, 2e-6 * features as f64);
        }
        let mut found = vec![f32::NAN; n * features];
        dense.input_gradient(isa, n, &dy, &kernel, &mut found, &mut scratch);
        assert_close(&what("dx"), &found, &dx, 2e-6, 2e-6 * units as f64);
        let mut found = vec![f32::NAN; features * units];
        let (first, second) = found.split_at_mut(units / 3 * features);
        for (range, part) in [(0..units / 3, first), (units / 3..units, second)] {
            let mut scratch = vec![f32::NAN; Dense::kernel_gradient_scratch_len(range.len(), n)];
            let x = |s: usize| &x[s * features..][..features];
            let dy = |s: usize| &dy[s * units..][..units];
            dense.kernel_gradient(isa, n, &x, &dy, range, part, &mut scratch);
        }
        assert_close(&what("gradient of the kernel"), &found, &dkernel, 2e-6, 1e-6 * (n as f64 + 2.0));
    }
}

#[test]
fn ordinary_and_odd_shapes_match_the_definition() {
    for (n, features, units) in [
        (1, 1, 1),
        (1, 100, 11),
        (3, 7, 9),
        (4, 17, 5),
        (8, 64, 10),
        (16, 33, 64),
        (65, 30, 31),
        (64, 784, 20),
        (20, 9, 600),
        (300, 40, 13),
    ] {
        check(n, features, units);
    }
}

#[test]
fn what_is_not_a_number_stays() {
    for isa in Isa::available() {
        for n in [1, 16] {
            let dense = Dense { features: 2, units: 3 };
            let (x, kernel) = (vec![f32::NAN; n * 2], [-1.0; 6]);
            let (mut y, mut scratch) = (vec![0.0; n * 3], vec![0.0; dense.scratch_len()]);
            dense.forward(isa, n, &x, &kernel, None, true, &mut y, &mut scratch);
            assert!(y.iter().all(|y| y.is_nan()), "{}", isa.name());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_shape_matches_the_definition(n in 1usize..40, features in 1usize..70, units in 1usize..70) {
        check(n, features, units);
    }
}
