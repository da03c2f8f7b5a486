//! The window that convolutions and pools slide over an image.

use std::fmt;

/// A window that slides over an image: sizes as `[height, width]`, padding as `[top, left, bottom, right]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 4],
    pub dilation: [usize; 2],
}

impl Window {
    /// A square window with the same stride and padding on every side, without dilation.
    pub fn square(kernel: usize, stride: usize, padding: usize) -> Window {
        Window { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 4], dilation: [1; 2] }
    }

    /// One window over the whole of an image of this `[height, width]`.
    pub fn whole(image: [usize; 2]) -> Window {
        Window { kernel: image, stride: [1; 2], padding: [0; 4], dilation: [1; 2] }
    }

    /// How far the window reaches, `[height, width]`: `dilation * (kernel - 1) + 1`.
    pub fn reach(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.dilation[axis] * (self.kernel[axis] - 1) + 1)
    }

    /// The number of places `[height, width]` that the window takes on an image, or why there is none.
    pub fn output(&self, image: [usize; 2]) -> Result<[usize; 2], String> {
        if [self.kernel, self.stride, self.dilation].iter().flatten().any(|&size| size == 0) {
            return Err("kernel size, stride and dilation are at least 1".to_string());
        }
        let padded = [0, 1].map(|axis| image[axis] + self.padding[axis] + self.padding[axis + 2]);
        let reach = self.reach();
        if reach[0] > padded[0] || reach[1] > padded[1] {
            let [height, width] = padded;
            return Err(format!("a window of {}x{} does not fit into {height}x{width}", reach[0], reach[1]));
        }
        Ok([0, 1].map(|axis| (padded[axis] - reach[axis]) / self.stride[axis] + 1))
    }

    /// Where in the image entry `tap` of the window at place `place` lies along `axis` (0 down, 1 right) of `size`;
    /// none in the padding.
    pub fn source(&self, axis: usize, place: usize, tap: usize, size: usize) -> Option<usize> {
        let padded = place * self.stride[axis] + tap * self.dilation[axis];
        padded.checked_sub(self.padding[axis]).filter(|&source| source < size)
    }
}

/// As people write it, leaving out what is usual: `3x3 stride 2 padding 1`.
impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.kernel[0], self.kernel[1])?;
        for (name, pair) in [("stride", self.stride), ("dilation", self.dilation)] {
            match pair {
                [1, 1] => {}
                [down, right] if down == right => write!(f, " {name} {down}")?,
                [down, right] => write!(f, " {name} {down}x{right}")?,
            }
        }
        match self.padding {
            [0, 0, 0, 0] => Ok(()),
            [top, left, bottom, right] if [left, bottom, right] == [top; 3] => write!(f, " padding {top}"),
            sides => write!(f, " padding {sides:?}"),
        }
    }
}
