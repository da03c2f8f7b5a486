//! Channels of zeros behind those of a value: the shortcut of option A in He et al. 2015.

use graph::{NodeId, Op};
use spec::{Kind, Word};

use super::{Build, Dims, Layer, LayerKind, Refusal};

spec::section! {
    /// Appends channels of zeros.
    struct Words {
        /// The number of channels afterwards.
        to: usize = required, min 1.0, max 65536.0, synonyms &["channels", "filters"], example "32";
    }
}

/// The row of the table.
pub(super) static ROW: LayerKind = LayerKind {
    kind: Kind {
        name: "pad_channels",
        synonyms: &[],
        doc: Words::SECTION.doc,
        main: Some("to"),
        fields: Words::SECTION.fields,
        example: "pad_channels: 32",
    },
    joins: false,
    read: |node| Box::new(PadChannels(Words::read(node))),
};

#[derive(Debug)]
struct PadChannels(Words);

impl Layer for PadChannels {
    fn output(&self, inputs: &[Dims]) -> Result<Dims, Refusal> {
        let mut dims = inputs[0].clone();
        let channels = dims.last_mut().expect("a value has channels");
        if *channels > self.0.to {
            return Err(Refusal::new(format!("{channels} channels are more than {}", self.0.to))
                .help("channels are only added"));
        }
        *channels = self.0.to;
        Ok(dims)
    }

    fn build(&self, build: &mut Build<'_>, inputs: &[NodeId]) -> NodeId {
        if build.g.shape(inputs[0]).channels() == self.0.to {
            return inputs[0];
        }
        build.g.push(Op::PadChannels { to: self.0.to }, inputs)
    }
}
