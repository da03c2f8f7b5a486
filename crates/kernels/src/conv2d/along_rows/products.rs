//! Products of transformed rows with a transformed kernel, back to pixels, and what follows there.

use super::finish::{Finish, Place};
use super::pack::block_len;
use super::{KERNEL_ROWS, LEAST_ROWS, MOST_ROWS, PITCH, RING};
use crate::Isa;
use crate::channels::load;
use crate::conv2d::Conv2d;
use crate::conv2d::pack::width;
use crate::conv2d::winograd::Transform;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::opaque::opaque;
use crate::prefetch::{Ahead, Beside};
use crate::tile::lanes_of;

/// Rows of outputs that are computed together: as many as registers hold the sums of, or half of them.
pub(super) fn rows(isa: Isa, conv: &Conv2d, places: usize) -> usize {
    let has_room = match isa.lanes() {
        16 => conv.output.channels <= 16,
        _ => places == 6,
    };
    if has_room && conv.output.height >= MOST_ROWS { MOST_ROWS } else { LEAST_ROWS }
}

/// Some rows of an image. Whoever makes it has seen that `rows + 2` rows of the ring hold all tiles, the packed kernel its
/// blocks, and that what the finish writes has room.
pub(super) struct Multiply<'a, 'b, F, E, const M: usize, const T: usize> {
    pub conv: &'a Conv2d,
    /// Transformed rows, from the first that the first row of outputs reads.
    pub ring: [*const f32; RING],
    pub packed: &'a [f32],
    pub image: usize,
    pub row: usize,
    pub rows: usize,
    pub finish: E,
    pub transform: F,
    pub ahead: &'a mut Ahead<'b>,
}

impl<F: Transform<M, T>, E: Finish, const M: usize, const T: usize> Kernel for Multiply<'_, '_, F, E, M, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let channels = self.conv.output.channels;
        let width = width(channels);
        let vectors = if L::N == 16 { 2 } else { 1 };
        for (block, weights) in self.packed.chunks_exact(block_len(self.conv, T)).enumerate() {
            for first in (0..width.min(channels - block * width)).step_by(vectors * L::N) {
                let left = channels - block * width - first;
                let vectors = if left > L::N { vectors } else { 1 };
                let (weights, channel) = (weights[first..].as_ptr(), block * width + first);
                let strip = Strip { weights, width, channel, channels: left.min(vectors * L::N) };
                // SAFETY: what who made it has seen; a strip lies in its block.
                unsafe {
                    match (self.rows, vectors) {
                        (2, 1) => self.strip::<L, 2, 1>(&strip),
                        (2, 2) if L::N == 16 => self.strip::<L, 2, 2>(&strip),
                        (4, 1) => self.strip::<L, 4, 1>(&strip),
                        other => unreachable!("no tile of {other:?}"),
                    }
                }
            }
        }
    }
}

/// Outputs of one or two vectors.
struct Strip {
    weights: *const f32,
    /// Numbers from a row of the kernel to the next.
    width: usize,
    channel: usize,
    /// Channels that are stored, at most the lanes of the strip.
    channels: usize,
}

impl<F: Transform<M, T>, E: Finish, const M: usize, const T: usize> Multiply<'_, '_, F, E, M, T> {
    /// `R` rows of a strip of `V` vectors.
    ///
    /// # Safety
    /// What who made it has seen, and the strip's weights can be read.
    #[inline(always)]
    unsafe fn strip<L: Lanes, const R: usize, const V: usize>(&mut self, strip: &Strip) {
        let Strip { channel, channels, .. } = *strip;
        let (inputs, width) = (self.conv.input.channels, self.conv.output.width);
        // SAFETY: the bias has as many numbers as there are channels.
        let bias = unsafe { self.bias_of::<L, V>(strip) };
        for tile in 0..width.div_ceil(M) {
            let at = tile * T * PITCH;
            let mut acc = [[[L::splat(0.0); T]; V]; R];
            // SAFETY: the caller's promise.
            unsafe {
                if self.ahead.is_empty() {
                    multiply(&mut acc, &self.ring, at, inputs, strip, ());
                } else {
                    let beside = self.ahead.during(inputs, R * V * T * KERNEL_ROWS);
                    multiply(&mut acc, &self.ring, at, inputs, strip, beside);
                }
            }
            let outputs = self.outputs_of(&acc, &bias);
            // The last tile reaches back over outputs that are done: they get the same values again.
            let column = (tile * M).min(width - M);
            let place = Place { image: self.image, row: self.row, column, channel, channels };
            // SAFETY: the caller's promise.
            unsafe {
                match channels == V * L::N {
                    true => self.finish.finish::<L, R, M, V, true>(place, outputs),
                    false => self.finish.finish::<L, R, M, V, false>(place, outputs),
                }
            }
        }
    }

