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
    #[cfg(not(target_arch = "x86_64"))]
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
    /// Bytes for each multiply-add of vectors.
    rate: f32,
}

impl<'a> Ahead<'a> {
    /// Slices that are spread over so many multiply-adds of vectors.
    pub fn new(slices: &'a [&'a [f32]], products: usize) -> Ahead<'a> {
        let bytes: usize = slices.iter().map(|slice| size_of_val(*slice)).sum();
        let slices = if bytes == 0 { &[] } else { slices };
        Ahead { slices, done: 0, rate: bytes as f32 / products as f32 }
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

    /// What the next `turns` turns of so many multiply-adds ask for, at most a line each.
    pub fn during(&mut self, turns: usize, products: usize) -> Asking {
        while let [first, rest @ ..] = self.slices {
            if self.done < size_of_val(*first) {
                let step = ((self.rate * products as f32).ceil() as usize).min(LINE * size_of::<f32>());
                let at = first.as_ptr().wrapping_byte_add(self.done);
                self.done += turns * step;
                return Asking { at, step };
            }
            (self.slices, self.done) = (rest, 0);
        }
        // A place that is in the cache: of one that is nowhere a processor would look for the page at every turn.
        Asking { at: std::ptr::from_ref(self).cast(), step: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE_BYTES: usize = LINE * size_of::<f32>();

    /// The lines of each slice that so many tiles of 16 turns of 4 products ask for, in the order of asking.
    fn asked(slices: &[&[f32]], products: usize, tiles: usize) -> Vec<Vec<usize>> {
        let mut ahead = Ahead::new(slices, products);
        let mut lines = vec![Vec::new(); slices.len()];
        for _ in 0..tiles {
            let Asking { at, step } = ahead.during(16, 4);
            for turn in 0..16 {
                let place = at as usize + turn * step;
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
    fn more_than_a_line_a_turn_is_left_out() {
        let numbers = vec![0.0; 100 * LINE];
        assert_eq!(asked(&[&numbers[..]], 64, 1), [(0..16).collect::<Vec<_>>()]);
        assert_eq!(asked(&[], 64, 1), Vec::<Vec<usize>>::new());
    }
}
