//! The gradient of the kernel, summed over the pixels of all images of the call and added to what is there.
//!
//! `dkernel[o, k] += sum over pixels of dy[o] · x[k]`. A tile of k by output channels stays in registers while the pixels
//! pass, so nothing of the input is copied.

use super::forward::runs;
use super::pack::{packed_len, width};
use super::{Conv2d, Walk, depthwise};
use crate::Isa;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::prefetch::{Ahead, Beside};
use crate::tile::{CHAINS, for_tile, lanes_of};

/// Adds the kernel's gradient to `packed`, in [`super::pack`]'s layout ([`super::unpack`] brings it to the canonical one).
/// With `begin` what is there is overwritten; what is `ahead` is asked for meanwhile. The order of summation depends on shapes
/// only.
///
/// # Panics
/// If a slice is too short for `n` images.
pub(super) fn kernel_gradient(
    isa: Isa,
    conv: &Conv2d,
    n: usize,
    x: &[f32],
    dy: &[f32],
    begin: bool,
    ahead: &mut Ahead<'_>,
    packed: &mut [f32],
) {
    conv.check(n, x.len(), dy.len());
    assert_eq!(packed.len(), packed_len(conv));
    let is_empty = n == 0 || conv.output.height * conv.output.width == 0;
    if begin && (is_empty || conv.is_depthwise()) {
        packed.fill(0.0);
    }
    if is_empty {
        return;
    }
    if conv.is_depthwise() {
        return depthwise::kernel_gradient(isa, conv, n, x, dy, packed);
    }
    isa.run(KernelGradient { conv, n, x, dy, begin, ahead, packed });
}

struct KernelGradient<'a, 'b> {
    conv: &'a Conv2d,
    n: usize,
    x: &'a [f32],
    dy: &'a [f32],
    begin: bool,
    ahead: &'a mut Ahead<'b>,
    packed: &'a mut [f32],
}

impl Kernel for KernelGradient<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let walk = Walk::new(self.conv, self.n);
        let numbers = self.conv.input.image_pitch + self.conv.output.image_pitch;
        let pixels = (PART * walk.rows * walk.columns / numbers.max(1)).max(LEAST_PIXELS);
        let rows = (pixels / walk.columns).clamp(1, walk.rows);
        let images = (pixels / (rows * walk.columns)).clamp(1, walk.n);
        // A row is only divided where it is of samples, not of pixels of one image.
        let columns = if walk.n * walk.rows == 1 { (PART / numbers.max(1)).max(LEAST_PIXELS) } else { walk.columns };
        for image in (0..walk.n).step_by(images) {
            for row in (0..walk.rows).step_by(rows) {
                for column in (0..walk.columns).step_by(columns) {
                    let moved = |s: [usize; 4]| [s[0] + image * s[1] + row * s[2] + column * s[3], s[1], s[2], s[3]];
                    let begin = self.begin && image + row + column == 0;
                    let part = Walk {
                        n: images.min(walk.n - image),
                        rows: rows.min(walk.rows - row),
                        columns: columns.min(walk.columns - column),
                        input: moved(walk.input),
                        output: moved(walk.output),
                    };
                    self.add::<L>(&part, begin);
                }
            }
        }
    }
}

/// Numbers of input and gradients that all tiles pass over before the next come: they stay in the first-level cache.
const PART: usize = 1 << 12;
/// Pixels below which loading and storing the tiles would take a share of the time.
const LEAST_PIXELS: usize = 64;

impl KernelGradient<'_, '_> {
    /// Adds the pixels of a walk.
    #[inline(always)]
    fn add<L: Lanes>(&mut self, walk: &Walk, begin: bool) {
        let conv = self.conv;
        let (inputs, outputs, rows) = (conv.group_inputs(), conv.group_outputs(), conv.kernel_rows());
        let (width, runs) = (width(outputs), runs(conv));
        let blocks = outputs.div_ceil(width);
        for group in 0..conv.groups {
            for block in 0..blocks {
                let gradient = &mut self.packed[(group * blocks + block) * rows * width..][..rows * width];
                for first in (0..width.min(outputs - block * width)).step_by(2 * L::N) {
                    let left = outputs - block * width - first;
                    let vectors = if left > L::N && width > first + L::N { 2 } else { 1 };
                    let strip = Strip {
                        walk,
                        x: self.x[group * inputs..].as_ptr(),
                        dy: self.dy[group * outputs + block * width + first..].as_ptr(),
                        pitch: width,
                        channels: left.min(vectors * L::N),
                        begin,
                    };
                    for run in 0..runs.outer * runs.inner {
                        let start = run / runs.inner * runs.outer_step + run % runs.inner * runs.inner_step;
                        let mut done = 0;
                        while done < runs.len {
                            let ks = (runs.len - done).min(most_rows::<L>(vectors));
                            let to = gradient[(run * runs.len + done) * width + first..].as_mut_ptr();
                            // SAFETY: `check` asserted that windows and gradients of all pixels lie in their slices; the
                            // gradient's block has `ks` rows of `width` numbers here, written from `first` on.
                            unsafe {
                                match self.ahead.is_empty() {
                                    true => for_tile!(ks, vectors, tile_of::<L>(&strip, start + done, to, ())),
                                    false => {
                                        let beside = self.ahead.during(walk.total(), ks * vectors);
                                        for_tile!(ks, vectors, tile_of::<L>(&strip, start + done, to, beside));
                                    }
                                }
                            };
                            done += ks;
                        }
                    }
                }
            }
        }
    }
}

