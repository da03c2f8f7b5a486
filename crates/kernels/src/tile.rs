//! The register tile that all dense arithmetic is made of: `P` pixels by `V` vectors of output channels.
//!
//! `acc[p][v] += x[p][k] * w[k][v]` for k in runs that are contiguous in the input (a row of a convolution's window) and
//! in the packed weights. With 12 or more accumulators and at most one load a multiply-add a tile runs at the
//! processor's peak; what separates tiles is how well they divide the work, so [`best`] chooses by the count of pixels.

use crate::lanes::{Lanes, MOST_LANES};
use crate::opaque::opaque;
use crate::prefetch::{Ahead, Beside};

/// Input numbers that belong to one output pixel: `outer` times `inner` runs of `len`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs {
    pub outer: usize,
    pub outer_step: usize,
    pub inner: usize,
    pub inner_step: usize,
    pub len: usize,
}

impl Runs {
    /// Where each begins, counted from the first.
    #[inline(always)]
    pub fn starts(&self) -> impl Iterator<Item = usize> + use<> {
        let Runs { outer, outer_step, inner, inner_step, .. } = *self;
        (0..outer).flat_map(move |i| (0..inner).map(move |j| i * outer_step + j * inner_step))
    }

    /// A single run.
    pub fn one(len: usize) -> Runs {
        Runs { outer: 1, outer_step: 0, inner: 1, inner_step: 0, len }
    }
}

/// Lanes of vector `v` that `channels` fill.
#[inline(always)]
pub(crate) fn lanes_of<L: Lanes>(channels: usize, v: usize) -> usize {
    channels.saturating_sub(v * L::N).min(L::N)
}

/// Most pixels of a tile with one vector and with two vectors of channels, by the registers of the instruction set: those
/// for sums and, with eight lanes, those for the places of pixels.
pub(crate) fn most_pixels<L: Lanes>(vectors: usize) -> usize {
    match (L::N, vectors) {
        (16, 1) => 16,
        (16, _) => 14,
        (_, 1) => 8,
        (_, _) => 6,
    }
}

/// The number of pixels a tile that covers `total` with the least work; a tile costs its pixels and one more for its
/// beginning and end. Fewer than [`CHAINS`] sums wait for each other as long as that many.
pub(crate) fn best<L: Lanes>(total: usize, vectors: usize) -> usize {
    best_in_rows::<L>(total, total, vectors)
}

/// The same for pixels in rows of `columns`: tiles whose pixels lie in one row cost less.
pub(crate) fn best_in_rows<L: Lanes>(total: usize, columns: usize, vectors: usize) -> usize {
    // A loop, since it is asked once a call of a kernel, of which some take a microsecond.
    let (mut best, mut least) = (1, usize::MAX);
    for p in 1..=most_pixels::<L>(vectors).min(total) {
        let ends = if columns == total || columns.is_multiple_of(p) { 1 } else { 3 };
        let cost = total.div_ceil(p) * (2 * p.max(CHAINS / vectors) + ends);
        if cost <= least {
            (best, least) = (p, cost);
        }
    }
    best
}

/// Multiply-adds that are under way at a time: two begin in a cycle and take four.
pub(crate) const CHAINS: usize = 8;

