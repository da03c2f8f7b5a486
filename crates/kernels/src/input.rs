//! Pixels to numbers, into the view from which the first layer reads.
//!
//! By channel `y = x * scale[c] + shift[c]`; per image `y = (x - mean) / sqrt(variance)` over all numbers of an image, with
//! the biased variance; an image of one value gives zeros. bytes: `[n, height, width, channels]` without border.

use serde::{Deserialize, Serialize};

use crate::isa::Kernel;
use crate::lanes::{Lanes, MOST_LANES};
use crate::{Isa, View};

/// The most channels of pixels.
const MOST_CHANNELS: usize = 64;
/// Which of the two, with its numbers: in the words that data, networks, runs and exported files share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// By channel.
    Affine {
        /// Factors.
        scale: Vec<f32>,
        /// Summands.
        shift: Vec<f32>,
    },
    /// Per image.
    PerImage,
}

/// By channel; the border of `y` is left alone.
///
/// # Panics
/// If lengths disagree or there are more than 64 channels.
pub fn normalize_bytes(isa: Isa, output: &View, n: usize, scale: &[f32], shift: &[f32], bytes: &[u8], y: &mut [f32]) {
    check(output, n, bytes, y);
    assert_eq!((scale.len(), shift.len()), (output.channels, output.channels));
    let line = output.width * output.channels;
    let pattern = Pattern::new(scale, shift);
    isa.run(Rows { pattern: &pattern, centre: 0.0, lines: bytes.chunks_exact(line.max(1)), rows: output.rows(n), y });
}

/// Per image; the border of `y` is left alone.
///
/// # Panics
/// If lengths disagree.
pub fn normalize_bytes_per_image(isa: Isa, output: &View, n: usize, bytes: &[u8], y: &mut [f32]) {
    check(output, n, bytes, y);
    let line = output.width * output.channels;
    let len = output.height * line;
    if len == 0 {
        return;
    }
    for (image, bytes) in bytes.chunks_exact(len).enumerate() {
        let (sum, squares) = isa.run(Moments(bytes));
        let count = len as u64;
        let mean = sum as f64 / len as f64;
        // Whole numbers, so that nothing cancels.
        let variance = (u128::from(count) * u128::from(squares) - u128::from(sum).pow(2)) as f64 / (len as f64).powi(2);
        let scale = if variance == 0.0 { 1.0 } else { 1.0 / variance.sqrt() };
        // The difference from a whole number is exact, and what is left of the mean is small.
        let centre = mean.round();
        let pattern = Pattern::new(&[scale as f32], &[((centre - mean) * scale) as f32]);
        let y = &mut y[image * output.image_pitch..];
        isa.run(Rows {
            pattern: &pattern,
            centre: centre as f32,
            lines: bytes.chunks_exact(line),
            rows: output.rows(1),
            y,
        });
    }
}

fn check(output: &View, n: usize, bytes: &[u8], y: &[f32]) {
    assert_eq!(bytes.len(), n * output.height * output.width * output.channels);
    assert!(y.len() >= output.len(n), "{} numbers for {n} images of {output:?}", y.len());
}

/// Scale and shift of the numbers of a row from any of the first channels on.
struct Pattern {
    period: usize,
    scale: [f32; MOST_CHANNELS + MOST_LANES],
    shift: [f32; MOST_CHANNELS + MOST_LANES],
}

impl Pattern {
    fn new(scale: &[f32], shift: &[f32]) -> Pattern {
        let period = scale.len();
        assert!((1..=MOST_CHANNELS).contains(&period), "{period} channels of pixels");
        Pattern {
            period,
            scale: std::array::from_fn(|i| scale[i % period]),
            shift: std::array::from_fn(|i| shift[i % period]),
        }
    }
}

/// `(x - centre) * scale + shift` of every line of bytes, into the rows of y.
struct Rows<'a, I> {
    pattern: &'a Pattern,
    centre: f32,
    lines: std::slice::ChunksExact<'a, u8>,
    rows: I,
    y: &'a mut [f32],
}

