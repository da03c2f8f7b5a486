//! Our buffers as OpenCV's matrices, without copies.

use opencv::Result;
use opencv::boxed_ref::{BoxedRef, BoxedRefMut};
use opencv::core::{Mat, MatTraitConst, Rect, Vec3b, set_num_threads};

use crate::Pixels;

/// Switches OpenCV's own threads off, once: samples are spread over threads, not the pixels of a sample.
pub fn one_thread() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| set_num_threads(1).expect("OpenCV takes any number of threads"));
}

/// The pixels as a matrix to read.
pub fn borrow(pixels: &Pixels) -> Result<BoxedRef<'_, Mat>> {
    let (rows, cols) = (pixels.height as i32, pixels.width as i32);
    match pixels.channels {
        1 => Mat::new_rows_cols_with_bytes::<u8>(rows, cols, &pixels.bytes),
        3 => Mat::new_rows_cols_with_bytes::<Vec3b>(rows, cols, &pixels.bytes),
        other => unreachable!("images have 1 or 3 channels, not {other}"),
    }
}

/// Has `work` write into the pixels as a matrix.
///
/// # Panics
/// If OpenCV writes an image of another shape and so into memory of its own: a bug of the step's shape rule.
pub fn write(pixels: &mut Pixels, work: impl FnOnce(&mut BoxedRefMut<'_, Mat>) -> Result<()>) -> Result<()> {
    let (rows, cols, start) = (pixels.height as i32, pixels.width as i32, pixels.bytes.as_ptr());
    let mut mat = match pixels.channels {
        1 => Mat::new_rows_cols_with_bytes_mut::<u8>(rows, cols, &mut pixels.bytes)?,
        3 => Mat::new_rows_cols_with_bytes_mut::<Vec3b>(rows, cols, &mut pixels.bytes)?,
        other => unreachable!("images have 1 or 3 channels, not {other}"),
    };
    work(&mut mat)?;
    assert_eq!(mat.data(), start, "a step writes an image of the shape that its rule says");
    Ok(())
}

/// Copies a window with its corner at `top`, `left` and the size of `to`.
pub fn copy_window(from: &impl MatTraitConst, [top, left]: [usize; 2], to: &mut Pixels) -> Result<()> {
    let window = Rect::new(left as i32, top as i32, to.width as i32, to.height as i32);
    write(to, |to| Mat::roi(from, window)?.copy_to(to))
}
