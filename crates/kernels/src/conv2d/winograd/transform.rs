//! The two transforms, F(2×2, 3×3) and F(4×4, 3×3), one axis at a time (Lavin and Gray 2015, sections 4.1 and 4.3).
//!
//! `y = Aᵀ [(G g) ⊙ (Bᵀ d)]` gives `M` outputs of `T = M + 2` inputs by `T` multiplications instead of `3 M`. What flows
//! back goes through the transposed matrices: gradients of outputs through A, of inputs through B, of kernels through Gᵀ.

use crate::lanes::Lanes;

/// The matrices of one axis: `M` outputs, `T` places.
pub(crate) trait Transform<const M: usize, const T: usize>: Copy {
    /// Parts that a square is transformed in, so that 32 registers hold one that is transformed along one axis. (16 hold
    /// neither, and loading numbers twice would cost more.)
    #[inline(always)]
    fn parts<L: Lanes>() -> usize {
        if L::N == 16 && T == 6 { 2 } else { 1 }
    }

    /// `G g`
    fn kernel<L: Lanes>(self, g: [L; 3]) -> [L; T];
    /// `Gᵀ u`
    fn kernel_back<L: Lanes>(self, u: [L; T]) -> [L; 3];
    /// `Bᵀ d`
    fn input<L: Lanes>(self, d: [L; T]) -> [L; T];
    /// `B v`
    fn input_back<L: Lanes>(self, v: [L; T]) -> [L; T];
    /// `Aᵀ m`
    fn output<L: Lanes>(self, m: [L; T]) -> [L; M];
    /// `A y`
    fn output_back<L: Lanes>(self, y: [L; M]) -> [L; T];
}

/// F(2×2, 3×3): as exact as direct summation.
#[derive(Clone, Copy)]
pub(crate) struct Two;

/// F(4×4, 3×3).
#[derive(Clone, Copy)]
pub(crate) struct Four;

impl Transform<2, 4> for Two {
    #[inline(always)]
    fn kernel<L: Lanes>(self, [a, b, c]: [L; 3]) -> [L; 4] {
        let (outer, half) = (a.add(c), L::splat(0.5));
        [a, outer.add(b).mul(half), outer.sub(b).mul(half), c]
    }

    #[inline(always)]
    fn kernel_back<L: Lanes>(self, [a, b, c, d]: [L; 4]) -> [L; 3] {
        let half = L::splat(0.5);
        let outer = b.add(c).mul(half);
        [a.add(outer), b.sub(c).mul(half), outer.add(d)]
    }

    #[inline(always)]
    fn input<L: Lanes>(self, [a, b, c, d]: [L; 4]) -> [L; 4] {
        [a.sub(c), b.add(c), c.sub(b), b.sub(d)]
    }

    #[inline(always)]
    fn input_back<L: Lanes>(self, [a, b, c, d]: [L; 4]) -> [L; 4] {
        [a, b.sub(c).add(d), b.add(c).sub(a), L::splat(0.0).sub(d)]
    }

    #[inline(always)]
    fn output<L: Lanes>(self, [a, b, c, d]: [L; 4]) -> [L; 2] {
        [a.add(b).add(c), b.sub(c).sub(d)]
    }

    #[inline(always)]
    fn output_back<L: Lanes>(self, [a, b]: [L; 2]) -> [L; 4] {
        [a, a.add(b), a.sub(b), L::splat(0.0).sub(b)]
    }
}

impl Transform<4, 6> for Four {
    #[inline(always)]
    fn kernel<L: Lanes>(self, [a, b, c]: [L; 3]) -> [L; 6] {
        let (outer, sixth) = (a.add(c), L::splat(-1.0 / 6.0));
        let even = a.mul_add(L::splat(1.0 / 24.0), c.mul(L::splat(1.0 / 6.0)));
        let odd = b.mul(L::splat(1.0 / 12.0));
        let first = a.mul(L::splat(0.25));
        [first, outer.add(b).mul(sixth), outer.sub(b).mul(sixth), even.add(odd), even.sub(odd), c]
    }

    #[inline(always)]
    fn kernel_back<L: Lanes>(self, [a, b, c, d, e, f]: [L; 6]) -> [L; 3] {
        let (sixth, outer) = (L::splat(1.0 / 6.0), d.add(e));
        let near = b.add(c).mul(sixth);
        let middle = d.sub(e).mul_add(L::splat(1.0 / 12.0), c.sub(b).mul(sixth));
        let first = a.mul_add(L::splat(0.25), outer.mul(L::splat(1.0 / 24.0)).sub(near));
        [first, middle, outer.mul_add(sixth, f.sub(near))]
    }

