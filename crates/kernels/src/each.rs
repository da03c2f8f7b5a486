//! Functions of single numbers, over slices of any length.

use crate::Isa;
use crate::isa::Kernel;
use crate::lanes::Lanes;

/// A function of `A` numbers. `of` must be `#[inline(always)]`.
pub(crate) trait Function<const A: usize>: Copy {
    fn of<L: Lanes>(self, x: [L; A]) -> L;
}

/// A function of one number that is computed together with its slope. `value_and_slope` must be `#[inline(always)]`.
pub(crate) trait Sloped: Copy {
    fn value_and_slope<L: Lanes>(self, x: L) -> [L; 2];
}

/// `y[i] = function(operands[..][i])`.
pub(crate) fn each<const A: usize, F: Function<A>>(isa: Isa, function: F, operands: [&[f32]; A], y: &mut [f32]) {
    assert!(operands.iter().all(|x| x.len() == y.len()), "operands and result have the same length");
    isa.run(Each { function, operands: operands.map(<[f32]>::as_ptr), results: [y.as_mut_ptr()], len: y.len() });
}

/// `y[i] = function(y[i])`.
pub(crate) fn each_in_place<F: Function<1>>(isa: Isa, function: F, y: &mut [f32]) {
    let (to, len) = (y.as_mut_ptr(), y.len());
    isa.run(Each { function, operands: [to.cast_const()], results: [to], len });
}

/// `y[i] = function(y[i], b[i])`.
pub(crate) fn each_into<F: Function<2>>(isa: Isa, function: F, y: &mut [f32], b: &[f32]) {
    assert_eq!(b.len(), y.len(), "operands have the same length");
    let (to, len) = (y.as_mut_ptr(), y.len());
    isa.run(Each { function, operands: [to.cast_const(), b.as_ptr()], results: [to], len });
}

/// `y[i] = function(x[i])`, and the slope there in the place of `x[i]`.
pub(crate) fn each_with_slope<F: Sloped>(isa: Isa, function: F, x: &mut [f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "operand and result have the same length");
    let (from, len) = (x.as_mut_ptr(), x.len());
    isa.run(Each { function, operands: [from.cast_const()], results: [y.as_mut_ptr(), from], len });
}

/// `R` numbers from `A`: what a loop over slices asks of either kind of function.
trait Rule<const A: usize, const R: usize>: Copy {
    fn results<L: Lanes>(self, x: [L; A]) -> [L; R];
}

impl<const A: usize, F: Function<A>> Rule<A, 1> for F {
    #[inline(always)]
    fn results<L: Lanes>(self, x: [L; A]) -> [L; 1] {
        [self.of(x)]
    }
}

impl<F: Sloped> Rule<1, 2> for F {
    #[inline(always)]
    fn results<L: Lanes>(self, [x]: [L; 1]) -> [L; 2] {
        self.value_and_slope(x)
    }
}

/// Only the functions above make it: `len` numbers can be read at each operand and written at each result; a result may be
/// an operand.
struct Each<F, const A: usize, const R: usize> {
    function: F,
    operands: [*const f32; A],
    results: [*mut f32; R],
    len: usize,
}

impl<const A: usize, const R: usize, F: Rule<A, R>> Kernel for Each<F, A, R> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let full = self.len / L::N * L::N;
        let mut at = 0;
        while at < full {
            let mut x = [L::splat(0.0); A];
            // SAFETY: `at + N <= len`. Vectors are read before any is written, so that a result may be an operand.
            unsafe {
                for (x, from) in x.iter_mut().zip(self.operands) {
                    *x = L::load(from.add(at));
                }
                for (y, to) in self.function.results(x).into_iter().zip(self.results) {
                    y.store(to.add(at));
                }
            }
            at += L::N;
        }
        let left = self.len - full;
        if left > 0 {
            let mut x = [L::splat(0.0); A];
            // SAFETY: `full + left` is `len`.
            unsafe {
                for (x, from) in x.iter_mut().zip(self.operands) {
                    *x = L::load_first(from.add(full), left);
                }
                for (y, to) in self.function.results(x).into_iter().zip(self.results) {
                    y.store_first(to.add(full), left);
                }
            }
        }
    }
}
