//! What the world does to data: one line that says what failed, on what, why and what to do; broken files all together.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Most problems that a message lists; [`Error::problems`] has them all.
const MAX_LISTED: usize = 100;

/// What is wrong with one file, or with a part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file; of what is no single file's the part, `train`.
    pub path: PathBuf,
    /// What was found and what was expected; lower case, no final stop.
    pub why: String,
}

impl Problem {
    pub(crate) fn new(path: impl Into<PathBuf>, why: impl Into<String>) -> Problem {
        Problem { path: path.into(), why: why.into() }
    }

    /// The operating system refused to do something with a file.
    pub(crate) fn refused(path: &Path, why: &io::Error) -> Problem {
        Problem::new(path, reason(why))
    }
}

/// One failed piece of work with data.
#[derive(Debug)]
pub struct Error {
    message: String,
    problems: Vec<Problem>,
    absent: bool,
    source: Option<io::Error>,
}

impl Error {
    /// Whether the dataset is neither here nor downloadable, so that a fallback may stand in for it. What is here but
    /// broken is not absent.
    pub fn is_absent(&self) -> bool {
        self.absent
    }

    /// All that is wrong.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// A whole message.
    pub(crate) fn plain(message: impl AsRef<str>) -> Error {
        Error { message: one_line(message.as_ref()), problems: Vec::new(), absent: false, source: None }
    }

    /// The same, where the dataset could not be had at all.
    pub(crate) fn absent(self) -> Error {
        Error { absent: true, ..self }
    }

    /// The operating system refused: `could not <what> <path>: <why>; <what to do>`.
    pub(crate) fn refused(what: &str, path: &Path, why: io::Error) -> Error {
        let message = format!("could not {what} {}: {}{}", show(path), reason(&why), remedy(why.kind()));
        Error { source: Some(why), ..Error::plain(message) }
    }

    /// Files of a dataset that are not what they should be; `downloadable` where new ones can be had.
    pub(crate) fn broken(dataset: &str, mut problems: Vec<Problem>, downloadable: bool) -> Error {
        problems.sort();
        let (what, them) = match problems.len() {
            1 => ("a file is not as it should be".to_string(), "it"),
            n => (format!("{} files are not as they should be", grouped(n as u64)), "them"),
        };
        let or = if downloadable { ", or move the folder away to have it downloaded again" } else { "" };
        let message = format!("{dataset} cannot be used: {what}; replace {them}{or}");
        Error { problems, ..Error::plain(message) }
    }

    /// Whole files that do not serve the experiment as it stands.
    pub(crate) fn in_the_way(dataset: &str, mut problems: Vec<Problem>) -> Error {
        problems.sort();
        let what = match problems.len() {
            1 => "one thing stands in the way".to_string(),
            n => format!("{} things stand in the way", grouped(n as u64)),
        };
        Error { problems, ..Error::plain(format!("{dataset} cannot be used: {what}")) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for problem in self.problems.iter().take(MAX_LISTED) {
            write!(f, "\n  {}: {}", show(&problem.path), one_line(&problem.why))?;
        }
        match self.problems.len().saturating_sub(MAX_LISTED) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|e| e as _)
    }
}

/// A path for a message: control characters, which a file name may hold, are written out.
pub(crate) fn show(path: &Path) -> String {
    one_line(&path.display().to_string())
}

/// Text from outside without what would move a terminal's cursor.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

/// The operating system's reason, without the error number that Rust appends.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// A number for a message: `1,234,567`.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn remedy(kind: io::ErrorKind) -> &'static str {
    use io::ErrorKind as K;
    match kind {
        K::StorageFull | K::QuotaExceeded | K::FileTooLarge => "; free some space and try again",
        K::PermissionDenied | K::ReadOnlyFilesystem => "; allow it, or choose another folder with --data-dir",
        K::NotADirectory | K::IsADirectory | K::AlreadyExists => "; move away what stands there",
        K::NotFound => "; check the path",
        _ => "",
    }
}
