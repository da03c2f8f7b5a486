//! A bitmap that is drawn larger than it is and then averaged: smooth edges, and letters that stand where they should.

use plotters::prelude::{BitMapBackend, RGBAColor};
use plotters::style::{FontDesc, IntoTextStyle};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};

/// Dots on a side of one pixel; odd, so that a dot is in the middle.
const FINE: u32 = 3;

/// Draws on a bitmap with [`FINE`] dots in place of one.
pub struct FineBackend<'a> {
    dots: BitMapBackend<'a>,
    size: (u32, u32),
}

/// Bytes of the dots of a picture.
pub fn n_bytes(width: u32, height: u32) -> usize {
    (width * FINE * height * FINE * 3) as usize
}

/// The pixels of a picture, each the mean of its dots.
pub fn averaged(dots: &[u8], width: u32, height: u32) -> Vec<u8> {
    let (fine, width, height) = (FINE as usize, width as usize, height as usize);
    let mut pixels = Vec::with_capacity(width * height * 3);
    for (y, x, channel) in
        (0..height).flat_map(|y| (0..width).flat_map(move |x| (0..3).map(move |channel| (y, x, channel))))
    {
        let row = |dy: usize| ((y * fine + dy) * width + x) * fine * 3 + channel;
        let sum: usize =
            (0..fine).flat_map(|dy| (0..fine).map(move |dx| row(dy) + dx * 3)).map(|at| usize::from(dots[at])).sum();
        pixels.push(((sum + fine * fine / 2) / (fine * fine)) as u8);
    }
    pixels
}

impl<'a> FineBackend<'a> {
    /// On [`n_bytes`] bytes.
    pub fn new(dots: &'a mut [u8], size: (u32, u32)) -> FineBackend<'a> {
        FineBackend { dots: BitMapBackend::with_buffer(dots, (size.0 * FINE, size.1 * FINE)), size }
    }
}

/// The first dot of a pixel.
fn corner((x, y): BackendCoord) -> BackendCoord {
    (x * FINE as i32, y * FINE as i32)
}

/// The dot in the middle of a pixel.
fn middle(at: BackendCoord) -> BackendCoord {
    let (x, y) = corner(at);
    (x + FINE as i32 / 2, y + FINE as i32 / 2)
}

/// The dot behind the last of a pixel: where filling ends, which the bitmap leaves out.
fn behind((x, y): BackendCoord) -> BackendCoord {
    corner((x + 1, y + 1))
}

/// A style with a stroke of as many dots.
struct Finer {
    color: BackendColor,
    stroke_width: u32,
}

impl Finer {
    fn of<S: BackendStyle>(style: &S) -> Finer {
        Finer { color: style.color(), stroke_width: style.stroke_width() * FINE }
    }
}

impl BackendStyle for Finer {
    fn color(&self) -> BackendColor {
        self.color
    }

    fn stroke_width(&self) -> u32 {
        self.stroke_width
    }
}

type Drawn<E> = Result<(), DrawingErrorKind<E>>;

impl<'a> DrawingBackend for FineBackend<'a> {
    type ErrorType = <BitMapBackend<'a> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn<Self::ErrorType> {
        self.dots.ensure_prepared()
    }

    fn present(&mut self) -> Drawn<Self::ErrorType> {
        self.dots.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn<Self::ErrorType> {
        self.dots.draw_rect(corner(point), behind(point), &color, true)
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn<Self::ErrorType> {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn<Self::ErrorType> {
        if fill {
            return self.dots.draw_rect(corner(upper_left), corner(bottom_right), style, true);
        }
        let ((left, top), (right, bottom)) = (upper_left, bottom_right);
        // Sides as filled strips: lines would leave the corners open.
        for (from, to) in [
            ((left, top), (right, top)),
            ((left, bottom), (right, bottom)),
            ((left, top), (left, bottom)),
            ((right, top), (right, bottom)),
        ] {
            self.dots.draw_rect(corner(from), behind(to), style, true)?;
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn<Self::ErrorType> {
        self.dots.draw_path(path.into_iter().map(middle), &Finer::of(style))
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn<Self::ErrorType> {
        self.dots.draw_circle(middle(center), radius * FINE, &Finer::of(style), fill)
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vertices: I,
        style: &S,
    ) -> Drawn<Self::ErrorType> {
        self.dots.fill_polygon(vertices.into_iter().map(middle), style)
    }

    fn draw_text<T: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &T,
        position: BackendCoord,
    ) -> Drawn<Self::ErrorType> {
        let BackendColor { alpha, rgb: (red, green, blue) } = style.color();
        let font = FontDesc::new(style.family(), style.size() * f64::from(FINE), style.style());
        let color = RGBAColor(red, green, blue, alpha);
        let finer = font.transform(style.transform()).color(&color).pos(style.anchor());
        self.dots.draw_text(text, &finer.into_text_style(&self.size), corner(position))
    }
}
