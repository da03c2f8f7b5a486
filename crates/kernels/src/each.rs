//! Functions of single numbers, over slices of any length.

use crate::Isa;
use crate::isa::Kernel;
use crate::lanes::Lanes;

/// A function of `A` numbers. `of` must be `#[inline(always)]`.
pub(crate) trait Function<const A: usize>: Copy {
    fn of<L: Lanes>(self, x: [L; A]) -> L;
}

/// `y[i] = function(operands[..][i])`.
pub(crate) fn each<const A: usize, F: Function<A>>(isa: Isa, function: F, operands: [&[f32]; A], y: &mut [f32]) {
    assert!(operands.iter().all(|x| x.len() == y.len()), "operands and result have the same length");
    isa.run(Each { function, operands: operands.map(<[f32]>::as_ptr), y: y.as_mut_ptr(), len: y.len() });
}

/// `y[i] = function(y[i])`.
pub(crate) fn each_in_place<F: Function<1>>(isa: Isa, function: F, y: &mut [f32]) {
    let (to, len) = (y.as_mut_ptr(), y.len());
    isa.run(Each { function, operands: [to.cast_const()], y: to, len });
}

/// `y[i] = function(y[i], b[i])`.
pub(crate) fn each_into<F: Function<2>>(isa: Isa, function: F, y: &mut [f32], b: &[f32]) {
    assert_eq!(b.len(), y.len(), "operands have the same length");
    let (to, len) = (y.as_mut_ptr(), y.len());
    isa.run(Each { function, operands: [to.cast_const(), b.as_ptr()], y: to, len });
}

/// Only the functions above make it: `len` numbers can be read at each operand, which may be `y` itself, and written at
/// `y`.
struct Each<F, const A: usize> {
    function: F,
    operands: [*const f32; A],
    y: *mut f32,
    len: usize,
}

impl<const A: usize, F: Function<A>> Kernel for Each<F, A> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let full = self.len / L::N * L::N;
        let mut at = 0;
        while at < full {
            let mut x = [L::splat(0.0); A];
            // SAFETY: `at + N <= len`. A vector is read before it is written, so that `y` may be an operand.
            unsafe {
                for (x, from) in x.iter_mut().zip(self.operands) {
                    *x = L::load(from.add(at));
                }
                self.function.of(x).store(self.y.add(at));
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
                self.function.of(x).store_first(self.y.add(full), left);
            }
        }
    }
}

/// A function of one number that is computed together with its slope. `value_and_slope` must be `#[inline(always)]`.
pub(crate) trait Sloped: Copy {
    fn value_and_slope<L: Lanes>(self, x: L) -> [L; 2];
}

/// `y[i] = function(x[i])`, and the slope there in the place of `x[i]`.
pub(crate) fn each_with_slope<F: Sloped>(isa: Isa, function: F, x: &mut [f32], y: &mut [f32]) {
    assert_eq!(x.len(), y.len(), "operand and result have the same length");
    isa.run(EachWithSlope { function, x: x.as_mut_ptr(), y: y.as_mut_ptr(), len: y.len() });
}

/// Only the function above makes it: `len` numbers can be read at `x`, and written there and at `y`.
struct EachWithSlope<F> {
    function: F,
    x: *mut f32,
    y: *mut f32,
    len: usize,
}

impl<F: Sloped> Kernel for EachWithSlope<F> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let full = self.len / L::N * L::N;
        let mut at = 0;
        while at < full {
            // SAFETY: `at + N <= len`.
            unsafe {
                let [value, slope] = self.function.value_and_slope(L::load(self.x.add(at)));
                value.store(self.y.add(at));
                slope.store(self.x.add(at));
            }
            at += L::N;
        }
        let left = self.len - full;
        if left > 0 {
            // SAFETY: `full + left` is `len`.
            unsafe {
                let [value, slope] = self.function.value_and_slope(L::load_first(self.x.add(full), left));
                value.store_first(self.y.add(full), left);
                slope.store_first(self.x.add(full), left);
            }
        }
    }
}
