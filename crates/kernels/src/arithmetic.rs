//! Element-wise arithmetic, sums of squares and sums to channels.

use crate::{Isa, View};

/// Arithmetic of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    /// `b` on a tie.
    Minimum,
    /// `b` on a tie.
    Maximum,
}

/// One side of an arithmetic operation.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a> {
    Slice(&'a [f32]),
    /// The same number everywhere.
    Scalar(f32),
}

/// `y = a op b`, element by element.
///
/// # Panics
/// If a slice has another length than `y`.
pub fn binary(isa: Isa, op: Binary, a: Operand<'_>, b: Operand<'_>, y: &mut [f32]) {
    for side in [a, b] {
        assert!(!matches!(side, Operand::Slice(slice) if slice.len() != y.len()), "all have one length");
    }
    isa.vectorize(
        #[inline(always)]
        || match op {
            Binary::Add => each(
                a,
                b,
                y,
                #[inline(always)]
                |a, b| a + b,
            ),
            Binary::Subtract => each(
                a,
                b,
                y,
                #[inline(always)]
                |a, b| a - b,
            ),
            Binary::Multiply => each(
                a,
                b,
                y,
                #[inline(always)]
                |a, b| a * b,
            ),
            Binary::Divide => each(
                a,
                b,
                y,
                #[inline(always)]
                |a, b| a / b,
            ),
            Binary::Minimum => each(
                a,
                b,
                y,
                #[inline(always)]
                |a, b| if a < b { a } else { b },
            ),
            Binary::Maximum => each(
                a,
                b,
                y,
                #[inline(always)]
                |a, b| if a > b { a } else { b },
            ),
        },
    );
}

#[inline(always)]
fn each(a: Operand<'_>, b: Operand<'_>, y: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    match (a, b) {
        (Operand::Slice(a), Operand::Slice(b)) => {
            for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
                *y = f(*a, *b);
            }
        }
        (Operand::Slice(a), Operand::Scalar(b)) => {
            for (y, a) in y.iter_mut().zip(a) {
                *y = f(*a, b);
            }
        }
        (Operand::Scalar(a), Operand::Slice(b)) => {
            for (y, b) in y.iter_mut().zip(b) {
                *y = f(a, *b);
            }
        }
        (Operand::Scalar(a), Operand::Scalar(b)) => y.fill(f(a, b)),
    }
}

/// `y = y op b`, element by element.
///
/// # Panics
/// If `b` has another length than `y`.
pub fn binary_into(isa: Isa, op: Binary, y: &mut [f32], b: Operand<'_>) {
    assert!(!matches!(b, Operand::Slice(slice) if slice.len() != y.len()), "both have one length");
    isa.vectorize(
        #[inline(always)]
        || match op {
            Binary::Add => each_into(
                y,
                b,
                #[inline(always)]
                |a, b| a + b,
            ),
            Binary::Subtract => each_into(
                y,
                b,
                #[inline(always)]
                |a, b| a - b,
            ),
            Binary::Multiply => each_into(
                y,
                b,
                #[inline(always)]
                |a, b| a * b,
            ),
            Binary::Divide => each_into(
                y,
                b,
                #[inline(always)]
                |a, b| a / b,
            ),
            Binary::Minimum => each_into(
                y,
                b,
                #[inline(always)]
                |a, b| if a < b { a } else { b },
            ),
            Binary::Maximum => each_into(
                y,
                b,
                #[inline(always)]
                |a, b| if a > b { a } else { b },
            ),
        },
    );
}

#[inline(always)]
fn each_into(y: &mut [f32], b: Operand<'_>, f: impl Fn(f32, f32) -> f32) {
    match b {
        Operand::Slice(b) => {
            for (y, b) in y.iter_mut().zip(b) {
                *y = f(*y, *b);
            }
        }
        Operand::Scalar(b) => {
            for y in y {
                *y = f(*y, b);
            }
        }
    }
}

/// `y = sqrt(x)`, element by element.
///
/// # Panics
/// If the lengths differ.
pub fn square_root(isa: Isa, x: &[f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len());
    isa.vectorize(
        #[inline(always)]
        || {
            for (y, x) in y.iter_mut().zip(x) {
                *y = x.sqrt();
            }
        },
    );
}

/// The sum of the squares, in f64.
pub fn sum_of_squares(isa: Isa, x: &[f32]) -> f64 {
    const LANES: usize = 16;
    isa.vectorize(
        #[inline(always)]
        || {
            let mut sums = [0.0f64; LANES];
            let mut chunks = x.chunks_exact(LANES);
            for chunk in &mut chunks {
                for lane in 0..LANES {
                    let x = f64::from(chunk[lane]);
                    sums[lane] += x * x;
                }
            }
            for (sum, x) in sums.iter_mut().zip(chunks.remainder()) {
                *sum += f64::from(*x) * f64::from(*x);
            }
            sums.iter().sum()
        },
    )
}

/// `y[.., c] += bias[c]` for all pixels of `n` images.
///
/// # Panics
/// If a slice is too short.
pub fn add_bias(isa: Isa, view: &View, n: usize, bias: &[f32], y: &mut [f32]) {
    assert_eq!(bias.len(), view.channels);
    isa.vectorize(
        #[inline(always)]
        || {
            for row in view.rows(n) {
                for pixel in y[row].chunks_exact_mut(bias.len()) {
                    for (y, bias) in pixel.iter_mut().zip(bias) {
                        *y += bias;
                    }
                }
            }
        },
    );
}

/// Adds the sum of every channel over all pixels of `n` images to `sums`: in f32 along a row, then in f64.
///
/// # Panics
/// If a slice is too short.
pub fn sum_to_channels(isa: Isa, view: &View, n: usize, x: &[f32], sums: &mut [f64]) {
    assert_eq!(sums.len(), view.channels);
    isa.vectorize(
        #[inline(always)]
        || {
            for row in view.rows(n) {
                let row = &x[row];
                let mut first = 0;
                while first + WIDE <= view.channels {
                    sum_strip::<WIDE>(&row[first..], view.channels, &mut sums[first..]);
                    first += WIDE;
                }
                while first + NARROW <= view.channels {
                    sum_strip::<NARROW>(&row[first..], view.channels, &mut sums[first..]);
                    first += NARROW;
                }
                for channel in first..view.channels {
                    sum_strip::<1>(&row[channel..], view.channels, &mut sums[channel..]);
                }
            }
        },
    );
}

/// Channels that are summed at once.
const WIDE: usize = 32;
const NARROW: usize = 8;

#[inline(always)]
fn sum_strip<const C: usize>(row: &[f32], channels: usize, sums: &mut [f64]) {
    let mut part = [0.0f32; C];
    let mut at = 0;
    while at + C <= row.len() {
        let pixel: &[f32; C] = row[at..at + C].try_into().expect("as long as asked for");
        for c in 0..C {
            part[c] += pixel[c];
        }
        at += channels;
    }
    for c in 0..C {
        sums[c] += f64::from(part[c]);
    }
}
