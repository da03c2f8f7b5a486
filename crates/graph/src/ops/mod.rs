//! The table of operators: one file a family, one row ([`OpRule`]) an operator.
//!
//! Layouts, everywhere: images `[N, H, W, C]`; convolution kernels `[out, kh, kw, in / groups]`; dense kernels
//! `[units, features]`; labels `[N]` of [`crate::DType::Index`]. `[C]` is one number a channel.

use crate::{DType, Graph, NodeId, Shape};

/// A window that slides over an image: sizes as `[height, width]`, padding as `[top, left, bottom, right]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 4],
    pub dilation: [usize; 2],
}

/// Element-wise functions between layers. Which one saves its input and which its output for the gradient is in its row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    Relu,
    /// `x` where positive, `slope * x` elsewhere.
    LeakyRelu { slope: f32 },
    Sigmoid,
    Tanh,
    /// Exact: `x * Phi(x)` (Hendrycks and Gimpel 2016).
    Gelu,
    /// `x * sigmoid(x)`.
    Silu,
}

/// Element-wise arithmetic of two values of equal shape, or where one is a scalar without batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Minimum,
    Maximum,
}

/// Element-wise arithmetic of one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    /// `by * x`
    Scale { by: f64 },
    /// `x + by`
    Offset { by: f64 },
    /// square root
    Sqrt,
}

/// Everything that a node can compute. Comments give operands and result.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    // Leaves: made by Graph::input, Graph::variable, Graph::constant.
    Input { name: String },
    Variable { path: String },
    Constant { value: f64 },

    // Pixels to numbers.
    /// x U8 `[N, .., C]` -> F32, `x * scale[c] + shift[c]`
    Normalize { scale: Vec<f32>, shift: Vec<f32> },
    /// x U8 `[N, H, W, C]` -> F32, mean 0 and variance 1 over the whole image; a constant image gives zeros
    NormalizePerImage,

    // Linear.
    /// x `[N, H, W, C]`, kernel `[O, kh, kw, C / groups]` -> `[N, H', W', O]`
    Conv2d { window: Window, groups: usize },
    /// dy `[N, H', W', O]`, kernel -> dx `[N, height, width, C]`
    Conv2dInputGradient { window: Window, groups: usize, height: usize, width: usize },
    /// x, dy -> dkernel, summed over the batch
    Conv2dKernelGradient { window: Window, groups: usize },
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
    MaxPool2d { window: Window },
    /// x, dy -> dx
    MaxPool2dGradient { window: Window },
    /// x -> `[N, H', W', C]`; padding does not count
    AveragePool2d { window: Window },
    /// dy -> dx `[N, height, width, C]`
    AveragePool2dGradient { window: Window, height: usize, width: usize },
    /// x `[N, ...]` -> `[N, dims...]`, the same elements in the same order
    Reshape { dims: Vec<usize> },
    /// x `[N, .., C]` -> `[N, .., to]`, zeros behind the channels of x
    PadChannels { to: usize },
    /// x `[N, .., C]` -> `[N, .., count]`, the first channels
    TakeChannels { count: usize },

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
    Dropout { rate: f32, stream: u64 },

    // Batch norm (Ioffe and Szegedy 2015). statistics `[2, C]`: mean and biased variance over batch and positions.
    /// x -> statistics
    BatchStatistics,
    /// x, statistics, scale `[C]`, offset `[C]` -> y. Its gradient for x is the whole one, through the statistics too.
    BatchNorm { epsilon: f32 },
    /// x, statistics, dy -> `[2, C]`: sum of dy, sum of dy times normalized x
    BatchNormSums { epsilon: f32 },
    /// x, statistics, scale, sums, dy -> dx
    BatchNormInputGradient { epsilon: f32 },
    /// running `[C]`, statistics -> `momentum * running + (1 - momentum) * mean`
    RunningMean { momentum: f32 },
    /// running `[C]`, statistics -> the same with the unbiased variance over `N * positions` values
    RunningVariance { momentum: f32, positions: usize },
    /// a `[C]`, b `[C]` -> `[2, C]`
    StackRows,
    /// x `[2, C]` -> `[C]`
    TakeRow { row: usize },

    // Losses: one number a sample.
    /// scores `[N, K]`, labels `[N]`, optional weights `[K]` -> `[N]`: weight of the label times the cross-entropy of
    /// softmax(scores) (of the scores themselves if not `from_logits`) with the smoothed one-hot label
    CrossEntropy { label_smoothing: f32, from_logits: bool },
    /// scores, labels, dy `[N]`, optional weights -> `[N, K]`
    CrossEntropyGradient { label_smoothing: f32, from_logits: bool },
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
    SpreadOverBatch { mean: bool },
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
    pub infer: fn(&Op, &[(&Shape, DType)]) -> Result<(Shape, DType), String>,
    /// The gradient as graph, or a written reason for none.
    pub gradient: Gradient,
    /// The definition: plain loops in f64. See [`crate::reference`].
    pub reference: crate::reference::Evaluate,
    /// Floating-point operations for one sample (for the whole value where there is no batch); a multiply-add is two.
    pub flops: fn(&Op, &[&Shape], &Shape) -> u64,
    /// How ONNX says it.
    pub onnx: Onnx,
    /// Operands on which every test of every implementation runs.
    pub cases: fn() -> Vec<Case>,
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
}

/// The ONNX operator of an operator that can appear in an exported network. The exporter translates layouts and
/// attributes; the name and first opset stand here so that `check` and the network table can print them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onnx {
    Operator { name: &'static str, since: u32 },
    /// By variant, where one row covers several (activations).
    ByOp(fn(&Op) -> (&'static str, u32)),
    /// Never part of an exported network, and why.
    None(&'static str),
}

/// An operator with operand shapes for a batch, used by all tests that loop over the table.
pub struct Case {
    pub op: Op,
    pub batch: usize,
    pub operands: Vec<(Shape, DType)>,
    /// Largest difference allowed to an f32 implementation, relative to the largest entry of the result, with reason in the row.
    pub tolerance: f64,
}
