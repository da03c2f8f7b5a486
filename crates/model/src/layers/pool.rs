//! The maximum or the mean of each channel under a sliding window.

use graph::ops::Window;
use graph::{NodeId, Op};
use spec::{Kind, Word};

use super::padding::{Padding, window};
use super::{Build, Dims, Layer, LayerKind, Refusal, image};

spec::section! {
    /// The maximum or the mean of each channel under a window.
    struct Words {
        /// Size of the window.
        kernel_size: [usize; 2] = required, min 1.0, max 4096.0, unit "pixels", synonyms &["pool_size", "kernel", "size", "window"], example "2";
        /// Step from window to window; where it is left out, that of the window's own size.
        stride: Option<[usize; 2]> = none, min 1.0, max 4096.0, unit "pixels", synonyms &["strides"], example "2";
        /// What is around the image; it never wins a maximum and does not count in an average.
        padding: Padding = valid, synonyms &["pad"];
    }
}

/// The maximum.
pub(super) static MAX: LayerKind = LayerKind {
    kind: Kind {
        name: "max_pool2d",
        synonyms: &["MaxPooling2D", "MaxPool2d", "max_pool", "max_pooling2d", "maxpool"],
        doc: "The maximum of each channel under a window.",
        main: Some("kernel_size"),
        fields: Words::SECTION.fields,
        example: "max_pool2d: 2",
    },
    joins: false,
    read: |node| Box::new(Pool { words: Words::read(node), op: |window| Op::MaxPool2d { window } }),
};

/// The mean.
pub(super) static AVERAGE: LayerKind = LayerKind {
    kind: Kind {
        name: "average_pool2d",
        synonyms: &["AveragePooling2D", "AvgPool2d", "avg_pool2d", "average_pool", "average_pooling2d"],
        doc: "The mean of each channel under a window.",
        main: Some("kernel_size"),
        fields: Words::SECTION.fields,
        example: "average_pool2d: 2",
    },
    joins: false,
    read: |node| Box::new(Pool { words: Words::read(node), op: |window| Op::AveragePool2d { window } }),
};

#[derive(Debug)]
struct Pool {
    words: Words,
    op: fn(Window) -> Op,
}

impl Pool {
    fn window(&self, image: [usize; 2]) -> Result<(Window, [usize; 2]), Refusal> {
        let Words { kernel_size, stride, padding } = &self.words;
        let (window, output) = window(image, *kernel_size, stride.unwrap_or(*kernel_size), [1; 2], *padding)?;
        let sides = window.padding.iter().zip(kernel_size.iter().cycle());
        match sides.into_iter().any(|(padding, kernel)| padding >= kernel) {
            true => Err(Refusal::new("a pool is padded by less than its kernel_size").help("use a smaller padding")),
            false => Ok((window, output)),
        }
    }
}

impl Layer for Pool {
    fn output(&self, inputs: &[Dims]) -> Result<Dims, Refusal> {
        let [height, width, channels] = image(&inputs[0], "a pool stands before `flatten` and global pools")?;
        let (_, [height, width]) = self.window([height, width])?;
        Ok(vec![height, width, channels])
    }

    fn build(&self, build: &mut Build<'_>, inputs: &[NodeId]) -> NodeId {
        let dims = &build.g.shape(inputs[0]).dims;
        let (window, _) = self
            .window([dims[0], dims[1]])
            .unwrap_or_else(|refusal| panic!("the shapes were checked: {}", refusal.message));
        build.g.push((self.op)(window), inputs)
    }
}
