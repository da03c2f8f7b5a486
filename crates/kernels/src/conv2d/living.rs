//! The gradients of a convolution behind which stand a relu and a max pool: only living gradients are multiplied.
//!
//! Of a pool's window one number a channel has a gradient, and it has none where relu gave zero, so that of the gradient
//! of a 2×2 pool's operand at most a quarter is not zero. Per image and output channel these numbers are listed with the
//! place of their window in the input; kernel and input gradient then run over the lists. Kernels and their gradients are
//! read and written in the canonical layout.

use super::Pooled;
use super::forward::lanes_of;
use crate::Isa;
use crate::channels::load;
use crate::copy::clear_border;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::pool::NO_WINNER;

/// A gradient that is not zero, and where in the image its window begins.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    window: u32,
    value: f32,
}

/// Memory for the lists of one image.
#[derive(Clone, Debug, Default)]
pub struct Living {
    /// `[channel][places of the pool]`
    entries: Vec<Entry>,
    counts: Vec<u32>,
}

/// What comes in: n images each.
#[derive(Clone, Copy, Debug)]
pub struct Signals<'a> {
    /// The convolution's input.
    pub x: &'a [f32],
    /// Which numbers the pool let through, as [`Pooled::forward`] writes it.
    pub winners: &'a [u8],
    /// The gradient of the pool's result.
    pub dy: &'a [f32],
}

/// Where the gradients go; those that are not asked for are none.
#[derive(Debug)]
pub struct Gradients<'a> {
    /// The kernel, and the gradient of x, which is overwritten; of the layout of x, with zeros as its border.
    pub input: Option<(&'a [f32], &'a mut [f32])>,
    /// Is added to; canonical.
    pub kernel: Option<&'a mut [f32]>,
    /// Is added to.
    pub bias: Option<&'a mut [f64]>,
}

impl Living {
    /// Lists for images of this geometry or smaller ones.
    pub fn reserve(&mut self, pooled: &Pooled) {
        let output = &pooled.pool.output;
        let places = output.height * output.width;
        self.entries.resize(self.entries.len().max(output.channels * places), Entry::default());
        self.counts.resize(self.counts.len().max(output.channels), 0);
    }

    fn of(&self, channel: usize, places: usize) -> &[Entry] {
        &self.entries[channel * places..][..self.counts[channel] as usize]
    }
}

impl Pooled {
    /// Whether its gradients can be listed: rows of the kernel are in one piece.
    pub fn has_living_gradients(&self) -> bool {
        let conv = &self.product.conv;
        conv.groups == 1 && conv.window.dilation[1] == 1
    }

    /// Numbers of a row of the kernel.
    fn row(&self) -> usize {
        self.product.conv.window.kernel[1] * self.product.conv.input.channels
    }
}

/// Computes the gradients asked for, image by image.
///
/// # Panics
/// If a slice is too short for `n` images, `living` has not enough room, or the geometry does not suit.
pub fn living_gradients(
    isa: Isa,
    pooled: &Pooled,
    n: usize,
    signals: Signals<'_>,
    living: &mut Living,
    mut gradients: Gradients<'_>,
) {
    let (conv, pool) = (&pooled.product.conv, &pooled.pool);
    assert!(pooled.has_living_gradients() && Pooled::suits(&pool.window));
    conv.check(n, signals.x.len(), conv.output.len(n));
    assert!(pool.input == conv.output && pool.output.channels == conv.output.channels);
    assert!(signals.winners.len() >= n * pooled.winners_pitch() && signals.dy.len() >= pool.output.len(n));
    let [down, right] = [0, 1].map(|axis| {
        let places = [pool.output.height, pool.output.width][axis];
        places.saturating_sub(1) * pool.window.stride[axis] + pool.window.kernel[axis]
    });
    assert!(down <= conv.output.height && right <= conv.output.width, "the pool's windows lie inside");
    let places = pool.output.height * pool.output.width;
    assert!(living.entries.len() >= places * conv.output.channels && living.counts.len() >= conv.output.channels);
    assert!(signals.x.len() <= u32::MAX as usize);
    assert!(gradients.bias.as_ref().is_none_or(|bias| bias.len() == conv.output.channels));
    if let Some((kernel, dx)) = &mut gradients.input {
        assert!(kernel.len() == conv.kernel_len() && dx.len() >= conv.input.len(n));
        conv.check(n, dx.len(), conv.output.len(n));
        for row in conv.input.rows(n) {
            dx[row].fill(0.0);
        }
    }
    assert!(gradients.kernel.as_ref().is_none_or(|kernel| kernel.len() == conv.kernel_len()));
    for image in 0..n {
        let bias = gradients.bias.as_deref_mut();
        isa.run(List { pooled, image, signals, living: &mut *living, bias });
        if let Some(kernel) = &mut gradients.kernel {
            isa.run(KernelGradient { pooled, x: signals.x, living: &*living, kernel });
        }
        if let Some((kernel, dx)) = &mut gradients.input {
            isa.run(InputGradient { pooled, kernel, living: &*living, dx });
        }
    }
    if let Some((_, dx)) = &mut gradients.input {
        // Windows that reach into the padding have left something there.
        clear_border(&conv.input, n, dx);
    }
}

