//! Products of rows in which much is zero, as behind relu and dropout: only what is alive is multiplied.
//!
//! `to[r, c] = sum over d of left[r, d] · lines[d, c]`, in the order of d, as the dense products sum it. Lines pass in panels
//! that the first-level cache holds; a row has a bit for each of a panel's lines, and its sums stay in registers from the
//! first living number to the last. Every product loads a line's vector, which processors do beside multiplying.

use std::ops::Range;

use crate::bits::{self, Places};
use crate::channels::{load, store};
use crate::isa::Kernel;
use crate::lanes::{Lanes, MOST_LANES};
use crate::tile::lanes_of;
use crate::turn::{Transpose, copy_lines};

/// Lines of a panel, a bit of a number each: three quarters of a first-level cache of 32 KB.
const DEPTH: usize = 48;

/// Vectors of a panel's lines: with a sum for each, enough are under way.
const VECTORS: usize = 8;

/// Rows that a panel is filled for.
const ROWS: usize = 256;

/// Columns and rows from which on a product may take less time by what is alive: fewer rows are not worth filling panels.
const LEAST_COLUMNS: usize = 64;
const LEAST_ROWS: usize = 12;

/// The share of living numbers up to which it does.
const MOST_ALIVE: f32 = 0.67;

/// Most numbers of a panel.
pub(super) const PANEL: usize = DEPTH * VECTORS * MOST_LANES;

/// Whether so few numbers of so many rows are alive that a product with lines of so many columns takes less time so.
#[inline(always)]
pub(super) fn suits<L: Lanes>(left: &[f32], rows: usize, columns: usize) -> bool {
    if rows < LEAST_ROWS || columns < LEAST_COLUMNS {
        return false;
    }
    let mut count = 0;
    for numbers in left.chunks(u64::BITS as usize) {
        count += bits::alive::<L>(numbers).count_ones();
    }
    count as f32 <= MOST_ALIVE * left.len() as f32
}

/// The right side of a product.
pub(super) trait Lines {
    /// Brings a range of columns of some lines together, [`VECTORS`] vectors apart.
    fn fill<L: Lanes>(&self, lines: Range<usize>, columns: Range<usize>, panel: &mut [f32]);
}

/// Lines that are a matrix' rows.
pub(super) struct Rows<'a> {
    pub numbers: &'a [f32],
    pub pitch: usize,
}

impl Lines for Rows<'_> {
    #[inline(always)]
    fn fill<L: Lanes>(&self, lines: Range<usize>, columns: Range<usize>, panel: &mut [f32]) {
        let lines = lines.map(|line| &self.numbers[line * self.pitch..][columns.clone()]);
        copy_lines::<L>(lines, panel, VECTORS * L::N);
    }
}

/// Lines that are a matrix' columns.
pub(super) struct Columns<'a> {
    pub numbers: &'a [f32],
    pub pitch: usize,
}

impl Lines for Columns<'_> {
    #[inline(always)]
    fn fill<L: Lanes>(&self, lines: Range<usize>, columns: Range<usize>, panel: &mut [f32]) {
        let from = &self.numbers[columns.start * self.pitch + lines.start..];
        let (rows, columns) = (columns.len(), lines.len());
        Transpose { from, from_pitch: self.pitch, rows, columns, to: panel, to_pitch: VECTORS * L::N }.run::<L>();
    }
}

/// Lines of which each lies by itself.
impl Lines for &[&[f32]] {
    #[inline(always)]
    fn fill<L: Lanes>(&self, lines: Range<usize>, columns: Range<usize>, panel: &mut [f32]) {
        copy_lines::<L>(self[lines].iter().map(|line| &line[columns.clone()]), panel, VECTORS * L::N);
    }
}

/// What sums begin with.
#[derive(Clone, Copy)]
pub(super) enum Begin<'a> {
    Zero,
    /// The same for every row.
    Bias(&'a [f32]),
    /// What is there.
    Before,
}

/// Such a product.
pub(super) struct LivingRows<'a, R> {
    /// `[rows][pitch]`, of which the first `depth` numbers of each row count.
    pub left: &'a [f32],
    pub pitch: usize,
    pub depth: usize,
    pub rows: usize,
    pub lines: R,
    pub begin: Begin<'a>,
    pub relu: bool,
    /// `[rows][columns]`.
    pub to: &'a mut [f32],
    pub columns: usize,
    pub panel: &'a mut [f32],
}

