//! The IDX files of MNIST, plain or gzip: magic number, sizes, then one byte a pixel or label (LeCun, Cortes and Burges,
//! "The MNIST database of handwritten digits").

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use rayon::prelude::*;
use spec::{Kind, Node, Word};

use crate::card::Card;
use crate::card_words::{Hex, Named, RelativePath};
use crate::checksum::{self, Sums};
use crate::error::{Problem, grouped, reason};
use crate::formats::{
    Contents, Format, MAX_FILE_BYTES, Reading, WrongLabels, read_bounded, samples_unknown, takes_fixed_shapes,
};
use crate::places::Progress;
use crate::stored::{Images, Published, Split};

spec::section! {
    /// The two files of a split, without `.gz`.
    pub struct IdxSplit {
        /// The file of the images.
        pub images: RelativePath = required;
        /// The file of the labels.
        pub labels: RelativePath = required;
    }
}

spec::section! {
    /// A file of images and a file of labels for each split, plain or gzip.
    pub struct IdxLayout {
        /// The folder of the files.
        pub folder: RelativePath = required;
        /// The files of each split, named without `.gz`.
        pub splits: Named<IdxSplit> = required;
        /// SHA-256 of each published file, by its name: with `.gz` of the packed bytes, else of the unpacked ones.
        pub sha256: Named<Hex<64>> = {};
        /// MD5 of each published file, by its name: with `.gz` of the packed bytes, else of the unpacked ones.
        pub md5: Named<Hex<32>> = {};
    }
}

/// The row of `idx`.
pub const FORMAT: Format = Format {
    kind: Kind {
        name: "idx",
        synonyms: &["mnist", "ubyte"],
        doc: IdxLayout::SECTION.doc,
        main: None,
        fields: IdxLayout::SECTION.fields,
        example: "{format: idx, folder: mnist, splits: {test: {images: t10k-images-idx3-ubyte, labels: t10k-labels-idx1-ubyte}}}",
    },
    built_in: false,
    has_files: false,
    takes,
    samples: samples_unknown,
    read,
};

/// The first two bytes are 0; the third says that values are unsigned bytes, the fourth how many sizes follow.
const MAGIC: u32 = 0x0000_0800;

fn takes(card: &Card, parameters: &Node) -> Result<(), String> {
    takes_fixed_shapes(card, parameters)?;
    match card.image().channels {
        1 => Ok(()),
        _ => Err("images of this format are grey, so `image` ends in 1".into()),
    }
}