/// Lists the living gradients of an image, and adds them to the bias' gradient.
struct List<'a> {
    pooled: &'a Pooled,
    image: usize,
    signals: Signals<'a>,
    living: &'a mut Living,
    bias: Option<&'a mut [f64]>,
}

/// Channels that are listed at once, and places of the pool.
const BLOCK: usize = 16;

/// What is alive of some channels at some places: values that are zero are not.
struct Block {
    windows: [[u32; BLOCK]; BLOCK],
    values: [[f32; BLOCK]; BLOCK],
}

impl Kernel for List<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let pool = &self.pooled.pool;
        let (channels, places) = (pool.output.channels, pool.output.height * pool.output.width);
        let mut block = Block { windows: [[0; BLOCK]; BLOCK], values: [[0.0; BLOCK]; BLOCK] };
        for channel in (0..channels).step_by(BLOCK) {
            let len = BLOCK.min(channels - channel);
            let (mut counts, mut sums) = ([0usize; BLOCK], [0.0f32; BLOCK]);
            for row in 0..pool.output.height {
                for column in (0..pool.output.width).step_by(BLOCK) {
                    let n = BLOCK.min(pool.output.width - column);
                    for place in 0..n {
                        // SAFETY: row and column are below the pool's, `living_gradients` has asserted the lengths, and
                        // `len` channels are left.
                        unsafe { self.find::<L>(channel, len, [row, column + place], place, &mut block) };
                        for c in 0..BLOCK {
                            sums[c] += block.values[place][c];
                        }
                    }
                    let lists = self.living.entries[channel * places..][..len * places].chunks_exact_mut(places);
                    for (c, list) in lists.enumerate() {
                        let mut count = counts[c];
                        for place in 0..n {
                            let (window, value) = (block.windows[place][c], block.values[place][c]);
                            // SAFETY: at most one entry a place has been counted before this one, of which the list has
                            // `places`.
                            unsafe { *list.get_unchecked_mut(count) = Entry { window, value } };
                            count += usize::from(value != 0.0);
                        }
                        counts[c] = count;
                    }
                }
            }
            for c in 0..len {
                self.living.counts[channel + c] = counts[c] as u32;
                if let Some(bias) = &mut self.bias {
                    bias[channel + c] += f64::from(sums[c]);
                }
            }
        }
    }
}

impl List<'_> {
    /// For `len` channels at a place of the pool, `[row, column]`, the window of what it let through and its gradient.
    ///
    /// # Safety
    /// The place is one of the pool's, whose result and winners hold `len` channels from `channel` on.
    #[inline(always)]
    unsafe fn find<L: Lanes>(
        &self,
        channel: usize,
        len: usize,
        [row, column]: [usize; 2],
        place: usize,
        block: &mut Block,
    ) {
        let (conv, pool) = (&self.pooled.product.conv, &self.pooled.pool);
        let [down, right] = [conv.window.stride[0] * conv.input.row_pitch, conv.window.stride[1] * conv.input.channels];
        let [above, before, ..] = conv.window.padding;
        let start = conv.input.origin - above * conv.input.row_pitch - before * conv.input.channels;
        let first = start
            + self.image * conv.input.image_pitch
            + row * pool.window.stride[0] * down
            + column * pool.window.stride[1] * right;
        let gradient = pool.output.at(self.image, row, column) + channel;
        let winner = self.image * self.pooled.winners_pitch()
            + (row * pool.output.width + column) * pool.output.channels
            + channel;
        for lane in (0..len).step_by(L::N) {
            let count = L::N.min(len - lane);
            // SAFETY: the caller's promise; a row of the block has as many numbers as all vectors of a block.
            unsafe {
                let winners: L = bytes(self.signals.winners.as_ptr().add(winner + lane), count);
                // The bits of places; they are chosen and stored, never computed with.
                let mut windows = L::splat(f32::from_bits(first as u32));
                for tap in 1..pool.window.kernel[0] * pool.window.kernel[1] {
                    let (i, j) = (tap / pool.window.kernel[1], tap % pool.window.kernel[1]);
                    let window = L::splat(f32::from_bits((first + i * down + j * right) as u32));
                    windows = L::select(winners.greater(L::splat(tap as f32 - 0.5)), window, windows);
                }
                let dy = load::<L>(self.signals.dy.as_ptr().add(gradient + lane), count);
                let is_alive = L::splat(f32::from(NO_WINNER)).greater(winners);
                L::select(is_alive, dy, L::splat(0.0)).store(block.values[place].as_mut_ptr().add(lane));
                windows.store(block.windows[place].as_mut_ptr().add(lane).cast());
            }
        }
    }
}

