//! Making the lists: every gradient that a pool lets through and that is not zero stands in that of its channel and in that
//! of its place.

use std::ops::Range;

use super::{CHANNELS, Living, Signals};
use crate::channels::load;
use crate::conv2d::Pooled;
use crate::isa::Kernel;
use crate::lanes::Lanes;

/// Columns of the pool whose gradients are found before they are put into lists.
const COLUMNS: usize = 16;

/// Numbers that may be written behind those that are kept: a vector's.
const SLACK: usize = 16;

/// A gradient, and where the numbers begin that it is multiplied with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    pub from: u32,
    pub value: f32,
}

/// Lists whose products go to as many places.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists {
    /// `[list][pitch]`
    pub entries: Vec<Entry>,
    pub pitch: usize,
    /// Where in `entries` each list ends.
    pub ends: Vec<u32>,
    /// Where the numbers begin that a list's products are added to.
    pub to: Vec<u32>,
}

impl Lists {
    /// Memory for `count` lists of `pitch` entries at most.
    pub fn reserve(&mut self, count: usize, pitch: usize) {
        self.entries.resize(self.entries.len().max(count * pitch), Entry::default());
        self.ends.resize(self.ends.len().max(count), 0);
        self.to.resize(self.to.len().max(count), 0);
    }

    /// Makes them `count` empty lists of `pitch` entries at most.
    ///
    /// # Panics
    /// If less has been reserved.
    fn clear(&mut self, count: usize, pitch: usize) {
        assert!(count * pitch <= self.entries.len() && count <= self.to.len());
        self.pitch = pitch;
        self.ends[..count].iter_mut().enumerate().for_each(|(list, end)| *end = (list * pitch) as u32);
    }

    /// The entries of a list.
    #[inline(always)]
    pub fn list(&self, list: usize) -> &[Entry] {
        &self.entries[list * self.pitch..self.ends[list] as usize]
    }

    /// # Safety
    /// `lists` are numbers of lists that have room, and `from` are numbers of places.
    #[inline(always)]
    unsafe fn append(&mut self, lists: &[u32], from: &[u32], places: &[u32], values: &[f32]) {
        let (entries, ends) = (self.entries.as_mut_ptr(), self.ends.as_mut_ptr());
        for ((list, from), value) in lists.iter().zip(from).zip(values) {
            // SAFETY: the caller's promise.
            unsafe {
                let end = ends.add(*list as usize);
                let at = *end;
                *entries.add(at as usize) = Entry { from: *places.get_unchecked(*from as usize), value: *value };
                *end = at + 1;
            }
        }
    }
}

/// The gradients that are alive at some columns of the pool's row, in the order of columns and channels.
#[derive(Clone, Debug)]
pub(super) struct Found {
    channels: Vec<u32>,
    taps: Vec<u32>,
    values: Vec<f32>,
}

impl Default for Found {
    fn default() -> Found {
        let len = COLUMNS * CHANNELS + SLACK;
        Found { channels: vec![0; len], taps: vec![0; len], values: vec![0.0; len] }
    }
}

/// The channels of a block by number.
static NUMBERS: [u32; CHANNELS] = {
    let mut numbers = [0; CHANNELS];
    let mut channel = 0;
    while channel < CHANNELS {
        numbers[channel] = channel as u32;
        channel += 1;
    }
    numbers
};

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
    fn run<L: Lanes>(self) {
        let (width, taps) = (self.pooled.pool.output.width, self.pooled.tap_count());
        assert!(self.channels.len() <= CHANNELS && self.channels.end <= self.pooled.pool.output.channels);
        self.living.by_channel.clear(CHANNELS, self.pooled.list_pitch());
        self.living.by_place.clear(self.rows.len() * width * taps, super::PLACE_PITCH);
        let mut sums = [0.0; CHANNELS + SLACK];
        for row in self.rows.clone() {
            for column in (0..width).step_by(COLUMNS) {
                let columns = column..width.min(column + COLUMNS);
                let Living { found, by_channel, by_place, .. } = &mut *self.living;
                // SAFETY: rows and columns are the pool's, and `living_gradients` has asserted the lengths.
                let count = unsafe {
                    find::<L>(
                        self.pooled,
                        self.image,
                        [self.rows.start, row],
                        columns,
                        &self.channels,
                        self.signals,
                        found,
                        &mut sums,
                    )
                };
                let (channels, taps, values) = (&found.channels[..count], &found.taps[..count], &found.values[..count]);
                // SAFETY: channels are below `CHANNELS`, taps those of the rows' places; a list of a channel has an entry a
                // place at most, one of a place an entry a channel.
                unsafe {
                    if self.wanted[0] {
                        by_channel.append(channels, taps, &by_place.to, values);
                    }
                    if self.wanted[1] {
                        by_place.append(taps, channels, &by_channel.to, values);
                    }
                }
            }
        }
        if let Some(bias) = self.bias {
            bias.iter_mut().zip(sums).for_each(|(bias, sum)| *bias += f64::from(sum));
        }
    }
}

/// Finds the living gradients of some columns of a row, adds them to the sums of channels, and returns how many there are.
/// Taps are counted from the first of the band's first row on.
///
/// # Safety
/// Row, columns and channels are those of the pool, the channels [`CHANNELS`] at most; the image's winners and gradients
/// can be read.
#[inline(always)]
unsafe fn find<L: Lanes>(
    pooled: &Pooled,
    image: usize,
    [band, row]: [usize; 2],
    columns: Range<usize>,
    channels: &Range<usize>,
    signals: Signals<'_>,
    found: &mut Found,
    sums: &mut [f32; CHANNELS + SLACK],
) -> usize {
    let (output, taps) = (pooled.pool.output, pooled.tap_count());
    let mut count = 0;
    for column in columns {
        let place = row * output.width + column;
        let first = L::splat(((place - band * output.width) * taps) as f32);
        let winners = image * pooled.winners_pitch() + place * output.channels + channels.start;
        let gradients = output.at(image, row, column) + channels.start;
        for channel in (0..channels.len()).step_by(L::N) {
            let len = L::N.min(channels.len() - channel);
            // SAFETY: the caller's promise; before this vector at most the numbers of a column each have been kept, and
            // behind them a vector finds room, as it does behind the sums; `NUMBERS` has whole vectors.
            unsafe {
                let winners = signals.winners.as_ptr().add(winners + channel);
                let [tap, value] = alive::<L>(winners, signals.dy.as_ptr().add(gradients + channel), len, taps);
                let sum = sums.as_mut_ptr().add(channel);
                L::load(sum).add(value).store(sum);
                let is_alive = value.is_not_zero();
                tap.add(first).to_bits().store_selected(is_alive, found.taps.as_mut_ptr().add(count).cast());
                let number = L::load(NUMBERS.as_ptr().add(channel).cast());
                number.store_selected(is_alive, found.channels.as_mut_ptr().add(count).cast());
                count += value.store_selected(is_alive, found.values.as_mut_ptr().add(count));
            }
        }
    }
    count
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
