//! A sheet of samples to look at: each as it is stored, as it is evaluated, and as some epochs of training see it.

use std::path::Path;

use image::{ExtendedColorType, ImageFormat};
use opencv::core::{Point, Scalar};
use opencv::imgproc::{self, FONT_HERSHEY_SIMPLEX, LINE_AA};

use crate::steps::mat;
use crate::{Dataset, Error, Mode, PartName, Pixels};

/// Side of the square that an image is shown in, in pixels.
const CELL: usize = 112;
/// Between the cells, in pixels.
const GAP: usize = 8;
/// Height of a line of text, in pixels.
const LINE: usize = 18;
/// Epochs of training that are shown.
const EPOCHS: usize = 5;
/// Most samples that are shown.
const SAMPLES: usize = 12;
/// The letters that fit under a cell.
const LETTERS: usize = 13;

/// Writes the sheet as PNG: one row a sample of train, of every class in turn, with the name of its class; columns for the
/// image as stored, as evaluated, and as the first epochs of training see it.
pub fn preview(dataset: &Dataset, seed: u64, path: &Path) -> Result<(), Error> {
    mat::one_thread();
    let rows = SAMPLES.min(dataset.part(PartName::Train).map_or(0, |part| part.indices.len()));
    let columns = 2 + EPOCHS;
    let mut sheet = blank(GAP + LINE + rows * (CELL + LINE + GAP), GAP + columns * (CELL + GAP));
    let titles = ["stored", "evaluated"].map(String::from);
    let titles = titles.into_iter().chain((1..=EPOCHS).map(|epoch| format!("epoch {epoch}")));
    for (column, title) in titles.enumerate() {
        write(&mut sheet, &title, [GAP + 12, place(column)])?;
    }
    for (row, sample) in samples(dataset, rows).into_iter().enumerate() {
        let image = |mode, epoch| dataset.image_for(PartName::Train, sample, mode, seed, epoch);
        let mut images = vec![dataset.original(PartName::Train, sample)?, image(Mode::Evaluate, 0)?];
        for epoch in 0..EPOCHS as u64 {
            images.push(image(Mode::Train, epoch)?);
        }
        let top = GAP + LINE + row * (CELL + LINE + GAP);
        for (column, image) in images.iter().enumerate() {
            paste(&mut sheet, image, [top, place(column)]);
        }
        write(&mut sheet, &class_name(dataset, sample), [top + CELL + 13, GAP])?;
    }
    save(&sheet, path)
}

fn place(column: usize) -> usize {
    GAP + column * (CELL + GAP)
}

fn blank(height: usize, width: usize) -> Pixels {
    Pixels { height, width, channels: 3, bytes: vec![255; height * width * 3] }
}

/// Samples of train, one of each class in turn, then the next ones.
fn samples(dataset: &Dataset, n: usize) -> Vec<u32> {
    let Some(part) = dataset.part(PartName::Train) else { return Vec::new() };
    let mut seen = vec![0usize; dataset.classes.len()];
    let labels = dataset.labels(PartName::Train);
    let mut turns: Vec<(usize, u32, u32)> = Vec::with_capacity(labels.len());
    for (&sample, &label) in part.indices.iter().zip(&labels) {
        turns.push((seen[label as usize], label, sample));
        seen[label as usize] += 1;
    }
    turns.sort_unstable();
    turns.into_iter().take(n).map(|(_, _, sample)| sample).collect()
}

fn class_name(dataset: &Dataset, sample: u32) -> String {
    let part = dataset.part(PartName::Train).expect("the sample is of train");
    let label = dataset.store().label(part, sample);
    dataset.classes[label as usize].clone()
}

/// Puts an image into a cell: small ones enlarged by a whole factor, large ones by every so many pixels, in the middle.
fn paste(sheet: &mut Pixels, image: &Pixels, [top, left]: [usize; 2]) {
    let longest = image.height.max(image.width).max(1);
    let (grow, skip) = ((CELL / longest).max(1), longest.div_ceil(CELL));
    let side = |n: usize| (n.div_ceil(skip) * grow).min(CELL);
    let (height, width) = (side(image.height), side(image.width));
    let (top, left) = (top + (CELL - height) / 2, left + (CELL - width) / 2);
    for (y, x) in (0..height * width).map(|i| (i / width, i % width)) {
        let from = ((y / grow * skip) * image.width + x / grow * skip) * image.channels;
        let to = ((top + y) * sheet.width + left + x) * 3;
        for channel in 0..3 {
            sheet.bytes[to + channel] = image.bytes[from + channel.min(image.channels - 1)];
        }
    }
}

/// Writes a word; letters that OpenCV's font does not have are shown as `?`.
fn write(sheet: &mut Pixels, text: &str, [bottom, left]: [usize; 2]) -> Result<(), Error> {
    let shown = |letter: char| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' };
    let text: String = text.chars().take(LETTERS).map(shown).collect();
    let (at, black) = (Point::new(left as i32, bottom as i32), Scalar::default());
    mat::write(sheet, |sheet| imgproc::put_text(sheet, &text, at, FONT_HERSHEY_SIMPLEX, 0.42, black, 1, LINE_AA, false))
        .map_err(|e| Error::plain(format!("could not write on the preview: {e}")))
}

/// Writes the file whole or not at all.
fn save(sheet: &Pixels, path: &Path) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let refused = |why| Error::refused("write the preview", path, why);
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut file = builder.tempfile_in(folder).map_err(refused)?;
    let (width, height) = (sheet.width as u32, sheet.height as u32);
    let mut png = std::io::Cursor::new(Vec::new());
    image::write_buffer_with_format(&mut png, &sheet.bytes, width, height, ExtendedColorType::Rgb8, ImageFormat::Png)
        .map_err(|e| Error::plain(format!("could not make the preview: {e}")))?;
    std::io::Write::write_all(&mut file, png.get_ref()).map_err(refused)?;
    file.persist(path).map_err(|e| refused(e.error))?;
    Ok(())
}