/// The first `count` bytes as numbers, zeros behind them.
///
/// # Safety
/// `count <= N` bytes can be read.
#[inline(always)]
unsafe fn bytes<L: Lanes>(from: *const u8, count: usize) -> L {
    // SAFETY: the caller's promise; the copy has as many bytes as the longest vector.
    unsafe {
        if count == L::N {
            return L::load_bytes(from);
        }
        let mut copy = [0; 16];
        std::ptr::copy_nonoverlapping(from, copy.as_mut_ptr(), count);
        L::load_bytes(copy.as_ptr())
    }
}

/// `dkernel[o, i, ..] += value * x[window + row i, ..]` for all entries of o.
struct KernelGradient<'a> {
    pooled: &'a Pooled,
    x: &'a [f32],
    living: &'a Living,
    kernel: &'a mut [f32],
}

/// `dx[window + row i, ..] += value * kernel[o, i, ..]` for all entries of o.
struct InputGradient<'a> {
    pooled: &'a Pooled,
    kernel: &'a [f32],
    living: &'a Living,
    dx: &'a mut [f32],
}

/// A tile of the kernel: some of its rows, some vectors of each.
struct Tile<'a> {
    entries: &'a [Entry],
    /// Of x or dx, at the tile's first number of a window that begins at 0.
    step: usize,
    /// Of the kernel: numbers from a row to the next.
    pitch: usize,
    /// Numbers of the row that belong to the tile.
    len: usize,
}

/// Calls a tile function for all tiles of a kernel: `$call!(rows, vectors, first row, first number, length)`.
macro_rules! for_tiles {
    ($lanes:ident, $pooled:expr, $function:ident, |$row:ident, $first:ident, $len:ident| ($($argument:expr),*)) => {{
        let (rows, numbers) = ($pooled.product.conv.window.kernel[0], $pooled.row());
        // Three rows of six vectors fill the registers of AVX-512; where there are half as many, three rows of three, or
        // one row of twelve.
        let (at_once, most) = match (rows, $lanes::N) {
            (3, 16) => (3, 6),
            (3, lanes) if numbers <= 3 * lanes => (3, 3),
            _ => (1, 12),
        };
        for $row in (0..rows).step_by(at_once) {
            for $first in (0..numbers).step_by(most * $lanes::N) {
                let $len = (numbers - $first).min(most * $lanes::N);
                match (at_once, $len.div_ceil($lanes::N)) {
                    (3, 1) => $function::<$lanes, 3, 1>($($argument),*),
                    (3, 2) => $function::<$lanes, 3, 2>($($argument),*),
                    (3, 3) => $function::<$lanes, 3, 3>($($argument),*),
                    (3, 4) => $function::<$lanes, 3, 4>($($argument),*),
                    (3, 5) => $function::<$lanes, 3, 5>($($argument),*),
                    (3, _) => $function::<$lanes, 3, 6>($($argument),*),
                    (_, 1) => $function::<$lanes, 1, 1>($($argument),*),
                    (_, 2) => $function::<$lanes, 1, 2>($($argument),*),
                    (_, 3) => $function::<$lanes, 1, 3>($($argument),*),
                    (_, 4) => $function::<$lanes, 1, 4>($($argument),*),
                    (_, 5) => $function::<$lanes, 1, 5>($($argument),*),
                    (_, 6) => $function::<$lanes, 1, 6>($($argument),*),
                    (_, 7) => $function::<$lanes, 1, 7>($($argument),*),
                    (_, 8) => $function::<$lanes, 1, 8>($($argument),*),
                    (_, 9) => $function::<$lanes, 1, 9>($($argument),*),
                    (_, 10) => $function::<$lanes, 1, 10>($($argument),*),
                    (_, 11) => $function::<$lanes, 1, 11>($($argument),*),
                    (_, _) => $function::<$lanes, 1, 12>($($argument),*),
                }
            }
        }
    }};
}

