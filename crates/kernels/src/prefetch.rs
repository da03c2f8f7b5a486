//! Asking for memory before it is read or written.

use crate::buffer::LINE;

/// Begins to bring numbers into the first-level cache, and returns at once. Where a processor has no such instruction
/// nothing happens.
#[inline]
pub fn prefetch(numbers: &[f32]) {
    prefetch_from(numbers.as_ptr(), numbers.len());
}

/// The same of `len` numbers at a place, which need not be there.
#[inline(always)]
pub(crate) fn prefetch_from(numbers: *const f32, len: usize) {
    for line in (0..len).step_by(LINE) {
        prefetch_line(numbers.wrapping_add(line));
    }
}

/// The same of the line that holds this number, which need not be there.
#[inline(always)]
pub(crate) fn prefetch_line(number: *const f32) {
    prefetch_to::<false>(number);
}

/// The same, where the line is used much later (`FAR`) into the second-level cache only.
#[inline(always)]
fn prefetch_to<const FAR: bool>(number: *const f32) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        // SAFETY: every x86-64 processor has the instruction, which changes nothing but the caches.
        unsafe {
            match FAR {
                true => _mm_prefetch::<_MM_HINT_T1>(number.cast()),
                false => _mm_prefetch::<_MM_HINT_T0>(number.cast()),
            }
        };
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: every such processor has the instruction, which changes nothing but the caches.
    unsafe {
        use std::arch::asm;
        match FAR {
            true => asm!("prfm pldl2keep, [{0}]", in(reg) number, options(nostack, preserves_flags, readonly)),
            false => asm!("prfm pldl1keep, [{0}]", in(reg) number, options(nostack, preserves_flags, readonly)),
        }
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = number;
}

/// What a loop does at each turn beside its own work.
pub(crate) trait Beside: Copy {
    fn turn(&mut self);
}

/// Nothing.
impl Beside for () {
    #[inline(always)]
    fn turn(&mut self) {}
}

/// Asks for numbers that are used much later, which the second-level cache gets. A processor has two dozen lines on their
/// way at a time and leaves out what more is asked for, so they are spread over many turns.
#[derive(Clone, Copy)]
pub(crate) struct Asking {
    at: *const f32,
    /// Bytes from a turn to the next: less than a line where there are more turns than lines.
    step: usize,
}

impl Beside for Asking {
    #[inline(always)]
    fn turn(&mut self) {
        prefetch_to::<true>(self.at);
        self.at = self.at.wrapping_byte_add(self.step);
    }
}

/// Slices that are asked for during products, evenly.
pub(crate) struct Ahead<'a> {
    slices: &'a [&'a [f32]],
    /// Bytes of the first slice that have been asked for.
    done: usize,
    /// Bytes of all slices that have not.
    bytes: usize,
    /// Multiply-adds of vectors that are still to come.
    products: usize,
    /// Bytes for each of them, times [`WHOLE`].
    rate: usize,
}

/// What stands for one byte a multiply-add.
const WHOLE: usize = 256;

/// Bytes of a line.
const LINE_BYTES: usize = LINE * size_of::<f32>();

/// Lines that are asked for at once where turns do not suffice.
const BURST: usize = 16;

