//! Judges predictions: metrics with intervals, tables, plots, and runs side by side.
//!
//! What comes in: class probabilities with labels, the history of a run, and runs as they lie on disk. What goes out:
//! values with intervals, Parquet files, text for the terminal, pictures. This crate trains nothing, knows no network and
//! prints nothing; it alone uses Polars.

pub mod words;

pub mod metrics;

mod check;
pub mod intervals;
mod judged;
mod measure;

pub mod plots;
pub mod tables;

pub mod compare;
pub mod report;

pub use check::{Evaluation, Facts, asks_for_best, check};
pub use judged::{Judged, decision};
pub use measure::{Measured, Row};
pub use metrics::Direction;
