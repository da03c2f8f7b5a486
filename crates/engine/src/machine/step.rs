//! One step of a shard: reads what it needs, calls its kernel.

use graph::ops;
use kernels::activation::{self, Activation};
use kernels::arithmetic::{self, Binary, Operand as Side};
use kernels::buffer::Buffer;
use kernels::dropout::{self, Dropout};
use kernels::loss::{self, CrossEntropy};
use kernels::{View, batch_norm, conv2d, input, pool, softmax};

use super::group::{Context, PartialSum, Shard};
use super::samples::{change_channels, copy, runs};
use crate::Input;
use crate::plan::{Operand, Step, SumKind, Work};

/// What a step reads: the operands of one shard.
struct Reader<'a> {
    context: &'a Context<'a>,
    step: &'a Step,
    shard: &'a Shard,
    slots: &'a [Buffer],
}

impl<'a> Reader<'a> {
    /// The samples of an operand.
    fn samples(&self, index: usize) -> &'a [f32] {
        match &self.step.reads[index] {
            Operand::Slot { slot, view } => {
                let start = if self.context.plan.slots[*slot].kept { self.shard.local.start } else { 0 };
                &self.slots[*slot][view.len(start)..][..view.len(self.shard.n)]
            }
            Operand::Input { view, .. } => match self.input(index) {
                Input::F32(numbers) => &numbers[view.len(self.shard.first)..][..view.len(self.shard.n)],
                other => panic!("{} reads numbers, not {other:?}", self.step.node),
            },
            Operand::Fixed(_) => panic!("{} reads samples", self.step.node),
        }
    }

    /// An operand of the whole batch.
    fn whole(&self, index: usize) -> &'a [f32] {
        match self.step.reads[index] {
            Operand::Fixed(fixed) => self.context.whole.get(fixed),
            _ => panic!("{} reads a value of the whole batch", self.step.node),
        }
    }

    fn view(&self, index: usize) -> &'a View {
        self.step.reads[index].view()
    }

    fn input(&self, index: usize) -> Input<'a> {
        let Operand::Input { name, .. } = self.step.reads[index] else { panic!("{} reads an input", self.step.node) };
        self.context.feed.input(&self.context.plan.names[name])
    }

    fn pixels(&self, index: usize) -> &'a [u8] {
        let view = self.view(index);
        match self.input(index) {
            Input::U8(bytes) => &bytes[view.len(self.shard.first)..][..view.len(self.shard.n)],
            other => panic!("{} reads pixels, not {} numbers", self.step.node, other.len()),
        }
    }

    fn labels(&self, index: usize) -> &'a [u32] {
        match self.input(index) {
            Input::Index(labels) => &labels[self.shard.first..][..self.shard.n],
            other => panic!("{} reads labels, not {} numbers", self.step.node, other.len()),
        }
    }

    fn weights(&self, index: usize) -> Option<&'a [f32]> {
        (index < self.step.reads.len()).then(|| self.whole(index))
    }
}

