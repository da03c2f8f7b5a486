//! Products over lists: tiles of a kernel, some of its rows by some vectors of each, for the lists of all output channels.

use super::lists::BLOCK;
use super::{List, Living};
use crate::Isa;
use crate::conv2d::Pooled;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::tile::lanes_of;

/// The same tile of every output channel's kernel.
#[derive(Clone, Copy)]
struct Tile<'a> {
    living: &'a Living,
    band: usize,
    channels: usize,
    list_pitch: usize,
    /// Numbers of a channel's kernel, and of one of its rows.
    kernel_len: usize,
    pitch: usize,
    /// Of x or dx: numbers from a row of the kernel to the next.
    step: usize,
    /// Where the tile begins in the kernel, and in x or dx for a window that begins at 0.
    from_kernel: usize,
    from_x: usize,
    /// Numbers of the row that belong to the tile.
    len: usize,
}

impl Tile<'_> {
    #[inline(always)]
    fn list(&self, channel: usize) -> List<'_> {
        self.living.of(channel, self.channels.next_multiple_of(BLOCK), self.band, self.list_pitch)
    }
}

/// Runs a kernel of `R` rows by `V` vectors, which the tile's shape chooses.
macro_rules! run {
    ($isa:expr, $rows:expr, $vectors:expr, $kernel:ident { $($field:ident),* }) => {
        match ($rows, $vectors) {
            (3, 1) => $isa.run($kernel::<3, 1> { $($field),* }),
            (3, 2) => $isa.run($kernel::<3, 2> { $($field),* }),
            (3, 3) => $isa.run($kernel::<3, 3> { $($field),* }),
            (3, 4) => $isa.run($kernel::<3, 4> { $($field),* }),
            (3, 5) => $isa.run($kernel::<3, 5> { $($field),* }),
            (3, 6) => $isa.run($kernel::<3, 6> { $($field),* }),
            (1, 1) => $isa.run($kernel::<1, 1> { $($field),* }),
            (1, 2) => $isa.run($kernel::<1, 2> { $($field),* }),
            (1, 3) => $isa.run($kernel::<1, 3> { $($field),* }),
            (1, 4) => $isa.run($kernel::<1, 4> { $($field),* }),
            (1, 5) => $isa.run($kernel::<1, 5> { $($field),* }),
            (1, 6) => $isa.run($kernel::<1, 6> { $($field),* }),
            (1, 7) => $isa.run($kernel::<1, 7> { $($field),* }),
            (1, 8) => $isa.run($kernel::<1, 8> { $($field),* }),
            (1, 9) => $isa.run($kernel::<1, 9> { $($field),* }),
            (1, 10) => $isa.run($kernel::<1, 10> { $($field),* }),
            (1, 11) => $isa.run($kernel::<1, 11> { $($field),* }),
            (1, 12) => $isa.run($kernel::<1, 12> { $($field),* }),
            other => unreachable!("no tile of {other:?}"),
        }
    };
}

/// The tiles that cover a kernel, with their rows and vectors. (Each shape is a function of its own: together in one, the
/// compiler keeps the places of all of them in memory and counts them up at every turn.)
fn tiles<'a>(
    isa: Isa,
    pooled: &Pooled,
    living: &'a Living,
    band: usize,
) -> impl Iterator<Item = (usize, usize, Tile<'a>)> + use<'a> {
    let conv = pooled.product.conv;
    let (list_pitch, pitch, lanes) = (pooled.list_pitch(), pooled.row(), isa.lanes());
    let rows = conv.window.kernel[0];
    let step = conv.window.dilation[0] * conv.input.row_pitch;
    // Three rows of six vectors fill the registers of AVX-512; where there are half as many, three rows of three, or one
    // row of twelve.
    let (at_once, most) = match (rows, lanes) {
        (3, 16) => (3, 6),
        (3, lanes) if pitch <= 3 * lanes => (3, 3),
        _ => (1, 12),
    };
    (0..rows).step_by(at_once).flat_map(move |row| {
        (0..pitch).step_by(most * lanes).map(move |first| {
            let len = (pitch - first).min(most * lanes);
            let tile = Tile {
                living,
                band,
                channels: conv.output.channels,
                list_pitch,
                kernel_len: rows * pitch,
                pitch,
                step,
                from_kernel: row * pitch + first,
                from_x: row * step + first,
                len,
            };
            (at_once, len.div_ceil(lanes), tile)
        })
    })
}

/// `dkernel[o, i, ..] += value * x[window + row i, ..]` for all entries of a band, whose windows lie inside `x` and whose
/// channels are those of `kernel`, as [`super::living_gradients`] has asserted; with `begin` the sums begin anew.
pub(super) fn add_to_kernel(
    isa: Isa,
    pooled: &Pooled,
    living: &Living,
    band: usize,
    x: &[f32],
    begin: bool,
    kernel: &mut [f32],
) {
    if begin {
        kernel.fill(0.0);
    }
    for (rows, vectors, tile) in tiles(isa, pooled, living, band) {
        let (x, kernel) = (x.as_ptr(), kernel.as_mut_ptr());
        run!(isa, rows, vectors, ToKernel { tile, x, kernel });
    }
}

/// `dx[window + row i, ..] += value * kernel[o, i, ..]` for all entries of a band, as [`add_to_kernel`].
pub(super) fn add_to_input(isa: Isa, pooled: &Pooled, living: &Living, band: usize, kernel: &[f32], dx: &mut [f32]) {
    for (rows, vectors, tile) in tiles(isa, pooled, living, band) {
        let (dx, kernel) = (dx.as_mut_ptr(), kernel.as_ptr());
        run!(isa, rows, vectors, ToInput { tile, kernel, dx });
    }
}

struct ToKernel<'a, const R: usize, const V: usize> {
    tile: Tile<'a>,
    x: *const f32,
    kernel: *mut f32,
}

