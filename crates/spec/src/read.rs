//! Typed values out of a resolved tree. Reading never fails, since resolving has checked everything.

use crate::{Node, Place, Range, Type, Value};

/// A Rust type that a key can hold.
pub trait Word: Sized {
    /// What is checked before reading.
    const TYPE: Type;

    /// Whether `none` switches it off.
    const CAN_BE_OFF: bool = false;

    /// Reads a resolved value.
    ///
    /// # Panics
    /// If the value was not resolved with [`Word::TYPE`]: a bug.
    fn read(node: &Node) -> Self;

    /// Reads the value of a key of a resolved mapping.
    fn read_key(node: &Node, key: &str) -> Self {
        let value = node.find(key).unwrap_or_else(|| panic!("`{key}` is in every resolved section of its kind"));
        Self::read(value)
    }
}

/// A key that the language reserves and nothing reads yet: naming it is a fault that says so.
#[derive(Clone, Copy, Debug)]
pub struct Reserved;

impl Word for Reserved {
    const TYPE: Type = Type::Later;

    fn read(_: &Node) -> Reserved {
        Reserved
    }

    fn read_key(_: &Node, _: &str) -> Reserved {
        Reserved
    }
}

/// A key that is taken out of the tree before typed values are read, so that the struct holds nothing of it; declare it
/// with `ty`.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere;

impl Word for Elsewhere {
    const TYPE: Type = Type::Free;

    fn read(_: &Node) -> Elsewhere {
        Elsewhere
    }

    fn read_key(_: &Node, _: &str) -> Elsewhere {
        Elsewhere
    }
}

/// The number that a scalar says, if it says one: `1e-3`, `1_000` is not one.
pub fn number(node: &Node) -> Option<f64> {
    match &node.value {
        Value::Scalar(s) if !s.quoted && s.text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
            s.text.parse::<f64>().ok().filter(|x| x.is_finite())
        }
        _ => None,
    }
}

/// The whole number that a scalar says: `64`, `1e3`, `2.0`.
pub(crate) fn integer(node: &Node) -> Option<i64> {
    let text = node.text()?;
    if let Value::Scalar(s) = &node.value
        && !s.quoted
        && let Ok(exact) = text.parse::<i64>()
    {
        return Some(exact);
    }
    number(node).filter(|x| x.fract() == 0.0 && x.abs() < 9e15).map(|x| x as i64)
}

impl Word for bool {
    const TYPE: Type = Type::Boolean;

    fn read(node: &Node) -> bool {
        node.is_word("true")
    }
}

impl Word for f64 {
    const TYPE: Type = Type::Number(Range::ANY);

    fn read(node: &Node) -> f64 {
        number(node).expect("resolved to a number")
    }
}

impl Word for usize {
    const TYPE: Type = Type::Integer(Range { low: 0.0, ..Range::ANY });

    fn read(node: &Node) -> usize {
        integer(node).expect("resolved to a whole number") as usize
    }
}

impl Word for u64 {
    const TYPE: Type = Type::Integer(Range { low: 0.0, ..Range::ANY });

    fn read(node: &Node) -> u64 {
        integer(node).expect("resolved to a whole number") as u64
    }
}

impl Word for String {
    const TYPE: Type = Type::Text;

    fn read(node: &Node) -> String {
        node.text().expect("resolved to text").to_string()
    }
}

/// `[height, width]`.
impl Word for [usize; 2] {
    const TYPE: Type = Type::Size(Range { low: 0.0, ..Range::ANY });

    fn read(node: &Node) -> [usize; 2] {
        let items = node.list().expect("resolved to a pair");
        [usize::read(&items[0]), usize::read(&items[1])]
    }
}

impl<T: Word> Word for Vec<T> {
    const TYPE: Type = Type::List { of: &T::TYPE, lone: false };

    fn read(node: &Node) -> Vec<T> {
        node.list().expect("resolved to a list").iter().map(T::read).collect()
    }
}

/// A setting that may be off, written `none`.
impl<T: Word> Word for Option<T> {
    const TYPE: Type = T::TYPE;
    const CAN_BE_OFF: bool = true;

    fn read(node: &Node) -> Option<T> {
        if node.is_word("none") { None } else { Some(T::read(node)) }
    }

    fn read_key(node: &Node, key: &str) -> Option<T> {
        node.find(key).and_then(Self::read)
    }
}

/// A value kept as tree.
impl Word for Node {
    const TYPE: Type = Type::Free;

    fn read(node: &Node) -> Node {
        node.clone()
    }
}

/// A kind that was chosen: its name and its resolved parameters. The owner of the table reads them with its row.
#[derive(Clone, Debug)]
pub struct Chosen {
    pub kind: String,
    /// The mapping of parameters (with `type`, where the key chooses by `type`).
    pub parameters: Node,
    /// Place of the kind's name.
    pub place: Place,
}

/// Declare the key with `kinds &TABLE`; in lists of steps with `Vec<Chosen>` and `steps &TABLE`.
impl Word for Chosen {
    const TYPE: Type = Type::Free;

    fn read(node: &Node) -> Chosen {
        if let Some(kind) = node.find("type") {
            let name = kind.text().expect("resolved to the name of a kind").to_string();
            return Chosen { kind: name, parameters: node.clone(), place: kind.place };
        }
        let entry = node.only_entry().expect("resolved to a step");
        Chosen { kind: entry.key.clone(), parameters: entry.node.clone(), place: entry.key_place }
    }
}

impl Chosen {
    /// Reads the parameters as the section that the kind's row names.
    pub fn read<T: Word>(&self) -> T {
        T::read(&self.parameters)
    }
}
