//! Making the lists: every gradient that a pool lets through and that is not zero stands in that of its channel and in that
//! of its place. Those of channels are filled by vectors of places; those of places are a bit for each channel of a block,
//! since gradients of a place lie side by side already.

use std::ops::Range;

use super::{CHANNELS, Living, Signals};
use crate::bits::Places;
use crate::channels::load;
use crate::conv2d::Pooled;
use crate::isa::Kernel;
use crate::lanes::{Lanes, MOST_LANES};

/// Numbers that may be written behind those that are kept: a vector's.
const SLACK: usize = MOST_LANES;

/// Lists of entries: where the numbers begin that each is multiplied with, and its gradient.
pub(super) trait Lists {
    /// The entries of a list.
    fn list(&self, list: usize) -> impl Iterator<Item = (usize, f32)>;

    fn is_empty(&self, list: usize) -> bool;

    /// Where the numbers begin that a list's products are added to.
    fn to(&self, list: usize) -> usize;
}

/// Lists of channels.
#[derive(Clone, Debug, Default)]
pub(super) struct ByChannel {
    /// `[list][pitch]`: where the numbers begin that an entry is multiplied with.
    from: Vec<u32>,
    /// Its gradient.
    values: Vec<f32>,
    pitch: usize,
    /// Where each list ends.
    ends: Vec<u32>,
    pub to: Vec<u32>,
}

impl ByChannel {
    /// Memory for `count` lists of `most` entries.
    pub fn reserve(&mut self, count: usize, most: usize) {
        let len = self.values.len().max(count * (most + SLACK));
        self.from.resize(len, 0);
        self.values.resize(len, 0.0);
        self.ends.resize(self.ends.len().max(count), 0);
        self.to.resize(self.to.len().max(count), 0);
    }

    /// Makes them `count` empty lists of `most` entries.
    ///
    /// # Panics
    /// If less has been reserved.
    fn clear(&mut self, count: usize, most: usize) {
        self.pitch = most + SLACK;
        assert!(
            count * self.pitch <= self.values.len() && count <= self.to.len() && self.values.len() <= u32::MAX as usize
        );
        self.ends[..count].iter_mut().enumerate().for_each(|(list, end)| *end = (list * self.pitch) as u32);
    }

    /// Appends the lanes whose value is not zero; `from` are bits.
    ///
    /// # Safety
    /// There is such a list, which has room for them.
    #[inline(always)]
    unsafe fn append<L: Lanes>(&mut self, list: usize, from: L, values: L) {
        let is_alive = values.is_not_zero();
        // SAFETY: the caller's promise; behind what a list has room for there is a vector more.
        unsafe {
            let end = self.ends.get_unchecked_mut(list);
            from.store_selected(is_alive, self.from.as_mut_ptr().add(*end as usize).cast());
            *end += values.store_selected(is_alive, self.values.as_mut_ptr().add(*end as usize)) as u32;
        }
    }
}

impl Lists for ByChannel {
    #[inline(always)]
    fn list(&self, list: usize) -> impl Iterator<Item = (usize, f32)> {
        let entries = list * self.pitch..self.ends[list] as usize;
        let values = self.values[entries.clone()].iter();
        self.from[entries].iter().zip(values).map(|(from, value)| (*from as usize, *value))
    }

    #[inline(always)]
    fn is_empty(&self, list: usize) -> bool {
        self.ends[list] as usize == list * self.pitch
    }

    #[inline(always)]
    fn to(&self, list: usize) -> usize {
        self.to[list] as usize
    }
}

/// Lists of places of the pool, one for each tap of its window.
#[derive(Clone, Debug, Default)]
pub(super) struct ByPlace {
    /// A bit for each channel of a block, by place and tap.
    alive: Vec<u64>,
    /// Where the gradients of a list's place begin, counted from the first of dy.
    from: Vec<usize>,
    pub to: Vec<u32>,
}

impl ByPlace {
    /// Memory for so many lists.
    pub fn reserve(&mut self, count: usize) {
        let count = self.to.len().max(count);
        self.alive.resize(count, 0);
        self.from.resize(count, 0);
        self.to.resize(count, 0);
    }
}

/// Those of a block, as products read them.
pub(super) struct Placed<'a> {
    pub lists: &'a ByPlace,
    pub dy: &'a [f32],
    /// Numbers of a channel's kernel.
    pub kernel_len: usize,
}

impl Lists for Placed<'_> {
    #[inline(always)]
    fn list(&self, list: usize) -> impl Iterator<Item = (usize, f32)> {
        let (dy, kernel_len) = (&self.dy[self.lists.from[list]..], self.kernel_len);
        Places(self.lists.alive[list]).map(move |channel| (channel * kernel_len, dy[channel]))
    }

    #[inline(always)]
    fn is_empty(&self, list: usize) -> bool {
        self.lists.alive[list] == 0
    }

    #[inline(always)]
    fn to(&self, list: usize) -> usize {
        self.lists.to[list] as usize
    }
}

/// Gradients of a vector of places, before they are turned: `[place][channel]`, zero where none is alive.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Where the windows of taps begin, as bits.
    from: Vec<f32>,
    values: Vec<f32>,
}

impl Default for Found {
    fn default() -> Found {
        let none = vec![0.0; MOST_LANES * CHANNELS];
        Found { from: none.clone(), values: none }
    }
}

/// Lists the living gradients of some channels in some rows of the pool of an image, and adds them to the bias' gradient.
pub(super) struct MakeLists<'a> {
    pub pooled: &'a Pooled,
    pub image: usize,
    pub rows: Range<usize>,
    /// [`CHANNELS`] at most.
    pub channels: Range<usize>,
    pub signals: Signals<'a>,
    pub living: &'a mut Living,
    /// Whether lists of channels and lists of places are asked for.
    pub wanted: [bool; 2],
    /// Of these channels.
    pub bias: Option<&'a mut [f64]>,
}

