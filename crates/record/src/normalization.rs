//! How pixels become the numbers that a network takes: in words that data, networks, runs and exported files share.

use serde::{Deserialize, Serialize};

/// What is done to an image of 8-bit values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// `pixel * scale + shift`, one of each a channel.
    Affine {
        /// Factors.
        scale: Vec<f32>,
        /// Summands.
        shift: Vec<f32>,
    },
    /// `(pixel - mean) / deviation` over the image.
    PerImage,
}
