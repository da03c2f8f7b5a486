//! What the tests of cards, formats and downloads share.

#![allow(dead_code)] // Each test file uses its part.

use std::io::Write;
use std::path::Path;

use data::{Card, Cards, DATASET, DataSection, Dataset, Error, Places, Stored};
use flate2::Compression;
use flate2::write::GzEncoder;
use spec::{Faults, Sources, Word};

/// The card that this text means: a name or a card in place.
pub fn card(text: &str) -> Card {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let node = spec::parse("test.yaml", text.as_bytes(), &mut sources, &mut faults).unwrap();
    let node = spec::resolve(&node, &DATASET, &mut faults);
    let card = Cards::load(&[], &mut sources).find(&node, &mut faults);
    assert!(faults.is_empty(), "{}", faults.render(&sources, false));
    card.unwrap()
}

/// Reads what lies in a data folder.
pub fn read(card: &Card, folder: &Path) -> Result<Stored, Error> {
    data::read(card, &Places { data_dirs: vec![folder.into()], download: false }, &mut |_| {})
}

/// Writes a file and the folders that it needs.
pub fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Packed as gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An IDX file of bytes with these sizes.
pub fn idx(sizes: &[u32], values: &[u8]) -> Vec<u8> {
    let magic = [0, 0, 8, sizes.len() as u8];
    magic.into_iter().chain(sizes.iter().flat_map(|s| s.to_be_bytes())).chain(values.iter().copied()).collect()
}

/// An image file of the format that the path's name says, whose pixel (x, y) is (x, y, 7).
pub fn write_image(path: &Path, height: u32, width: u32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    image::RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 7])).save(path).unwrap();
}

/// Opens what a section `data` says, in these data folders.
pub fn try_open(text: &str, folders: &[&Path]) -> Result<Dataset, Error> {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let folders: Vec<_> = folders.iter().map(|folder| folder.to_path_buf()).collect();
    let cards = Cards::load(&folders, &mut sources);
    let node = spec::parse("data.yaml", text.as_bytes(), &mut sources, &mut faults).unwrap();
    let node = spec::resolve(&node, &DataSection::TYPE, &mut faults);
    let checked = data::check(&node, &cards, &mut faults);
    assert!(faults.is_empty(), "{}", faults.render(&sources, false));
    Dataset::open(&checked, &Places { data_dirs: folders, download: false }, &mut |_| ())
}