/// Computes the value that a step stores. Where it overwrites an operand, `y` holds that operand.
pub(crate) fn compute(context: &Context<'_>, step: &Step, shard: &Shard, slots: &[Buffer], y: &mut [f32]) {
    let read = Reader { context, step, shard, slots };
    let (isa, n) = (context.isa, shard.n);
    let (_, to) = step.write.as_ref().expect("only what is stored is computed");
    let in_place = step.in_place();
    match &step.work {
        Work::Convolve { conv, packed, bias, relu } => {
            let (packed, bias) = (&context.packs[*packed].packed, bias.map(|bias| context.whole.get(bias)));
            conv2d::forward(isa, conv, n, read.samples(0), packed, bias, *relu, y);
        }
        Work::ConvolveBack { conv, packed } => {
            conv2d::input_gradient(isa, conv, n, read.samples(0), &context.packs[*packed].packed, y);
        }
        Work::MaxPool(pool) => pool::max_pool(isa, pool, n, read.samples(0), y),
        Work::MaxPoolGradient(pool) => {
            pool::max_pool_gradient(isa, pool, n, read.samples(0), read.samples(1), y);
        }
        Work::AveragePool(pool) => pool::average_pool(isa, pool, n, read.samples(0), y),
        Work::AveragePoolGradient(pool) => pool::average_pool_gradient(isa, pool, n, read.samples(0), y),
        Work::Activate(kind) => {
            let kind = activation_of(*kind);
            match in_place {
                Some(_) => runs([to], n, |[at], len| activation::activate_in_place(isa, kind, &mut y[at..][..len])),
                None => {
                    let x = read.samples(0);
                    runs([read.view(0), to], n, |[x_at, at], len| {
                        activation::activate(isa, kind, &x[x_at..][..len], &mut y[at..][..len]);
                    });
                }
            }
        }
        Work::ActivateGradient(kind) => {
            let (kind, saved) = (activation_of(*kind), read.samples(0));
            match in_place {
                Some(_) => runs([read.view(0), to], n, |[saved_at, at], len| {
                    let saved = &saved[saved_at..][..len];
                    activation::activation_gradient_in_place(isa, kind, saved, &mut y[at..][..len]);
                }),
                None => {
                    let dy = read.samples(1);
                    runs([read.view(0), read.view(1), to], n, |[saved_at, dy_at, at], len| {
                        let (saved, dy) = (&saved[saved_at..][..len], &dy[dy_at..][..len]);
                        activation::activation_gradient(isa, kind, saved, dy, &mut y[at..][..len]);
                    });
                }
            }
        }
        Work::Binary(op) => compute_binary(&read, binary_op(*op), in_place, to, y),
        Work::Scale { by } => compute_with_number(&read, Binary::Multiply, *by, in_place, to, y),
        Work::Offset { by } => compute_with_number(&read, Binary::Add, *by, in_place, to, y),
        Work::SquareRoot => match in_place {
            Some(_) => runs([to], n, |[at], len| y[at..][..len].iter_mut().for_each(|y| *y = y.sqrt())),
            None => {
                let x = read.samples(0);
                runs([read.view(0), to], n, |[x_at, at], len| {
                    arithmetic::square_root(isa, &x[x_at..][..len], &mut y[at..][..len]);
                });
            }
        },
        Work::AddBias => {
            if in_place.is_none() {
                copy(read.view(0), to, n, read.samples(0), y);
            }
            arithmetic::add_bias(isa, to, n, read.whole(1), y);
        }
        Work::Softmax => {
            let x = read.samples(0);
            runs([read.view(0), to], n, |[x_at, at], len| {
                softmax::softmax(isa, to.channels, &x[x_at..][..len], &mut y[at..][..len]);
            });
        }
        Work::SoftmaxGradient => {
            let (saved, dy) = (read.samples(0), read.samples(1));
            runs([read.view(0), read.view(1), to], n, |[saved_at, dy_at, at], len| {
                let (saved, dy) = (&saved[saved_at..][..len], &dy[dy_at..][..len]);
                softmax::softmax_gradient(isa, to.channels, saved, dy, &mut y[at..][..len]);
            });
        }
        Work::Normalize { scale, shift } => input::normalize_bytes(isa, to, n, scale, shift, read.pixels(0), y),
        Work::NormalizePerImage => input::normalize_bytes_per_image(isa, to, n, read.pixels(0), y),
        Work::Copy => copy(read.view(0), to, n, read.samples(0), y),
        Work::ChangeChannels => change_channels(read.view(0), to, n, read.samples(0), y),
        Work::Dropout { rate, stream } => {
            if in_place.is_none() {
                copy(read.view(0), to, n, read.samples(0), y);
            }
            let feed = context.feed;
            let samples = &feed.samples[shard.first..][..n];
            let dropped = Dropout { rate: *rate, stream: *stream, seed: feed.seed, epoch: feed.epoch };
            dropout::dropout(isa, &dropped, samples, to, y);
        }
        Work::BatchNorm { epsilon } => {
            let (statistics, scale, offset) = (read.whole(1), read.whole(2), read.whole(3));
            let norm = batch_norm::Norm { statistics, epsilon: *epsilon };
            batch_norm::normalize(isa, [read.view(0), to], n, read.samples(0), &norm, scale, offset, y);
        }
        Work::BatchNormInputGradient { epsilon } => {
            let (statistics, scale, sums) = (read.whole(1), read.whole(2), read.whole(3));
            let norm = batch_norm::Norm { statistics, epsilon: *epsilon };
            let count = context.plan.batch * to.height * to.width;
            let views = [read.view(0), read.view(4), to];
            batch_norm::input_gradient(isa, views, n, read.samples(0), &norm, scale, sums, count, read.samples(4), y);
        }
        Work::CrossEntropy { label_smoothing, from_logits } => {
            let kind = CrossEntropy {
                classes: read.view(0).channels,
                label_smoothing: *label_smoothing,
                from_logits: *from_logits,
            };
            loss::cross_entropy(isa, &kind, read.samples(0), read.labels(1), read.weights(2), y);
        }
        Work::CrossEntropyGradient { label_smoothing, from_logits } => {
            let kind = CrossEntropy {
                classes: read.view(0).channels,
                label_smoothing: *label_smoothing,
                from_logits: *from_logits,
            };
            let (scores, labels, dy) = (read.samples(0), read.labels(1), read.samples(2));
            loss::cross_entropy_gradient(isa, &kind, scores, labels, read.weights(3), dy, y);
        }
        Work::SquaredError => {
            let classes = read.view(0).channels;
            loss::squared_error(isa, classes, read.samples(0), read.labels(1), read.weights(2), y);
        }
        Work::SquaredErrorGradient => {
            let (classes, p, labels) = (read.view(0).channels, read.samples(0), read.labels(1));
            loss::squared_error_gradient(isa, classes, p, labels, read.weights(3), read.samples(2), y);
        }
        Work::Spread { mean } => {
            let factor = if *mean { 1.0 / context.plan.batch as f32 } else { 1.0 };
            let (sample, row_len) = (read.whole(0), to.width * to.channels);
            for (row, at) in to.rows(n).enumerate() {
                let from = &sample[row % to.height * row_len..][..row_len];
                y[at].iter_mut().zip(from).for_each(|(y, x)| *y = x * factor);
            }
        }
        Work::LivingGradients(_)
        | Work::KernelGradient { .. }
        | Work::SumToChannels { .. }
        | Work::SumOverBatch { .. }
        | Work::Statistics { .. }
        | Work::BatchNormSums { .. } => unreachable!("{} sums", step.work.name()),
    }
}