impl<'a> Ahead<'a> {
    /// Slices that are spread over so many multiply-adds of vectors.
    pub fn new(slices: &'a [&'a [f32]], products: usize) -> Ahead<'a> {
        let bytes: usize = slices.iter().map(|slice| size_of_val(*slice)).sum();
        let slices = if bytes == 0 { &[] } else { slices };
        Ahead { slices, done: 0, bytes, products, rate: (bytes * WHOLE).div_ceil(products.max(1)) }
    }

    /// Nothing that is asked for.
    pub fn nothing() -> Ahead<'a> {
        Ahead::new(&[], 1)
    }

    /// Whether nothing is left to ask for.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// So many multiply-adds pass without asking.
    #[inline(always)]
    pub fn without(&mut self, products: usize) {
        if !self.is_empty() {
            self.products = self.products.saturating_sub(products);
            self.rate = (self.bytes * WHOLE).div_ceil(self.products.max(1));
        }
    }

    /// What the next `turns` turns of so many multiply-adds ask for, at most a line each. Some of what that leaves is asked for
    /// at once.
    pub fn during(&mut self, turns: usize, products: usize) -> Asking {
        let Share { first, lines, step } = self.share(turns, products);
        for line in 0..lines {
            prefetch_to::<true>(first.wrapping_add(line * LINE));
        }
        Asking { at: first.wrapping_add(lines * LINE), step }
    }

    #[inline(always)]
    fn share(&mut self, turns: usize, products: usize) -> Share {
        while let [first, rest @ ..] = self.slices {
            if self.done < size_of_val(*first) {
                let first = first.as_ptr().wrapping_byte_add(self.done);
                let bytes = (self.rate * products).div_ceil(WHOLE);
                let step = bytes.min(LINE_BYTES);
                let lines = ((bytes - step) * turns).div_ceil(LINE_BYTES).min(BURST);
                let asked = lines * LINE_BYTES + turns * step;
                self.done += asked;
                self.bytes = self.bytes.saturating_sub(asked);
                self.products = self.products.saturating_sub(turns * products);
                return Share { first, lines, step };
            }
            (self.slices, self.done) = (rest, 0);
        }
        // A place that is in the cache: of one that is nowhere a processor would look for the page at every turn.
        Share { first: std::ptr::from_ref(self).cast(), lines: 0, step: 0 }
    }
}

/// What some turns ask for: lines from the first number on at once, then `step` bytes a turn.
struct Share {
    first: *const f32,
    lines: usize,
    step: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of each slice that so many tiles of 16 turns of 4 products ask for, in the order of asking.
    fn asked(slices: &[&[f32]], products: usize, tiles: usize) -> Vec<Vec<usize>> {
        let mut ahead = Ahead::new(slices, products);
        let mut lines = vec![Vec::new(); slices.len()];
        for _ in 0..tiles {
            let Share { first, lines: at_once, step } = ahead.share(16, 4);
            let begin = first as usize + at_once * LINE_BYTES;
            let at_once = (0..at_once).map(|line| first as usize + line * LINE_BYTES);
            for place in at_once.chain((0..16).map(|turn| begin + turn * step)) {
                let inside =
                    |slice: &&[f32]| (slice.as_ptr() as usize..slice.as_ptr_range().end as usize).contains(&place);
                if let Some(slice) = slices.iter().position(inside) {
                    lines[slice].push((place - slices[slice].as_ptr() as usize) / LINE_BYTES);
                }
            }
        }
        lines.iter_mut().for_each(|lines| lines.dedup());
        lines
    }

    #[test]
    fn every_line_is_asked_for_in_order_and_evenly() {
        let numbers = vec![0.0; 100 * LINE];
        let slices = [&numbers[..40 * LINE], &numbers[..0], &numbers[50 * LINE..60 * LINE + 3], &numbers[99 * LINE..]];
        let all = [(0..40).collect(), vec![], (0..11).collect(), vec![0]];
        // 64 products a tile: eight tiles, with a tile more for each end of a slice.
        assert_eq!(asked(&slices, 8 * 64, 8 + 3), all);
        assert_eq!(asked(&slices[..1], 40 * 64, 40), [all[0].clone()]);
        let half = asked(&slices[..1], 40 * 64, 20);
        assert!((18..=22).contains(&half[0].len()), "{half:?}");
    }

    #[test]
    fn more_than_a_line_a_turn_is_asked_for_at_once_up_to_a_burst() {
        let numbers = vec![0.0; 100 * LINE];
        // 48 lines for two tiles, then far too many for one.
        assert_eq!(asked(&[&numbers[..48 * LINE]], 2 * 64, 1), [(0..24).collect::<Vec<_>>()]);
        assert_eq!(asked(&[&numbers[..48 * LINE]], 2 * 64, 2), [(0..48).collect::<Vec<_>>()]);
        assert_eq!(asked(&[&numbers[..]], 64, 1), [(0..BURST + 16).collect::<Vec<_>>()]);
        assert_eq!(asked(&[], 64, 1), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn what_passes_without_asking_is_asked_for_by_the_others() {
        let numbers = vec![0.0; 64 * LINE];
        let slices = [&numbers[..]];
        let mut ahead = Ahead::new(&slices, 8 * 64);
        assert_eq!(ahead.share(16, 4).step, LINE_BYTES / 2);
        ahead.without(3 * 64);
        let step = ahead.share(16, 4).step;
        assert!((LINE_BYTES * 7 / 8..LINE_BYTES).contains(&step), "{step}");
    }
}
