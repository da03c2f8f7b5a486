//! Parts of a sum, added up in their order.

use crate::Isa;
use crate::channels::{load, store};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::prefetch::prefetch_line;

/// Parts that are read side by side.
const MOST_PARTS: usize = 8;

/// Vectors of a part that are read one after the other.
const VECTORS: usize = 4;

/// Numbers from what is added to what is asked for.
const DISTANCE: usize = 512;

/// `y[i] = part(0)[i] + part(1)[i] + …`, in this order; zero where there is no part.
///
/// # Panics
/// If a part is shorter than `y`.
pub fn sum_of_parts<'a>(isa: Isa, parts: usize, part: &dyn Fn(usize) -> &'a [f32], y: &mut [f32]) {
    y.fill(0.0);
    for first in (0..parts).step_by(MOST_PARTS) {
        let count = MOST_PARTS.min(parts - first);
        let mut pointers = [std::ptr::null(); MOST_PARTS];
        for (index, pointer) in pointers.iter_mut().enumerate().take(count) {
            *pointer = part(first + index)[..y.len()].as_ptr();
        }
        isa.run(AddParts { parts: &pointers[..count], y });
    }
}

/// Only [`sum_of_parts`] makes it: each part is as long as `y`.
struct AddParts<'a> {
    parts: &'a [*const f32],
    y: &'a mut [f32],
}

impl Kernel for AddParts<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (y, len) = (self.y.as_mut_ptr(), self.y.len());
        let full = len / (VECTORS * L::N) * VECTORS * L::N;
        // SAFETY: `y` and all parts have `len` numbers.
        unsafe {
            for at in (0..full).step_by(VECTORS * L::N) {
                add::<L, VECTORS>(self.parts, y, at, L::N);
            }
            for at in (full..len).step_by(L::N) {
                add::<L, 1>(self.parts, y, at, L::N.min(len - at));
            }
        }
    }
}

/// Adds `V` vectors of all parts to those of `y`.
///
/// # Safety
/// Everywhere are so many vectors at `at`, of which `count` numbers can be read and written.
#[inline(always)]
unsafe fn add<L: Lanes, const V: usize>(parts: &[*const f32], y: *mut f32, at: usize, count: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sums: [L; V] = std::array::from_fn(|v| load(y.add(at + v * L::N), count));
        for part in parts {
            for (v, sum) in sums.iter_mut().enumerate() {
                let from = part.add(at + v * L::N);
                prefetch_line(from.wrapping_add(DISTANCE));
                *sum = sum.add(load(from, count));
            }
        }
        for (v, sum) in sums.into_iter().enumerate() {
            store(sum, y.add(at + v * L::N), count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::numbers;

    #[test]
    fn parts_are_added_in_their_order() {
        for (parts, len) in [(0, 5), (1, 16), (3, 0), (8, 200), (19, 131)] {
            let all: Vec<Vec<f32>> = (0..parts).map(|part| numbers(part as u64, len + part % 2, -1.0, 1.0)).collect();
            let expected: Vec<f32> = (0..len).map(|at| all.iter().fold(0.0, |sum, part| sum + part[at])).collect();
            for isa in Isa::available() {
                let mut y = vec![9.0; len];
                sum_of_parts(isa, parts, &|part| &all[part], &mut y);
                assert_eq!(y, expected, "{parts} parts of {len} on {}", isa.name());
            }
        }
    }
}
