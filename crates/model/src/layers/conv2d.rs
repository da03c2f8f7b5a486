//! A convolution with bias and activation. Kernel `[filters, kernel height, kernel width, channels / groups]`.

use graph::{NodeId, Op};
use spec::{Chosen, Kind, Node, Word};

use super::activation::{self, ACTIVATIONS};
use super::padding::{Padding, window};
use super::{Array, Build, Dims, Layer, LayerKind, Refusal, image};
use crate::initializers::{INIT, Init};

spec::section! {
    /// A convolution over images: each of its filters looks at a window of all channels.
    struct Words {
        /// The number of filters, which are the output's channels.
        filters: usize = required, min 1.0, max 65536.0, synonyms &["out_channels", "channels", "features", "units"], example "32";
        /// Size of the window.
        kernel_size: [usize; 2] = required, min 1.0, max 4096.0, unit "pixels", synonyms &["kernel", "window", "size"], example "3";
        /// Step from window to window.
        stride: [usize; 2] = 1, min 1.0, max 4096.0, unit "pixels", synonyms &["strides"];
        /// What is around the image: `valid` (nothing), `same`, or a number of zeros on each side.
        padding: Padding = valid, synonyms &["pad"];
        /// Distance of the pixels that a window reads.
        dilation: [usize; 2] = 1, min 1.0, max 4096.0, unit "pixels", synonyms &["dilation_rate"];
        /// Parts of the channels that do not see each other.
        groups: usize = 1, min 1.0, max 65536.0;
        /// Whether a number is added to each channel.
        bias: bool = true, synonyms &["use_bias"];
        /// What is applied behind it.
        activation: Option<Chosen> = none, kinds &ACTIVATIONS;
        /// How the parameters begin.
        init: Init = {}, ty INIT, synonyms &["initializer", "kernel_initializer", "weight_init"];
    }
}

/// The row of the table.
pub(super) static ROW: LayerKind = LayerKind {
    kind: Kind {
        name: "conv2d",
        synonyms: &["Conv2D", "Conv2d", "conv", "convolution2d"],
        doc: Words::SECTION.doc,
        main: Some("filters"),
        fields: Words::SECTION.fields,
        example: "conv2d: {filters: 32, kernel_size: 3, activation: relu}",
    },
    joins: false,
    read: |node: &Node| Box::new(Conv2d(Words::read(node))),
};

#[derive(Debug)]
struct Conv2d(Words);

const HELP: &str = "a convolution stands before `flatten` and global pools";

impl Layer for Conv2d {
    fn output(&self, inputs: &[Dims]) -> Result<Dims, Refusal> {
        let Words { filters, kernel_size, stride, padding, dilation, groups, .. } = &self.0;
        let [height, width, channels] = image(&inputs[0], HELP)?;
        if !channels.is_multiple_of(*groups) || !filters.is_multiple_of(*groups) {
            let message = format!("{channels} channels and {filters} filters cannot be cut into {groups} groups");
            return Err(Refusal::new(message).help("both must be multiples of `groups`"));
        }
        let (_, [height, width]) = window([height, width], *kernel_size, *stride, *dilation, *padding)?;
        Ok(vec![height, width, *filters])
    }

    fn parameters(&self, inputs: &[Dims]) -> Vec<Array> {
        let Words { filters, kernel_size: [height, width], groups, bias, init, .. } = &self.0;
        let channels = inputs[0].last().copied().unwrap_or(0) / groups;
        let (kernel_init, bias_init) = init.both();
        let kernel = Array::trained("kernel", &[*filters, *height, *width, channels], kernel_init);
        let bias = bias.then(|| Array::trained("bias", &[*filters], bias_init));
        std::iter::once(kernel).chain(bias).collect()
    }

    fn build(&self, build: &mut Build<'_>, inputs: &[NodeId]) -> NodeId {
        let Words { kernel_size, stride, padding, dilation, groups, activation, .. } = &self.0;
        let size = [build.g.shape(inputs[0]).dims[0], build.g.shape(inputs[0]).dims[1]];
        let (window, _) = window(size, *kernel_size, *stride, *dilation, *padding)
            .unwrap_or_else(|refusal| panic!("the shapes were checked: {}", refusal.message));
        let kernel = build.array("kernel").expect("a convolution has a kernel");
        let mut y = build.g.push(Op::Conv2d { window, groups: *groups }, &[inputs[0], kernel]);
        if let Some(bias) = build.array("bias") {
            y = build.g.push(Op::AddBias, &[y, bias]);
        }
        activation::apply(build.g, activation.as_ref(), y)
    }

    fn is_softmax(&self) -> bool {
        activation::is_softmax(self.0.activation.as_ref())
    }
}
