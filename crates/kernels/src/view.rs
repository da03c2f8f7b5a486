//! Where the pixels of images lie in a slice, with or without a border around them.

use std::ops::Range;

/// Images `[n, height, width, channels]` in a slice. The channels of a pixel lie together, and so do the pixels of a row;
/// between rows and images there may be a border, which readers that pad expect to hold zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct View {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    /// Numbers from a row to the next.
    pub row_pitch: usize,
    /// Numbers from an image to the next.
    pub image_pitch: usize,
    /// Where the first pixel of the first image begins.
    pub origin: usize,
}

impl View {
    /// Images without a border.
    pub fn plain(height: usize, width: usize, channels: usize) -> View {
        View::bordered(height, width, channels, [0; 4])
    }

    /// Images with a border of `[top, left, bottom, right]` pixels.
    pub fn bordered(height: usize, width: usize, channels: usize, border: [usize; 4]) -> View {
        let [top, left, bottom, right] = border;
        let row_pitch = (left + width + right) * channels;
        let image_pitch = (top + height + bottom) * row_pitch;
        View { height, width, channels, row_pitch, image_pitch, origin: top * row_pitch + left * channels }
    }

    /// Samples without height and width: `[n, features]`.
    pub fn vectors(features: usize) -> View {
        View::plain(1, 1, features)
    }

    /// Numbers that `n` images take, borders included.
    pub fn len(&self, n: usize) -> usize {
        n * self.image_pitch
    }

    /// Height, width and channels.
    pub fn size(&self) -> [usize; 3] {
        [self.height, self.width, self.channels]
    }

    /// Whether there is no border, so that all numbers lie one after the other.
    pub fn is_plain(&self) -> bool {
        self.row_pitch == self.width * self.channels && self.image_pitch == self.height * self.row_pitch
    }

    /// Where a pixel begins.
    pub fn at(&self, image: usize, y: usize, x: usize) -> usize {
        self.origin + image * self.image_pitch + y * self.row_pitch + x * self.channels
    }

    /// Some rows of an image, where they lie.
    pub fn band(&self, rows: Range<usize>) -> View {
        View { height: rows.len(), origin: self.origin + rows.start * self.row_pitch, ..*self }
    }

    /// Some rows of the first image, in a slice that is cut before them; the second is where.
    pub fn cut(&self, rows: Range<usize>) -> (View, usize) {
        let (above, left) = (self.origin / self.row_pitch, self.origin % self.row_pitch);
        let image_pitch = rows.len() * self.row_pitch;
        let band = View { height: rows.len(), origin: left, image_pitch, ..*self };
        (band, (above + rows.start) * self.row_pitch)
    }

    /// The rows of `n` images as ranges of the slice.
    pub fn rows(&self, n: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let view = *self;
        let rows = (0..n).flat_map(move |image| (0..view.height).map(move |y| view.at(image, y, 0)));
        rows.map(move |start| start..start + view.width * view.channels)
    }
}

/// A window that slides over images. Sizes are `[height, width]`, padding is `[top, left, bottom, right]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 4],
    pub dilation: [usize; 2],
}

impl Window {
    /// For an output row or column: the taps that fall inside an input of `size`, and the input place of tap 0 (which may
    /// be negative). `axis` is 0 for rows, 1 for columns.
    #[inline(always)]
    pub(crate) fn taps(&self, axis: usize, output: usize, size: usize) -> (Range<usize>, isize) {
        let (dilation, kernel) = (self.dilation[axis] as isize, self.kernel[axis] as isize);
        let start = (output * self.stride[axis]) as isize - self.padding[axis] as isize;
        // Most windows lie inside, which needs no division.
        if start >= 0 && start + (kernel - 1) * dilation < size as isize {
            return (0..kernel as usize, start);
        }
        let first = if start < 0 { (-start + dilation - 1) / dilation } else { 0 };
        let last = ((size as isize - start + dilation - 1) / dilation).clamp(0, kernel);
        (first.min(last) as usize..last as usize, start)
    }

    /// The outputs, of `n_outputs`, whose tap falls inside an input of `size`.
    pub(crate) fn outputs(&self, axis: usize, tap: usize, size: usize, n_outputs: usize) -> Range<usize> {
        let stride = self.stride[axis] as isize;
        let shift = (tap * self.dilation[axis]) as isize - self.padding[axis] as isize;
        // output * stride + shift must lie in 0..size
        let first = if shift < 0 { (-shift + stride - 1) / stride } else { 0 };
        let end = ((size as isize - shift + stride - 1) / stride).clamp(0, n_outputs as isize);
        first.min(end) as usize..end as usize
    }
}