impl Kernel for KernelGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (conv, pool) = (&self.pooled.product.conv, &self.pooled.pool);
        let (rows, pitch) = (conv.kernel_rows(), self.pooled.row());
        let step = conv.window.dilation[0] * conv.input.row_pitch;
        for channel in 0..conv.output.channels {
            let entries = self.living.of(channel, pool.output.height * pool.output.width);
            let kernel = &mut self.kernel[channel * rows..][..rows];
            // SAFETY: entries hold windows of output pixels, whose rows `check` found inside `x`; the kernel has `rows`
            // numbers, rows of `pitch`.
            unsafe {
                for_tiles!(L, self.pooled, add_to_kernel, |row, first, len| (
                    &Tile { entries, step, pitch, len },
                    self.x.as_ptr().add(row * step + first),
                    kernel.as_mut_ptr().add(row * pitch + first)
                ));
            }
        }
    }
}

/// # Safety
/// From the window of every entry on, `R` rows of `len` numbers, `step` apart, can be read at `x`; `R` rows of `len`
/// numbers, `pitch` apart, can be written at `kernel`.
#[inline(always)]
unsafe fn add_to_kernel<L: Lanes, const R: usize, const V: usize>(tile: &Tile<'_>, x: *const f32, kernel: *mut f32) {
    // The last vector reaches back over numbers of the one before, since masked loads are slow; alone it is masked.
    let is_masked = tile.len < L::N;
    let last = if is_masked { 0 } else { tile.len - L::N };
    let mut sums = [[L::splat(0.0); V]; R];
    for entry in tile.entries {
        let value = L::splat(entry.value);
        for (row, sums) in sums.iter_mut().enumerate() {
            for (v, sum) in sums.iter_mut().enumerate() {
                // SAFETY: the caller's promise.
                let x = unsafe {
                    let from = x.add(entry.window as usize + row * tile.step);
                    match (v + 1 < V, V == 1 && is_masked) {
                        (true, _) => L::load(from.add(v * L::N)),
                        (false, false) => L::load(from.add(last)),
                        (false, true) => L::load_first(from, tile.len),
                    }
                };
                *sum = value.mul_add(x, *sum);
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        let mut numbers = [[0.0f32; 16]; V];
        for (v, sum) in sums.iter().enumerate() {
            // SAFETY: 16 numbers are the longest vector.
            unsafe { sum.store(numbers[v].as_mut_ptr()) };
        }
        for at in 0..tile.len {
            let v = at / L::N;
            let lane = if v + 1 < V { at % L::N } else { at - last };
            // SAFETY: the caller's promise.
            unsafe { *kernel.add(row * tile.pitch + at) += numbers[v][lane] };
        }
    }
}

impl Kernel for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (conv, pool) = (&self.pooled.product.conv, &self.pooled.pool);
        let (rows, pitch) = (conv.kernel_rows(), self.pooled.row());
        let step = conv.window.dilation[0] * conv.input.row_pitch;
        for channel in 0..conv.output.channels {
            let entries = self.living.of(channel, pool.output.height * pool.output.width);
            let kernel = &self.kernel[channel * rows..][..rows];
            // SAFETY: entries hold windows of output pixels, whose rows `check` found inside `dx`; the kernel has `rows`
            // numbers, rows of `pitch`.
            unsafe {
                for_tiles!(L, self.pooled, add_to_input, |row, first, len| (
                    &Tile { entries, step, pitch, len },
                    kernel.as_ptr().add(row * pitch + first),
                    self.dx.as_mut_ptr().add(row * step + first)
                ));
            }
        }
    }
}

/// # Safety
/// `R` rows of `len` numbers, `pitch` apart, can be read at `kernel`; from the window of every entry on, `R` rows of `len`
/// numbers, `step` apart, can be read and written at `dx`.
#[inline(always)]
unsafe fn add_to_input<L: Lanes, const R: usize, const V: usize>(tile: &Tile<'_>, kernel: *const f32, dx: *mut f32) {
    let last = lanes_of::<L>(tile.len, V - 1);
    let mut weights = [[L::splat(0.0); V]; R];
    for (row, weights) in weights.iter_mut().enumerate() {
        for (v, weight) in weights.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *weight = unsafe { L::load_first(kernel.add(row * tile.pitch + v * L::N), lanes_of::<L>(tile.len, v)) };
        }
    }
    for entry in tile.entries {
        let value = L::splat(entry.value);
        for (row, weights) in weights.iter().enumerate() {
            for (v, weight) in weights.iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe {
                    let to = dx.add(entry.window as usize + row * tile.step + v * L::N);
                    // A masked store is not forwarded to the next entry's load.
                    match v + 1 < V || last == L::N {
                        true => value.mul_add(*weight, L::load(to)).store(to),
                        false => value.mul_add(*weight, L::load_first(to, last)).store_first(to, last),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