/// What the gradients of a pooled convolution read.
pub(crate) fn signals<'a>(
    context: &'a Context<'a>,
    step: &'a Step,
    shard: &'a Shard,
    slots: &'a [Buffer],
) -> conv2d::Signals<'a> {
    let read = Reader { context, step, shard, slots };
    conv2d::Signals { x: read.samples(0), y: read.samples(1), dy: read.samples(2) }
}

/// Adds a shard's part to a sum.
pub(crate) fn add(context: &Context<'_>, step: &Step, shard: &Shard, slots: &[Buffer], part: &mut PartialSum) {
    let read = Reader { context, step, shard, slots };
    let (isa, n) = (context.isa, shard.n);
    match &step.work {
        Work::KernelGradient { conv, .. } => {
            conv2d::kernel_gradient(isa, conv, n, read.samples(0), read.samples(1), &mut part.kernel);
        }
        Work::SumToChannels { .. } => {
            arithmetic::sum_to_channels(isa, read.view(0), n, read.samples(0), &mut part.numbers);
        }
        Work::SumOverBatch { .. } => {
            let (view, x) = (read.view(0), read.samples(0));
            let row_len = view.width * view.channels;
            for (row, at) in view.rows(n).enumerate() {
                let sums = &mut part.numbers[row % view.height * row_len..][..row_len];
                sums.iter_mut().zip(&x[at]).for_each(|(sum, x)| *sum += f64::from(*x));
            }
        }
        Work::Statistics { sum } => {
            debug_assert!(matches!(context.plan.sums[*sum].kind, SumKind::Statistics { .. }));
            let numbers = 2 * read.view(0).channels;
            let first = shard.local.start / context.plan.shard();
            let part = &mut part.numbers[first * numbers..][..numbers];
            batch_norm::statistics(isa, read.view(0), n, read.samples(0), part);
        }
        Work::BatchNormSums { epsilon, .. } => {
            let norm = batch_norm::Norm { statistics: read.whole(1), epsilon: *epsilon };
            let views = [read.view(0), read.view(2)];
            batch_norm::gradient_sums(isa, views, n, read.samples(0), &norm, read.samples(2), &mut part.numbers);
        }
        other => unreachable!("{} is no sum", other.name()),
    }
}

