//! The binary files of CIFAR-10 and CIFAR-100: records of label bytes, then the red, green and blue plane, each 32 rows
//! of 32 (or as the card's shape says).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use spec::{Kind, Node, Word};

use crate::card::Card;
use crate::card_words::{Hex, Named, RelativePath};
use crate::checksum::{self, Sums};
use crate::error::{Problem, grouped};
use crate::formats::{
    Contents, Format, MAX_FILE_BYTES, Reading, WrongLabels, gather, samples_unknown, takes_fixed_shapes,
};
use crate::places::Progress;
use crate::stored::{Images, Published, Split};

spec::section! {
    /// Records of label bytes and planes of pixels.
    pub struct CifarLayout {
        /// The folder of the files.
        pub folder: RelativePath = required;
        /// What the bytes before the pixels are, in order; the card's `label` picks one.
        pub labels: Vec<String> = [label];
        /// The files of each split, in order.
        pub splits: Named<Vec<RelativePath>> = required;
        /// SHA-256 of each published file.
        pub sha256: Named<Hex<64>> = {};
        /// MD5 of each published file.
        pub md5: Named<Hex<32>> = {};
    }
}

/// The row of `cifar`.
pub const FORMAT: Format = Format {
    kind: Kind {
        name: "cifar",
        synonyms: &["cifar10", "cifar100", "cifar_binary"],
        doc: CifarLayout::SECTION.doc,
        main: None,
        fields: CifarLayout::SECTION.fields,
        example: "{format: cifar, folder: cifar-10-batches-bin, splits: {test: [test_batch.bin]}}",
    },
    built_in: false,
    has_files: false,
    takes,
    samples: samples_unknown,
    read,
};

/// One file of a split, with the part of the split's images and labels that it fills.
struct Part<'a> {
    name: &'a str,
    path: PathBuf,
    images: &'a mut [u8],
    labels: &'a mut [u32],
}

/// How a record is laid out.
struct Record {
    /// Label bytes before the pixels.
    n_labels: usize,
    /// The label byte that is the class.
    label_at: usize,
    /// Pixels of one plane.
    plane: usize,
    channels: usize,
    n_classes: usize,
}

impl Record {
    fn bytes(&self) -> usize {
        self.n_labels + self.plane * self.channels
    }
}

fn read(reading: &mut Reading) -> Result<Contents, Vec<Problem>> {
    let words = CifarLayout::read(reading.parameters);
    let shape = reading.card.image().fixed().expect("checked with the card");
    let record = Record {
        n_labels: words.labels.len(),
        label_at: label_at(reading.card, &words).expect("checked with the card"),
        plane: shape[0] * shape[1],
        channels: shape[2],
        n_classes: reading.classes.len(),
    };
    let sums = Sums { sha256: &words.sha256, md5: &words.md5 };
    let (mut splits, mut problems, mut published) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (name, files) in &words.splits.0 {
        (reading.progress)(Progress::Read { folder: reading.folder, split: name });
        match read_split(reading.folder, files, &record, &sums) {
            Ok((images, labels, each)) => {
                published.extend(each);
                let images = Images::Memory { shape, bytes: images };
                splits.insert(name.clone(), Split { images, labels, files: None });
            }
            Err(more) => problems.extend(more),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let fingerprint = checksum::of_memory(&splits);
    Ok(Contents { splits, published: Published::all(published), fingerprint })
}

type Filled = (Vec<u8>, Vec<u32>, Vec<Published>);

fn read_split(folder: &Path, files: &[RelativePath], record: &Record, sums: &Sums) -> Result<Filled, Vec<Problem>> {
    // A file whose size is wrong fills nothing, so that what is wrong with the others is found too.
    let mut problems = Vec::new();
    let size = |file: &RelativePath| n_records(&folder.join(file.as_path()), record);
    let sizes: Vec<usize> =
        files.iter().map(|file| size(file).map_err(|problem| problems.push(problem)).unwrap_or(0)).collect();
    let n: usize = sizes.iter().sum();
    let image = record.plane * record.channels;
    let (mut images, mut labels) = (vec![0u8; n * image], vec![0u32; n]);
    let (mut images_left, mut labels_left) = (&mut images[..], &mut labels[..]);
    let mut parts = Vec::new();
    for (file, n) in files.iter().zip(sizes).filter(|(_, n)| *n > 0) {
        let (images, images_rest) = images_left.split_at_mut(n * image);
        let (labels, labels_rest) = labels_left.split_at_mut(n);
        (images_left, labels_left) = (images_rest, labels_rest);
        parts.push(Part { name: &file.0, path: folder.join(file.as_path()), images, labels });
    }
    let done: Vec<Result<Published, Problem>> = parts.into_par_iter().map(|part| fill(part, record, sums)).collect();
    Ok((images, labels, gather(problems.into_iter().map(Err).chain(done))?))
}

fn n_records(path: &Path, record: &Record) -> Result<usize, Problem> {
    let found = std::fs::metadata(path).map_err(|e| Problem::refused(path, &e))?;
    let (length, size) = (found.len(), record.bytes() as u64);
    if !found.is_file() {
        return Err(Problem::new(path, "a file was expected here"));
    }
    if length == 0 {
        return Err(Problem::new(path, "the file is empty"));
    }
    if length > MAX_FILE_BYTES {
        return Err(Problem::new(path, format!("{} bytes are more than is read", grouped(length))));
    }
    if length % size != 0 {
        let why = format!(
            "{} bytes are no whole number of records of {} bytes: {} left over",
            grouped(length),
            grouped(size),
            grouped(length % size)
        );
        return Err(Problem::new(path, why));
    }
    Ok((length / size) as usize)
}

/// Reads a file: labels, and pixels from planes to channels side by side.
fn fill(part: Part, record: &Record, sums: &Sums) -> Result<Published, Problem> {
    let bytes = std::fs::read(&part.path).map_err(|e| Problem::refused(&part.path, &e))?;
    if bytes.len() != part.labels.len() * record.bytes() {
        return Err(Problem::new(part.path, "the file changed while it was read"));
    }
    let mut wrong = WrongLabels::default();
    let images = part.images.chunks_exact_mut(record.plane * record.channels);
    for (index, (source, image)) in bytes.chunks_exact(record.bytes()).zip(images).enumerate() {
        let label = u32::from(source[record.label_at]);
        wrong.look(index, label, record.n_classes);
        part.labels[index] = label;
        let planes = &source[record.n_labels..];
        for (channel, plane) in planes.chunks_exact(record.plane).enumerate() {
            for (pixel, value) in image.chunks_exact_mut(record.channels).zip(plane) {
                pixel[channel] = *value;
            }
        }
    }
    match wrong.describe(record.n_classes) {
        Some(why) => Err(Problem::new(part.path, why)),
        None => Ok(sums.check(part.name, &bytes)),
    }
}

fn label_at(card: &Card, words: &CifarLayout) -> Option<usize> {
    match &card.label {
        Some(label) => words.labels.iter().position(|l| l == label),
        None => (words.labels.len() == 1).then_some(0),
    }
}

fn takes(card: &Card, parameters: &Node) -> Result<(), String> {
    takes_fixed_shapes(card, parameters)?;
    match label_at(card, &CifarLayout::read(parameters)) {
        Some(_) => Ok(()),
        None => Err("`labels` names the label bytes of a record, the card's `label` one of them".into()),
    }
}