    /// # Safety
    /// The bias has the strip's channels.
    #[inline(always)]
    unsafe fn bias_of<L: Lanes, const V: usize>(&self, strip: &Strip) -> [L; V] {
        let mut vectors = [L::splat(0.0); V];
        if let Some(bias) = self.finish.bias() {
            for (v, vector) in vectors.iter_mut().enumerate() {
                let first = strip.channel + v * L::N;
                // SAFETY: the caller's promise.
                *vector = unsafe { load(bias.as_ptr().add(first), lanes_of::<L>(strip.channels, v)) };
            }
        }
        vectors
    }

    /// A tile's sums transformed back, with the bias.
    #[inline(always)]
    fn outputs_of<L: Lanes, const R: usize, const V: usize>(
        &self,
        acc: &[[[L; T]; V]; R],
        bias: &[L; V],
    ) -> [[[L; V]; M]; R] {
        let mut outputs = [[*bias; M]; R];
        for (outputs, acc) in outputs.iter_mut().zip(acc) {
            for v in 0..V {
                let line = self.transform.output(acc[v]);
                for m in 0..M {
                    outputs[m][v] = line[m].add(outputs[m][v]);
                }
            }
        }
        outputs
    }
}

/// The products of a tile that lies at `at` in each of the transformed rows, added to `acc`. Of four rows 16 registers hold
/// the sums of half of the places, which are multiplied one after the other.
///
/// # Safety
/// `inputs` numbers of every place can be read in `R + 2` rows, and the weights of all of them.
#[inline(always)]
unsafe fn multiply<L: Lanes, const R: usize, const V: usize, const T: usize>(
    acc: &mut [[[L; T]; V]; R],
    ring: &[*const f32; RING],
    at: usize,
    inputs: usize,
    strip: &Strip,
    beside: impl Beside,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if L::N == 16 || R == LEAST_ROWS {
            multiply_at::<L, R, V, T, 0, 1>(acc, ring, at, inputs, strip, beside);
        } else {
            multiply_at::<L, R, V, T, 0, 2>(acc, ring, at, inputs, strip, beside);
            multiply_at::<L, R, V, T, 1, 2>(acc, ring, at, inputs, strip, ());
        }
    }
}

/// [`multiply`] for one of `PARTS` parts of the places.
///
/// # Safety
/// As there.
#[inline(always)]
unsafe fn multiply_at<
    L: Lanes,
    const R: usize,
    const V: usize,
    const T: usize,
    const PART: usize,
    const PARTS: usize,
>(
    acc: &mut [[[L; T]; V]; R],
    ring: &[*const f32; RING],
    at: usize,
    inputs: usize,
    strip: &Strip,
    mut beside: impl Beside,
) {
    let step = KERNEL_ROWS * strip.width;
    let mut weights = strip.weights.wrapping_add(PART * T / PARTS * step);
    for input in 0..inputs {
        beside.turn();
        // A loop over places would keep the sums in memory.
        macro_rules! unrolled {
            ($($place:literal)*) => { $(
                if $place < T && $place * PARTS / T == PART {
                    // SAFETY: the caller's promise.
                    unsafe {
                        let at = at + input + $place * PITCH;
                        add_place::<L, R, V, T, $place>(acc, ring, at, weights, strip.width);
                    }
                    // Weights of all places would be loaded at once, and kept in memory.
                    weights = opaque(weights.wrapping_add(step));
                }
            )* };
        }
        unrolled!(0 1 2 3 4 5);
        weights = weights.wrapping_add((T - T / PARTS) * step);
    }
}

/// The products of a place with the three rows of the kernel: a transformed number is read once for all rows of outputs.
///
/// # Safety
/// As [`multiply`].
#[inline(always)]
unsafe fn add_place<L: Lanes, const R: usize, const V: usize, const T: usize, const PLACE: usize>(
    acc: &mut [[[L; T]; V]; R],
    ring: &[*const f32; RING],
    at: usize,
    weights: *const f32,
    width: usize,
) {
    // The kernel's rows; of places that nobody reads there is no code.
    let mut w = [[L::splat(0.0); V]; RING];
    // Loops over rows would keep the sums in memory.
    macro_rules! add_row {
        ($($q:literal: $($row:literal)*),*) => { $(
            if $q < R + KERNEL_ROWS - 1 {
                if $q < KERNEL_ROWS {
                    for v in 0..V {
                        // SAFETY: the caller's promise.
                        w[$q][v] = unsafe { L::load(weights.add($q * width + v * L::N)) };
                    }
                }
                // SAFETY: the caller's promise.
                let x = L::splat(unsafe { *ring[$q].add(at) });
                $(
                    if $q - $row < R {
                        for v in 0..V {
                            acc[$q - $row][v][PLACE] = x.mul_add(w[$row][v], acc[$q - $row][v][PLACE]);
                        }
                    }
                )*
            }
        )* };
    }
    add_row!(0: 0, 1: 0 1, 2: 0 1 2, 3: 0 1 2, 4: 0 1 2, 5: 0 1 2);
}
