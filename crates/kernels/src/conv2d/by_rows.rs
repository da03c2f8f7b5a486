//! The gradient of the input where few channels leave lanes empty: all taps of a kernel's row lie across the lanes.
//!
//! The `kw · c` numbers that a row of the kernel reads lie together in the input, so `p[x, j·c] = sum over i, o of dy[y(i), x, o]
//! · kernel[o, i, j, c]` fills vectors where `c` alone does not, and a row of `dx` is the sum of all `p[x]`, each where its
//! window stands. Windows of pixels as many apart as overlap share a line of memory, so each product is written once and a
//! row is the sum of a few lines. (The product and then the sum is Chellapilla, Puri and Simard's, 2006, a row at a time.)

use std::ops::Range;

use super::Conv2d;
use crate::channels::{load, store};
use crate::isa::Kernel;
use crate::lanes::{Lanes, MOST_LANES};
use crate::tile::{self, Runs, Steps, for_tile};
use crate::{Isa, View};

/// Whether rows of the kernel fill more lanes than channels do, or channels no more than one vector: then the lines are
/// cheaper than to add every tap to `dx`.
pub(super) fn suits(conv: &Conv2d) -> bool {
    let filled = |numbers: usize| numbers.next_multiple_of(MOST_LANES);
    let (taps, channels) = (conv.window.kernel[1], conv.input.channels);
    let fills_more = filled(taps * channels) < taps * filled(channels);
    conv.groups == 1 && conv.window.dilation == [1; 2] && taps > 1 && (channels <= MOST_LANES || fills_more)
}

/// Numbers of a row of the kernel, and as they lie.
fn row(conv: &Conv2d) -> (usize, usize) {
    let len = conv.window.kernel[1] * conv.input.channels;
    (len, len.next_multiple_of(MOST_LANES))
}

/// Lines whose sum is a row of the input, and the numbers of one: from the first window's first pixel to the last one's last,
/// or the image's.
fn lines(conv: &Conv2d) -> (usize, usize) {
    let (window, [_, left, ..]) = (&conv.window, conv.window.padding);
    let windows = (conv.output.width.max(1) - 1) * window.stride[1] + window.kernel[1];
    (window.kernel[1].div_ceil(window.stride[1]), windows.max(left + conv.input.width) * conv.input.channels)
}

/// Numbers that [`input_gradient`] needs to work in.
pub(super) fn scratch_len(conv: &Conv2d) -> usize {
    let (count, len) = lines(conv);
    count * len
}

/// Length of [`pack`]'s result.
pub(super) fn packed_len(conv: &Conv2d) -> usize {
    conv.window.kernel[0] * conv.output.channels * row(conv).1
}

/// The kernel's rows in the order in which the outputs above a row of the input meet them: of those that are a stride apart
/// the last first.
fn order(conv: &Conv2d) -> impl Iterator<Item = usize> + use<> {
    let (height, stride) = (conv.window.kernel[0], conv.window.stride[0]);
    (0..stride.min(height)).flat_map(move |first| (first..height).step_by(stride).rev())
}

/// The kernel, canonical, as `[kernel row][output][a row, zeros behind it]`.
pub(super) fn pack(conv: &Conv2d, kernel: &[f32], packed: &mut [f32]) {
    let ((len, width), height, outputs) = (row(conv), conv.window.kernel[0], conv.output.channels);
    for (i, rows) in order(conv).zip(packed.chunks_exact_mut(outputs * width)) {
        for (output, to) in rows.chunks_exact_mut(width).enumerate() {
            to[..len].copy_from_slice(&kernel[(output * height + i) * len..][..len]);
            to[len..].fill(0.0);
        }
    }
}

/// As [`super::input_gradient`]; all of `dx` is overwritten.
pub(super) fn input_gradient(
    isa: Isa,
    conv: &Conv2d,
    n: usize,
    dy: &[f32],
    packed: &[f32],
    dx: &mut [f32],
    scratch: &mut [f32],
) {
    let lines = &mut scratch[..scratch_len(conv)];
    // Between windows further apart than they are wide nothing is written.
    lines.fill(0.0);
    isa.run(InputGradient { conv, n, dy, packed, dx, lines });
}

struct InputGradient<'a> {
    conv: &'a Conv2d,
    n: usize,
    dy: &'a [f32],
    packed: &'a [f32],
    dx: &'a mut [f32],
    lines: &'a mut [f32],
}

impl Kernel for InputGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        let (input, output) = (&self.conv.input, &self.conv.output);
        let plan = Plan::new::<L>(self.conv);
        for image in 0..self.n {
            for y in 0..input.height {
                let dx = input.at(image, y, 0)..input.at(image, y, input.width);
                let Some(above) = Above::of(self.conv, y) else {
                    self.dx[dx].fill(0.0);
                    continue;
                };
                self.products::<L>(&plan, &above, output.at(image, above.first, 0));
                self.sum::<L>(&plan, dx);
            }
        }
    }
}

