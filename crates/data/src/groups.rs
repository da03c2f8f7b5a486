//! The groups that samples belong to, such as the videos that frames were cut from: a column of a table beside the images.
//!
//! The table is `samples.csv` in the dataset's folder: a row a file, named in the column `file` as it lies below that
//! folder, `train/cat/7.png`. Every file has one row and every row its file, so that nothing is left out by a slip.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use crate::error::{Problem, one_line};
use crate::stored::{Split, Stored};
use crate::{Error, checksum};

/// The table's name.
pub(crate) const TABLE: &str = "samples.csv";
/// The column that names the files.
const FILE: &str = "file";
/// Largest table that is read, in bytes.
const MAX_BYTES: u64 = 1 << 28;

/// The group of every sample.
pub(crate) struct Groups {
    /// The column that they stand in.
    pub column: String,
    /// Their names, sorted.
    pub names: Vec<String>,
    /// Of each split, the number of each sample's group.
    pub by_split: BTreeMap<String, Vec<u32>>,
}

impl Groups {
    /// Reads the column of the table in the dataset's folder.
    pub fn read(stored: &Stored, column: &str) -> Result<Groups, Error> {
        if stored.splits.values().any(|split| split.files.is_none()) {
            let (name, layout) = (&stored.name, stored.layout);
            return Err(Error::plain(format!("{name} lies here as {layout}, whose images are no files to be grouped")));
        }
        let path = stored.folder.join(TABLE);
        let bytes = bytes(&path).map_err(|why| Error::refused("read the table of groups", &path, why))?;
        let mut problems = Vec::new();
        let mut group_of = rows(&path, &bytes, column, &mut problems)?;
        let mut names_of: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, split) in &stored.splits {
            let mut names = Vec::with_capacity(split.len());
            for file in files(split) {
                match group_of.remove(&below(&stored.folder, file)) {
                    Some((_, group)) => names.push(group),
                    None => problems.push(Problem::new(file, format!("{TABLE} has no row for this file"))),
                }
            }
            names_of.insert(name, names);
        }
        for (file, (line, _)) in group_of {
            problems.push(Problem::new(&path, format!("line {line}: there is no file `{}`", one_line(&file))));
        }
        if !problems.is_empty() {
            return Err(Error::in_the_way(&stored.name, problems));
        }
        let names: BTreeSet<&String> = names_of.values().flatten().collect();
        let names: Vec<String> = names.into_iter().cloned().collect();
        let number = |name: &String| names.binary_search(name).expect("every name is there") as u32;
        let by_split =
            names_of.iter().map(|(split, of)| (split.to_string(), of.iter().map(number).collect())).collect();
        Ok(Groups { column: column.to_string(), names, by_split })
    }

    /// A fingerprint of the data with these groups, which decide who is in which part.
    pub fn fingerprint(&self, fingerprint: &str) -> String {
        let numbers = self.by_split.values().flatten().map(|number| u64::from(*number));
        checksum::with(fingerprint, "groups", numbers)
    }
}

fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("this is no file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(std::io::Error::other("it is larger than any table that is read")),
        false => Ok(bytes),
    }
}

/// By file, the line of its row and its group.
type Rows = BTreeMap<String, (u64, String)>;

fn rows(path: &Path, bytes: &[u8], column: &str, problems: &mut Vec<Problem>) -> Result<Rows, Error> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(bytes);
    let wrong = |why: String| Error::plain(format!("could not read {}: {why}", path.display()));
    let headers = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
    let find = |name: &str| {
        let at = headers.iter().position(|header| header.trim_start_matches('\u{feff}') == name);
        at.ok_or_else(|| wrong(format!("it has no column `{name}`, but {}", spec::one_of(headers.iter()))))
    };
    let (file_at, group_at) = (find(FILE)?, find(column)?);
    let mut rows = Rows::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                problems.push(Problem::new(path, error.to_string()));
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let value = |at: usize| record.get(at).unwrap_or_default().to_string();
        let (file, group) = (value(file_at), value(group_at));
        if record.len() != headers.len() {
            let why = format!("line {line}: it has {} values, the first line has {}", record.len(), headers.len());
            problems.push(Problem::new(path, why));
        } else if group.is_empty() {
            problems.push(Problem::new(path, format!("line {line}: `{column}` is empty")));
        }
        if let Some((first, _)) = rows.insert(file.clone(), (line, group)) {
            let file = one_line(&file);
            problems.push(Problem::new(path, format!("line {line}: `{file}` has a row in line {first}, too")));
        }
    }
    Ok(rows)
}

fn files(split: &Split) -> &[std::path::PathBuf] {
    split.files.as_deref().unwrap_or_default()
}

/// A file as the table names it.
fn below(folder: &Path, file: &Path) -> String {
    let names = file.strip_prefix(folder).unwrap_or(file).components();
    names.map(|name| name.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
