//! Functions and sums of each channel over all pixels of images.
//!
//! Functions go straight on, pixel by pixel, with the coefficients of many channels at hand. For sums images are taken in
//! blocks: sums of a block are f32, sums of blocks f64. Few channels are summed a vector or two at a time, so that their
//! sums stay in registers; the block stays in the first-level cache, and the next one is asked for meanwhile, as no processor
//! sees what comes next in steps of whole pixels. Many channels are summed straight on, with their sums in memory.

mod map;
mod moments;
mod pixels;
mod sums;
mod vectors;

use crate::View;
use crate::lanes::{Lanes, MOST_LANES};
use crate::prefetch::prefetch_line;

pub(crate) use map::{ChannelFunction, map, map_in_place};
pub(crate) use moments::{join, moments};
pub(crate) use sums::{ChannelSums, Plain, map_and_sum, sums};

/// Numbers of a block of few channels.
const BLOCK: usize = 4096;
/// Numbers of a block of many channels.
const LARGE_BLOCK: usize = 1 << 16;
/// The most pixels of a block, so that a sum in f32 has few terms.
const MOST_PIXELS: usize = 256;
/// The most channels that are summed a vector or two at a time.
const FEW_CHANNELS: usize = 64;

/// Channels whose coefficients are at hand at a time.
const MOST_CHANNELS: usize = 512;

/// Numbers from what is computed to what is asked for: two pages, as a processor itself looks ahead within one.
const DISTANCE: usize = 2048;

/// Pixels of one image, or of all images where there are no borders.
#[derive(Clone, Copy)]
struct Block {
    image: usize,
    row: usize,
    column: usize,
    rows: usize,
    columns: usize,
}

/// Images, rows and pixels of a row: without borders all pixels are one row of one image.
fn rows(view: &View, plain: bool, n: usize) -> [usize; 3] {
    if plain { [1, 1, n * view.height * view.width] } else { [n, view.height, view.width] }
}

/// All pixels of `n` images of this size, `plain` if all views are; with every block how many numbers behind it the next
/// one begins, 0 for the last.
fn blocks(view: &View, plain: bool, n: usize) -> impl Iterator<Item = (Block, usize)> + use<> {
    let numbers = if view.channels > FEW_CHANNELS { LARGE_BLOCK } else { BLOCK };
    let most = (numbers / view.channels.max(1)).clamp(8, MOST_PIXELS);
    let [n, height, width] = rows(view, plain, n);
    let (rows, columns) = ((most / width.max(1)).max(1), most.min(width).max(1));
    let len = rows * columns * view.channels;
    let mut blocks = (0..n).flat_map(move |image| {
        (0..height).step_by(rows).flat_map(move |row| {
            (0..width).step_by(columns).map(move |column| Block {
                image,
                row,
                column,
                rows: rows.min(height - row),
                columns: columns.min(width - column),
            })
        })
    });
    let mut next = blocks.next();
    std::iter::from_fn(move || {
        let block = std::mem::replace(&mut next, blocks.next())?;
        Some((block, if next.is_some() { len } else { 0 }))
    })
}

/// Whether all views have the size of the first; whether all are without borders.
fn check(views: &[&View]) -> bool {
    assert!(views.iter().all(|view| view.size() == views[0].size()));
    views.iter().all(|view| view.is_plain())
}

/// A vector of each operand, `at` numbers behind the first; `ahead` numbers further it is asked for.
///
/// # Safety
/// `count <= N` numbers of each can be read there.
#[inline(always)]
unsafe fn load_all<L: Lanes, const A: usize>(
    operands: &[*const f32; A],
    at: usize,
    ahead: usize,
    count: usize,
) -> [L; A] {
    let mut x = [L::splat(0.0); A];
    for (x, from) in x.iter_mut().zip(operands) {
        // SAFETY: the caller's promise.
        *x = unsafe { load(from.wrapping_add(at), count) };
        prefetch_line(from.wrapping_add(at + ahead));
    }
    x
}

/// The numbers of a vector, zeros behind them.
#[inline(always)]
fn numbers<L: Lanes>(vector: L) -> [f32; MOST_LANES] {
    let mut numbers = [0.0; MOST_LANES];
    // SAFETY: no vector has more lanes.
    unsafe { vector.store(numbers.as_mut_ptr()) }
    numbers
}

/// # Safety
/// `count <= N` numbers can be read.
#[inline(always)]
pub(crate) unsafe fn load<L: Lanes>(from: *const f32, count: usize) -> L {
    // SAFETY: the caller's promise.
    unsafe { if count == L::N { L::load(from) } else { L::load_first(from, count) } }
}

/// Writes the first `count` numbers.
///
/// # Safety
/// `count <= N` numbers can be written at `to`.
#[inline(always)]
pub(crate) unsafe fn store<L: Lanes>(value: L, to: *mut f32, count: usize) {
    // SAFETY: the caller's promise.
    unsafe { if count == L::N { value.store(to) } else { value.store_first(to, count) } }
}
