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
                                [2, 2] => {
                                    let [down, right] = steps;
                                    let four = [0, right, down, down + right].map(|tap| load::<L>(x.add(tap), count));
                                    (largest_of_four(four), place_of_four(four))
                                }
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

/// The largest of a window's four numbers, or zero if none is above it; not a number where one of them is not.
#[inline(always)]
pub(crate) fn largest_of_four<L: Lanes>([a, b, c, d]: [L; 4]) -> L {
    let (first, second) = (a.max(b), c.max(d));
    let largest = first.max(second).max(L::splat(0.0));
    let nothing = L::splat(f32::NAN);
    L::select(a.is_unordered(b), nothing, L::select(c.is_unordered(d), nothing, largest))
}

/// The place of the first largest of a window's four numbers as a number, [`NO_WINNER`] if none is above zero.
#[inline(always)]
pub(crate) fn place_of_four<L: Lanes>([a, b, c, d]: [L; 4]) -> L {
    let [zero, one, two, three, none] = [0.0, 1.0, 2.0, 3.0, f32::from(NO_WINNER)].map(L::splat);
    let (first, second) = (a.max(b), c.max(d));
    let place = L::select(b.greater(a), one, zero);
    let place = L::select(second.greater(first), L::select(d.greater(c), three, two), place);
    L::select(first.max(second).greater(zero), place, none)
}

/// The largest of a window's numbers at `x`, none of which is negative, and its place as a number.
///
/// # Safety
/// `count <= N` numbers can be read at each of the window's pixels.
#[inline(always)]
unsafe fn winner_of<L: Lanes>(x: *const f32, steps: [usize; 2], kernel: [usize; 2], count: usize) -> (L, L) {
    let zero = L::splat(0.0);
    let (mut largest, mut place, mut sum) = (zero, L::splat(f32::from(NO_WINNER)), zero);
    for i in 0..kernel[0] {
        for j in 0..kernel[1] {
            // SAFETY: the caller's promise.
            let next = unsafe { load::<L>(x.add(i * steps[0] + j * steps[1]), count) };
            let wins = next.greater(largest);
            place = L::select(wins, L::splat((i * kernel[1] + j) as f32), place);
            largest = L::select(wins, next, largest);
            sum = sum.add(next);
        }
    }
    // What is not a number stays; nothing here is negative, so that only such numbers make such a sum.
    (L::select(sum.is_unordered(sum), sum, largest), place)
}
