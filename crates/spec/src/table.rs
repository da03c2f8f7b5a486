//! The shape of tables: what a key may hold, what a section has, which kinds there are.
//!
//! Other crates declare rows; parsing, checking, defaults, normal form, messages and the reference are derived from them.

use crate::{Faults, Node};

/// Bounds of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    pub low: f64,
    pub high: f64,
    /// Whether `low` itself is outside.
    pub open_low: bool,
    /// Whether `high` itself is outside.
    pub open_high: bool,
}

impl Range {
    /// Every finite number.
    pub const ANY: Range = Range { low: f64::NEG_INFINITY, high: f64::INFINITY, open_low: false, open_high: false };

    /// Whether `x` is inside.
    pub fn contains(&self, x: f64) -> bool {
        let above = if self.open_low { x > self.low } else { x >= self.low };
        let below = if self.open_high { x < self.high } else { x <= self.high };
        above && below
    }

    /// The range in words: `at least 1`, `above 0 and below 1`; empty where everything is inside.
    pub fn describe(&self) -> String {
        let low = (self.low > f64::NEG_INFINITY)
            .then(|| format!("{} {}", if self.open_low { "above" } else { "at least" }, self.low));
        let high = (self.high < f64::INFINITY)
            .then(|| format!("{} {}", if self.open_high { "below" } else { "at most" }, self.high));
        [low, high].into_iter().flatten().collect::<Vec<_>>().join(" and ")
    }
}

/// One word of a closed choice.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    pub name: &'static str,
    pub doc: &'static str,
}