/// Most rows of the gradient in a tile.
pub(super) fn most_rows<L: Lanes>(vectors: usize) -> usize {
    match (L::N, vectors) {
        (16, 1) => 16,
        (16, _) | (_, 1) => 12,
        (_, _) => 6,
    }
}

/// A strip of output channels.
pub(super) struct Strip<'a> {
    pub walk: &'a Walk,
    pub x: *const f32,
    pub dy: *const f32,
    /// Numbers of a row of the gradient.
    pub pitch: usize,
    pub channels: usize,
    /// Whether what is there is overwritten.
    pub begin: bool,
}

/// Adds `K` rows of the gradient over all pixels, each a turn of what is done beside.
///
/// # Safety
/// For every pixel of the walk `K` inputs from `offset` on and the strip's channels of `dy` can be read; `K` rows of the
/// strip's lanes can be written at `to`.
#[inline(always)]
pub(super) unsafe fn tile_of<L: Lanes, const K: usize, const V: usize>(
    strip: &Strip,
    offset: usize,
    to: *mut f32,
    beside: impl Beside,
) {
    // SAFETY: the caller's promise.
    let sums = unsafe {
        match const { CHAINS.div_ceil(K * V) } {
            1 => sums_of::<L, K, V, 1>(strip, offset, beside),
            2 => sums_of::<L, K, V, 2>(strip, offset, beside),
            _ => sums_of::<L, K, V, 4>(strip, offset, beside),
        }
    };
    for (k, acc) in sums.iter().enumerate() {
        for (v, value) in acc.iter().enumerate() {
            // SAFETY: the caller promises `K` rows of the strip's lanes.
            unsafe {
                let to = to.add(k * strip.pitch + v * L::N);
                if strip.begin { value.store(to) } else { L::load(to).add(*value).store(to) }
            }
        }
    }
}

/// The sums of `K` rows over all pixels. Each of `T` that follow each other has sums of its own, so that few of them need not
/// wait for each other.
///
/// # Safety
/// As [`tile_of`].
#[inline(always)]
unsafe fn sums_of<L: Lanes, const K: usize, const V: usize, const T: usize>(
    strip: &Strip,
    offset: usize,
    mut beside: impl Beside,
) -> [[L; V]; K] {
    let walk = strip.walk;
    let full = strip.channels == V * L::N;
    let mut acc = [[[L::splat(0.0); V]; K]; T];
    for image in 0..walk.n {
        for row in 0..walk.rows {
            // SAFETY: the caller's promise, for the pixels of this row.
            unsafe {
                let mut x = strip.x.add(offset + walk.input[0] + image * walk.input[1] + row * walk.input[2]);
                let mut dy = strip.dy.add(walk.output[0] + image * walk.output[1] + row * walk.output[2]);
                for _ in 0..walk.columns / T {
                    for acc in &mut acc {
                        add_pixel(acc, x, dy, strip.channels, full);
                        x = x.wrapping_add(walk.input[3]);
                        dy = dy.wrapping_add(walk.output[3]);
                        beside.turn();
                    }
                }
                for _ in 0..walk.columns % T {
                    add_pixel(&mut acc[0], x, dy, strip.channels, full);
                    x = x.wrapping_add(walk.input[3]);
                    dy = dy.wrapping_add(walk.output[3]);
                    beside.turn();
                }
            }
        }
    }
    let mut sums = acc[0];
    for other in &acc[1..] {
        for (sums, other) in sums.iter_mut().zip(other) {
            for (sum, other) in sums.iter_mut().zip(other) {
                *sum = sum.add(*other);
            }
        }
    }
    sums
}

/// Adds the products of a pixel's `K` inputs with its gradients, which fill all lanes if `full`.
///
/// # Safety
/// `K` numbers can be read at `x` and `channels` at `dy`.
#[inline(always)]
unsafe fn add_pixel<L: Lanes, const K: usize, const V: usize>(
    acc: &mut [[L; V]; K],
    x: *const f32,
    dy: *const f32,
    channels: usize,
    full: bool,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut d = [L::splat(0.0); V];
        for (v, d) in d.iter_mut().enumerate() {
            let from = dy.add(v * L::N);
            *d = if full { L::load(from) } else { L::load_first(from, lanes_of::<L>(channels, v)) };
        }
        for (k, acc) in acc.iter_mut().enumerate() {
            let x = L::splat(*x.add(k));
            for v in 0..V {
                acc[v] = x.mul_add(d[v], acc[v]);
            }
        }
    }
}
