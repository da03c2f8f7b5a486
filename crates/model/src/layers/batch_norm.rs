//! Batch normalization (Ioffe and Szegedy 2015): arrays `scale`, `offset`, `running_mean`, `running_variance`, `[channels]`.

use graph::{NodeId, Op};
use spec::Kind;

use super::{Array, Build, Dims, Layer, LayerKind, Refusal};
use crate::initializers::Initializer;
use crate::network::Mode;

spec::section! {
    /// Each channel with mean 0 and variance 1 over the batch, then scaled and offset (Ioffe and Szegedy 2015).
    struct Words {
        /// The share of the old running value that stays.
        momentum: f64 = 0.9, min 0.0, below 1.0, synonyms &["decay"];
        /// Added to the variance, so that nothing is divided by zero.
        epsilon: f64 = 1e-5, above 0.0, synonyms &["eps"];
        /// Whether each channel is multiplied by a number that is learned.
        scale: bool = true, synonyms &["gamma", "affine"];
        /// Whether a number that is learned is added to each channel.
        offset: bool = true, synonyms &["beta", "center"];
    }
}

/// The row of the table.
pub(super) static ROW: LayerKind = LayerKind {
    kind: Kind {
        name: "batch_norm",
        synonyms: &["BatchNormalization", "BatchNorm2d", "batch_normalization", "batchnorm", "bn"],
        doc: Words::SECTION.doc,
        main: None,
        fields: Words::SECTION.fields,
        example: "batch_norm: {momentum: 0.99}",
    },
    joins: false,
    read: |node| Box::new(BatchNorm(<Words as spec::Word>::read(node))),
};

#[derive(Debug)]
struct BatchNorm(Words);

impl Layer for BatchNorm {
    fn output(&self, inputs: &[Dims]) -> Result<Dims, Refusal> {
        Ok(inputs[0].clone())
    }

    fn parameters(&self, inputs: &[Dims]) -> Vec<Array> {
        let channels = [inputs[0].last().copied().unwrap_or(1)];
        let learned =
            |name, there: bool, first| there.then(|| Array::trained(name, &channels, Initializer::Constant(first)));
        let running =
            [Array::running("running_mean", &channels, 0.0), Array::running("running_variance", &channels, 1.0)];
        let learned = [learned("scale", self.0.scale, 1.0), learned("offset", self.0.offset, 0.0)];
        learned.into_iter().flatten().chain(running).collect()
    }

    fn build(&self, build: &mut Build<'_>, inputs: &[NodeId]) -> NodeId {
        let x = inputs[0];
        let dims = build.g.shape(x).dims.clone();
        let channels = build.g.shape(x).channels();
        let epsilon = self.0.epsilon as f32;
        let scale = build.array("scale").unwrap_or_else(|| build.g.constant(1.0, &[channels]));
        let offset = build.array("offset").unwrap_or_else(|| build.g.constant(0.0, &[channels]));
        let [mean, variance] =
            ["running_mean", "running_variance"].map(|name| build.array(name).expect("a norm has running statistics"));
        if build.mode == Mode::Evaluate {
            let statistics = build.g.push(Op::StackRows, &[mean, variance]);
            return build.g.push(Op::BatchNorm { epsilon }, &[x, statistics, scale, offset]);
        }
        let (y, statistics) = build.g.batch_norm(x, scale, offset, epsilon);
        let momentum = self.0.momentum as f32;
        let positions = dims[..dims.len() - 1].iter().product();
        let new_mean = build.g.push(Op::RunningMean { momentum }, &[mean, statistics]);
        let new_variance = build.g.push(Op::RunningVariance { momentum, positions }, &[variance, statistics]);
        build.follow("running_mean", new_mean);
        build.follow("running_variance", new_variance);
        y
    }
}