/// The products of one tile, added to `acc`. Weights are `[k][pitch]`, of which `V * N` are read.
///
/// # Safety
/// For every pixel the runs, and for the weights all `k` rows of `V * N` numbers, can be read.
#[inline(always)]
pub(crate) unsafe fn multiply<L: Lanes, const P: usize, const V: usize>(
    acc: &mut [[L; V]; P],
    pixels: &[*const f32; P],
    runs: &Runs,
    mut weights: *const f32,
    pitch: usize,
) {
    // The places of pixels are told apart by this: from their distances the compiler would compute each anew at every turn.
    let pixels = std::hint::black_box(*pixels);
    for outer in 0..runs.outer {
        for inner in 0..runs.inner {
            let start = outer * runs.outer_step + inner * runs.inner_step;
            let mut k = start;
            // SAFETY: the caller promises that runs and weights can be read.
            unsafe {
                // Runs of images of one and three channels are too short for a loop, which only costs where tiles are full.
                match runs.len {
                    5 if P >= 4 => {
                        add_run::<L, P, V, 5>(acc, &pixels, k, weights, pitch);
                        weights = weights.add(5 * pitch);
                        continue;
                    }
                    9 if P >= 4 => {
                        add_run::<L, P, V, 9>(acc, &pixels, k, weights, pitch);
                        weights = weights.add(9 * pitch);
                        continue;
                    }
                    _ => {}
                }
                while k + 2 <= start + runs.len {
                    add_products::<L, P, V>(acc, &pixels, k, weights);
                    add_products::<L, P, V>(acc, &pixels, k + 1, weights.add(pitch));
                    weights = weights.add(2 * pitch);
                    k += 2;
                }
                if k < start + runs.len {
                    add_products::<L, P, V>(acc, &pixels, k, weights);
                    weights = weights.add(pitch);
                }
            }
        }
    }
}

/// Multiples of the numbers from a pixel to the next, for pixels as far apart as each other: 1, 3, 5 … 15 times as many
/// bytes. All others are these times 2, 4 or 8, which an address can say, so that no pixel needs a register of its own.
#[derive(Clone, Copy)]
pub(crate) struct Steps([usize; 8]);

impl Steps {
    /// Of pixels that are `numbers` apart.
    pub fn of(numbers: usize) -> Steps {
        // From what they are made of the compiler would compute each anew at every turn.
        std::hint::black_box(Steps(std::array::from_fn(|odd| (2 * odd + 1) * numbers * size_of::<f32>())))
    }

    /// Pixel `p`, counted from the one at `first`.
    #[inline(always)]
    fn pixel(&self, first: *const f32, p: usize) -> *const f32 {
        if p == 0 {
            return first;
        }
        let twos = p.trailing_zeros();
        first.wrapping_byte_add(self.0[p >> (twos + 1)] << twos)
    }
}

/// [`multiply`] for pixels that are `steps` apart from `first` on; what is done beside has a turn a number of a pixel,
/// but for the last few of a run.
///
/// # Safety
/// As there.
#[inline(always)]
pub(crate) unsafe fn multiply_apart<L: Lanes, const P: usize, const V: usize>(
    acc: &mut [[L; V]; P],
    first: *const f32,
    steps: &Steps,
    runs: &Runs,
    mut weights: *const f32,
    pitch: usize,
    mut beside: impl Beside,
) {
    let unrolled = 4 / V;
    for start in runs.starts() {
        let mut first = first.wrapping_add(start);
        for _ in 0..runs.len / unrolled {
            for k in 0..unrolled {
                // SAFETY: the caller's promise.
                unsafe { add_apart(acc, first.wrapping_add(k), steps, weights.wrapping_add(k * pitch)) };
            }
            (0..unrolled).for_each(|_| beside.turn());
            // Else the compiler would count up the place of every pixel by itself.
            first = opaque(first.wrapping_add(unrolled));
            weights = weights.wrapping_add(unrolled * pitch);
        }
        for _ in 0..runs.len % unrolled {
            // SAFETY: the caller's promise.
            unsafe { add_apart(acc, first, steps, weights) };
            first = opaque(first.wrapping_add(1));
            weights = weights.wrapping_add(pitch);
        }
    }
}

/// Sums of the largest tile that asks for what is ahead: one that takes all registers has none to ask with.
pub(crate) const MOST_ASKING: usize = 26;

