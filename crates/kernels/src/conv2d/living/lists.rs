//! Making the lists: for every channel the gradients that a pool lets through and that are not zero.

use super::{Living, Signals};
use crate::channels::load;
use crate::conv2d::Pooled;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::pool::NO_WINNER;

/// Lists the living gradients of an image, and adds them to the bias' gradient.
pub(super) struct MakeLists<'a> {
    pub pooled: &'a Pooled,
    pub image: usize,
    pub signals: Signals<'a>,
    pub living: &'a mut Living,
    pub bias: Option<&'a mut [f64]>,
}

/// Channels that are listed at once, and places of the pool: the most numbers of a vector.
pub(super) const BLOCK: usize = 16;

/// What is alive of some channels at some places: values that are zero are not. `[place][channel]`, or turned.
struct Block {
    /// The bits of places; they are chosen, turned and stored, never computed with.
    windows: [[f32; BLOCK]; BLOCK],
    values: [[f32; BLOCK]; BLOCK],
}

impl Kernel for MakeLists<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let (output, pitch) = (self.pooled.pool.output, self.pooled.list_pitch());
        let (channels, band_rows) = (output.channels.next_multiple_of(BLOCK), self.pooled.band_rows());
        let empty = [[0.0; BLOCK]; BLOCK];
        let (mut block, mut turned) =
            (Block { windows: empty, values: empty }, Block { windows: empty, values: empty });
        let taps = PoolTaps::new(self.pooled);
        for channel in (0..output.channels).step_by(L::N) {
            let len = L::N.min(output.channels - channel);
            let (mut counts, mut sums) = ([0usize; BLOCK], L::splat(0.0));
            for row in 0..output.height {
                for column in (0..output.width).step_by(L::N) {
                    let n = L::N.min(output.width - column);
                    // SAFETY: row and column are below the pool's, `living_gradients` has asserted the lengths, and `len`
                    // channels are left; at most one entry a place has been kept before, of which each list has as many
                    // and a vector more.
                    unsafe {
                        let mut from = self.place(channel, row, column);
                        for place in 0..L::N {
                            let found = match place < n {
                                true => find::<L>(&from, &taps, len),
                                false => [L::splat(0.0); 2],
                            };
                            found[0].store(block.windows[place].as_mut_ptr());
                            found[1].store(block.values[place].as_mut_ptr());
                            sums = sums.add(found[1]);
                            from.advance(output.channels, taps.step);
                        }
                        L::transpose(block.windows.as_ptr().cast(), BLOCK, turned.windows.as_mut_ptr().cast(), BLOCK);
                        L::transpose(block.values.as_ptr().cast(), BLOCK, turned.values.as_mut_ptr().cast(), BLOCK);
                        let lists = channel * pitch;
                        let windows = self.living.windows.as_mut_ptr().add(lists);
                        let values = self.living.values.as_mut_ptr().add(lists);
                        for (c, count) in counts.iter_mut().enumerate().take(len) {
                            let found = L::load(turned.values[c].as_ptr());
                            let (at, alive) = (c * pitch + *count, found.is_not_zero());
                            L::load(turned.windows[c].as_ptr()).store_selected(alive, windows.add(at).cast());
                            *count += found.store_selected(alive, values.add(at));
                        }
                    }
                }
                // The last row of a band leaves the counts, and so does every row before it, which is overwritten.
                let ends = &mut self.living.ends[row / band_rows * channels + channel..][..len];
                ends.iter_mut().zip(counts).for_each(|(end, count)| *end = count as u32);
            }
            if let Some(bias) = &mut self.bias {
                let mut numbers = [0.0; BLOCK];
                // SAFETY: a block is as long as the longest vector.
                unsafe { sums.store(numbers.as_mut_ptr()) };
                bias[channel..][..len].iter_mut().zip(numbers).for_each(|(bias, sum)| *bias += f64::from(sum));
            }
        }
    }
}

/// Where the numbers of a pool's window lie in the convolution's input, from the first number of the first on.
struct PoolTaps {
    /// Of each tap.
    offsets: [u32; NO_WINNER as usize],
    count: usize,
    /// From a window to the next.
    step: usize,
}

impl PoolTaps {
    fn new(pooled: &Pooled) -> PoolTaps {
        let (conv, window) = (&pooled.product.conv, &pooled.pool.window);
        let [down, right] = [conv.window.stride[0] * conv.input.row_pitch, conv.window.stride[1] * conv.input.channels];
        let mut offsets = [0; NO_WINNER as usize];
        for (tap, offset) in offsets.iter_mut().enumerate().take(window.kernel[0] * window.kernel[1]) {
            *offset = (tap / window.kernel[1] * down + tap % window.kernel[1] * right) as u32;
        }
        PoolTaps { offsets, count: window.kernel[0] * window.kernel[1], step: window.stride[1] * right }
    }
}

/// Some channels of a place of the pool: where its window begins in the convolution's input, its winners and gradients.
struct Place {
    first: usize,
    winners: *const u8,
    dy: *const f32,
}

impl Place {
    /// The next of the row.
    #[inline(always)]
    fn advance(&mut self, channels: usize, step: usize) {
        self.first += step;
        self.winners = self.winners.wrapping_add(channels);
        self.dy = self.dy.wrapping_add(channels);
    }
}

impl MakeLists<'_> {
    /// The channels from `channel` on of a place.
    fn place(&self, channel: usize, row: usize, column: usize) -> Place {
        let (conv, pool) = (&self.pooled.product.conv, &self.pooled.pool);
        let [above, before, ..] = conv.window.padding;
        let start = conv.input.origin - above * conv.input.row_pitch - before * conv.input.channels;
        let (y, x) = (row * pool.window.stride[0], column * pool.window.stride[1]);
        let first = start
            + self.image * conv.input.image_pitch
            + y * conv.window.stride[0] * conv.input.row_pitch
            + x * conv.window.stride[1] * conv.input.channels;
        let winner = self.image * self.pooled.winners_pitch()
            + (row * pool.output.width + column) * pool.output.channels
            + channel;
        let gradient = pool.output.at(self.image, row, column) + channel;
        Place { first, winners: self.signals.winners[winner..].as_ptr(), dy: self.signals.dy[gradient..].as_ptr() }
    }
}

/// For `len` channels, at most a vector: where the window of what the pool let through begins (bits), and its gradient.
///
/// # Safety
/// `len` winners and gradients can be read.
#[inline(always)]
unsafe fn find<L: Lanes>(place: &Place, taps: &PoolTaps, len: usize) -> [L; 2] {
    // SAFETY: the caller's promise.
    let (winners, dy): (L, L) = unsafe { (bytes(place.winners, len), load(place.dy, len)) };
    let windows = match taps.count {
        // The usual window, without loops.
        4 => windows_of(winners, place.first, &taps.offsets[..4]),
        count => windows_of(winners, place.first, &taps.offsets[..count]),
    };
    let is_alive = L::splat(f32::from(NO_WINNER)).greater(winners);
    [windows, L::select(is_alive, dy, L::splat(0.0))]
}

/// The places of the winning taps, as bits.
#[inline(always)]
fn windows_of<L: Lanes>(winners: L, first: usize, offsets: &[u32]) -> L {
    let mut windows = L::splat(f32::from_bits(first as u32));
    for (tap, offset) in offsets.iter().enumerate().skip(1) {
        let window = L::splat(f32::from_bits(first as u32 + offset));
        windows = L::select(winners.greater(L::splat(tap as f32 - 0.5)), window, windows);
    }
    windows
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
