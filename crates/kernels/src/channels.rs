//! Functions and sums of each channel over all pixels of images.
//!
//! Functions go straight on, pixel by pixel, with the coefficients of many channels at hand. For sums images are taken in blocks
//! that stay in the first-level cache, a vector or two of channels at a time, so that their sums stay in registers, and the
//! next block is asked for meanwhile: no processor sees what comes next in steps of whole pixels. Sums of a block are f32,
//! sums of blocks f64.

use crate::isa::Kernel;
use crate::lanes::{LEAST_LANES, Lanes, MOST_LANES};
use crate::prefetch::prefetch_line;
use crate::{Isa, View};

/// Numbers of a block.
const BLOCK: usize = 4096;
/// The most pixels of a block, so that a sum in f32 has few terms.
const MOST_PIXELS: usize = 256;

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
    let most = (BLOCK / view.channels.max(1)).clamp(8, MOST_PIXELS);
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

/// A function of `A` images with coefficients by channel.
pub(crate) trait ChannelFunction<const A: usize>: Copy {
    type Coefficients<L: Lanes>: Copy;

    /// The coefficients of `count <= N` channels from `channel` on.
    fn coefficients<L: Lanes>(self, channel: usize, count: usize) -> Self::Coefficients<L>;

    fn of<L: Lanes>(coefficients: Self::Coefficients<L>, x: [L; A]) -> L;
}

/// `y = function(operands)`; the border of `y` is left alone.
pub(crate) fn map<const A: usize, F: ChannelFunction<A>>(
    isa: Isa,
    function: F,
    n: usize,
    operands: [(&View, &[f32]); A],
    (view, y): (&View, &mut [f32]),
) {
    let plain = operands.iter().fold(true, |plain, (operand, _)| check(&[view, operand]) && plain);
    assert!(operands.iter().all(|(view, x)| x.len() >= view.len(n)) && y.len() >= view.len(n));
    let operands = operands.map(|(view, x)| (view, x.as_ptr()));
    isa.run(Map { function, n, plain, operands, view, y: y.as_mut_ptr() });
}

/// `y = function(y)`; the border of `y` is left alone.
pub(crate) fn map_in_place<F: ChannelFunction<1>>(isa: Isa, function: F, n: usize, view: &View, y: &mut [f32]) {
    assert!(y.len() >= view.len(n));
    let y = y.as_mut_ptr();
    isa.run(Map { function, n, plain: view.is_plain(), operands: [(view, y.cast_const())], view, y });
}

/// Only the functions above make it: all views have the same size, `n` images can be read at each operand, which may be
/// `y` itself, and written at `y`.
struct Map<'a, F, const A: usize> {
    function: F,
    n: usize,
    plain: bool,
    operands: [(&'a View, *const f32); A],
    view: &'a View,
    y: *mut f32,
}

/// Channels whose coefficients are at hand at a time.
const MOST_CHANNELS: usize = 512;

/// Numbers from what is computed to what is asked for: two pages, as a processor itself looks ahead within one.
const DISTANCE: usize = 2048;

impl<const A: usize, F: ChannelFunction<A>> Kernel for Map<'_, F, A> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let channels = self.view.channels;
        let [n, height, width] = rows(self.view, self.plain, self.n);
        for first in (0..channels).step_by(MOST_CHANNELS) {
            let here = MOST_CHANNELS.min(channels - first);
            let vectors = here.div_ceil(L::N);
            let mut coefficients =
                [self.function.coefficients::<L>(first, L::N.min(here)); MOST_CHANNELS / LEAST_LANES];
            for (vector, coefficients) in coefficients.iter_mut().enumerate().take(vectors).skip(1) {
                let at = vector * L::N;
                *coefficients = self.function.coefficients(first + at, L::N.min(here - at));
            }
            for (image, row) in (0..n).flat_map(|image| (0..height).map(move |row| (image, row))) {
                let start = |view: &View| view.at(image, row, 0) + first;
                let line = Line {
                    from: self.operands.map(|(view, x)| x.wrapping_add(start(view))),
                    to: self.y.wrapping_add(start(self.view)),
                    pixels: width,
                    pitch: channels,
                };
                // SAFETY: every pixel lies inside its images, whose lengths are asserted.
                unsafe {
                    match if channels == vectors * L::N { vectors } else { 0 } {
                        1 => line.whole::<L, F, 1>(&coefficients),
                        2 => line.whole::<L, F, 2>(&coefficients),
                        4 => line.whole::<L, F, 4>(&coefficients),
                        _ => line.any::<L, F>(&coefficients, here),
                    }
                }
            }
        }
    }
}

