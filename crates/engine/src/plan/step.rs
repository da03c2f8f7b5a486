//! What a shard of samples goes through: one step a node, or a few nodes at once.

use graph::NodeId;
use graph::ops::{Activation, Binary};
use kernels::View;
use kernels::buffer::LINE;
use kernels::conv2d::{Method, Pooled, Product};
use kernels::dense::Dense;
use kernels::pool::Pool;

use super::{Ahead, Band};

/// A value of the whole batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Fixed {
    /// The variable of this number.
    Variable(usize),
    /// What the plan has computed under this number.
    Value(usize),
}

/// Where a step reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    /// A value of samples.
    Slot { slot: usize, view: View },
    /// An input of samples, by the number of its name.
    Input { name: usize, view: View },
    /// A value of the whole batch.
    Fixed(Fixed),
}

/// A kernel with everything but its data.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Convolve {
        product: Product,
        packed: usize,
        bias: Option<Fixed>,
        /// Whether the second operand is added.
        added: bool,
        relu: bool,
    },
    /// With relu and the pool behind it.
    ConvolvePool {
        pooled: Pooled,
        packed: usize,
        bias: Option<Fixed>,
    },
    ConvolveBack {
        product: Product,
        packed: usize,
    },
    /// The gradient of x, which is stored, and that of the kernel, which goes to a sum.
    ConvolveGradients {
        product: Product,
        packed: usize,
        sum: usize,
    },
    Dense {
        dense: Dense,
        kernel: Fixed,
        bias: Option<Fixed>,
        relu: bool,
        /// The first unit that is computed.
        first: usize,
    },
    DenseBack {
        dense: Dense,
        kernel: Fixed,
    },
    MaxPool(Pool),
    MaxPoolGradient(Pool),
    AveragePool(Pool),
    AveragePoolGradient(Pool),
    Activate(Activation),
    /// The operand gives way to the slope, which the gradient is multiplied by.
    ActivateWithSlope(Activation),
    ActivateGradient(Activation),
    Softmax,
    SoftmaxGradient,
    AddBias,
    Binary(Binary),
    AddRelu,
    Scale {
        by: f32,
    },
    Offset {
        by: f32,
    },
    SquareRoot,
    Normalize {
        scale: Vec<f32>,
        shift: Vec<f32>,
    },
    NormalizePerImage,
    Copy,
    /// More channels, or fewer.
    ChangeChannels,
    Dropout {
        rate: f32,
        stream: u64,
    },
    BatchNorm {
        epsilon: f32,
        relu: bool,
    },
    BatchNormInputGradient {
        epsilon: f32,
    },
    CrossEntropy {
        label_smoothing: f32,
        from_logits: bool,
    },
    CrossEntropyGradient {
        label_smoothing: f32,
        from_logits: bool,
    },
    SquaredError,
    SquaredErrorGradient,
    Spread {
        mean: bool,
    },
    /// x, winners and dy to all gradients of a convolution with relu and max pool behind it.
    LivingGradients(Gradients),
    /// Sums over the batch: their parts go to the group's sum of this number.
    KernelGradient {
        product: Product,
        sum: usize,
    },
    SumToChannels {
        sum: usize,
    },
    SumOverBatch {
        sum: usize,
    },
    Statistics {
        sum: usize,
    },
    BatchNormSums {
        epsilon: f32,
        sum: usize,
    },
    /// The gradient of relu, of one gradient or the sum of two, with the sums of the norm before it.
    ReluGradientAndSums {
        epsilon: f32,
        sum: usize,
    },
}

/// Which gradients flow back from a pooled convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gradients {
    pub pooled: Pooled,
    /// Read for the input's gradient, which is what the step stores.
    pub kernel: Option<Fixed>,
    /// Numbers of the sums.
    pub kernel_sum: usize,
    pub bias_sum: Option<usize>,
}

/// The gradient of a dense layer's kernel: a product over the whole batch, at the end of its stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DenseGradient {
    pub dense: Dense,
    /// Kept for all samples of a group.
    pub x: Operand,
    pub dy: Operand,
}

/// A step of a shard.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The node whose value is stored or summed.
    pub node: NodeId,
    pub work: Work,
    pub reads: Vec<Operand>,
    /// Slot and layout of the result; none for sums.
    pub write: Option<(usize, View)>,
    /// The same of what is kept besides: the winners of a pool, or the slope in the place of what is read.
    pub aside: Option<(usize, View)>,
    /// What it asks for while it computes.
    pub ahead: Vec<Ahead>,
    /// Its parts, where threads share it.
    pub bands: Vec<Band>,
}

