//! The tree of a YAML text: every key and value with its place. A scalar stays text until a table says what it is.

use crate::Place;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub value: Value,
    pub place: Place,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A key without a value.
    Empty,
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Map),
    /// Something with a fault that has been reported; it agrees with everything, so that one mistake is one fault.
    Bad,
}

/// A word, number or text as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    pub text: String,
    /// Quoted scalars are always text.
    pub quoted: bool,
}

/// Keys in the order of the file; a key stands once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    pub entries: Vec<Entry>,
}

/// One key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: String,
    pub key_place: Place,
    pub node: Node,
}

impl Map {
    /// The value of a key.
    pub fn find(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|e| &e.node)
    }

    /// The entry of a key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.key == key)
    }

    /// The value of a key, to change it.
    pub fn find_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries.iter_mut().find(|e| e.key == key).map(|e| &mut e.node)
    }

    /// Sets a key, in place where it is there.
    pub fn set(&mut self, key: &str, key_place: Place, node: Node) {
        match self.find_mut(key) {
            Some(old) => *old = node,
            None => self.entries.push(Entry { key: key.to_string(), key_place, node }),
        }
    }
}

impl Node {
    /// A plain scalar.
    pub fn word(text: impl Into<String>, place: Place) -> Node {
        Node { value: Value::Scalar(Scalar { text: text.into(), quoted: false }), place }
    }

    /// A node whose fault has been reported.
    pub fn bad(place: Place) -> Node {
        Node { value: Value::Bad, place }
    }

    /// A mapping without keys.
    pub fn empty_map(place: Place) -> Node {
        Node { value: Value::Map(Map::default()), place }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(s) => Some(&s.text),
            _ => None,
        }
    }

    /// Whether this is the unquoted word `word`.
    pub fn is_word(&self, word: &str) -> bool {
        matches!(&self.value, Value::Scalar(s) if !s.quoted && s.text == word)
    }

    /// The mapping, where this is one.
    pub fn map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(m) => Some(m),
            _ => None,
        }
    }

    /// The mapping, to change it.
    pub fn map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.value {
            Value::Map(m) => Some(m),
            _ => None,
        }
    }

    /// The items, where this is a list.
    pub fn list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(l) => Some(l),
            _ => None,
        }
    }

    /// The value of a key of this mapping.
    pub fn find(&self, key: &str) -> Option<&Node> {
        self.map().and_then(|m| m.find(key))
    }

    /// The place of a key's value in this mapping; the place of the whole where the key is not there.
    pub fn place_of(&self, key: &str) -> Place {
        self.find(key).map_or(self.place, |n| n.place)
    }

    /// Whether nothing in here has a reported fault, so that typed values can be read.
    pub fn is_sound(&self) -> bool {
        match &self.value {
            Value::Bad => false,
            Value::Empty | Value::Scalar(_) => true,
            Value::List(items) => items.iter().all(Node::is_sound),
            Value::Map(map) => map.entries.iter().all(|e| e.node.is_sound()),
        }
    }

    /// How many values stand in here, this one included.
    pub fn count(&self) -> usize {
        1 + match &self.value {
            Value::Empty | Value::Scalar(_) | Value::Bad => 0,
            Value::List(items) => items.iter().map(Node::count).sum(),
            Value::Map(map) => map.entries.iter().map(|e| e.node.count()).sum(),
        }
    }

    /// The one key of a mapping with one key: a step of a list written out.
    pub fn only_entry(&self) -> Option<&Entry> {
        match self.map()?.entries.as_slice() {
            [entry] => Some(entry),
            _ => None,
        }
    }

    /// What this is, in words, for messages.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Empty => "nothing".into(),
            Value::Scalar(s) if s.quoted => format!("the text \"{}\"", shorten(&s.text)),
            Value::Scalar(s) => format!("`{}`", shorten(&s.text)),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Map(_) => "a mapping".into(),
            Value::Bad => "a faulty value".into(),
        }
    }
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().count() > 40 {
        short.push('…');
    }
    short
}