/// Pixels of a row, with numbers from one to the next.
struct Line<const A: usize> {
    from: [*const f32; A],
    to: *mut f32,
    pixels: usize,
    pitch: usize,
}

impl<const A: usize> Line<A> {
    /// Pixels of exactly `V` vectors.
    ///
    /// # Safety
    /// All pixels can be read and written.
    #[inline(always)]
    unsafe fn whole<L: Lanes, F: ChannelFunction<A>, const V: usize>(&self, coefficients: &[F::Coefficients<L>]) {
        let coefficients: [_; V] = std::array::from_fn(|v| coefficients[v]);
        for at in (0..self.pixels * V * L::N).step_by(V * L::N) {
            for v in 0..V {
                // SAFETY: the caller's promise.
                unsafe { self.vector::<L, F>(coefficients[v], at + v * L::N, L::N) };
            }
        }
    }

    /// The first `channels` numbers of each pixel.
    ///
    /// # Safety
    /// All pixels can be read and written.
    #[inline(always)]
    unsafe fn any<L: Lanes, F: ChannelFunction<A>>(&self, coefficients: &[F::Coefficients<L>], channels: usize) {
        let (full, left) = (channels / L::N, channels % L::N);
        for pixel in 0..self.pixels {
            let at = pixel * self.pitch;
            // SAFETY: the caller's promise.
            unsafe {
                for (vector, coefficients) in coefficients.iter().enumerate().take(full) {
                    self.vector::<L, F>(*coefficients, at + vector * L::N, L::N);
                }
                if left > 0 {
                    self.vector::<L, F>(coefficients[full], at + full * L::N, left);
                }
            }
        }
    }

    /// # Safety
    /// `count` numbers can be read and written `at` numbers behind the first pixel.
    #[inline(always)]
    unsafe fn vector<L: Lanes, F: ChannelFunction<A>>(
        &self,
        coefficients: F::Coefficients<L>,
        at: usize,
        count: usize,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let x = load_all::<L, A>(&self.from, at, DISTANCE, count);
            store(F::of(coefficients, x), self.to.add(at), count);
        }
    }
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

/// `S` functions of `A` images that are summed over all pixels.
pub(crate) trait ChannelSums<const A: usize, const S: usize>: Copy {
    type Coefficients<L: Lanes>: Copy;

    /// The coefficients of `count <= N` channels from `channel` on.
    fn coefficients<L: Lanes>(self, channel: usize, count: usize) -> Self::Coefficients<L>;

    fn of<L: Lanes>(coefficients: Self::Coefficients<L>, x: [L; A]) -> [L; S];

    /// What is stored besides, where anything is.
    fn value<L: Lanes>(x: [L; A]) -> L {
        x[0]
    }
}

/// Adds to `sums`, `[S][channels]`, those of the pixels of `n` images.
pub(crate) fn sums<const A: usize, const S: usize, F: ChannelSums<A, S>>(
    isa: Isa,
    function: F,
    n: usize,
    operands: [(&View, &[f32]); A],
    sums: &mut [f64],
) {
    let plain = check(operands.map(|(view, _)| view).as_slice());
    assert!(operands.iter().all(|(view, x)| x.len() >= view.len(n)));
    assert_eq!(sums.len(), S * operands[0].0.channels);
    let operands = operands.map(|(view, x)| (view, x.as_ptr()));
    let to = (operands[0].0, std::ptr::null_mut());
    isa.run(Sums::<_, A, S, false> { function, n, plain, operands, to, sums });
}

/// The same with `y = value(operands)`, of which those without numbers are `y` itself; the border of `y` is left alone.
pub(crate) fn map_and_sum<const A: usize, const S: usize, F: ChannelSums<A, S>>(
    isa: Isa,
    function: F,
    n: usize,
    operands: [(&View, Option<&[f32]>); A],
    (view, y): (&View, &mut [f32]),
    sums: &mut [f64],
) {
    let len = y.len();
    assert!(operands.iter().all(|(from, x)| x.map_or(len, <[f32]>::len) >= from.len(n)) && len >= view.len(n));
    assert!(operands.iter().all(|(from, x)| x.is_some() || *from == view));
    assert_eq!(sums.len(), S * view.channels);
    let plain = operands.iter().fold(true, |plain, (operand, _)| check(&[view, operand]) && plain);
    let y = y.as_mut_ptr();
    let operands = operands.map(|(view, x)| (view, x.map_or(y.cast_const(), <[f32]>::as_ptr)));
    isa.run(Sums::<_, A, S, true> { function, n, plain, operands, to: (view, y), sums });
}

