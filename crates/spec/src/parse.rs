//! Bytes to a tree. Never fails: what cannot be read becomes faults, what can be read a tree. Everything is bounded.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use crate::{Entry, Fault, Faults, Map, Node, Place, Scalar, SourceId, Sources, Value};

/// Largest text that is read.
pub const MAX_BYTES: usize = 1 << 20;
/// Most values in a file, those that aliases repeat included.
pub(crate) const MAX_NODES: usize = 100_000;
/// Deepest nesting.
const MAX_DEPTH: usize = 64;

/// Reads YAML bytes under `name` into a tree. `None` where there is nothing to go on with; the faults say why.
pub fn parse(name: &str, bytes: &[u8], sources: &mut Sources, faults: &mut Faults) -> Option<Node> {
    if bytes.len() > MAX_BYTES {
        let source = sources.add(name, "");
        let message = format!("the file has more than {MAX_BYTES} bytes");
        faults.push(Fault::new(Place::new(source, 0..0), message).help("an experiment is a few hundred lines of text"));
        return None;
    }
    // A zero byte is UTF-8, but no text: it stands in UTF-16 and in other files.
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let valid = std::str::from_utf8(&bytes[..end]).map_err(|wrong| wrong.valid_up_to());
    let text = match valid {
        Ok(text) if end == bytes.len() => text.strip_prefix('\u{feff}').unwrap_or(text),
        _ => {
            let end = valid.err().unwrap_or(end);
            let source = sources.add(name, String::from_utf8_lossy(&bytes[..end]));
            let fault = Fault::new(Place::new(source, end..end), format!("byte {end} is not UTF-8 text"));
            faults.push(fault.help("save the file as UTF-8"));
            return None;
        }
    };
    let source = sources.add(name, text);
    let faults_before = faults.len();
    let root = parse_part(source, text, 0, faults);
    if root.is_none() && faults.len() == faults_before {
        faults
            .push(Fault::new(Place::new(source, 0..0), "the file is empty").help("an experiment is a mapping of keys"));
    }
    root
}

/// Reads a part of a source that begins `offset` bytes into it.
pub(crate) fn parse_part(source: SourceId, text: &str, offset: usize, faults: &mut Faults) -> Option<Node> {
    let anchors = HashMap::new();
    let mut builder = Builder { source, offset, faults, anchors, nodes: 0, stack: Vec::new(), root: None };
    builder.read(text);
    builder.root
}

struct Builder<'a> {
    source: SourceId,
    offset: usize,
    faults: &'a mut Faults,
    /// Anchored nodes with their sizes.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    stack: Vec<Open>,
    root: Option<Node>,
}

/// A list or mapping that has not ended.
struct Open {
    node: Node,
    anchor: usize,
    /// Values before this one began, to know its size.
    nodes_before: usize,
    /// The key that waits for its value; `None` in lists and between entries.
    key: Option<(String, Place)>,
}

