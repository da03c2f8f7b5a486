//! What steps need to know of shapes before any image is read: a side may be unknown until then.

use std::fmt;

use crate::{ImageShape, Pixels};

impl ImageShape {
    /// The shape of one image.
    pub fn of(pixels: &Pixels) -> ImageShape {
        ImageShape { height: Some(pixels.height), width: Some(pixels.width), channels: pixels.channels }
    }

    /// The same with these sides.
    pub(super) fn sides(self, height: Option<usize>, width: Option<usize>) -> ImageShape {
        ImageShape { height, width, ..self }
    }

    /// The same with each side grown by twice a padding.
    pub(super) fn padded(self, [vertical, horizontal]: [usize; 2]) -> ImageShape {
        self.sides(self.height.map(|h| h + 2 * vertical), self.width.map(|w| w + 2 * horizontal))
    }

    /// Whether a window with its corner at `top`, `left` lies within, as far as that is known; otherwise why not.
    pub(super) fn holds(self, [top, left]: [usize; 2], [height, width]: [usize; 2]) -> Result<(), String> {
        let fits = |side: Option<usize>, start: usize, length: usize| {
            side.is_none_or(|side| start.checked_add(length).is_some_and(|end| end <= side))
        };
        if fits(self.height, top, height) && fits(self.width, left, width) {
            return Ok(());
        }
        let corner = if [top, left] == [0, 0] { String::new() } else { format!(" at ({top}, {left})") };
        Err(format!("a crop of {height} x {width}{corner} does not fit into an image of {self}"))
    }
}

impl fmt::Display for ImageShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |side: Option<usize>| side.map_or("any".to_string(), |n| n.to_string());
        write!(f, "{} x {} x {}", side(self.height), side(self.width), self.channels)
    }
}