/// Only the functions above make it: all views have the same size, `n` images can be read at each operand, and with
/// `STORES` written at `to`, which may be an operand.
struct Sums<'a, F, const A: usize, const S: usize, const STORES: bool> {
    function: F,
    n: usize,
    plain: bool,
    operands: [(&'a View, *const f32); A],
    to: (&'a View, *mut f32),
    sums: &'a mut [f64],
}

impl<const A: usize, const S: usize, const STORES: bool, F: ChannelSums<A, S>> Kernel for Sums<'_, F, A, S, STORES> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let channels = self.operands[0].0.channels;
        // Two vectors where there are registers for their sums.
        let pairs = if L::N == 16 { channels / (2 * L::N) * 2 * L::N } else { 0 };
        let whole = channels / L::N * L::N;
        for (block, ahead) in blocks(self.operands[0].0, self.plain, self.n) {
            for channel in (0..pairs).step_by(2 * L::N) {
                self.add::<L, 2, true>(&block, ahead, channel);
            }
            for channel in (pairs..whole).step_by(L::N) {
                self.add::<L, 1, true>(&block, ahead, channel);
            }
            if whole < channels {
                self.add::<L, 1, false>(&block, ahead, whole);
            }
        }
    }
}

impl<const A: usize, const S: usize, const STORES: bool, F: ChannelSums<A, S>> Sums<'_, F, A, S, STORES> {
    /// Adds `V` vectors of channels of a block, all of their lanes if `FULL`, else what is left of the last one.
    #[inline(always)]
    fn add<L: Lanes, const V: usize, const FULL: bool>(&mut self, block: &Block, ahead: usize, channel: usize) {
        let channels = self.operands[0].0.channels;
        let count = if FULL { L::N } else { channels - channel };
        let coefficients: [_; V] = std::array::from_fn(|v| self.function.coefficients::<L>(channel + v * L::N, count));
        // Four sums in turn, so that additions need not wait for each other.
        let mut acc = [[[L::splat(0.0); S]; V]; 4];
        for row in block.row..block.row + block.rows {
            let start = |view: &View| view.at(block.image, row, block.column) + channel;
            let line = SumLine::<A> {
                from: self.operands.map(|(view, x)| x.wrapping_add(start(view))),
                to: self.to.1.wrapping_add(start(self.to.0)),
                ahead,
                count,
            };
            // SAFETY: every pixel of the block lies inside its images, whose lengths are asserted.
            unsafe {
                let mut at = 0;
                for _ in 0..block.columns / 4 {
                    for turn in 0..4 {
                        line.add::<L, F, S, V, STORES, FULL>(&coefficients, at, &mut acc[turn]);
                        // Else every operand would have a place of its own for each turn.
                        at = std::hint::black_box(at + channels);
                    }
                }
                // Each turn by itself: in a loop over some of them the sums would lie in memory.
                for turn in 0..3 {
                    if turn < block.columns % 4 {
                        line.add::<L, F, S, V, STORES, FULL>(&coefficients, at + turn * channels, &mut acc[turn]);
                    }
                }
            }
        }
        for v in 0..V {
            for s in 0..S {
                let total = acc[0][v][s].add(acc[2][v][s]).add(acc[1][v][s].add(acc[3][v][s]));
                let sums = &mut self.sums[s * channels + channel + v * L::N..][..count];
                for (sum, part) in sums.iter_mut().zip(numbers(total)) {
                    *sum += f64::from(part);
                }
            }
        }
    }
}

/// Vectors of a row's pixels that are summed, with the numbers to what is asked for.
struct SumLine<const A: usize> {
    from: [*const f32; A],
    to: *mut f32,
    ahead: usize,
    count: usize,
}

