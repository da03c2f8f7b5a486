//! Where text came from, and places in it.

use std::ops::Range;

/// One text that values came from: a file, or a `key=value` of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// All texts of one experiment.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    list: Vec<(String, String)>,
}

impl Sources {
    /// No text yet.
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Adds a text under the name that faults will print (a path, or `command line`).
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        self.list.push((name.into(), text.into()));
        SourceId(self.list.len() as u32 - 1)
    }

    /// The name that faults print.
    pub fn name(&self, id: SourceId) -> &str {
        &self.list[id.0 as usize].0
    }

    /// The whole text.
    pub fn text(&self, id: SourceId) -> &str {
        &self.list[id.0 as usize].1
    }

    /// Line and column of a place, both counted from 1, columns in characters.
    pub fn line_column(&self, place: Place) -> (usize, usize) {
        let text = self.text(place.source);
        let mut start = (place.start as usize).min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &text[..start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
        (line, column)
    }
}

/// How a value got into the experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Written in a file.
    File,
    /// Given on the command line.
    CommandLine,
    /// A default of the table; the place is that of the section that left it out.
    Default,
}

/// A range of bytes in a source, and how the value got there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub source: SourceId,
    pub start: u32,
    pub end: u32,
    pub origin: Origin,
}

impl Place {
    /// A place in a file.
    pub fn new(source: SourceId, bytes: Range<usize>) -> Place {
        Place { source, start: bytes.start as u32, end: bytes.end as u32, origin: Origin::File }
    }

    /// The same place, for a value that a default put there.
    pub fn as_default(self) -> Place {
        Place { origin: Origin::Default, ..self }
    }

    /// The bytes of the place.
    pub fn bytes(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}
