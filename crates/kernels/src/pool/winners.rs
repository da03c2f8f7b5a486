//! The maximum under each window of relu's results, and which number of the window it was: all that a gradient needs of
//! what the pool read.

use super::Pool;
use crate::Isa;
use crate::channels::{load, store};
use crate::isa::Kernel;
use crate::lanes::Lanes;

/// The winner of a window in which nothing is above zero: no gradient flows back.
pub const NO_WINNER: u8 = u8::MAX;

/// [`super::max_pool`] of numbers that are not negative, with the place of the first largest in each window, in row order,
/// in `winners` (`[n, height, width, channels]` of the result, each image `winners_pitch` bytes); [`NO_WINNER`] where none
/// is above zero.
///
/// # Panics
/// If a slice is too short for `n` images, or a window is padded or has 255 places and more.
pub fn max_pool_with_winners(
    isa: Isa,
    pool: &Pool,
    n: usize,
    x: &[f32],
    y: &mut [f32],
    winners_pitch: usize,
    winners: &mut [u8],
) {
    pool.check(n, x.len(), y.len());
    let window = &pool.window;
    assert!(window.padding == [0; 4] && window.kernel[0] * window.kernel[1] < usize::from(NO_WINNER));
    assert!(winners_pitch >= pool.output.height * pool.output.width * pool.output.channels);
    assert!(winners.len() >= n * winners_pitch);
    isa.run(MaxPoolWithWinners { pool, n, x, y, winners_pitch, winners });
}

struct MaxPoolWithWinners<'a> {
    pool: &'a Pool,
    n: usize,
    x: &'a [f32],
    y: &'a mut [f32],
    winners_pitch: usize,
    winners: &'a mut [u8],
}

impl Kernel for MaxPoolWithWinners<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (input, output, window) = (&self.pool.input, &self.pool.output, &self.pool.window);
        let steps = [input.row_pitch, input.channels];
        for image in 0..self.n {
            let mut winner = self.winners[image * self.winners_pitch..].as_mut_ptr();
            for row in 0..output.height {
                for column in 0..output.width {
                    let from = input.at(image, row * window.stride[0], column * window.stride[1]);
                    let to = output.at(image, row, column);
                    for channel in (0..output.channels).step_by(L::N) {
                        let count = L::N.min(output.channels - channel);
                        // SAFETY: `check` asserted the lengths of images and results; windows are not padded, so that they
                        // lie inside; winners are as many as the results.
                        unsafe {
                            let x = self.x.as_ptr().add(from + channel);
                            let (largest, place) = match window.kernel {
                                // The usual window, without loops.
                                [2, 2] => winner_of::<L>(x, steps, [2, 2], count),
                                kernel => winner_of::<L>(x, steps, kernel, count),
                            };
                            store(largest, self.y.as_mut_ptr().add(to + channel), count);
                            place.store_bytes(winner, count);
                            winner = winner.add(count);
                        }
                    }
                }
            }
        }
    }
}

/// The largest number of a window at `x`, and its place as a number.
///
/// # Safety
/// `count <= N` numbers can be read at each of the window's pixels.
#[inline(always)]
unsafe fn winner_of<L: Lanes>(x: *const f32, steps: [usize; 2], kernel: [usize; 2], count: usize) -> (L, L) {
    let mut winner = Winner::none();
    for i in 0..kernel[0] {
        for j in 0..kernel[1] {
            // SAFETY: the caller's promise.
            winner.meet(unsafe { load::<L>(x.add(i * steps[0] + j * steps[1]), count) }, i * kernel[1] + j);
        }
    }
    (winner.largest(), winner.place)
}

/// The largest of the numbers that have been met, none of which is negative, and its place as a number.
pub(crate) struct Winner<L> {
    largest: L,
    pub place: L,
    sum: L,
}

impl<L: Lanes> Winner<L> {
    /// Before the first.
    #[inline(always)]
    pub fn none() -> Winner<L> {
        let zero = L::splat(0.0);
        Winner { largest: zero, place: L::splat(f32::from(NO_WINNER)), sum: zero }
    }

    #[inline(always)]
    pub fn meet(&mut self, next: L, place: usize) {
        let wins = next.greater(self.largest);
        self.place = L::select(wins, L::splat(place as f32), self.place);
        self.largest = L::select(wins, next, self.largest);
        self.sum = self.sum.add(next);
    }

    /// What is not a number stays; nothing here is negative, so that only such numbers make such a sum.
    #[inline(always)]
    pub fn largest(&self) -> L {
        L::select(self.sum.is_nan(), self.sum, self.largest)
    }
}