/// A panel: which columns of which lines, and whether its products are the first or the last of a sum.
struct Panel<'a> {
    numbers: &'a [f32],
    first_line: usize,
    first: usize,
    count: usize,
    is_first: bool,
    is_last: bool,
}

impl<R: Lines> LivingRows<'_, R> {
    /// Computes it.
    #[inline(always)]
    pub fn multiply<L: Lanes>(mut self) {
        let panel = std::mem::take(&mut self.panel);
        assert!(panel.len() >= PANEL && self.depth <= self.pitch && self.left.len() >= self.rows * self.pitch);
        let vectors = self.columns.div_ceil(L::N);
        let strips = vectors.div_ceil(VECTORS);
        for first_row in (0..self.rows).step_by(ROWS) {
            let rows = first_row..self.rows.min(first_row + ROWS);
            for first_line in (0..self.depth.max(1)).step_by(DEPTH) {
                let lines = first_line..self.depth.min(first_line + DEPTH);
                let mut alive = [0; ROWS];
                for (alive, row) in alive.iter_mut().zip(rows.clone()) {
                    *alive = bits::alive::<L>(&self.left[row * self.pitch..][lines.clone()]);
                }
                for strip in 0..strips {
                    // As even as they go.
                    let [first, end] = [strip, strip + 1].map(|at| (at * vectors / strips * L::N).min(self.columns));
                    self.lines.fill::<L>(lines.clone(), first..end, panel);
                    let (is_first, is_last) = (first_line == 0, lines.end == self.depth);
                    let panel = Panel { numbers: panel, first_line, first, count: end - first, is_first, is_last };
                    // SAFETY: bits are those of the panel's lines, in the order of a row's numbers.
                    unsafe { self.add_panel::<L>(&panel, rows.clone(), &alive) };
                }
            }
        }
    }

    /// Adds the products of what is alive of some rows, whose bits are given.
    ///
    /// # Safety
    /// As of [`LivingRows::sum`].
    #[inline(always)]
    unsafe fn add_panel<L: Lanes>(&mut self, panel: &Panel<'_>, rows: Range<usize>, alive: &[u64]) {
        for (alive, row) in alive.iter().zip(rows) {
            // SAFETY: the caller's promise.
            unsafe {
                match panel.count.div_ceil(L::N) {
                    1 => self.sum::<L, 1>(panel, row, *alive),
                    2 => self.sum::<L, 2>(panel, row, *alive),
                    3 => self.sum::<L, 3>(panel, row, *alive),
                    4 => self.sum::<L, 4>(panel, row, *alive),
                    5 => self.sum::<L, 5>(panel, row, *alive),
                    6 => self.sum::<L, 6>(panel, row, *alive),
                    7 => self.sum::<L, 7>(panel, row, *alive),
                    _ => self.sum::<L, VECTORS>(panel, row, *alive),
                }
            }
        }
    }

    /// Adds the products of what is alive of a row to its sums of a panel of `V` vectors.
    ///
    /// # Safety
    /// There is a bit only for a line that the panel has, and a number of the row.
    #[inline(always)]
    unsafe fn sum<L: Lanes, const V: usize>(&mut self, panel: &Panel<'_>, row: usize, alive: u64) {
        let to = self.to[row * self.columns + panel.first..][..panel.count].as_mut_ptr();
        let numbers = self.left[row * self.pitch + panel.first_line..].as_ptr();
        let begin = match self.begin {
            Begin::Zero if panel.is_first => None,
            Begin::Bias(line) if panel.is_first => Some(line[panel.first..][..panel.count].as_ptr()),
            _ => Some(to.cast_const()),
        };
        let mut acc = [L::splat(0.0); V];
        // SAFETY: `count` numbers, which take `V` vectors, have been sliced of what sums begin with and of where they go; lines
        // and numbers by the caller's promise.
        unsafe {
            if let Some(begin) = begin {
                for v in 0..V {
                    acc[v] = load(begin.add(v * L::N), lanes_of::<L>(panel.count, v));
                }
            }
            for line in Places(alive) {
                let number = L::splat(*numbers.add(line));
                let line = panel.numbers.as_ptr().add(line * VECTORS * L::N);
                for v in 0..V {
                    acc[v] = L::load(line.add(v * L::N)).mul_add(number, acc[v]);
                }
            }
            for v in 0..V {
                if self.relu && panel.is_last {
                    // What is not a number stays.
                    acc[v] = L::select(L::splat(0.0).greater(acc[v]), L::splat(0.0), acc[v]);
                }
                store(acc[v], to.add(v * L::N), lanes_of::<L>(panel.count, v));
            }
        }
    }
}