impl Step {
    /// Which operand the result overwrites.
    pub fn in_place(&self) -> Option<usize> {
        let (to, _) = self.write?;
        self.reads.iter().position(|read| matches!(read, Operand::Slot { slot, .. } if *slot == to))
    }

    /// Numbers that it and its bands need to work in.
    pub fn scratch_len(&self) -> usize {
        let bands = self.bands.iter().map(|band| band.step.work.scratch_len()).max().unwrap_or(0);
        self.work.scratch_len().max(bands.next_multiple_of(LINE) * self.bands.len())
    }
}

impl Work {
    /// Floating-point operations of its products for one sample, as if each were computed directly.
    pub fn flops(&self) -> u64 {
        match self {
            Work::LivingGradients(Gradients { pooled, kernel, .. }) => {
                pooled.product.conv.flops() * if kernel.is_some() { 2 } else { 1 }
            }
            Work::Dense { dense, .. } | Work::DenseBack { dense, .. } => dense.flops(),
            Work::ConvolveGradients { product, .. } => 2 * product.conv.flops(),
            other => other.product().map_or(0, |product| product.conv.flops()),
        }
    }

    /// The convolution that it is a pass of.
    pub fn product(&self) -> Option<&Product> {
        match self {
            Work::ConvolvePool { pooled, .. } => Some(&pooled.product),
            Work::Convolve { product, .. }
            | Work::ConvolveBack { product, .. }
            | Work::ConvolveGradients { product, .. }
            | Work::KernelGradient { product, .. } => Some(product),
            _ => None,
        }
    }

    /// Numbers that it needs to work in.
    pub fn scratch_len(&self) -> usize {
        match self {
            Work::ConvolvePool { pooled, .. } => pooled.scratch_len(),
            Work::Dense { dense, .. } | Work::DenseBack { dense, .. } => dense.scratch_len(),
            other => other.product().map_or(0, Product::scratch_len),
        }
    }

    /// The dense layer whose kernel it reads.
    pub fn dense(&self) -> Option<&Dense> {
        match self {
            Work::Dense { dense, .. } | Work::DenseBack { dense, .. } => Some(dense),
            _ => None,
        }
    }

    /// What the plan's text calls it.
    pub fn name(&self) -> String {
        let plus = |bias: &Option<Fixed>| bias.map(|bias| format!(" + {bias}")).unwrap_or_default();
        let then = |relu: &bool| if *relu { ", relu" } else { "" };
        match self {
            Work::Convolve { product, packed, bias, added, relu } => {
                let add = if *added { ", add" } else { "" };
                format!("convolve{} p{packed}{}{add}{}", by(product.method), plus(bias), then(relu))
            }
            Work::ConvolvePool { pooled, packed, bias } => {
                format!("convolve{} p{packed}{}, relu, max_pool", by(pooled.product.method), plus(bias))
            }
            Work::Dense { kernel, bias, relu, .. } => format!("dense {kernel}{}{}", plus(bias), then(relu)),
            Work::DenseBack { kernel, .. } => format!("input_gradient {kernel}"),
            Work::ConvolveBack { product, packed } => {
                format!("input_gradient{} p{packed}", by(product.gradient_method()))
            }
            Work::ConvolveGradients { product, packed, .. } => {
                format!("gradients{} p{packed}", by(product.gradient_method()))
            }
            Work::KernelGradient { product, .. } => format!("add kernel_gradient{}", by(product.gradient_method())),
            Work::Binary(binary) => binary.name().to_string(),
            Work::AddRelu => "add, relu".to_string(),
            Work::ReluGradientAndSums { .. } => "relu_gradient, BatchNormSums".to_string(),
            Work::BatchNorm { relu: true, .. } => "BatchNorm, relu".to_string(),
            Work::Activate(activation) | Work::ActivateWithSlope(activation) => activation.name().to_string(),
            Work::ActivateGradient(activation) => activation.gradient_name().to_string(),
            other => {
                let text = format!("{other:?}");
                text.split([' ', '(']).next().unwrap_or_default().to_string()
            }
        }
    }
}

/// The method, where it is not the definition's.
fn by(method: Method) -> String {
    match method {
        Method::Direct => String::new(),
        other => format!(" by {other}"),
    }
}