fn read(reading: &mut Reading) -> Result<Contents, Vec<Problem>> {
    let words = IdxLayout::read(reading.parameters);
    let shape = reading.card.image().fixed().expect("checked with the card");
    let sums = Sums { sha256: &words.sha256, md5: &words.md5 };
    let mut files = Vec::new();
    for (split, IdxSplit { images, labels }) in &words.splits.0 {
        (reading.progress)(Progress::Read { folder: reading.folder, split });
        files.extend([(images, &shape[..2]), (labels, &[])]);
    }
    let folder = reading.folder;
    let read: Vec<_> = files.into_par_iter().map(|(name, sizes)| read_file(folder, name, sizes, &sums)).collect();
    let published = Published::all(read.iter().flatten().map(|file| file.published));
    let (mut splits, mut problems) = (BTreeMap::new(), Vec::new());
    let mut read = read.into_iter();
    for (name, _) in &words.splits.0 {
        let (images, labels) = (read.next().expect("two files a split"), read.next().expect("two files a split"));
        match split(images, labels, shape, reading.classes.len()) {
            Ok(split) => drop(splits.insert(name.clone(), split)),
            Err(more) => problems.extend(more),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let fingerprint = checksum::of_memory(&splits);
    Ok(Contents { splits, published, fingerprint })
}

/// A split out of its two files; what is wrong with one of them hides nothing of the other.
fn split(images: ReadFile, labels: ReadFile, shape: [usize; 3], n_classes: usize) -> Result<Split, Vec<Problem>> {
    let labels = labels.and_then(|labels| in_range(labels, n_classes));
    let (images, labels) = match (images, labels) {
        (Ok(images), Ok(labels)) => (images, labels),
        (images, labels) => return Err(images.err().into_iter().chain(labels.err()).collect()),
    };
    if labels.n != images.n {
        let other = images.path.file_name().unwrap_or_default().to_string_lossy();
        let why = format!("there are {} labels, but {other} has {} images", grouped(labels.n), grouped(images.n));
        return Err(vec![Problem::new(&labels.path, why)]);
    }
    let labels = labels.values.iter().map(|label| u32::from(*label)).collect();
    Ok(Split { images: Images::Memory { shape, bytes: images.values }, labels, files: None })
}

/// The labels, if all are classes of the card.
fn in_range(labels: IdxFile, n_classes: usize) -> ReadFile {
    let mut wrong = WrongLabels::default();
    labels.values.iter().enumerate().for_each(|(index, label)| wrong.look(index, u32::from(*label), n_classes));
    match wrong.describe(n_classes) {
        Some(why) => Err(Problem::new(&labels.path, why)),
        None => Ok(labels),
    }
}

type ReadFile = Result<IdxFile, Problem>;

/// A file of images or of labels.
struct IdxFile {
    path: PathBuf,
    /// How many.
    n: u64,
    values: Vec<u8>,
    published: Published,
}

/// Reads `name` or `name.gz`, whose values have these sizes each: none for a label.
fn read_file(folder: &Path, name: &RelativePath, sizes: &[usize], sums: &Sums) -> ReadFile {
    let plain = folder.join(name.as_path());
    let packed_name = format!("{}.gz", name.0);
    let packed = folder.join(&packed_name);
    let (path, mut bytes, published) = if packed.is_file() {
        let packed_bytes = read_bounded(&packed)?;
        let bytes = unpack(&packed_bytes).map_err(|why| Problem::new(&packed, why))?;
        // A gunzip and gzip changes the packed bytes, so those that were packed decide.
        let published = match sums.check(&name.0, &bytes) {
            Published::NotChecked => sums.check(&packed_name, &packed_bytes),
            checked => checked,
        };
        (packed, bytes, published)
    } else {
        let bytes = read_bounded(&plain)?;
        let published = sums.check(&name.0, &bytes);
        (plain, bytes, published)
    };
    let (n, header) = header(&bytes, sizes).map_err(|why| Problem::new(&path, why))?;
    bytes.drain(..header);
    Ok(IdxFile { path, n, values: bytes, published })
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let decoder = MultiGzDecoder::new(packed);
    let read = decoder.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|e| format!("this is no whole gzip file: {}", reason(&e)))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("it unpacks to more than {} bytes", grouped(MAX_FILE_BYTES)));
    }
    Ok(bytes)
}

/// How many values there are and how long the header is; or what is wrong with it. All numbers are big-endian.
fn header(bytes: &[u8], sizes: &[usize]) -> Result<(u64, usize), String> {
    let word = |index: usize| {
        let four = bytes.get(index * 4..index * 4 + 4)?;
        Some(u32::from_be_bytes(four.try_into().expect("four bytes")))
    };
    let too_short = || format!("{} bytes are too short for the header of an IDX file", bytes.len());
    let expected = MAGIC + 1 + sizes.len() as u32;
    let what = if sizes.is_empty() { "labels" } else { "images" };
    let magic = word(0).ok_or_else(too_short)?;
    if magic != expected {
        return Err(format!("the file begins with 0x{magic:08x}, but IDX files of {what} with 0x{expected:08x}"));
    }
    let n = u64::from(word(1).ok_or_else(too_short)?);
    for (axis, expected) in sizes.iter().enumerate() {
        let found = word(2 + axis).ok_or_else(too_short)?;
        if found as usize != *expected {
            let found: Vec<String> = (0..sizes.len()).filter_map(|a| word(2 + a)).map(|s| s.to_string()).collect();
            let expected: Vec<String> = sizes.iter().map(usize::to_string).collect();
            let (found, expected) = (found.join(" x "), expected.join(" x "));
            return Err(format!("the images are {found} pixels (height x width), but the card says {expected}"));
        }
    }
    let header = 4 * (2 + sizes.len());
    let follow = (bytes.len() - header) as u64;
    let expected = n * sizes.iter().product::<usize>() as u64;
    if n == 0 || follow != expected {
        let (n, expected, follow) = (grouped(n), grouped(expected), grouped(follow));
        return Err(format!("the header says {n} {what}, {expected} bytes together, but {follow} bytes follow it"));
    }
    Ok((n, header))
}