/// What is alike for all rows.
struct Plan {
    /// Numbers of a row of the kernel, and as they lie.
    row: (usize, usize),
    /// Lines, and the numbers of one.
    lines: (usize, usize),
    /// Between gradients of a row.
    steps: Steps,
    /// Pixels of a tile, by its vectors less one.
    pixels: [usize; 2],
}

impl Plan {
    fn new<L: Lanes>(conv: &Conv2d) -> Plan {
        let pixels = [1, 2].map(|vectors| tile::best::<L>(conv.output.width, vectors));
        Plan { row: row(conv), lines: lines(conv), steps: Steps::of(conv.output.channels), pixels }
    }
}

/// The outputs whose windows hold a row of the input.
struct Above {
    /// The first, and how many.
    first: usize,
    count: usize,
    /// Rows of the kernel, in their order, before that of the first output.
    skipped: usize,
}

impl Above {
    fn of(conv: &Conv2d, y: usize) -> Option<Above> {
        let (height, stride) = (conv.window.kernel[0], conv.window.stride[0]);
        let from_top = y + conv.window.padding[0];
        let first = (from_top + 1).saturating_sub(height).div_ceil(stride);
        let end = (from_top / stride + 1).min(conv.output.height);
        let i = from_top.checked_sub(first * stride)?;
        let skipped = order(conv).take_while(|other| *other != i).count();
        (first < end).then(|| Above { first, count: end - first, skipped })
    }
}

/// A strip of a row's lanes.
struct Strip<'a> {
    plan: &'a Plan,
    runs: &'a Runs,
    dy: *const f32,
    weights: *const f32,
    lines: *mut f32,
    /// Output pixels of a row, numbers between their windows, and numbers of a window that are stored.
    columns: usize,
    apart: usize,
    numbers: usize,
}

impl InputGradient<'_> {
    /// The products of a row of the input, of which the first gradients lie at `from`, into the lines.
    #[inline(always)]
    fn products<L: Lanes>(&mut self, plan: &Plan, above: &Above, from: usize) {
        let View { channels, width: columns, row_pitch, .. } = self.conv.output;
        let (len, width) = plan.row;
        let runs = Runs { outer: above.count, outer_step: row_pitch, ..Runs::one(channels) };
        for first in (0..len).step_by(2 * L::N) {
            let vectors = if len - first > L::N { 2 } else { 1 };
            let strip = Strip {
                plan,
                runs: &runs,
                dy: self.dy[from..].as_ptr(),
                weights: self.packed[above.skipped * channels * width + first..].as_ptr(),
                lines: self.lines[first..].as_mut_ptr(),
                columns,
                apart: self.conv.window.stride[1] * self.conv.input.channels,
                numbers: (len - first).min(vectors * L::N),
            };
            // SAFETY: `count` rows of gradients lie from `first` on, and as many rows of the kernel behind those that are
            // skipped, each `width` numbers long; a line holds the windows of all pixels.
            unsafe { for_tile!(plan.pixels[vectors - 1], vectors, strip_of::<L>(&strip)) };
        }
    }

    /// A row of `dx` from the lines.
    #[inline(always)]
    fn sum<L: Lanes>(&mut self, plan: &Plan, dx: Range<usize>) {
        let (_, len) = plan.lines;
        let left = self.conv.window.padding[1] * self.conv.input.channels;
        let dx = &mut self.dx[dx];
        for at in (0..dx.len()).step_by(L::N) {
            let count = L::N.min(dx.len() - at);
            let mut sum = L::splat(0.0);
            for line in self.lines.chunks_exact(len) {
                // SAFETY: `count` numbers lie from here on in the line and in `dx`.
                sum = sum.add(unsafe { load(line[left + at..][..count].as_ptr(), count) });
            }
            // SAFETY: as above.
            unsafe { store(sum, dx[at..].as_mut_ptr(), count) };
        }
    }
}

/// # Safety
/// `P` pixels are at most in a row; the gradients, weights and lines of all its pixels can be read and written.
#[inline(always)]
unsafe fn strip_of<L: Lanes, const P: usize, const V: usize>(strip: &Strip) {
    let (plan, (count, len)) = (strip.plan, strip.plan.lines);
    let mut done = 0;
    while done < strip.columns {
        // The last tile reaches back over pixels that are done: they get the same values again.
        let column = done.min(strip.columns - P);
        let mut acc = [[L::splat(0.0); V]; P];
        let dy = strip.dy.wrapping_add(column * strip.runs.len);
        let to =
            std::array::from_fn(|p| strip.lines.wrapping_add((column + p) % count * len + (column + p) * strip.apart));
        // SAFETY: the caller's promise.
        unsafe {
            tile::multiply_apart(&mut acc, dy, &plan.steps, strip.runs, strip.weights, plan.row.1, ());
            tile::store(&acc, &to, strip.numbers);
        }
        done += P;
    }
}