/// [`multiply_apart`], asking for what is `ahead` meanwhile.
///
/// # Safety
/// As there.
#[inline(always)]
pub(crate) unsafe fn multiply_asking<L: Lanes, const P: usize, const V: usize>(
    acc: &mut [[L; V]; P],
    first: *const f32,
    steps: &Steps,
    runs: &Runs,
    weights: *const f32,
    pitch: usize,
    ahead: &mut Ahead<'_>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let runs_of = |numbers: usize| runs.outer * runs.inner * numbers;
        if P * V > MOST_ASKING || ahead.is_empty() {
            ahead.without(runs_of(runs.len) * P * V);
            return multiply_apart(acc, first, steps, runs, weights, pitch, ());
        }
        let unrolled = 4 / V;
        let beside = ahead.during(runs_of(runs.len / unrolled * unrolled), P * V);
        multiply_apart(acc, first, steps, runs, weights, pitch, beside);
    }
}

/// The same for pixels of one vector of numbers, side by side, and one vector of weights for each, at two places at once: all
/// that is known when this is compiled makes so short a product a seventh shorter.
///
/// # Safety
/// `P` pixels of `N` numbers, and `N` vectors of weights, can be read at each of the places.
#[inline(always)]
pub(crate) unsafe fn multiply_vectors<L: Lanes, const P: usize>(
    acc: &mut [[[L; 1]; P]; 2],
    first: [*const f32; 2],
    weights: [*const f32; 2],
    ahead: &mut Ahead<'_>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match ahead.is_empty() {
            true => add_vectors(acc, first, weights, ()),
            false => add_vectors(acc, first, weights, ahead.during(L::N, 2 * P)),
        }
    }
}

/// # Safety
/// As [`multiply_vectors`].
#[inline(always)]
unsafe fn add_vectors<L: Lanes, const P: usize>(
    acc: &mut [[[L; 1]; P]; 2],
    first: [*const f32; 2],
    weights: [*const f32; 2],
    mut beside: impl Beside,
) {
    const { assert!(L::N <= 16) };
    // A loop over them would stay a loop.
    macro_rules! unrolled {
        ($($k:literal)*) => { $(
            if $k < L::N {
                for q in 0..2 {
                    // SAFETY: the caller's promise.
                    let w = unsafe { L::load(weights[q].add($k * L::N)) };
                    for (p, acc) in acc[q].iter_mut().enumerate() {
                        // SAFETY: the caller's promise.
                        let x = L::splat(unsafe { *first[q].add(p * L::N + $k) });
                        acc[0] = x.mul_add(w, acc[0]);
                    }
                }
                if $k % 4 == 3 {
                    (0..4).for_each(|_| beside.turn());
                }
            }
        )* };
    }
    unrolled!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
}

/// # Safety
/// As [`add_products`], for the number at `first` and those of the other pixels.
#[inline(always)]
unsafe fn add_apart<L: Lanes, const P: usize, const V: usize>(
    acc: &mut [[L; V]; P],
    first: *const f32,
    steps: &Steps,
    weights: *const f32,
) {
    let mut w = [L::splat(0.0); V];
    for (v, w) in w.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *w = unsafe { L::load(weights.add(v * L::N)) };
    }
    for (p, acc) in acc.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        let x = L::splat(unsafe { *steps.pixel(first, p) });
        for (w, acc) in w.iter().zip(acc) {
            *acc = x.mul_add(*w, *acc);
        }
    }
}

/// The products of a run of known length.
///
/// # Safety
/// As [`multiply`], for the run from `k` on.
#[inline(always)]
unsafe fn add_run<L: Lanes, const P: usize, const V: usize, const LEN: usize>(
    acc: &mut [[L; V]; P],
    pixels: &[*const f32; P],
    k: usize,
    weights: *const f32,
    pitch: usize,
) {
    for step in 0..LEN {
        // SAFETY: the caller's promise.
        unsafe { add_products::<L, P, V>(acc, pixels, k + step, weights.add(step * pitch)) };
    }
}

