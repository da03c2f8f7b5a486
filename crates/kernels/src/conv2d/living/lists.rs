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
    /// `[list][pitch]`, of which `counts` are in use.
    pub entries: Vec<Entry>,
    pub counts: Vec<u32>,
    pub pitch: usize,
    /// Where the numbers begin that a list's products are added to.
    pub to: Vec<u32>,
}

impl Lists {
    /// Memory for `count` lists of `pitch` entries at most.
    pub fn reserve(&mut self, count: usize, pitch: usize) {
        self.entries.resize(self.entries.len().max(count * pitch), Entry::default());
        self.counts.resize(self.counts.len().max(count), 0);
        self.to.resize(self.to.len().max(count), 0);
    }

    /// Makes them `count` empty lists of `pitch` entries at most.
    ///
    /// # Panics
    /// If less has been reserved.
    fn clear(&mut self, count: usize, pitch: usize) {
        assert!(count * pitch <= self.entries.len() && count <= self.to.len());
        self.pitch = pitch;
        self.counts[..count].fill(0);
    }

    /// # Safety
    /// `lists` are numbers of lists that have room, and `from` are numbers of places; all are whole.
    #[inline(always)]
    unsafe fn append(&mut self, lists: &[f32], from: &[f32], places: &[u32], values: &[f32]) {
        let (entries, counts, pitch) = (self.entries.as_mut_ptr(), self.counts.as_mut_ptr(), self.pitch);
        for ((list, from), value) in lists.iter().zip(from).zip(values) {
            // SAFETY: the caller's promise.
            unsafe {
                let (list, from) = (list.to_int_unchecked::<i32>() as usize, from.to_int_unchecked::<i32>() as usize);
                let count = counts.add(list);
                *entries.add(list * pitch + *count as usize) =
                    Entry { from: *places.get_unchecked(from), value: *value };
                *count += 1;
            }
        }
    }
}

/// The gradients that are alive at some columns of the pool's row, in the order of columns and channels.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Whole numbers, those of the lists.
    channels: Vec<f32>,
    taps: Vec<f32>,
    values: Vec<f32>,
}

impl Default for Found {
    fn default() -> Found {
        let numbers = vec![0.0; COLUMNS * CHANNELS + SLACK];
        Found { channels: numbers.clone(), taps: numbers.clone(), values: numbers }
    }
}

/// The channels of a block by number.
static NUMBERS: [f32; CHANNELS] = {
    let mut numbers = [0.0; CHANNELS];
    let mut channel = 0;
    while channel < CHANNELS {
        numbers[channel] = channel as f32;
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
        let (width, taps) = (self.pooled.pool.output.width, self.pooled.taps());
        assert!(self.channels.len() <= CHANNELS && self.channels.end <= self.pooled.pool.output.channels);
        self.living.by_channel.clear(CHANNELS, self.pooled.list_pitch());
        self.living.by_place.clear(self.rows.len() * width * taps, super::PLACE_PITCH);
        let mut sums = [0.0; CHANNELS + SLACK];
        for row in self.rows.clone() {
            for column in (0..width).step_by(COLUMNS) {
                let columns = column..width.min(column + COLUMNS);
                let Living { found, by_channel, by_place } = &mut *self.living;
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
    let (output, taps) = (pooled.pool.output, pooled.taps());
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
                let tap = bytes::<L>(signals.winners.as_ptr().add(winners + channel), len);
                let dy = load::<L>(signals.dy.as_ptr().add(gradients + channel), len);
                let value = L::select(L::splat(taps as f32).greater(tap), dy, L::splat(0.0));
                let sum = sums.as_mut_ptr().add(channel);
                L::load(sum).add(value).store(sum);
                let is_alive = value.is_not_zero();
                tap.add(first).store_selected(is_alive, found.taps.as_mut_ptr().add(count));
                L::load(NUMBERS.as_ptr().add(channel)).store_selected(is_alive, found.channels.as_mut_ptr().add(count));
                count += value.store_selected(is_alive, found.values.as_mut_ptr().add(count));
            }
        }
    }
    count
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
