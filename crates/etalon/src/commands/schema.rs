//! `etalon schema`: the language for editors and for people.

use clap::{Args, ValueEnum};

use crate::catalogue;
use crate::failure::Outcome;
use crate::terminal;

/// Arguments of `etalon schema`.
#[derive(Args)]
pub struct SchemaArguments {
    /// `json` is a JSON Schema for editors, `markdown` the reference of every key
    #[arg(long, value_enum, default_value = "json")]
    pub format: SchemaFormat,
}

/// For whom the language is written down.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaFormat {
    Json,
    Markdown,
}

/// Prints the language.
pub fn schema(arguments: &SchemaArguments) -> Outcome {
    terminal::print(&match arguments.format {
        SchemaFormat::Json => catalogue::schema(),
        SchemaFormat::Markdown => catalogue::reference(),
    });
    Ok(())
}
