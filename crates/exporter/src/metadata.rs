//! What an exported file says of itself, as key and value.

use model::Normalization;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::proto::{ModelProto, StringStringEntryProto};
use crate::words::Layout;

/// Everything that a reader needs to hand over images and to understand the answer. Kept as JSON under `etalon`, and in
/// parts under keys of their own for people who look with other tools.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Metadata {
    /// Version of this structure.
    pub format: u32,
    pub experiment: String,
    pub run: String,
    pub dataset: String,
    pub classes: Vec<String>,
    /// Shape of an image: height, width, channels.
    pub input: [usize; 3],
    /// The steps before the normalization, as YAML of the experiment language.
    pub preprocess: String,
    pub normalization: NormalizationRecord,
    /// Whether the graph normalizes pixels itself.
    pub takes_pixels: bool,
    /// Whether the graph gives probabilities.
    pub gives_probabilities: bool,
    pub is_nhwc: bool,
    pub fingerprints: Vec<(String, String)>,
}

/// A normalization in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NormalizationRecord {
    Affine { scale: Vec<f32>, shift: Vec<f32> },
    PerImage,
}

const FORMAT: u32 = 1;
const KEY: &str = "etalon";

impl From<&Normalization> for NormalizationRecord {
    fn from(normalization: &Normalization) -> NormalizationRecord {
        match normalization {
            Normalization::Affine { scale, shift } => {
                NormalizationRecord::Affine { scale: scale.clone(), shift: shift.clone() }
            }
            Normalization::PerImage => NormalizationRecord::PerImage,
        }
    }
}

impl Metadata {
    /// The version that is written.
    pub const FORMAT: u32 = FORMAT;

    /// As entries of a file.
    pub fn entries(&self) -> Vec<StringStringEntryProto> {
        let json = |value: serde_json::Value| value.to_string();
        let mut entries = vec![
            (KEY.to_string(), serde_json::to_string(self).expect("text and numbers become JSON")),
            ("experiment".to_string(), self.experiment.clone()),
            ("run".to_string(), self.run.clone()),
            ("dataset".to_string(), self.dataset.clone()),
            ("classes".to_string(), json(self.classes.clone().into())),
            ("preprocess".to_string(), self.preprocess.clone()),
            ("normalization".to_string(), serde_json::to_string(&self.normalization).expect("numbers become JSON")),
        ];
        entries.extend(self.fingerprints.iter().map(|(name, value)| (format!("fingerprint/{name}"), value.clone())));
        let entry = |(key, value)| StringStringEntryProto { key: Some(key), value: Some(value) };
        entries.into_iter().map(entry).collect()
    }

    /// Of a file that was written here.
    pub fn of(model: &ModelProto) -> Result<Metadata, Error> {
        let entry = model.metadata_props.iter().find(|entry| entry.key.as_deref() == Some(KEY));
        let text = entry.and_then(|entry| entry.value.as_deref());
        let text = text.ok_or_else(|| Error::new("it was not written by etalon: it lacks our metadata"))?;
        let metadata: Metadata =
            serde_json::from_str(text).map_err(|e| Error::new(format!("its metadata is damaged: {e}")))?;
        if metadata.format != FORMAT {
            return Err(Error::new(format!(
                "its metadata has format {}, this version knows {FORMAT}",
                metadata.format
            )));
        }
        Ok(metadata)
    }

    /// The layout of the input.
    pub fn layout(&self) -> Layout {
        if self.is_nhwc { Layout::Nhwc } else { Layout::Nchw }
    }
}
