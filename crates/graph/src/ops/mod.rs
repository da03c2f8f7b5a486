//! The table of operators: one file a family, one row ([`OpRule`]) an operator.
//!
//! Layouts, everywhere: images `[N, H, W, C]`; convolution kernels `[out, kh, kw, in / groups]`; dense kernels
//! `[units, features]`; labels `[N]` of [`crate::DType::Index`]. `[C]` is one number a channel.

mod activation;
mod arithmetic;
mod batch;
mod batch_norm;
mod bias;
mod channels;
mod conv2d;
mod cross_entropy;
mod dense;
mod dropout;
mod leaves;
mod normalize;
#[cfg(test)]
mod odd_shapes;
mod operands;
mod pool2d;
mod reshape;
mod rows;
mod softmax;
mod squared_error;
#[cfg(test)]
mod tests;
mod window;

pub use activation::{Activation, Saves};
pub use arithmetic::{Binary, Unary};
pub use operands::{Inferred, Operands};
pub use window::Window;

use crate::cases::Case;
use crate::{Graph, NodeId, Shape};

/// Everything that a node can compute. Comments give operands and result.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    // Leaves: made by Graph::input, Graph::variable, Graph::constant.
    Input {
        name: String,
    },
    Variable {
        path: String,
    },
    Constant {
        value: f64,
    },

    // Pixels to numbers.
    /// x U8 `[N, .., C]` -> F32, `x * scale[c] + shift[c]`
    Normalize {
        scale: Vec<f32>,
        shift: Vec<f32>,
    },
    /// x U8 `[N, H, W, C]` -> F32, mean 0 and variance 1 over the whole image; a constant image gives zeros
    NormalizePerImage,

    // Linear.
    /// x `[N, H, W, C]`, kernel `[O, kh, kw, C / groups]` -> `[N, H', W', O]`
    Conv2d {
        window: Window,
        groups: usize,
    },
    /// dy `[N, H', W', O]`, kernel -> dx `[N, height, width, C]`
    Conv2dInputGradient {
        window: Window,
        groups: usize,
        height: usize,
        width: usize,
    },
    /// x, dy -> dkernel, summed over the batch
    Conv2dKernelGradient {
        window: Window,
        groups: usize,
    },
    /// x `[N, F]`, kernel `[U, F]` -> `[N, U]`
    Dense,
    /// dy `[N, U]`, kernel `[U, F]` -> dx `[N, F]`
    DenseInputGradient,
    /// x `[N, F]`, dy `[N, U]` -> `[U, F]`, summed over the batch
    DenseKernelGradient,
    /// x `[N, .., C]`, bias `[C]` -> the shape of x
    AddBias,
    /// x `[N, .., C]` -> `[C]`, summed over batch and positions
    SumToChannels,

    // Windows and shapes.
    /// x -> `[N, H', W', C]`; padding never wins; of equal values the first in row order is the maximum
    MaxPool2d {
        window: Window,
    },
    /// x, dy -> dx
    MaxPool2dGradient {
        window: Window,
    },
    /// x -> `[N, H', W', C]`; padding does not count
    AveragePool2d {
        window: Window,
    },
    /// dy -> dx `[N, height, width, C]`
    AveragePool2dGradient {
        window: Window,
        height: usize,
        width: usize,
    },
    /// x `[N, ...]` -> `[N, dims...]`, the same elements in the same order
    Reshape {
        dims: Vec<usize>,
    },
    /// x `[N, .., C]` -> `[N, .., to]`, zeros behind the channels of x
    PadChannels {
        to: usize,
    },
    /// x `[N, .., C]` -> `[N, .., count]`, the first channels
    TakeChannels {
        count: usize,
    },

    // Activations.
    /// x -> same shape
    Activate(Activation),
    /// saved (x or y, as [`Activation::saves`] says), dy -> dx
    ActivateGradient(Activation),
    /// x `[N, .., C]` -> same shape, over the last axis
    Softmax,
    /// y, dy -> dx
    SoftmaxGradient,
    /// x -> x with elements zeroed with probability `rate`, the others divided by `1 - rate`. The mask is
    /// `kernels::random` of (seed of the run, `stream`, epoch, sample, element): applying it to dy is its own gradient.
    Dropout {
        rate: f32,
        stream: u64,
    },

    // Batch norm (Ioffe and Szegedy 2015). statistics `[2, C]`: mean and biased variance over batch and positions.
    /// x -> statistics
    BatchStatistics,
    /// x, statistics, scale `[C]`, offset `[C]` -> y. Its gradient for x is the whole one, through the statistics too.
    BatchNorm {
        epsilon: f32,
    },
    /// x, statistics, dy -> `[2, C]`: sum of dy, sum of dy times normalized x
    BatchNormSums {
        epsilon: f32,
    },
    /// x, statistics, scale, sums, dy -> dx
    BatchNormInputGradient {
        epsilon: f32,
    },
    /// running `[C]`, statistics -> `momentum * running + (1 - momentum) * mean`
    RunningMean {
        momentum: f32,
    },
    /// running `[C]`, statistics -> the same with the unbiased variance over `N * positions` values
    RunningVariance {
        momentum: f32,
        positions: usize,
    },
    /// a `[C]`, b `[C]` -> `[2, C]`
    StackRows,
    /// x `[2, C]` -> `[C]`
    TakeRow {
        row: usize,
    },

    // Losses: one number a sample.
    /// scores `[N, K]`, labels `[N]`, optional weights `[K]` -> `[N]`: weight of the label times the cross-entropy of
    /// softmax(scores) (of the scores themselves if not `from_logits`; these count as at least
    /// [`kernels::loss::SMALLEST_PROBABILITY`]) with the smoothed one-hot label
    CrossEntropy {
        label_smoothing: f32,
        from_logits: bool,
    },
    /// scores, labels, dy `[N]`, optional weights -> `[N, K]`
    CrossEntropyGradient {
        label_smoothing: f32,
        from_logits: bool,
    },
    /// p `[N, K]`, labels `[N]`, optional weights -> `[N]`: mean over classes of the squared difference from one-hot
    SquaredError,
    /// p, labels, dy `[N]`, optional weights -> `[N, K]`
    SquaredErrorGradient,

    // Over the batch.
    /// x `[N, ..]` -> `[..]`
    SumOverBatch,
    /// x `[N, ..]` -> `[..]`
    MeanOverBatch,
    /// dy `[..]` -> `[N, ..]`, each dy, or dy / N if `mean`
    SpreadOverBatch {
        mean: bool,
    },
    /// x without batch -> `[]`
    SumOfSquares,

    // Arithmetic, element by element.
    Binary(Binary),
    Unary(Unary),
}