/// The products of one number of each pixel.
///
/// # Safety
/// Number `k` of every pixel, and `V * N` weights, can be read.
#[inline(always)]
unsafe fn add_products<L: Lanes, const P: usize, const V: usize>(
    acc: &mut [[L; V]; P],
    pixels: &[*const f32; P],
    k: usize,
    weights: *const f32,
) {
    let mut w = [L::splat(0.0); V];
    for (v, w) in w.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *w = unsafe { L::load(weights.add(v * L::N)) };
    }
    for (pixel, acc) in pixels.iter().zip(acc) {
        // SAFETY: the caller's promise.
        let x = L::splat(unsafe { *pixel.add(k) });
        for (w, acc) in w.iter().zip(acc) {
            *acc = x.mul_add(*w, *acc);
        }
    }
}

/// The numbers of a tile, `[pixel][vector][lane]`.
pub(crate) type Numbers = [f32; 14 * 2 * MOST_LANES];

/// Loads a tile from rows of `count` numbers that are `pitch` apart, zeros behind them.
///
/// # Safety
/// `P` such rows can be read.
#[inline(always)]
pub(crate) unsafe fn load_rows<L: Lanes, const P: usize, const V: usize>(
    tile: &mut [[L; V]; P],
    from: *const f32,
    pitch: usize,
    count: usize,
) {
    for p in 0..P {
        for v in 0..V {
            // SAFETY: the caller's promise.
            tile[p][v] = unsafe { L::load_first(from.add(p * pitch + v * L::N), lanes_of::<L>(count, v)) };
        }
    }
}

/// All sums of a tile, in memory: for epilogues that are too long to be unrolled. A loop over them needs the tile in memory,
/// where the sums would lie from the first product on; so it gets a copy.
#[inline(always)]
pub(crate) fn copy<L: Lanes, const P: usize, const V: usize>(tile: &[[L; V]; P], numbers: &mut Numbers) {
    const { assert!(P * V * L::N <= size_of::<Numbers>() / size_of::<f32>()) };
    for p in 0..P {
        for v in 0..V {
            // SAFETY: no tile has more numbers, as asserted.
            unsafe { tile[p][v].store(numbers.as_mut_ptr().add((p * V + v) * L::N)) };
        }
    }
}

/// Whether the lanes behind each pixel's channels fall into those of the next, which is written after it.
#[inline(always)]
pub(crate) fn are_side_by_side<L: Lanes, const P: usize, const V: usize>(to: &[*mut f32; P], channels: usize) -> bool {
    2 * channels >= V * L::N && (1..P).all(|p| to[p - 1].wrapping_add(channels) == to[p])
}

/// Stores the first `channels` numbers of every pixel.
///
/// # Safety
/// These numbers can be written.
#[inline(always)]
pub(crate) unsafe fn store<L: Lanes, const P: usize, const V: usize>(
    tile: &[[L; V]; P],
    to: &[*mut f32; P],
    channels: usize,
) {
    let side_by_side = are_side_by_side::<L, P, V>(to, channels);
    // SAFETY: the caller's promise.
    unsafe { store_at(tile, |p| to[p], channels, side_by_side) };
}

/// The same for pixels that are `steps` apart from `first` on.
///
/// # Safety
/// As there.
#[inline(always)]
pub(crate) unsafe fn store_apart<L: Lanes, const P: usize, const V: usize>(
    tile: &[[L; V]; P],
    first: *mut f32,
    steps: &Steps,
    channels: usize,
) {
    let side_by_side = 2 * channels >= V * L::N && steps.0[0] == channels * size_of::<f32>();
    // SAFETY: the caller's promise.
    unsafe { store_at(tile, |p| steps.pixel(first, p).cast_mut(), channels, side_by_side) };
}