    #[inline(always)]
    fn input<L: Lanes>(self, [a, b, c, d, e, f]: [L; 6]) -> [L; 6] {
        let (two, four, five) = (L::splat(2.0), L::splat(4.0), L::splat(-5.0));
        // Four times a number is exact, so that nothing is rounded otherwise than in two steps.
        let (even, odd) = (c.mul_add(L::splat(-4.0), e), b.mul_add(L::splat(-4.0), d));
        let (even_two, odd_two) = (e.sub(c), two.mul(d.sub(b)));
        [
            a.mul_add(four, c.mul_add(five, e)),
            even.add(odd),
            even.sub(odd),
            even_two.add(odd_two),
            even_two.sub(odd_two),
            b.mul_add(four, d.mul_add(five, f)),
        ]
    }

    #[inline(always)]
    fn input_back<L: Lanes>(self, [a, b, c, d, e, f]: [L; 6]) -> [L; 6] {
        let (two, four, five) = (L::splat(2.0), L::splat(4.0), L::splat(-5.0));
        let (sum, difference) = (b.add(c), b.sub(c));
        let (sum_two, difference_two) = (d.add(e), two.mul(d.sub(e)));
        let zero = L::splat(0.0);
        [
            a.mul(four),
            f.sub(difference).mul(four).sub(difference_two),
            a.mul_add(five, zero.sub(sum.mul_add(four, sum_two))),
            f.mul_add(five, difference.add(difference_two)),
            a.add(sum).add(sum_two),
            f,
        ]
    }

    #[inline(always)]
    fn output<L: Lanes>(self, [a, b, c, d, e, f]: [L; 6]) -> [L; 4] {
        let (sum, difference) = (b.add(c), b.sub(c));
        let (sum_two, difference_two) = (d.add(e), d.sub(e));
        [
            a.add(sum).add(sum_two),
            difference_two.mul_add(L::splat(2.0), difference),
            sum_two.mul_add(L::splat(4.0), sum),
            difference_two.mul_add(L::splat(8.0), difference.add(f)),
        ]
    }

    #[inline(always)]
    fn output_back<L: Lanes>(self, [a, b, c, d]: [L; 4]) -> [L; 6] {
        let (even, odd) = (a.add(c), b.add(d));
        let even_two = c.mul_add(L::splat(4.0), a);
        let odd_two = d.mul_add(L::splat(8.0), b.mul(L::splat(2.0)));
        [a, even.add(odd), even.sub(odd), even_two.add(odd_two), even_two.sub(odd_two), d]
    }
}

/// A transform along both axes of a square, columns, then rows: `both!(transform.input, T, T, |row| part, |row, column| load,
/// |row, column, value| store)`, with the sizes before and after. Numbers are loaded and stored as they are needed, and rows
/// of one part after those of the other, for each of which all numbers are loaded, so that less of the half-transformed
/// square is spilled. A macro, since a closure is compiled without the instruction set of the kernel around it.
macro_rules! both {
    ($transform:ident . $method:ident, $from:expr, $to:expr, |$part_row:ident| $part:expr,
     |$row:ident, $column:ident| $load:expr, |$to_row:ident, $to_column:ident, $value:ident| $store:expr) => {{
        macro_rules! part {
            ($number:literal) => {{
                let zero = L::splat(0.0);
                let mut half = [[zero; $from]; $to];
                for $column in 0..$from {
                    let mut line = [zero; $from];
                    for $row in 0..$from {
                        line[$row] = $load;
                    }
                    let line = $transform.$method::<L>(line);
                    for $part_row in 0..$to {
                        if $part == $number {
                            half[$part_row][$column] = line[$part_row];
                        }
                    }
                }
                for $to_row in 0..$to {
                    let $part_row = $to_row;
                    if $part == $number {
                        let line = $transform.$method::<L>(half[$to_row]);
                        for $to_column in 0..$to {
                            let $value = line[$to_column];
                            $store;
                        }
                    }
                }
            }};
        }
        part!(0);
        if F::parts::<L>() > 1 {
            part!(1);
        }
    }};
}
pub(super) use both;
