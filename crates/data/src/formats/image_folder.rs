//! A folder a class, an image a file. Links are followed, to files and to folders: an archive brings none, so they are the
//! user's own; one that leads nowhere is told. Names that begin with a dot do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use spec::{Kind, Word};

use crate::card_words::{ImageShape, Named, RelativePath};
use crate::checksum;
use crate::error::Problem;
use crate::formats::{Contents, Format, Reading, gather, read_bounded, samples_unknown};
use crate::groups::TABLE;
use crate::places::Progress;
use crate::stored::{Images, Pixels, Published, Split};

spec::section! {
    /// A folder for each class, with its images as PNG, JPEG, BMP or WebP; names that begin with a dot do not count.
    pub struct ImageFolderLayout {
        /// The folder of the splits.
        pub folder: RelativePath = required;
        /// The folder of each split's class folders; `.` is the folder itself.
        pub splits: Named<RelativePath> = required;
    }
}

/// The row of `image_folder`.
pub const FORMAT: Format = Format {
    kind: Kind {
        name: "image_folder",
        synonyms: &["folder", "imagefolder", "image_directory"],
        doc: ImageFolderLayout::SECTION.doc,
        main: None,
        fields: ImageFolderLayout::SECTION.fields,
        example: "{format: image_folder, folder: cifar10, splits: {train: train, test: test}}",
    },
    built_in: false,
    has_files: true,
    takes: |_, _| Ok(()),
    samples: samples_unknown,
    read,
};

/// Images of one shape are kept in memory up to this many bytes; others are decoded when they are wanted.
const MAX_IN_MEMORY: usize = 1 << 30;

/// The names of the folders in a folder, sorted; hidden ones do not count.
pub(crate) fn subfolders(folder: &Path) -> std::io::Result<Vec<String>> {
    Ok(entries(folder)?.into_iter().filter(|entry| entry.path.is_dir()).map(|entry| entry.name).collect())
}

/// The class folders of all splits, in the order of their names; `None` where there are none.
pub(crate) fn class_names<'a>(root: &Path, splits: impl Iterator<Item = &'a str>) -> Option<Vec<String>> {
    let names: BTreeSet<String> = splits.flat_map(|split| subfolders(&root.join(split)).unwrap_or_default()).collect();
    (!names.is_empty()).then(|| names.into_iter().collect())
}

/// What stands in a folder.
struct Entry {
    /// Letters that are no Unicode replaced.
    name: String,
    path: PathBuf,
}

/// What stands in a folder, sorted by name; hidden ones, which begin with a dot, do not count.
fn entries(folder: &Path) -> std::io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.push(Entry { name, path: entry.path() });
        }
    }
    found.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    Ok(found)
}

/// One image of a split.
struct Sample {
    /// Split, class and file, for the fingerprint.
    name: String,
    path: PathBuf,
    label: u32,
}