/// [`store`] of pixels at these places, of which `side_by_side` says that the lanes behind each fall into the next.
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn store_at<L: Lanes, const P: usize, const V: usize>(
    tile: &[[L; V]; P],
    to: impl Fn(usize) -> *mut f32,
    channels: usize,
    side_by_side: bool,
) {
    if channels == V * L::N || side_by_side {
        for p in 0..P {
            for v in 0..V {
                // SAFETY: the caller's promise; behind a pixel that is not the last lie the numbers of the next.
                unsafe {
                    let to = to(p).add(v * L::N);
                    match channels == V * L::N || p + 1 < P {
                        true => tile[p][v].store(to),
                        false => tile[p][v].store_first(to, lanes_of::<L>(channels, v)),
                    }
                }
            }
        }
        return;
    }
    // Stores of a part are too long to be unrolled. A loop over them needs its tile in memory, where the sums would lie from
    // the first product on; so it gets a copy.
    let mut copy = [[L::splat(0.0); V]; P];
    for p in 0..P {
        for v in 0..V {
            copy[p][v] = tile[p][v];
        }
    }
    for (p, tile) in std::hint::black_box(&copy).iter().enumerate() {
        for (v, vector) in tile.iter().enumerate() {
            // SAFETY: as above.
            unsafe { vector.store_first(to(p).add(v * L::N), lanes_of::<L>(channels, v)) };
        }
    }
}

/// Calls `$function::<L, P, V>(arguments)` for run-time counts of pixels and vectors; the largest only where there are
/// registers for them, so that they are not compiled for nothing.
macro_rules! for_tile {
    ($pixels:expr, $vectors:expr, $function:ident::<$lanes:ident>($($argument:expr),*)) => {
        match ($pixels, $vectors) {
            (1, 1) => $function::<$lanes, 1, 1>($($argument),*),
            (2, 1) => $function::<$lanes, 2, 1>($($argument),*),
            (3, 1) => $function::<$lanes, 3, 1>($($argument),*),
            (4, 1) => $function::<$lanes, 4, 1>($($argument),*),
            (5, 1) => $function::<$lanes, 5, 1>($($argument),*),
            (6, 1) => $function::<$lanes, 6, 1>($($argument),*),
            (7, 1) => $function::<$lanes, 7, 1>($($argument),*),
            (8, 1) => $function::<$lanes, 8, 1>($($argument),*),
            (9, 1) => $function::<$lanes, 9, 1>($($argument),*),
            (10, 1) => $function::<$lanes, 10, 1>($($argument),*),
            (11, 1) => $function::<$lanes, 11, 1>($($argument),*),
            (12, 1) => $function::<$lanes, 12, 1>($($argument),*),
            (13, 1) if <$lanes>::N == 16 => $function::<$lanes, 13, 1>($($argument),*),
            (14, 1) if <$lanes>::N == 16 => $function::<$lanes, 14, 1>($($argument),*),
            (15, 1) if <$lanes>::N == 16 => $function::<$lanes, 15, 1>($($argument),*),
            (16, 1) if <$lanes>::N == 16 => $function::<$lanes, 16, 1>($($argument),*),
            (1, 2) => $function::<$lanes, 1, 2>($($argument),*),
            (2, 2) => $function::<$lanes, 2, 2>($($argument),*),
            (3, 2) => $function::<$lanes, 3, 2>($($argument),*),
            (4, 2) => $function::<$lanes, 4, 2>($($argument),*),
            (5, 2) => $function::<$lanes, 5, 2>($($argument),*),
            (6, 2) => $function::<$lanes, 6, 2>($($argument),*),
            (7, 2) if <$lanes>::N == 16 => $function::<$lanes, 7, 2>($($argument),*),
            (8, 2) if <$lanes>::N == 16 => $function::<$lanes, 8, 2>($($argument),*),
            (9, 2) if <$lanes>::N == 16 => $function::<$lanes, 9, 2>($($argument),*),
            (10, 2) if <$lanes>::N == 16 => $function::<$lanes, 10, 2>($($argument),*),
            (11, 2) if <$lanes>::N == 16 => $function::<$lanes, 11, 2>($($argument),*),
            (12, 2) if <$lanes>::N == 16 => $function::<$lanes, 12, 2>($($argument),*),
            (13, 2) if <$lanes>::N == 16 => $function::<$lanes, 13, 2>($($argument),*),
            (14, 2) if <$lanes>::N == 16 => $function::<$lanes, 14, 2>($($argument),*),
            other => unreachable!("no tile of {other:?}"),
        }
    };
}
pub(crate) use for_tile;