/// What a key may hold.
#[derive(Clone, Copy)]
pub enum Type {
    /// `true` or `false`.
    Boolean,
    Integer(Range),
    Number(Range),
    /// Any text.
    Text,
    /// A name: `[a-z][a-z0-9_]*`.
    Name,
    /// One of these words.
    Choice(&'static [Choice]),
    /// `[height, width]`, or one number for both; normal form is the pair.
    Size(Range),
    /// A list; a single value that is no list stands for a list of one where `lone` is set.
    List {
        of: &'static Type,
        lone: bool,
    },
    /// A mapping with these keys.
    Section(&'static Section),
    /// `type: name` with that kind's keys, or a bare word.
    Kind(&'static KindTable),
    /// A list of steps, each one key with its parameters.
    Steps(&'static KindTable),
    /// The first of these that fits the value's form (boolean, number, word, list, mapping).
    Either(&'static [Type]),
    /// Any value, kept as it is.
    Free,
    /// The declaring crate's own rule.
    Own(&'static Own),
    /// Reserved by the language and not built yet.
    Later,
}

/// A rule of a crate's own for one key.
pub struct Own {
    /// What is expected, in words.
    pub expects: &'static str,
    /// The forms that it takes, for the schema and the reference; the rule may be narrower.
    pub forms: &'static [Form],
    /// Brings the value to normal form and, if `fill`, writes defaults out; reports faults.
    pub resolve: fn(&Node, fill: bool, &mut Faults) -> Node,
}

/// One form that a value of a crate's own rule may have.
pub enum Form {
    Type(Type),
    /// Steps of this table, or with names of the file's own.
    OpenSteps(&'static KindTable),
    /// A mapping of names to values of this type.
    Named(Type),
}

/// What stands where a key is left out.
#[derive(Clone, Copy, Debug)]
pub enum Default {
    /// Leaving it out is a fault.
    Required,
    /// `none`: the section or setting is off.
    Off,
    /// This YAML.
    Yaml(&'static str),
}

/// One key.
#[derive(Clone, Copy)]
pub struct Field {
    pub name: &'static str,
    /// One or two sentences; the first says what it is.
    pub doc: &'static str,
    pub unit: &'static str,
    pub ty: Type,
    pub default: Default,
    /// Whether `none` switches it off.
    pub can_be_off: bool,
    /// Names that other tools use for it; answered with a suggestion.
    pub synonyms: &'static [&'static str],
    /// A value as YAML for the reference; empty where one follows from type and default.
    pub example: &'static str,
}

/// A mapping with known keys.
pub struct Section {
    pub name: &'static str,
    pub doc: &'static str,
    pub fields: &'static [Field],
}

/// One kind of a table: a layer, an optimizer, a step.
pub struct Kind {
    pub name: &'static str,
    /// Names that other tools use for it; answered with a suggestion.
    pub synonyms: &'static [&'static str],
    pub doc: &'static str,
    /// The parameter that a value which is no mapping sets.
    pub main: Option<&'static str>,
    pub fields: &'static [Field],
    /// A line of YAML that is right.
    pub example: &'static str,
}

/// All kinds that one key may name.
pub struct KindTable {
    /// What a row is: `optimizer`, `layer`.
    pub what: &'static str,
    pub kinds: fn() -> Vec<&'static Kind>,
    /// Keys that every kind takes beside its own.
    pub common: &'static [Field],
    /// The kind of a mapping without `type`, where one is meant.
    pub untyped: Option<&'static str>,
}

impl KindTable {
    /// The kind of this name.
    pub fn find(&self, name: &str) -> Option<&'static Kind> {
        (self.kinds)().into_iter().find(|k| k.name == name)
    }

    /// All names.
    pub fn names(&self) -> Vec<&'static str> {
        (self.kinds)().into_iter().map(|k| k.name).collect()
    }
}

impl Field {
    /// A key that must be there.
    pub const fn required(name: &'static str, doc: &'static str, ty: Type) -> Field {
        Field { name, doc, unit: "", ty, default: Default::Required, can_be_off: false, synonyms: &[], example: "" }
    }

    /// A key that is off where it is left out.
    pub const fn optional(name: &'static str, doc: &'static str, ty: Type) -> Field {
        Field { name, doc, unit: "", ty, default: Default::Off, can_be_off: true, synonyms: &[], example: "" }
    }

    /// A key with a default, as YAML.
    pub const fn with_default(name: &'static str, doc: &'static str, ty: Type, yaml: &'static str) -> Field {
        Field { name, doc, unit: "", ty, default: Default::Yaml(yaml), can_be_off: false, synonyms: &[], example: "" }
    }

    /// A key that is reserved and answered with "not yet".
    pub const fn later(name: &'static str, doc: &'static str) -> Field {
        Field {
            name,
            doc,
            unit: "",
            ty: Type::Later,
            default: Default::Off,
            can_be_off: true,
            synonyms: &[],
            example: "",
        }
    }

    /// The same, switched off by `none` where its Rust type may be off.
    pub const fn off(self, can_be_off: bool) -> Field {
        Field { can_be_off: self.can_be_off || can_be_off, ..self }
    }

    /// The same with a unit.
    pub const fn unit(self, unit: &'static str) -> Field {
        Field { unit, ..self }
    }

    /// The same with names that other tools use.
    pub const fn synonyms(self, synonyms: &'static [&'static str]) -> Field {
        Field { synonyms, ..self }
    }

    /// The same with a value that the reference shows.
    pub const fn example(self, example: &'static str) -> Field {
        Field { example, ..self }
    }

    /// The same, at least this.
    pub const fn min(self, low: f64) -> Field {
        Field { ty: self.ty.bounded(low, f64::INFINITY, false, false), ..self }
    }

    /// The same, at most this.
    pub const fn max(self, high: f64) -> Field {
        Field { ty: self.ty.bounded(f64::NEG_INFINITY, high, false, false), ..self }
    }

    /// The same, above this.
    pub const fn above(self, low: f64) -> Field {
        Field { ty: self.ty.bounded(low, f64::INFINITY, true, false), ..self }
    }

    /// The same, below this.
    pub const fn below(self, high: f64) -> Field {
        Field { ty: self.ty.bounded(f64::NEG_INFINITY, high, false, true), ..self }
    }

    /// The same, choosing among kinds.
    pub const fn kinds(self, table: &'static KindTable) -> Field {
        Field { ty: Type::Kind(table), ..self }
    }

    /// The same, a list of steps.
    pub const fn steps(self, table: &'static KindTable) -> Field {
        Field { ty: Type::Steps(table), ..self }
    }

    /// The same with another type than its Rust type says.
    pub const fn ty(self, ty: Type) -> Field {
        Field { ty, ..self }
    }
}

impl Type {
    const fn bounded(self, low: f64, high: f64, open_low: bool, open_high: bool) -> Type {
        match self {
            Type::Integer(r) => Type::Integer(r.narrowed(low, high, open_low, open_high)),
            Type::Number(r) => Type::Number(r.narrowed(low, high, open_low, open_high)),
            Type::Size(r) => Type::Size(r.narrowed(low, high, open_low, open_high)),
            _ => panic!("only numbers have bounds"),
        }
    }

    /// What is expected, in words.
    pub fn expects(&self) -> String {
        match self {
            Type::Boolean => "true or false".into(),
            Type::Integer(r) => with_range("a whole number", r),
            Type::Number(r) => with_range("a number", r),
            Type::Text => "text".into(),
            Type::Name => "a name (a-z, 0-9 and _, beginning with a letter)".into(),
            Type::Choice(choices) => crate::one_of(choices.iter().map(|c| c.name)),
            Type::Size(r) => with_range("[height, width] or one number for both", r),
            Type::List { of, .. } => format!("a list, each {}", of.expects()),
            Type::Section(_) => "a mapping".into(),
            Type::Kind(table) => format!("a kind of {}", table.what),
            Type::Steps(table) => format!("a list of {}s", table.what),
            Type::Either(types) => types.iter().map(Type::expects).collect::<Vec<_>>().join(", or "),
            Type::Free => "any value".into(),
            Type::Own(own) => own.expects.into(),
            Type::Later => "nothing yet".into(),
        }
    }
}

impl Range {
    const fn narrowed(self, low: f64, high: f64, open_low: bool, open_high: bool) -> Range {
        let (low, open_low) = if low > self.low { (low, open_low) } else { (self.low, self.open_low) };
        let (high, open_high) = if high < self.high { (high, open_high) } else { (self.high, self.open_high) };
        Range { low, high, open_low, open_high }
    }
}

fn with_range(what: &str, range: &Range) -> String {
    let bounds = range.describe();
    if bounds.is_empty() { what.to_string() } else { format!("{what} {bounds}") }
}