impl<I: Iterator<Item = std::ops::Range<usize>>> Kernel for Rows<'_, I> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let centre = L::splat(self.centre);
        for (line, row) in self.lines.zip(self.rows) {
            let y = &mut self.y[row];
            assert_eq!(line.len(), y.len());
            let mut channel = 0;
            for (bytes, y) in line.chunks(L::N).zip(y.chunks_mut(L::N)) {
                // SAFETY: the channel is below the period, behind which the pattern goes on for a vector; bytes and y hold
                // as many numbers as are read and written, a full vector only where there are `N`.
                unsafe {
                    let scale = L::load(self.pattern.scale.as_ptr().add(channel));
                    let shift = L::load(self.pattern.shift.as_ptr().add(channel));
                    if bytes.len() == L::N {
                        L::load_bytes(bytes.as_ptr()).sub(centre).mul_add(scale, shift).store(y.as_mut_ptr());
                    } else {
                        let mut padded = [0; MOST_LANES];
                        padded[..bytes.len()].copy_from_slice(bytes);
                        let value = L::load_bytes(padded.as_ptr()).sub(centre).mul_add(scale, shift);
                        value.store_first(y.as_mut_ptr(), bytes.len());
                    }
                }
                channel += L::N;
                while channel >= self.pattern.period {
                    channel -= self.pattern.period;
                }
            }
        }
    }
}

/// The sums of bytes and of their squares.
struct Moments<'a>(&'a [u8]);

impl Kernel for Moments<'_> {
    type Output = (u64, u64);

    #[inline(always)]
    fn run<L: Lanes>(self) -> (u64, u64) {
        // 65,536 squares of bytes fit into 32 bits.
        let sums = self.0.chunks(1 << 16).map(|block| {
            let (mut sum, mut squares) = (0u32, 0u32);
            for &byte in block {
                sum += u32::from(byte);
                squares += u32::from(byte) * u32::from(byte);
            }
            (u64::from(sum), u64::from(squares))
        });
        sums.fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::truth::{assert_close, numbers};

    const SHAPES: [(usize, [usize; 3], [usize; 4]); 5] = [
        (1, [1, 1, 1], [0; 4]),
        (3, [5, 7, 3], [0; 4]),
        (2, [4, 16, 3], [1, 2, 0, 1]),
        (2, [3, 33, 1], [0, 1, 1, 0]),
        (1, [2, 9, 17], [1; 4]),
    ];

    fn bytes(len: usize) -> Vec<u8> {
        numbers(1, len, 0.0, 256.0).into_iter().map(|x| x as u8).collect()
    }

    fn check(what: &str, view: &View, n: usize, expected: &[f64], y: &[f32]) {
        let found: Vec<f32> = view.rows(n).flat_map(|row| y[row].to_vec()).collect();
        assert_close(what, &found, expected, 1e-6, 1e-6);
        let inside: Vec<usize> = view.rows(n).flatten().collect();
        assert!((0..y.len()).all(|at| inside.contains(&at) || y[at] == 9.0), "{what}: the border is left alone");
    }

    #[test]
    fn channels_agree_with_plain_loops() {
        for (n, [height, width, channels], border) in SHAPES {
            let view = View::bordered(height, width, channels, border);
            let bytes = bytes(n * height * width * channels);
            let (scale, shift) = (numbers(2, channels, 0.01, 0.1), numbers(3, channels, -3.0, 3.0));
            let expected: Vec<f64> = (bytes.iter().enumerate())
                .map(|(i, &b)| f64::from(b) * f64::from(scale[i % channels]) + f64::from(shift[i % channels]))
                .collect();
            for isa in Isa::available() {
                let mut y = vec![9.0; view.len(n)];
                normalize_bytes(isa, &view, n, &scale, &shift, &bytes, &mut y);
                check(isa.name(), &view, n, &expected, &y);
            }
        }
    }

    #[test]
    fn images_agree_with_plain_loops() {
        for (n, [height, width, channels], border) in SHAPES {
            let view = View::bordered(height, width, channels, border);
            let len = height * width * channels;
            let mut bytes = bytes(n * len);
            // A bright image with almost no contrast, where differences cancel.
            bytes[..len].iter_mut().enumerate().for_each(|(i, b)| *b = 250 + u8::from(i == 2));
            let expected: Vec<f64> = (bytes.chunks(len))
                .flat_map(|image| {
                    let mean = image.iter().map(|&b| f64::from(b)).sum::<f64>() / len as f64;
                    let variance = image.iter().map(|&b| (f64::from(b) - mean).powi(2)).sum::<f64>() / len as f64;
                    let divisor = if variance == 0.0 { 1.0 } else { variance.sqrt() };
                    image.iter().map(move |&b| (f64::from(b) - mean) / divisor)
                })
                .collect();
            for isa in Isa::available() {
                let mut y = vec![9.0; view.len(n)];
                normalize_bytes_per_image(isa, &view, n, &bytes, &mut y);
                check(isa.name(), &view, n, &expected, &y);
            }
        }
    }
}
