//! Resizing by a filter that is as wide as an output pixel: along rows first, then along columns, with 8 bits between, as
//! Pillow does it and torchvision after it.

use std::cell::RefCell;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::Pixels;

thread_local! {
    /// Its rows between the two passes are used again.
    static RESIZER: RefCell<Resizer> = RefCell::default();
}

/// Brings an image to the size of `to`.
pub fn resize(from: &Pixels, to: &mut Pixels, filter: FilterType) {
    let kind = if from.channels == 1 { PixelType::U8 } else { PixelType::U8x3 };
    let sides = |pixels: &Pixels| (pixels.width as u32, pixels.height as u32);
    let ((width, height), (to_width, to_height)) = (sides(from), sides(to));
    let from = ImageRef::new(width, height, &from.bytes, kind).expect("as many bytes as the sides say");
    let mut to =
        Image::from_slice_u8(to_width, to_height, &mut to.bytes, kind).expect("as many bytes as the sides say");
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(false);
    RESIZER.with_borrow_mut(|resizer| resizer.resize(&from, &mut to, &options)).expect("both are of one kind");
}