/// What every operator answers. A row has no defaults: the compiler asks each question.
pub struct OpRule {
    /// The operator's name, snake case.
    pub name: &'static str,
    /// Shape and type of the result, or in one sentence why not.
    pub infer: fn(&Op, &Operands<'_>) -> Inferred,
    /// The gradient as graph, or a written reason for none.
    pub gradient: Gradient,
    /// The definition: plain loops in f64. See [`crate::reference`].
    pub reference: crate::reference::Evaluate,
    /// Floating-point operations for one sample (for the whole value where there is no batch); a multiply-add is two.
    pub flops: fn(&Op, &[&Shape], &Shape) -> u64,
    /// How ONNX says it.
    pub onnx: Onnx,
    /// Operands on which every test of every implementation runs.
    pub cases: Cases,
}

/// How a result's gradient reaches the operands.
pub enum Gradient {
    /// One entry an operand; `None` where no gradient flows there.
    Rule(fn(&mut Graph, &Step<'_>) -> Vec<Option<NodeId>>),
    /// Why there is none.
    None(&'static str),
}

/// What a gradient rule is handed.
pub struct Step<'a> {
    pub op: &'a Op,
    pub inputs: &'a [NodeId],
    pub output: NodeId,
    /// Gradient of the result, shaped as the result.
    pub dy: NodeId,
    /// For each operand, whether somebody asks for its gradient: a rule adds no node that nobody reads.
    pub wanted: &'a [bool],
}

/// The ONNX operator of an operator that can appear in an exported network. The exporter translates layouts and
/// attributes; the name and first opset stand here so that `check` and the network table can print them.
#[derive(Clone, Copy, Debug)]
pub enum Onnx {
    /// The operator, and the opset since which it has the meaning that we rely on.
    Operator { name: &'static str, since: u32 },
    /// By variant, where one row covers several (activations).
    ByOp(fn(&Op) -> (&'static str, u32)),
    /// Never part of an exported network, and why.
    None(&'static str),
}

/// Where an operator's tests get their operands.
#[derive(Clone, Copy, Debug)]
pub enum Cases {
    /// Small, varied, the same at every call.
    Make(fn() -> Vec<Case>),
    /// Why there are none.
    None(&'static str),
}

impl Step<'_> {
    /// Whether somebody asks for the gradient of operand `index`.
    pub fn wants(&self, index: usize) -> bool {
        self.wanted[index]
    }
}

/// From a list of variants and their rows: [`RULES`] and [`Op::rule`].
macro_rules! operators {
    ($($variant:ident => $row:path,)*) => {
        /// All rows, by name.
        pub const RULES: &[&OpRule] = &[$(&$row,)*];

        impl Op {
            /// The operator's row.
            pub fn rule(&self) -> &'static OpRule {
                match self {
                    $(Op::$variant { .. } => &$row,)*
                }
            }
        }
    };
}

operators! {
    Activate => activation::ACTIVATE,
    ActivateGradient => activation::ACTIVATE_GRADIENT,
    AddBias => bias::ADD_BIAS,
    AveragePool2d => pool2d::AVERAGE_POOL2D,
    AveragePool2dGradient => pool2d::AVERAGE_POOL2D_GRADIENT,
    BatchNorm => batch_norm::BATCH_NORM,
    BatchNormInputGradient => batch_norm::BATCH_NORM_INPUT_GRADIENT,
    BatchNormSums => batch_norm::BATCH_NORM_SUMS,
    BatchStatistics => batch_norm::BATCH_STATISTICS,
    Binary => arithmetic::BINARY,
    Constant => leaves::CONSTANT,
    Conv2d => conv2d::CONV2D,
    Conv2dInputGradient => conv2d::CONV2D_INPUT_GRADIENT,
    Conv2dKernelGradient => conv2d::CONV2D_KERNEL_GRADIENT,
    CrossEntropy => cross_entropy::CROSS_ENTROPY,
    CrossEntropyGradient => cross_entropy::CROSS_ENTROPY_GRADIENT,
    Dense => dense::DENSE,
    DenseInputGradient => dense::DENSE_INPUT_GRADIENT,
    DenseKernelGradient => dense::DENSE_KERNEL_GRADIENT,
    Dropout => dropout::DROPOUT,
    Input => leaves::INPUT,
    MaxPool2d => pool2d::MAX_POOL2D,
    MaxPool2dGradient => pool2d::MAX_POOL2D_GRADIENT,
    MeanOverBatch => batch::MEAN_OVER_BATCH,
    Normalize => normalize::NORMALIZE,
    NormalizePerImage => normalize::NORMALIZE_PER_IMAGE,
    PadChannels => channels::PAD_CHANNELS,
    Reshape => reshape::RESHAPE,
    RunningMean => batch_norm::RUNNING_MEAN,
    RunningVariance => batch_norm::RUNNING_VARIANCE,
    Softmax => softmax::SOFTMAX,
    SoftmaxGradient => softmax::SOFTMAX_GRADIENT,
    SpreadOverBatch => batch::SPREAD_OVER_BATCH,
    SquaredError => squared_error::SQUARED_ERROR,
    SquaredErrorGradient => squared_error::SQUARED_ERROR_GRADIENT,
    StackRows => rows::STACK_ROWS,
    SumOfSquares => arithmetic::SUM_OF_SQUARES,
    SumOverBatch => batch::SUM_OVER_BATCH,
    SumToChannels => bias::SUM_TO_CHANNELS,
    TakeChannels => channels::TAKE_CHANNELS,
    TakeRow => rows::TAKE_ROW,
    Unary => arithmetic::UNARY,
    Variable => leaves::VARIABLE,
}

impl Op {
    /// What people call it: the row's name, or the function's where a row covers several (`relu`, `add`, `scale`).
    pub fn name(&self) -> &'static str {
        match self {
            Op::Activate(activation) => activation.name(),
            Op::ActivateGradient(activation) => activation.gradient_name(),
            Op::Binary(binary) => binary.name(),
            Op::Unary(unary) => unary.name(),
            other => other.rule().name,
        }
    }

    /// Shape and type of the result, or in one sentence why the operands do not fit.
    pub fn infer(&self, operands: &Operands<'_>) -> Inferred {
        (self.rule().infer)(self, operands)
    }

    /// Floating-point operations for one sample (for the whole value where there is no batch).
    pub fn flops(&self, operands: &[&Shape], result: &Shape) -> u64 {
        (self.rule().flops)(self, operands, result)
    }

    /// The ONNX operator and the opset since which it exists; none for what is never exported.
    pub fn onnx(&self) -> Option<(&'static str, u32)> {
        match self.rule().onnx {
            Onnx::Operator { name, since } => Some((name, since)),
            Onnx::ByOp(choose) => Some(choose(self)),
            Onnx::None(_) => None,
        }
    }
}