fn compute_binary(read: &Reader<'_>, op: Binary, in_place: Option<usize>, to: &View, y: &mut [f32]) {
    let (isa, n) = (read.context.isa, read.shard.n);
    let number = |index: usize| match read.step.reads[index] {
        Operand::Fixed(fixed) => Some(read.context.whole.number(fixed)),
        _ => None,
    };
    match (in_place, number(0), number(1)) {
        (Some(written), _, _) => match number(1 - written) {
            Some(b) => {
                runs([to], n, |[at], len| arithmetic::binary_into(isa, op, &mut y[at..][..len], Side::Scalar(b)))
            }
            None => {
                let b = read.samples(1 - written);
                runs([read.view(1 - written), to], n, |[b_at, at], len| {
                    arithmetic::binary_into(isa, op, &mut y[at..][..len], Side::Slice(&b[b_at..][..len]));
                });
            }
        },
        (None, None, None) => {
            let (a, b) = (read.samples(0), read.samples(1));
            runs([read.view(0), read.view(1), to], n, |[a_at, b_at, at], len| {
                let (a, b) = (Side::Slice(&a[a_at..][..len]), Side::Slice(&b[b_at..][..len]));
                arithmetic::binary(isa, op, a, b, &mut y[at..][..len]);
            });
        }
        (None, Some(a), _) => {
            let b = read.samples(1);
            runs([read.view(1), to], n, |[b_at, at], len| {
                arithmetic::binary(isa, op, Side::Scalar(a), Side::Slice(&b[b_at..][..len]), &mut y[at..][..len]);
            });
        }
        (None, None, Some(b)) => {
            let a = read.samples(0);
            runs([read.view(0), to], n, |[a_at, at], len| {
                arithmetic::binary(isa, op, Side::Slice(&a[a_at..][..len]), Side::Scalar(b), &mut y[at..][..len]);
            });
        }
    }
}

/// One number against all of the operand.
fn compute_with_number(read: &Reader<'_>, op: Binary, by: f32, in_place: Option<usize>, to: &View, y: &mut [f32]) {
    let (isa, n) = (read.context.isa, read.shard.n);
    if in_place.is_some() {
        return runs([to], n, |[at], len| arithmetic::binary_into(isa, op, &mut y[at..][..len], Side::Scalar(by)));
    }
    let x = read.samples(0);
    runs([read.view(0), to], n, |[x_at, at], len| {
        arithmetic::binary(isa, op, Side::Slice(&x[x_at..][..len]), Side::Scalar(by), &mut y[at..][..len]);
    });
}

/// The kernels' name of an operation.
pub(crate) fn binary_op(op: ops::Binary) -> Binary {
    match op {
        ops::Binary::Add => Binary::Add,
        ops::Binary::Subtract => Binary::Subtract,
        ops::Binary::Multiply => Binary::Multiply,
        ops::Binary::Divide => Binary::Divide,
        ops::Binary::Minimum => Binary::Minimum,
        ops::Binary::Maximum => Binary::Maximum,
    }
}

/// The kernels' name of an activation.
pub(crate) fn activation_of(activation: ops::Activation) -> Activation {
    match activation {
        ops::Activation::Relu => Activation::Relu,
        ops::Activation::LeakyRelu { slope } => Activation::LeakyRelu { slope },
        ops::Activation::Sigmoid => Activation::Sigmoid,
        ops::Activation::Tanh => Activation::Tanh,
        ops::Activation::Gelu => Activation::Gelu,
        ops::Activation::Silu => Activation::Silu,
    }
}
