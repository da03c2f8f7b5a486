//! The mechanism of the experiment language: positions, faults, tables of kinds, defaults, normal form.
//!
//! What comes in: the bytes of a YAML file, overrides from the command line, and the tables that other crates declare
//! with [`section!`] and [`Kind`]. What goes out: a resolved tree in which every value knows its place, typed values read
//! from it, and all [`Faults`] at once. This crate knows no layer, no loss, no tensor; it opens no file and runs nothing.

mod fault;
mod merge;
mod nearest;
mod parse;
mod path;
mod read;
mod reference;
mod resolve;
mod schema;
mod section;
mod source;
mod substitute;
mod table;
mod tree;
mod write;

pub use fault::{Fault, FaultLine, Faults};
pub use merge::merge;
pub use nearest::{nearest, one_of};
pub use parse::{MAX_BYTES, parse};
pub use path::{Override, apply_override, item_names, path};
pub use read::{Chosen, Elsewhere, Reserved, Word, number};
pub use reference::{kinds_reference, section_reference};
pub use resolve::{
    Known, Step, embedded, is_name, normalize, resolve, resolve_kind, resolve_step, resolve_steps, unknown,
};
pub use schema::schema;
pub use section::key_of;
pub use source::{Origin, Place, SourceId, Sources};
pub use substitute::{Bindings, substitute, substitute_within, variable};
pub use table::{Choice, Default, Field, Form, Kind, KindTable, Own, Range, Section, Type};
pub use tree::{Entry, Map, Node, Scalar, Value};
pub use write::{to_flow, to_yaml};
