//! Judges predictions: metrics with intervals, tables, plots, and runs side by side.

pub mod plots;