impl<const R: usize, const V: usize> Kernel for ToKernel<'_, R, V> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let tile = &self.tile;
        for channel in 0..tile.channels {
            // SAFETY: entries hold windows of output pixels, whose rows were found inside `x`; the kernel has `kernel_len`
            // numbers a channel, rows of `pitch`.
            unsafe {
                let kernel = self.kernel.add(channel * tile.kernel_len + tile.from_kernel);
                add_list_to_kernel::<L, R, V>(tile, tile.list(channel), self.x.add(tile.from_x), kernel);
            }
        }
    }
}

struct ToInput<'a, const R: usize, const V: usize> {
    tile: Tile<'a>,
    kernel: *const f32,
    dx: *mut f32,
}

impl<const R: usize, const V: usize> Kernel for ToInput<'_, R, V> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let tile = &self.tile;
        for channel in 0..tile.channels {
            // SAFETY: entries hold windows of output pixels, whose rows were found inside `dx`; the kernel has `kernel_len`
            // numbers a channel, rows of `pitch`.
            unsafe {
                let kernel = self.kernel.add(channel * tile.kernel_len + tile.from_kernel);
                add_list_to_input::<L, R, V>(tile, tile.list(channel), kernel, self.dx.add(tile.from_x));
            }
        }
    }
}

/// # Safety
/// From the window of every entry on, `R` rows of `len` numbers, `step` apart, can be read at `x`; `R` rows of `len`
/// numbers, `pitch` apart, can be written at `kernel`.
#[inline(always)]
unsafe fn add_list_to_kernel<L: Lanes, const R: usize, const V: usize>(
    tile: &Tile<'_>,
    list: List<'_>,
    x: *const f32,
    kernel: *mut f32,
) {
    // The last vector reaches back over numbers of the one before, since masked loads are slow; alone it is masked.
    let is_masked = tile.len < L::N;
    let last = if is_masked { 0 } else { tile.len - L::N };
    let mut sums = [[L::splat(0.0); V]; R];
    for (window, value) in list.windows.iter().zip(list.values) {
        let value = L::splat(*value);
        for (row, sums) in sums.iter_mut().enumerate() {
            for (v, sum) in sums.iter_mut().enumerate() {
                // SAFETY: the caller's promise.
                let x = unsafe {
                    let from = x.add(*window as usize + row * tile.step);
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
        for (v, sum) in sums.iter().enumerate() {
            // SAFETY: the caller's promise; 16 numbers are the longest vector.
            unsafe {
                let to = kernel.add(row * tile.pitch + v * L::N);
                if (v + 1) * L::N <= tile.len {
                    L::load(to).add(*sum).store(to);
                    continue;
                }
                // Of the last vector only the numbers behind those of the one before.
                let mut numbers = [0.0f32; 16];
                sum.store(numbers.as_mut_ptr());
                let done = if is_masked { 0 } else { v * L::N - last };
                for (at, number) in numbers[done..][..tile.len - v * L::N].iter().enumerate() {
                    *to.add(at) += number;
                }
            }
        }
    }
}

/// # Safety
/// `R` rows of `len` numbers, `pitch` apart, can be read at `kernel`; from the window of every entry on, `R` rows of `len`
/// numbers, `step` apart, can be read and written at `dx`.
#[inline(always)]
unsafe fn add_list_to_input<L: Lanes, const R: usize, const V: usize>(
    tile: &Tile<'_>,
    list: List<'_>,
    kernel: *const f32,
    dx: *mut f32,
) {
    let last = lanes_of::<L>(tile.len, V - 1);
    let mut weights = [[L::splat(0.0); V]; R];
    for (row, weights) in weights.iter_mut().enumerate() {
        for (v, weight) in weights.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *weight = unsafe { L::load_first(kernel.add(row * tile.pitch + v * L::N), lanes_of::<L>(tile.len, v)) };
        }
    }
    for (window, value) in list.windows.iter().zip(list.values) {
        let value = L::splat(*value);
        for (row, weights) in weights.iter().enumerate() {
            for (v, weight) in weights.iter().enumerate() {
                // SAFETY: the caller's promise.
                unsafe {
                    let to = dx.add(*window as usize + row * tile.step + v * L::N);
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
