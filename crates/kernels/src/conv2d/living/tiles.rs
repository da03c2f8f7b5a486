//! Products over lists: tiles, some rows by some vectors of each, whose sums stay in registers for the length of a list.

use super::lists::Lists;
use crate::Isa;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::tile::CHAINS;

/// What every entry of every list is multiplied with, and where the sums go: some rows of numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows {
    pub count: usize,
    /// Numbers of a row.
    pub len: usize,
    /// Numbers from a row to the next where they are read, and where they are written.
    pub from_step: usize,
    pub to_step: usize,
}

/// Adds `value * from[entry.from + row from_step..]` to `to[list.to + row to_step..]` for all entries of the first `count`
/// lists.
///
/// # Safety
/// From the place of every entry on the rows can be read at `from`, and from the place of every list on be written at `to`.
pub(super) unsafe fn add_lists(
    isa: Isa,
    rows: &Rows,
    lists: &impl Lists,
    count: usize,
    from: *const f32,
    to: *mut f32,
) {
    // Three rows of six vectors fill the registers of AVX-512; where there are half as many, three rows of three, or one
    // row of twelve.
    let (at_once, most) = match (rows.count, isa.lanes()) {
        (3, 16) => (3, 6),
        (3, lanes) if rows.len <= 3 * lanes => (3, 3),
        _ => (1, 12),
    };
    for row in (0..rows.count).step_by(at_once) {
        for first in (0..rows.len).step_by(most * isa.lanes()) {
            let len = (rows.len - first).min(most * isa.lanes());
            let rows = Rows { count: at_once, len, ..*rows };
            // SAFETY: the caller's promise, of which these rows are a part.
            let (from, to) = unsafe { (from.add(row * rows.from_step + first), to.add(row * rows.to_step + first)) };
            run(isa, len.div_ceil(isa.lanes()), rows, lists, count, from, to);
        }
    }
}

/// Runs a kernel of as many rows and vectors. (Each shape is a function of its own: together in one, the compiler keeps the
/// places of all of them in memory and counts them up at every turn.)
fn run(isa: Isa, vectors: usize, rows: Rows, lists: &impl Lists, count: usize, from: *const f32, to: *mut f32) {
    macro_rules! shapes {
        ($(($rows:literal, $vectors:literal)),*) => {
            match (rows.count, vectors) {
                $(($rows, $vectors) => isa.run(AddLists::<_, $rows, $vectors> { rows, lists, count, from, to }),)*
                other => unreachable!("no tile of {other:?}"),
            }
        };
    }
    shapes! {
        (3, 1), (3, 2), (3, 3), (3, 4), (3, 5), (3, 6), (1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (1, 7), (1, 8),
        (1, 9), (1, 10), (1, 11), (1, 12)
    }
}

/// Only [`add_lists`] makes it, whose caller promises that what lists point to can be read and written.
struct AddLists<'a, T, const R: usize, const V: usize> {
    rows: Rows,
    lists: &'a T,
    count: usize,
    from: *const f32,
    to: *mut f32,
}

impl<T: Lists, const R: usize, const V: usize> Kernel for AddLists<'_, T, R, V> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        for list in (0..self.count).filter(|list| !self.lists.is_empty(*list)) {
            // SAFETY: the promise to `add_lists`.
            unsafe {
                add_list::<L, R, V>(&self.rows, self.lists.list(list), self.from, self.to.add(self.lists.to(list)));
            }
        }
    }
}

/// # Safety
/// From the place of every entry on the rows can be read at `from`, and they can be written at `to`.
#[inline(always)]
unsafe fn add_list<L: Lanes, const R: usize, const V: usize>(
    rows: &Rows,
    mut list: impl Iterator<Item = (usize, f32)>,
    from: *const f32,
    to: *mut f32,
) {
    // The last vector reaches back over numbers of the one before, since masked loads are slow; alone it is masked.
    let is_masked = rows.len < L::N;
    let last = if is_masked { 0 } else { rows.len - L::N };
    let mut sums = [[L::splat(0.0); V]; R];
    if R * V >= CHAINS {
        for entry in list {
            // SAFETY: the caller's promise.
            unsafe { add_entry::<L, R, V>(rows, entry, from, &mut sums) };
        }
    } else {
        // Too few sums wait for each other: those of every other entry are apart.
        let mut others = sums;
        while let Some(entry) = list.next() {
            // SAFETY: the caller's promise.
            unsafe {
                add_entry::<L, R, V>(rows, entry, from, &mut sums);
                if let Some(entry) = list.next() {
                    add_entry::<L, R, V>(rows, entry, from, &mut others);
                }
            }
        }
        for row in 0..R {
            for v in 0..V {
                sums[row][v] = sums[row][v].add(others[row][v]);
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        for (v, sum) in sums.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                let to = to.add(row * rows.to_step);
                match (v + 1 < V, V == 1 && is_masked) {
                    (true, _) => add(to.add(v * L::N), *sum),
                    (false, false) => add(to.add(last), behind(*sum, (V - 1) * L::N - last)),
                    (false, true) => L::load_first(to, rows.len).add(*sum).store_first(to, rows.len),
                }
            }
        }
    }
}

/// The products of one entry.
///
/// # Safety
/// From its place on the rows can be read at `from`.
#[inline(always)]
unsafe fn add_entry<L: Lanes, const R: usize, const V: usize>(
    rows: &Rows,
    (place, value): (usize, f32),
    from: *const f32,
    sums: &mut [[L; V]; R],
) {
    let value = L::splat(value);
    for (row, sums) in sums.iter_mut().enumerate() {
        for (v, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            let x = unsafe {
                let from = from.add(place + row * rows.from_step);
                match (v + 1 < V, rows.len < L::N) {
                    (true, _) => L::load(from.add(v * L::N)),
                    (false, false) => L::load(from.add(rows.len - L::N)),
                    (false, true) => L::load_first(from, rows.len),
                }
            };
            *sum = value.mul_add(x, *sum);
        }
    }
}

/// # Safety
/// A vector can be read and written at `to`.
#[inline(always)]
unsafe fn add<L: Lanes>(to: *mut f32, sum: L) {
    // SAFETY: the caller's promise.
    unsafe { L::load(to).add(sum).store(to) };
}

/// Zeros for the first `count` numbers.
#[inline(always)]
fn behind<L: Lanes>(vector: L, count: usize) -> L {
    const PLACES: [f32; 16] = [0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15.];
    // SAFETY: no vector is longer.
    let places = unsafe { L::load(PLACES.as_ptr()) };
    L::select(places.greater(L::splat(count as f32 - 0.5)), vector, L::splat(0.0))
}