fn read(reading: &mut Reading) -> Result<Contents, Vec<Problem>> {
    let words = ImageFolderLayout::read(reading.parameters);
    let shape = reading.card.image();
    let (mut splits, mut problems, mut hashes) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (name, folder) in &words.splits.0 {
        (reading.progress)(Progress::Read { folder: reading.folder, split: name });
        match read_split(name, &joined(reading.folder, folder), reading.classes, shape) {
            Ok((split, each)) => {
                splits.insert(name.clone(), split);
                hashes.extend(each);
            }
            Err(more) => problems.extend(more),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    hashes.sort_by(|a, b| a.0.cmp(&b.0));
    let fingerprint = checksum::of_files(hashes.iter().map(|(name, hash)| (name.as_str(), *hash)));
    Ok(Contents { splits, published: Published::NotChecked, fingerprint })
}

/// The folder of a split; `.` adds nothing to the path.
fn joined(root: &Path, folder: &RelativePath) -> PathBuf {
    root.join(folder.as_path()).components().collect()
}

type ReadSplit = (Split, Vec<(String, blake3::Hash)>);

fn read_split(name: &str, folder: &Path, classes: &[String], shape: ImageShape) -> Result<ReadSplit, Vec<Problem>> {
    let (samples, problems) = list(name, folder, classes);
    let size = shape.fixed().map(|s| s.iter().product::<usize>()).filter(|size| size * samples.len() <= MAX_IN_MEMORY);
    let done: Vec<Result<(Pixels, blake3::Hash), Problem>> = samples
        .par_iter()
        .map(|sample| {
            let bytes = read_bounded(&sample.path)?;
            let mut pixels = Pixels::of_size([0, 0, 1]);
            let decoded = pixels.decode(&bytes, shape.channels).and_then(|()| fits(&pixels, shape));
            decoded.map_err(|why| Problem::new(&sample.path, why))?;
            if size.is_none() {
                pixels.bytes = Vec::new();
            }
            Ok((pixels, blake3::hash(&bytes)))
        })
        .collect();
    let done = match (gather(done), problems.is_empty()) {
        (Ok(done), true) => done,
        (done, _) => return Err(problems.into_iter().chain(done.err().unwrap_or_default()).collect()),
    };
    let labels = samples.iter().map(|s| s.label).collect();
    let paths: Vec<PathBuf> = samples.iter().map(|s| s.path.clone()).collect();
    let images = match (shape.fixed(), size) {
        (Some(shape), Some(size)) => {
            let mut bytes = Vec::with_capacity(size * samples.len());
            done.iter().for_each(|(pixels, _)| bytes.extend_from_slice(&pixels.bytes));
            Images::Memory { shape, bytes }
        }
        _ => {
            let hashes = done.iter().map(|(_, hash)| *hash).collect();
            Images::Files { paths: paths.clone(), hashes, channels: shape.channels }
        }
    };
    let hashes = samples.into_iter().zip(done).map(|(sample, (_, hash))| (sample.name, hash)).collect();
    Ok((Split { images, labels, files: Some(paths) }, hashes))
}

/// The images of a split, by class and name, and what is wrong with their folders.
fn list(split: &str, folder: &Path, classes: &[String]) -> (Vec<Sample>, Vec<Problem>) {
    let found = match entries(folder) {
        Ok(found) => found,
        Err(error) => return (Vec::new(), vec![Problem::refused(folder, &error)]),
    };
    if found.is_empty() {
        let why = "the folder is empty; it should have a folder for each class";
        return (Vec::new(), vec![Problem::new(folder, why)]);
    }
    let (mut samples, mut problems) = (Vec::new(), Vec::new());
    for Entry { name, path } in found.iter().filter(|entry| entry.name != TABLE) {
        if !path.is_dir() {
            problems.push(Problem::new(path, "a folder of a class was expected here"));
        } else if !classes.contains(name) {
            problems.push(Problem::new(path, "no class of the card has the name of this folder"));
        }
    }
    for (label, class) in classes.iter().enumerate() {
        let Some(of_class) = found.iter().find(|entry| entry.name == *class) else {
            problems.push(Problem::new(folder.join(class), "the folder of this class is missing"));
            continue;
        };
        if !of_class.path.is_dir() {
            continue;
        }
        let files = match entries(&of_class.path) {
            Ok(files) => files,
            Err(error) => {
                problems.push(Problem::refused(&of_class.path, &error));
                continue;
            }
        };
        if files.is_empty() {
            problems.push(Problem::new(&of_class.path, "the folder of this class is empty"));
        }
        for Entry { name, path } in files {
            if path.is_dir() {
                problems.push(Problem::new(path, "a folder stands among the images of a class"));
            } else {
                let name = format!("{split}/{class}/{name}");
                samples.push(Sample { name, path, label: label as u32 });
            }
        }
    }
    (samples, problems)
}

/// The pixels, if they have the card's shape.
fn fits(pixels: &Pixels, shape: ImageShape) -> Result<(), String> {
    let agrees = |expected: Option<usize>, found| expected.is_none_or(|size| size == found);
    if agrees(shape.height, pixels.height) && agrees(shape.width, pixels.width) {
        return Ok(());
    }
    let side = |size: Option<usize>| size.map_or_else(|| "any".into(), |s| s.to_string());
    let (height, width) = (side(shape.height), side(shape.width));
    let found = format!("the image is {} x {} pixels (height x width)", pixels.height, pixels.width);
    Err(format!("{found}, but the card says {height} x {width}"))
}
