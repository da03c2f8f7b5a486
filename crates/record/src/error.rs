//! What the world does to files: one line that says what failed, on what, why, and what to do.

use std::fmt;
use std::io;
use std::path::Path;

/// One failed piece of work with files, in one line.
#[derive(Debug)]
pub struct Error {
    message: String,
    source: Option<io::Error>,
}

impl Error {
    /// The operating system refused: `could not <what> <path>: <why>; <what to do>`.
    pub(crate) fn refused(what: &str, path: &Path, why: io::Error) -> Error {
        let message = format!("could not {what} {}: {}{}", show(path), reason(&why), remedy(why.kind()));
        Error { message, source: Some(why) }
    }

    /// A file is there but is not what it should be: `<path> is damaged: <why>; <what to do>`.
    pub(crate) fn damaged(path: &Path, why: impl fmt::Display, what_to_do: &str) -> Error {
        Error { message: one_line(&format!("{} is damaged: {why}; {what_to_do}", show(path))), source: None }
    }

    /// Another process works on this run.
    pub(crate) fn busy(path: &Path, holder: &str) -> Error {
        let by = if holder.is_empty() { "another process".to_string() } else { format!("process {holder}") };
        Error::plain(format!("{} is in use by {by}; wait until it ends, or stop it", show(path)))
    }

    /// A whole message.
    pub(crate) fn plain(message: impl Into<String>) -> Error {
        Error { message: one_line(&message.into()), source: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
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

fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

/// The operating system's reason, without the error number that Rust appends.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

fn remedy(kind: io::ErrorKind) -> &'static str {
    use io::ErrorKind as K;
    match kind {
        K::StorageFull | K::QuotaExceeded | K::FileTooLarge => "; free some space and try again",
        K::PermissionDenied | K::ReadOnlyFilesystem => "; allow it, or choose another folder with --runs-dir",
        K::NotADirectory | K::IsADirectory | K::AlreadyExists => "; move away what stands there",
        K::NotFound => "; check the path",
        _ => "",
    }
}