impl<const A: usize> SumLine<A> {
    /// Adds the vectors that lie `at` numbers behind the first, and stores what is stored of them.
    ///
    /// # Safety
    /// They can be read, and with `STORES` written: all lanes if `FULL`, else `count`.
    #[inline(always)]
    unsafe fn add<
        L: Lanes,
        F: ChannelSums<A, S>,
        const S: usize,
        const V: usize,
        const STORES: bool,
        const FULL: bool,
    >(
        &self,
        coefficients: &[F::Coefficients<L>; V],
        at: usize,
        acc: &mut [[L; S]; V],
    ) {
        let count = if FULL { L::N } else { self.count };
        for v in 0..V {
            let at = at + v * L::N;
            // SAFETY: the caller's promise.
            let x = unsafe { load_all::<L, A>(&self.from, at, self.ahead, count) };
            if STORES {
                // SAFETY: the caller's promise.
                unsafe { store(F::value(x), self.to.wrapping_add(at), count) };
            }
            for (sum, value) in acc[v].iter_mut().zip(F::of(coefficients[v], x)) {
                *sum = sum.add(value);
            }
        }
    }
}

/// The mean and the sum of squared differences from it, `[2][channels]`, of the pixels of `n` images.
///
/// Blocks are centred on a mean of their own and joined by the update of Chan, Golub and LeVeque (1983), so that nothing
/// cancels however far the numbers are from zero.
pub(crate) fn moments(isa: Isa, view: &View, n: usize, x: &[f32], moments: &mut [f64]) {
    assert!(x.len() >= view.len(n));
    assert_eq!(moments.len(), 2 * view.channels);
    moments.fill(0.0);
    isa.run(Moments { view, n, x, moments });
}

struct Moments<'a> {
    view: &'a View,
    n: usize,
    x: &'a [f32],
    moments: &'a mut [f64],
}

impl Kernel for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let channels = self.view.channels;
        let (means, squares) = self.moments.split_at_mut(channels);
        let mut before = 0;
        for (block, ahead) in blocks(self.view, self.view.is_plain(), self.n) {
            let pixels = block.rows * block.columns;
            for channel in (0..channels).step_by(L::N) {
                let count = L::N.min(channels - channel);
                let start = |row: usize| self.view.at(block.image, row, block.column) + channel;
                let rows = block.row..block.row + block.rows;
                let lines = || rows.clone().map(|row| self.x[start(row)..].as_ptr());
                // SAFETY: every pixel of the block lies inside its images, whose length is asserted.
                let pixel = |line: *const f32, column: usize| unsafe { load::<L>(line.add(column * channels), count) };
                let mut acc = [L::splat(0.0); 4];
                for line in lines() {
                    for column in (0..block.columns).step_by(4) {
                        for (turn, acc) in acc.iter_mut().enumerate().take(block.columns - column) {
                            *acc = acc.add(pixel(line, column + turn));
                            prefetch_line(line.wrapping_add((column + turn) * channels + ahead));
                        }
                    }
                }
                let centre = acc[0].add(acc[2]).add(acc[1].add(acc[3])).mul(L::splat(1.0 / pixels as f32));
                let mut acc = [[L::splat(0.0); 2]; 4];
                for line in lines() {
                    for column in (0..block.columns).step_by(4) {
                        for (turn, [sum, square]) in acc.iter_mut().enumerate().take(block.columns - column) {
                            let difference = pixel(line, column + turn).sub(centre);
                            *sum = sum.add(difference);
                            *square = difference.mul_add(difference, *square);
                        }
                    }
                }
                let total = |s: usize| numbers(acc[0][s].add(acc[2][s]).add(acc[1][s].add(acc[3][s])));
                let (centres, sums, sums_of_squares) = (numbers(centre), total(0), total(1));
                for lane in 0..count {
                    let rest = f64::from(sums[lane]) / pixels as f64;
                    let mean = f64::from(centres[lane]) + rest;
                    let square = f64::from(sums_of_squares[lane]) - rest * rest * pixels as f64;
                    let to = (&mut means[channel + lane], &mut squares[channel + lane]);
                    join(to, before, (mean, square), pixels);
                }
            }
            before += pixels;
        }
    }
}

/// Mean and squares of `before` numbers, made those of these and `more` numbers.
pub(crate) fn join((mean, squares): (&mut f64, &mut f64), before: usize, of: (f64, f64), more: usize) {
    if more == 0 {
        return;
    }
    let share = more as f64 / (before + more) as f64;
    let difference = of.0 - *mean;
    *mean += difference * share;
    *squares += of.1 + difference * difference * before as f64 * share;
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
