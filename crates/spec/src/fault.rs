//! Faults: what is wrong with what the user wrote, with its place and a way out. They are collected, never thrown.

use annotate_snippets::renderer::DEFAULT_TERM_WIDTH;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use crate::{Origin, Place, Sources};

/// One mistake.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub place: Place,
    /// What was found and what was expected; lower case, no final stop. Makes sense alone.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Other places that matter, each with a word why.
    pub related: Vec<(Place, String)>,
}

impl Fault {
    /// A fault at a place.
    pub fn new(place: Place, message: impl Into<String>) -> Fault {
        Fault { place, message: message.into(), help: None, related: Vec::new() }
    }

    /// The same with what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Fault {
        self.help = Some(help.into());
        self
    }

    /// The same with another place that matters.
    pub fn related(mut self, place: Place, why: impl Into<String>) -> Fault {
        self.related.push((place, why.into()));
        self
    }
}

/// All mistakes found so far.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    list: Vec<Fault>,
}

/// A fault as programs read it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultLine {
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    pub message: String,
    pub help: Option<String>,
}

impl Faults {
    /// None yet.
    pub fn new() -> Faults {
        Faults::default()
    }

    /// Adds a fault. The same message at the same place counts once.
    pub fn push(&mut self, fault: Fault) {
        let known = |f: &Fault| {
            f.message == fault.message && f.place.bytes() == fault.place.bytes() && f.place.source == fault.place.source
        };
        if !self.list.iter().any(known) {
            self.list.push(fault);
        }
    }

    /// Adds all of another list, each once.
    pub fn extend(&mut self, others: Faults) {
        others.list.into_iter().for_each(|fault| self.push(fault));
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many mistakes.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// The faults in the order of their places.
    pub fn sorted(&self) -> Vec<&Fault> {
        let mut list: Vec<&Fault> = self.list.iter().collect();
        list.sort_by_key(|f| (f.place.source, f.place.start));
        list
    }

    /// For programs.
    pub fn lines(&self, sources: &Sources) -> Vec<FaultLine> {
        let line = |f: &Fault| {
            let (line, column) = sources.line_column(f.place);
            let file = sources.name(f.place.source).to_string();
            FaultLine { file, line, column, message: f.message.clone(), help: f.help.clone() }
        };
        self.sorted().into_iter().map(line).collect()
    }

    /// For people: each with file, line, column, the source line and what to do; `colour` for a terminal that shows it.
    pub fn render(&self, sources: &Sources, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.term_width(DEFAULT_TERM_WIDTH);
        let parts: Vec<String> = self.sorted().into_iter().map(|f| render_one(f, sources, &renderer)).collect();
        parts.join("\n\n")
    }
}

fn render_one(fault: &Fault, sources: &Sources, renderer: &Renderer) -> String {
    let text = sources.text(fault.place.source);
    let mut snippet = Snippet::source(text).path(sources.name(fault.place.source));
    let note = if fault.place.origin == Origin::Default { "left out here, so the default applies" } else { "" };
    let primary = AnnotationKind::Primary.span(visible(text, fault.place));
    snippet = snippet.annotation(if note.is_empty() { primary } else { primary.label(note) });
    let mut elsewhere = Vec::new();
    for (place, why) in &fault.related {
        if place.source == fault.place.source {
            snippet = snippet.annotation(AnnotationKind::Context.span(visible(text, *place)).label(why.as_str()));
        } else {
            let (line, column) = sources.line_column(*place);
            elsewhere.push(format!("{}:{line}:{column}: {why}", sources.name(place.source)));
        }
    }
    let mut report = vec![Level::ERROR.primary_title(fault.message.as_str()).element(snippet)];
    report.extend(elsewhere.iter().map(|e| Group::with_title(Level::NOTE.secondary_title(e.as_str()))));
    report.extend(fault.help.iter().map(|h| Group::with_title(Level::HELP.secondary_title(h.as_str()))));
    renderer.render(&report)
}

/// The first line of a place, so that a fault in a long mapping shows one line.
fn visible(text: &str, place: Place) -> std::ops::Range<usize> {
    let mut start = (place.start as usize).min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let line_end = text[start..].find(['\n', '\r']).map_or(text.len(), |n| start + n);
    let mut end = (place.end as usize).clamp(start, line_end);
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}
