//! Bands: how threads share the one image of a batch.
//!
//! A step whose rows do not depend on each other is cut into bands of rows, a dense layer into bands of units; each is a
//! step of its own that writes its part of the slot. Bands begin where the tiles of a product do, so that every number is
//! computed as it is without them: their count may follow the threads, and the bits do not.

use std::ops::Range;

use kernels::View;

use super::{Operand, Plan, Step, Work};

/// Operations that are worth another thread's attention, about five microseconds.
const LEAST: u64 = 1 << 19;

/// Operations whose time a number takes that is only read and written.
const PASSED: u64 = 128;

/// Times that a product with weights takes which are read for a single sample, against one that reads them for many.
const READ_ONCE: u64 = 8;

/// Units of a dense layer that are computed together.
const UNITS: usize = 8;

/// A part of a step.
#[derive(Clone, Debug)]
pub(crate) struct Band {
    /// Writes into the slot from `from` on.
    pub step: Step,
    /// Where the slot is cut before it.
    pub from: usize,
}

/// Cuts the steps of a single sample for so many threads.
pub(super) fn cut(plan: &mut Plan, threads: usize) {
    if plan.batch == 1 && threads > 1 {
        for step in plan.stages.iter_mut().flat_map(|stage| &mut stage.steps) {
            step.bands = bands(step, threads);
        }
    }
}

/// None where a step is not worth it, or is not by rows.
fn bands(step: &Step, threads: usize) -> Vec<Band> {
    let (Some((_, to)), None) = (step.write, step.aside) else { return Vec::new() };
    let Some((lines, unit)) = lines(&step.work, &to) else { return Vec::new() };
    let worth = usize::try_from(operations(&step.work, &to) / LEAST).unwrap_or(usize::MAX);
    let units = lines / unit;
    // A power of two, which halves evenly.
    let count = 1 << units.min(worth).min(threads.next_power_of_two()).max(1).ilog2();
    // Where they are not alike the first is the larger, which nobody has to be told of.
    let start = |band: usize| if band == count { lines } else { (band * units).div_ceil(count) * unit };
    let cut = || (0..count).map(|index| band(step, &to, start(index)..start(index + 1))).collect::<Option<Vec<Band>>>();
    (count > 1).then(cut).flatten().unwrap_or_default()
}

/// Rows or units of a step's result, and how many of them belong together.
fn lines(work: &Work, to: &View) -> Option<(usize, usize)> {
    match work {
        Work::Dense { dense, .. } => Some((dense.units, UNITS)),
        Work::Convolve { product, .. } => Some((to.height, product.tile_rows())),
        Work::ConvolvePool { pooled, .. } => {
            let ([down, _], rows) = (pooled.pool.window.stride, pooled.product.tile_rows());
            // Where windows lie side by side, rows of the pool are whole tiles of the convolution at these distances.
            let unit = (1..=rows).find(|unit| (unit * down).is_multiple_of(rows))?;
            (pooled.pool.window.kernel[0] == down).then_some((to.height, unit))
        }
        Work::MaxPool(pool) | Work::AveragePool(pool) if pool.window.padding == [0; 4] => Some((to.height, 1)),
        Work::Activate(_)
        | Work::Binary(_)
        | Work::AddRelu
        | Work::Scale { .. }
        | Work::Offset { .. }
        | Work::SquareRoot
        | Work::AddBias
        | Work::BatchNorm { .. } => Some((to.height, 1)),
        _ => None,
    }
}

/// What a step takes, in operations of a product that is made of full tiles.
fn operations(work: &Work, to: &View) -> u64 {
    let passed = |view: &View| (view.height * view.width * view.channels) as u64 * PASSED;
    match work {
        Work::Dense { dense, .. } => dense.flops() * READ_ONCE,
        Work::MaxPool(pool) | Work::AveragePool(pool) => passed(&pool.input),
        other => other.flops() + passed(to),
    }
}

impl Operand {
    /// Some rows of its images.
    fn band(&self, rows: Range<usize>) -> Operand {
        match *self {
            Operand::Slot { slot, view } => Operand::Slot { slot, view: view.band(rows) },
            Operand::Input { name, view } => Operand::Input { name, view: view.band(rows) },
            Operand::Fixed(fixed) => Operand::Fixed(fixed),
        }
    }
}

/// These rows, or units, of a step; none where an operand lies otherwise than the result.
fn band(step: &Step, to: &View, lines: Range<usize>) -> Option<Band> {
    let mut part = step.clone();
    let slot = step.write?.0;
    if let Work::Dense { dense, first, .. } = &mut part.work {
        (dense.units, *first) = (lines.len(), lines.start);
        part.write = Some((slot, View::vectors(lines.len())));
        return Some(Band { step: part, from: lines.start });
    }
    let (view, from) = to.cut(lines.clone());
    part.write = Some((slot, view));
    match &mut part.work {
        Work::Convolve { product, .. } => {
            product.conv = product.conv.band(lines.clone(), view);
            // What is added lies as the result does; of x the bands know their rows themselves.
            for read in part.reads.iter_mut().skip(1) {
                *read = read.band(lines.clone());
            }
        }
        Work::ConvolvePool { pooled, .. } => *pooled = pooled.band(lines, view),
        Work::MaxPool(pool) | Work::AveragePool(pool) => *pool = pool.band(lines, view),
        _ => {
            for read in part.reads.iter_mut().filter(|read| !matches!(read, Operand::Fixed(_))) {
                *read = (read.view().size() == to.size()).then(|| read.band(lines.clone()))?;
            }
        }
    }
    Some(Band { step: part, from })
}
