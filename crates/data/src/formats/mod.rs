//! The formats in which a dataset may lie on disk: one row, one file each.

mod cifar;
mod drawn;
mod embedded;
mod idx;
pub(crate) mod image_folder;

use std::collections::BTreeMap;
use std::path::Path;

use spec::{Kind, Node};

use crate::card::Card;
use crate::error::{Problem, grouped};
use crate::places::Progress;
use crate::stored::{Published, Split};

/// Largest file that is read at once, unpacked.
const MAX_FILE_BYTES: u64 = 1 << 32;

/// A way of laying a dataset out.
pub struct Format {
    /// Its name in a card's `layouts`, and its words.
    pub kind: Kind,
    /// Whether the program holds the images itself, so that nothing is looked for.
    pub built_in: bool,
    /// Whether every sample is a file of its own, of which a table beside them may tell more.
    pub has_files: bool,
    /// Whether a card's images may lie so; if not, why.
    pub takes: fn(&Card, &Node) -> Result<(), String>,
    /// How many samples each split has, where the format itself knows.
    pub samples: fn(&Node) -> BTreeMap<String, usize>,
    /// Reads all splits and checks them, or says of every broken file what is wrong.
    pub(crate) read: fn(&mut Reading) -> Result<Contents, Vec<Problem>>,
}

/// What a format is asked to read.
pub(crate) struct Reading<'a> {
    pub card: &'a Card,
    /// The format's own words.
    pub parameters: &'a Node,
    /// The folder of the layout; empty where the program holds the images itself.
    pub folder: &'a Path,
    /// The names of the classes, in the order of the labels.
    pub classes: &'a [String],
    pub progress: &'a mut dyn FnMut(Progress),
}

/// What a format has read.
pub(crate) struct Contents {
    pub splits: BTreeMap<String, Split>,
    pub published: Published,
    /// BLAKE3 of what was read, in hexadecimal digits.
    pub fingerprint: String,
}

/// All formats.
pub const FORMATS: [&Format; 5] =
    [&cifar::FORMAT, &idx::FORMAT, &image_folder::FORMAT, &embedded::FORMAT, &drawn::FORMAT];

/// For formats whose files alone know how many samples there are.
fn samples_unknown(_: &Node) -> BTreeMap<String, usize> {
    BTreeMap::new()
}

/// For formats that hold images of one shape only.
fn takes_fixed_shapes(card: &Card, _: &Node) -> Result<(), String> {
    match card.image().fixed() {
        Some(_) => Ok(()),
        None => Err("images of this format have one shape, so `image` has no `any`".into()),
    }
}

/// Labels that are none of the card's: the first, and how many more there are.
#[derive(Default)]
struct WrongLabels {
    first: Option<(usize, u32)>,
    count: usize,
}

impl WrongLabels {
    /// Looks at the label of a record.
    fn look(&mut self, record: usize, label: u32, n_classes: usize) {
        if label as usize >= n_classes {
            self.first.get_or_insert((record, label));
            self.count += 1;
        }
    }

    /// What is wrong, if anything is; records are counted from 0.
    fn describe(&self, n_classes: usize) -> Option<String> {
        let (record, label) = self.first?;
        let more = match self.count - 1 {
            0 => String::new(),
            1 => "; so is 1 more".into(),
            more => format!("; so are {more} more"),
        };
        Some(format!(
            "the label of record {record} is {label}, out of the range 0 to {} of the classes{more}",
            n_classes - 1
        ))
    }
}

/// The bytes of a file, unless it is none (a pipe would never end) or larger than any that is read.
pub(crate) fn read_bounded(path: &Path) -> Result<Vec<u8>, Problem> {
    let found = std::fs::metadata(path).map_err(|e| Problem::refused(path, &e))?;
    if !found.is_file() {
        return Err(Problem::new(path, "a file was expected here"));
    }
    if found.len() > MAX_FILE_BYTES {
        return Err(Problem::new(path, format!("{} bytes are more than is read", grouped(found.len()))));
    }
    std::fs::read(path).map_err(|e| Problem::refused(path, &e))
}

/// All results, or everything that went wrong.
fn gather<T>(results: impl IntoIterator<Item = Result<T, Problem>>) -> Result<Vec<T>, Vec<Problem>> {
    let (mut good, mut problems) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(good) } else { Err(problems) }
}