impl Builder<'_> {
    fn read(&mut self, text: &str) {
        let mut documents = 0;
        for next in Parser::new_from_str(text) {
            let (event, span) = match next {
                Ok(found) => found,
                Err(error) => {
                    let at = error.marker().byte_offset().unwrap_or(0).min(text.len());
                    let help = indentation_help(text, at);
                    let at = at + self.offset;
                    let fault = Fault::new(Place::new(self.source, at..at), format!("not YAML: {}", error.info()));
                    self.faults.push(Fault { help, ..fault });
                    self.root = None;
                    return;
                }
            };
            let place = self.place(&span);
            let going_on = match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    documents == 1 || self.stop(place, "a second document begins here; a file is one experiment")
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let quoted = style != ScalarStyle::Plain;
                    let empty = !quoted && (text.is_empty() || text == "~" || text == "null");
                    let scalar = Scalar { text: text.into_owned(), quoted };
                    let value = if empty { Value::Empty } else { Value::Scalar(scalar) };
                    self.refuse_tag(tag.is_some(), place);
                    self.nodes += 1;
                    self.finish(Node { value, place }, anchor, 1)
                }
                Event::SequenceStart(_, anchor, tag) => {
                    self.refuse_tag(tag.is_some(), place);
                    self.open(Value::List(Vec::new()), place, anchor)
                }
                Event::MappingStart(_, anchor, tag) => {
                    self.refuse_tag(tag.is_some(), place);
                    self.open(Value::Map(Map::default()), place, anchor)
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(place),
                Event::Alias(id) => self.alias(id, place),
                _ => true,
            };
            if !going_on {
                return;
            }
        }
    }

    fn place(&self, span: &Span) -> Place {
        let bytes = span.byte_range().unwrap_or(0..0);
        Place::new(self.source, bytes.start + self.offset..bytes.end + self.offset)
    }

    fn stop(&mut self, place: Place, message: &str) -> bool {
        self.faults.push(Fault::new(place, message));
        self.root = None;
        false
    }

    fn refuse_tag(&mut self, tagged: bool, place: Place) {
        if tagged {
            self.faults.push(
                Fault::new(place, "a tag (`!…`) stands here; an experiment is plain data").help("take the tag out"),
            );
        }
    }

    fn open(&mut self, value: Value, place: Place, anchor: usize) -> bool {
        if self.stack.len() >= MAX_DEPTH {
            return self.stop(place, &format!("nested more than {MAX_DEPTH} deep"));
        }
        // A list or mapping as a key is taken in and refused when it ends.
        self.stack.push(Open { node: Node { value, place }, anchor, nodes_before: self.nodes, key: None });
        true
    }

    fn close(&mut self, end: Place) -> bool {
        let Some(open) = self.stack.pop() else { return true };
        let mut node = open.node;
        node.place.end = end.end.max(node.place.end);
        let size = self.nodes - open.nodes_before + 1;
        self.nodes += 1;
        self.finish(node, open.anchor, size)
    }

    fn alias(&mut self, id: usize, place: Place) -> bool {
        match self.anchors.get(&id) {
            Some((node, size)) => {
                if self.nodes + size > MAX_NODES {
                    return self.stop(
                        place,
                        &format!("with its aliases written out the file has more than {MAX_NODES} values"),
                    );
                }
                let (node, size) = (node.clone(), *size);
                self.nodes += size;
                self.finish(node, 0, size)
            }
            None => self.stop(place, "this alias stands inside the value that it names"),
        }
    }

    /// Puts a finished value, which holds `size` values with itself, where it belongs.
    fn finish(&mut self, node: Node, anchor: usize, size: usize) -> bool {
        if self.nodes > MAX_NODES {
            return self.stop(node.place, &format!("the file has more than {MAX_NODES} values"));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(top) = self.stack.last_mut() else {
            self.root = Some(node);
            return true;
        };
        match (&mut top.node.value, top.key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(map), Some((key, key_place))) => match map.entry(&key) {
                Some(first) => {
                    let fault = Fault::new(key_place, format!("the key `{key}` stands twice in this mapping"));
                    self.faults.push(fault.related(first.key_place, "first here").help("keep one of them"));
                }
                None => map.entries.push(Entry { key, key_place, node }),
            },
            (Value::Map(_), None) => match node.value {
                Value::Scalar(s) => top.key = Some((s.text, node.place)),
                _ => {
                    let place = node.place;
                    return self.stop(place, "a key must be a word");
                }
            },
            _ => unreachable!("only lists and mappings are open"),
        }
        true
    }
}

fn indentation_help(text: &str, at: usize) -> Option<String> {
    let line_start = text[..at].rfind('\n').map_or(0, |n| n + 1);
    let line = text[line_start..].lines().next().unwrap_or("");
    let indented_by_tab = line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t');
    indented_by_tab.then(|| "indent with spaces; YAML does not take tabs there".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(text: &str) -> Vec<String> {
        let (mut sources, mut faults) = (Sources::new(), Faults::new());
        parse("test.yaml", text.as_bytes(), &mut sources, &mut faults);
        faults.lines(&sources).iter().map(|f| format!("{}:{} {}", f.line, f.column, f.message)).collect()
    }

    #[test]
    fn both_places_of_a_duplicate_key_are_known() {
        assert_eq!(faults_of("ä: 1\nlr: 1e-3\nlr: 0.1\n"), ["3:1 the key `lr` stands twice in this mapping"]);
    }

    #[test]
    fn traps_have_one_clear_message() {
        for (text, expected) in [
            ("a:\n\tb: 1\n", "2:"),
            ("a: [1, 2\n", "1:4 not YAML: unclosed bracket"),
            ("a: 1\n---\nb: 2\n", "2:1 a second document"),
            ("a: &x [*x]\n", "1:8 this alias"),
            ("a: !!python/object x\n", "1:"),
            ("? [a, b]\n: 1\n", "1:3 a key must be a word"),
            ("", "1:1 the file is empty"),
        ] {
            let found = faults_of(text);
            assert_eq!(found.len(), 1, "{text:?}: {found:?}");
            assert!(found[0].starts_with(expected), "{text:?}: {found:?}");
        }
    }

    #[test]
    fn an_alias_bomb_is_refused_quickly() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_string();
        for i in 1..12 {
            text += &format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 9].join(", "));
        }
        assert!(faults_of(&text)[0].contains("more than 100000 values"));
    }

    #[test]
    fn not_utf8_is_a_fault_at_its_byte() {
        let (mut sources, mut faults) = (Sources::new(), Faults::new());
        assert!(parse("t", b"a: \xff", &mut sources, &mut faults).is_none());
        assert_eq!(faults.lines(&sources)[0].column, 4);
    }
}