impl Kernel for MakeLists<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        assert!(self.channels.len() <= CHANNELS && self.channels.end <= self.pooled.pool.output.channels);
        let places = self.rows.len() * self.pooled.pool.output.width;
        self.living.by_channel.clear(CHANNELS, self.pooled.band_places());
        self.living.by_place.alive[..places * self.pooled.tap_count()].fill(0);
        let mut sums = [0.0; CHANNELS];
        for first in (0..places).step_by(L::N) {
            let count = L::N.min(places - first);
            // SAFETY: places are those of the rows, and `living_gradients` has asserted the lengths.
            unsafe {
                for place in 0..count {
                    self.find::<L>(first + place, place, &mut sums);
                }
                if self.wanted[0] {
                    self.turn::<L>(count);
                }
            }
        }
        if let Some(bias) = self.bias {
            bias.iter_mut().zip(sums).for_each(|(bias, sum)| *bias += f64::from(sum));
        }
    }
}

impl MakeLists<'_> {
    /// Finds the living gradients of a place, counted from the rows' first, lists them by place, leaves them in a row of what is
    /// to be turned, and adds them to the sums of channels.
    ///
    /// # Safety
    /// The place is one of the rows', whose winners and gradients can be read; there are as many rows as lanes.
    #[inline(always)]
    unsafe fn find<L: Lanes>(&mut self, place: usize, row: usize, sums: &mut [f32; CHANNELS]) {
        let (output, taps) = (self.pooled.pool.output, self.pooled.tap_count());
        let Living { found, by_place, .. } = &mut *self.living;
        let (down, right) = (self.rows.start + place / output.width, place % output.width);
        let winners = self.image * self.pooled.winners_pitch() + (down * output.width + right) * output.channels;
        let dy = output.at(self.image, down, right) + self.channels.start;
        by_place.from[place * taps..][..taps].fill(dy);
        let (winners, dy) = (&self.signals.winners[winners + self.channels.start..], &self.signals.dy[dy..]);
        for channel in (0..self.channels.len()).step_by(L::N) {
            let count = L::N.min(self.channels.len() - channel);
            // SAFETY: the caller's promise; channels of a block are whole vectors in what is found.
            unsafe {
                let [tap, value] = alive::<L>(winners.as_ptr().add(channel), dy.as_ptr().add(channel), count, taps);
                let sum = sums.as_mut_ptr().add(channel);
                L::load(sum).add(value).store(sum);
                if self.wanted[0] {
                    let windows = &by_place.to[place * taps..][..taps];
                    windows_of(windows, tap).store(found.from.as_mut_ptr().add(row * CHANNELS + channel));
                    value.store(found.values.as_mut_ptr().add(row * CHANNELS + channel));
                }
                if self.wanted[1] {
                    let mut rest = L::bits(value.is_not_zero());
                    for (one, alive) in by_place.alive[place * taps..][..taps].iter_mut().enumerate() {
                        // Earlier taps have taken theirs.
                        let here = L::bits(L::splat(one as f32 + 0.5).greater(tap)) & rest;
                        *alive |= u64::from(here) << channel;
                        rest &= !here;
                    }
                }
            }
        }
    }

    /// Lists what has been found at so many places by channel.
    ///
    /// # Safety
    /// No list of a channel has got these places yet.
    #[inline(always)]
    unsafe fn turn<L: Lanes>(&mut self, count: usize) {
        let Living { found, by_channel, .. } = &mut *self.living;
        found.values[count * CHANNELS..L::N * CHANNELS].fill(0.0);
        let mut from = [0.0; MOST_LANES * MOST_LANES];
        let mut values = from;
        for channel in (0..self.channels.len()).step_by(L::N) {
            // SAFETY: the squares lie within what is found and hold a vector for each lane; a list of a channel has an entry a
            // place at most.
            unsafe {
                L::transpose(found.from.as_ptr().add(channel), CHANNELS, from.as_mut_ptr(), L::N);
                L::transpose(found.values.as_ptr().add(channel), CHANNELS, values.as_mut_ptr(), L::N);
                for lane in 0..L::N.min(self.channels.len() - channel) {
                    let (from, values) = (from.as_ptr().add(lane * L::N), values.as_ptr().add(lane * L::N));
                    by_channel.append(channel + lane, L::load(from), L::load(values));
                }
            }
        }
    }
}

/// Where the windows of these taps begin, as bits; anything where none has won.
#[inline(always)]
fn windows_of<L: Lanes>(windows: &[u32], taps: L) -> L {
    // SAFETY: four numbers can be read of four windows; the copies have as many as the longest vector.
    unsafe {
        if windows.len() == 4 {
            return L::load_four(windows.as_ptr().cast()).pick(taps.to_bits());
        }
        let mut copy = [0.0; MOST_LANES];
        taps.store(copy.as_mut_ptr());
        let window = |tap: f32| f32::from_bits(windows.get(tap as usize).copied().unwrap_or_default());
        L::load(copy.map(window).as_ptr())
    }
}

/// Of some channels at a place of the pool which tap of its window won, and the gradient, zero where none of the `taps` did.
///
/// # Safety
/// `count <= N` winners and gradients can be read.
#[inline(always)]
pub(super) unsafe fn alive<L: Lanes>(winners: *const u8, dy: *const f32, count: usize, taps: usize) -> [L; 2] {
    // SAFETY: the caller's promise.
    let (tap, dy): (L, L) = unsafe { (bytes(winners, count), load(dy, count)) };
    [tap, L::select(L::splat(taps as f32).greater(tap), dy, L::splat(0.0))]
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
