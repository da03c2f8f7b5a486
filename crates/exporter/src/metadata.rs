//! What an exported file says of itself, as key and value.

use kernels::input::Normalization;
use model::names;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::proto::{ModelProto, StringStringEntryProto, ValueInfoProto};
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
    pub normalization: Normalization,
    /// Whether the graph normalizes pixels itself.
    pub takes_pixels: bool,
    /// Whether the graph gives probabilities.
    pub gives_probabilities: bool,
    pub is_nhwc: bool,
    pub fingerprints: Vec<(String, String)>,
}

const FORMAT: u32 = 1;
const KEY: &str = "etalon";

/// More numbers than any image that a network is handed.
const LARGEST_IMAGE: usize = 1 << 30;

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
        match metadata.fits(model) {
            true => Ok(metadata),
            false => Err(Error::new("its metadata does not fit its graph")),
        }
    }

    /// Whether images and scores are what the graph says of its input and output, so that nothing else has to look.
    fn fits(&self, model: &ModelProto) -> bool {
        let Some(graph) = &model.graph else { return false };
        let dims = |values: &[ValueInfoProto], name: &str| {
            values.iter().find(|value| value.name.as_deref() == Some(name)).and_then(ValueInfoProto::dims)
        };
        let [height, width, channels] = self.input;
        let image = match self.layout() {
            Layout::Nhwc => vec![height, width, channels],
            Layout::Nchw => vec![channels, height, width],
        };
        let output = if self.gives_probabilities { names::PROBABILITIES } else { names::SCORES };
        let length = self.input.iter().try_fold(1usize, |length, &size| length.checked_mul(size));
        let is_normalized = match &self.normalization {
            Normalization::Affine { scale, shift } => scale.len() == channels && shift.len() == channels,
            Normalization::PerImage => true,
        };
        let is_small = length.is_some_and(|length| (1..=LARGEST_IMAGE).contains(&length));
        let is_image = dims(&graph.input, names::IMAGE) == Some(image);
        let is_scored = dims(&graph.output, output) == Some(vec![self.classes.len()]) && !self.classes.is_empty();
        is_normalized && is_small && is_image && is_scored
    }

    /// The layout of the input.
    pub fn layout(&self) -> Layout {
        if self.is_nhwc { Layout::Nhwc } else { Layout::Nchw }
    }
}

#[cfg(test)]
mod tests {
    use graph::Shape;
    use prost::Message;

    use super::*;
    use crate::proto::GraphProto;

    fn file(metadata: &Metadata) -> ModelProto {
        let graph = GraphProto {
            input: vec![ValueInfoProto::new(names::IMAGE, &Shape::batched(&[3, 4, 5]))],
            output: vec![ValueInfoProto::new(names::SCORES, &Shape::batched(&[2]))],
            ..GraphProto::default()
        };
        ModelProto { graph: Some(graph), metadata_props: metadata.entries(), ..ModelProto::default() }
    }

    fn metadata() -> Metadata {
        Metadata {
            format: FORMAT,
            experiment: "test".to_string(),
            run: "20260101T000000Z-1-abc".to_string(),
            dataset: "made".to_string(),
            classes: vec!["ant".to_string(), "bee".to_string()],
            input: [4, 5, 3],
            preprocess: "[]".to_string(),
            normalization: Normalization::Affine { scale: vec![0.1; 3], shift: vec![0.2; 3] },
            takes_pixels: false,
            gives_probabilities: false,
            is_nhwc: false,
            fingerprints: vec![("data".to_string(), "f00d".to_string())],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Metadata::of(&file(&metadata())).unwrap(), metadata());
    }

    #[test]
    fn metadata_of_another_graph_is_refused() {
        let damages: [fn(&mut Metadata); 8] = [
            |m| m.classes.clear(),
            |m| m.classes.push("cat".to_string()),
            |m| m.input = [4, 5, 0],
            |m| m.input = [5, 4, 3],
            |m| m.input = [usize::MAX, 2, 3],
            |m| m.is_nhwc = true,
            |m| m.gives_probabilities = true,
            |m| m.normalization = Normalization::Affine { scale: vec![0.1], shift: vec![0.2; 3] },
        ];
        for damage in damages {
            let mut damaged = metadata();
            damage(&mut damaged);
            let error = Metadata::of(&file(&damaged)).unwrap_err().to_string();
            assert_eq!(error, "its metadata does not fit its graph", "{damaged:?}");
        }
        let newer = Metadata { format: 2, ..metadata() };
        let error = Metadata::of(&file(&newer)).unwrap_err().to_string();
        assert_eq!(error, "its metadata has format 2, this version knows 1");
    }

    #[test]
    fn no_damaged_byte_panics() {
        let bytes = file(&metadata()).encode_to_vec();
        for place in 0..bytes.len() {
            for flip in [0x01, 0x10, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[place] ^= flip;
                for end in [place, damaged.len()] {
                    let Ok(model) = ModelProto::decode(&damaged[..end]) else { continue };
                    if let Err(error) = Metadata::of(&model) {
                        assert_eq!(error.to_string().lines().count(), 1, "{error}");
                    }
                }
            }
        }
    }
}
