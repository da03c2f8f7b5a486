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

/// Samples and gradients of which about such a share is not zero.
fn check(n: usize, features: usize, units: usize, alive: f32) {
    let dense = Dense { features, units };
    let [mut x, mut dy, kernel, bias] = [(1, n * features), (2, n * units), (3, features * units), (4, units)]
        .map(|(name, len)| numbers(name, len, -1.0, 1.0));
    for (name, thinned) in [(5, &mut x), (6, &mut dy)] {
        let chances = numbers(name, thinned.len(), 0.0, 1.0);
        thinned.iter_mut().zip(chances).filter(|(_, chance)| *chance > alive).for_each(|(number, _)| *number = 0.0);
    }
    let real = |slice: &[f32], at: usize| f64::from(slice[at]);
    let y = product(n, units, features, |s, u, f| real(&x, s * features + f) * real(&kernel, u * features + f));
    let y: Vec<f64> = y.iter().enumerate().map(|(at, sum)| sum + real(&bias, at % units)).collect();
    let living: Vec<f64> = y.iter().map(|y| y.max(0.0)).collect();
    let dx = product(n, features, units, |s, f, u| real(&dy, s * units + u) * real(&kernel, u * features + f));
    let dkernel = product(units, features, n, |u, f, s| real(&dy, s * units + u) * real(&x, s * features + f));
    for isa in Isa::available() {
        let what = |which: &str| format!("{which} of {n} x {features} x {units}, {alive} alive, on {}", isa.name());
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
        check(n, features, units, 1.0);
    }
}

#[test]
fn products_of_what_is_alive_match_the_definition() {
    for (n, features, units) in
        [(12, 64, 64), (13, 130, 97), (16, 49, 300), (30, 784, 64), (65, 100, 128), (300, 64, 270), (520, 67, 5)]
    {
        for alive in [0.6, 0.1, 0.0] {
            check(n, features, units, alive);
        }
    }
}

/// A batch in which more is alive, so that nothing is skipped, gives its first samples what they get by themselves.
#[test]
fn skipping_zeros_changes_no_bit() {
    let (dense, few, many) = (Dense { features: 113, units: 70 }, 16, 64);
    let kernel = numbers(1, dense.kernel_len(), -1.0, 1.0);
    let thin = |name: u64, width: usize| {
        let mut samples = numbers(name, many * width, -1.0, 1.0);
        let chances = numbers(name + 1, few * width, 0.0, 1.0);
        samples.iter_mut().zip(chances).filter(|(_, chance)| *chance > 0.4).for_each(|(number, _)| *number = 0.0);
        samples
    };
    let (x, dy) = (thin(2, dense.features), thin(4, dense.units));
    for isa in Isa::available() {
        let of = |n: usize| {
            let (mut y, mut dx) = (vec![f32::NAN; n * dense.units], vec![f32::NAN; n * dense.features]);
            let mut scratch = vec![f32::NAN; dense.scratch_len()];
            dense.forward(isa, n, &x[..n * dense.features], &kernel, None, false, &mut y, &mut scratch);
            dense.input_gradient(isa, n, &dy[..n * dense.units], &kernel, &mut dx, &mut scratch);
            (y, dx)
        };
        let ((y, dx), (all, all_dx)) = (of(few), of(many));
        assert_eq!(y, all[..y.len()], "y on {}", isa.name());
        assert_eq!(dx, all_dx[..dx.len()], "dx on {}", isa.name());
    }
}

/// Where much is zero, too: what is not a number is alive.
#[test]
fn one_sample_that_is_not_a_number_is_lost_alone() {
    let (dense, n) = (Dense { features: 80, units: 70 }, 16);
    for isa in Isa::available() {
        let (mut x, kernel) = (vec![0.0; n * dense.features], vec![0.5; dense.kernel_len()]);
        (x[3 * dense.features + 7], x[4 * dense.features + 60]) = (f32::NAN, 2.0);
        let (mut y, mut scratch) = (vec![9.0; n * dense.units], vec![f32::NAN; dense.scratch_len()]);
        dense.forward(isa, n, &x, &kernel, None, true, &mut y, &mut scratch);
        for (sample, y) in y.chunks(dense.units).enumerate() {
            let expected = |y: &f32| if sample == 3 { y.is_nan() } else { *y == if sample == 4 { 1.0 } else { 0.0 } };
            assert!(y.iter().all(expected), "sample {sample} on {}: {y:?}", isa.name());
        }
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
    fn any_shape_matches_the_definition(
        n in 1usize..40,
        features in 1usize..150,
        units in 1usize..150,
        alive in prop::sample::select(vec![1.0f32, 0.4]),
    ) {
        check(n, features, units, alive);
    }
}
