//! One step of a shard: reads what it needs, calls its kernel.

use kernels::arithmetic::{self, Binary};
use kernels::buffer::{Buffer, bytes_of, bytes_of_mut};
use kernels::conv2d;
use kernels::copy::{copy, pad_channels, take_channels};
use kernels::dropout::{self, Dropout};
use kernels::loss::{self, CrossEntropy};
use kernels::{batch_norm, input, pool, softmax};

use super::group::{Context, Shard};
use super::pointwise::{self, activation_of, binary_op};
use super::reader::Reader;
use super::samples::runs;
use crate::plan::{Step, SumKind, Work};

/// Computes the value that a step stores, and what it keeps besides. Where it overwrites an operand, `y` holds that operand.
pub(crate) fn compute(
    context: &Context<'_>,
    step: &Step,
    shard: &Shard,
    slots: &[Buffer],
    scratch: &mut [f32],
    aside: Option<&mut [f32]>,
    y: &mut [f32],
) {
    let read = &Reader { context, step, shard, slots };
    let (isa, n, to) = (read.isa(), read.n(), read.to());
    match &step.work {
        Work::Convolve { .. }
        | Work::ConvolvePool { .. }
        | Work::ConvolveBack { .. }
        | Work::Dense { .. }
        | Work::DenseBack { .. } => compute_product(read, scratch, aside, y),
        Work::MaxPool(pool) => pool::max_pool(isa, pool, n, read.samples(0), y),
        Work::MaxPoolGradient(pool) => {
            pool::max_pool_gradient(isa, pool, n, read.samples(0), read.samples(1), y);
        }
        Work::AveragePool(pool) => pool::average_pool(isa, pool, n, read.samples(0), y),
        Work::AveragePoolGradient(pool) => pool::average_pool_gradient(isa, pool, n, read.samples(0), y),
        Work::Activate(kind) => pointwise::activate(read, activation_of(*kind), y),
        Work::ActivateWithSlope(kind) => {
            let slope = aside.expect("its place is that of what is read");
            pointwise::activate_with_slope(read, activation_of(*kind), slope, y);
        }
        Work::ActivateGradient(kind) => pointwise::activation_gradient(read, activation_of(*kind), y),
        Work::Binary(op) => pointwise::binary(read, binary_op(*op), y),
        Work::AddRelu => pointwise::binary(read, Binary::AddRelu, y),
        Work::Scale { by } => pointwise::with_number(read, Binary::Multiply, *by, y),
        Work::Offset { by } => pointwise::with_number(read, Binary::Add, *by, y),
        Work::SquareRoot => pointwise::square_root(read, y),
        Work::AddBias => {
            start_from_operand(read, y);
            arithmetic::add_bias(isa, to, n, read.whole(1), y);
        }
        Work::Dropout { rate, stream } => {
            start_from_operand(read, y);
            let feed = context.feed;
            let dropped = Dropout { rate: *rate, stream: *stream, seed: feed.seed, epoch: feed.epoch };
            dropout::dropout(isa, &dropped, &feed.samples[shard.first..][..n], to, y);
        }
        Work::Copy => copy(read.view(0), to, n, read.samples(0), y),
        Work::ChangeChannels if read.view(0).channels < to.channels => {
            pad_channels(read.view(0), to, n, read.samples(0), y);
        }
        Work::ChangeChannels => take_channels(read.view(0), to, n, read.samples(0), y),
        Work::Normalize { scale, shift } => input::normalize_bytes(isa, to, n, scale, shift, read.pixels(0), y),
        Work::NormalizePerImage => input::normalize_bytes_per_image(isa, to, n, read.pixels(0), y),
        Work::BatchNorm { .. } | Work::BatchNormInputGradient { .. } => compute_norm(read, y),
        Work::Softmax
        | Work::SoftmaxGradient
        | Work::CrossEntropy { .. }
        | Work::CrossEntropyGradient { .. }
        | Work::SquaredError
        | Work::SquaredErrorGradient => compute_loss(read, y),
        Work::Spread { mean } => spread(read, *mean, y),
        Work::LivingGradients(_)
        | Work::ConvolveGradients { .. }
        | Work::KernelGradient { .. }
        | Work::SumToChannels { .. }
        | Work::SumOverBatch { .. }
        | Work::Statistics { .. }
        | Work::BatchNormSums { .. }
        | Work::ReluGradientAndSums { .. } => unreachable!("{} is the group's", step.work.name()),
    }
}

fn compute_product(read: &Reader<'_>, scratch: &mut [f32], winners: Option<&mut [f32]>, y: &mut [f32]) {
    let (context, isa, n) = (read.context, read.isa(), read.n());
    match &read.step.work {
        Work::Convolve { product, packed, bias, added, relu } => {
            let (packed, bias) = context.kernel(*packed, *bias);
            let added = added.then(|| (read.view(1), read.samples(1)));
            let epilogue = conv2d::Epilogue { bias, added, relu: *relu, ahead: &read.ahead() };
            product.forward(isa, n, read.samples(0), packed, epilogue, y, scratch);
        }
        Work::ConvolvePool { pooled, packed, bias } => {
            let (packed, bias) = context.kernel(*packed, *bias);
            pooled.forward(isa, n, read.samples(0), packed, bias, y, winners.map(bytes_of_mut), scratch);
        }
        Work::ConvolveBack { product, packed } => {
            product.input_gradient(isa, n, read.samples(0), context.packs[*packed].kernel(), y, scratch);
        }
        Work::Dense { dense, kernel, bias, relu, first } => {
            let kernel = &context.whole.get(*kernel)[first * dense.features..][..dense.kernel_len()];
            let bias = bias.map(|bias| &context.whole.get(bias)[*first..][..dense.units]);
            dense.forward(isa, n, read.samples(0), kernel, bias, *relu, y, scratch);
        }
        Work::DenseBack { dense, kernel } => {
            dense.input_gradient(isa, n, read.samples(0), context.whole.get(*kernel), y, scratch);
        }
        other => unreachable!("{} is no product", other.name()),
    }
}

/// Puts the first operand where the result is made, unless it is there.
fn start_from_operand(read: &Reader<'_>, y: &mut [f32]) {
    if read.step.in_place().is_none() {
        copy(read.view(0), read.to(), read.n(), read.samples(0), y);
    }
}

fn compute_norm(read: &Reader<'_>, y: &mut [f32]) {
    let (isa, n, to) = (read.isa(), read.n(), read.to());
    let norm = |epsilon: f32| batch_norm::Norm { statistics: read.whole(1), epsilon };
    match read.step.work {
        Work::BatchNorm { epsilon, relu } => {
            let (scale, offset) = (read.whole(2), read.whole(3));
            let views = [read.view(0), to];
            batch_norm::normalize(isa, views, n, read.samples(0), &norm(epsilon), scale, offset, relu, y);
        }
        Work::BatchNormInputGradient { epsilon } => {
            let (scale, sums, norm) = (read.whole(2), read.whole(3), norm(epsilon));
            let count = read.context.plan.batch * to.height * to.width;
            let views = [read.view(0), read.view(4), to];
            batch_norm::input_gradient(isa, views, n, read.samples(0), &norm, scale, sums, count, read.samples(4), y);
        }
        _ => unreachable!("{} is no norm", read.step.work.name()),
    }
}

fn compute_loss(read: &Reader<'_>, y: &mut [f32]) {
    let (isa, n, to) = (read.isa(), read.n(), read.to());
    let (classes, scores) = (read.view(0).channels, read.samples(0));
    match read.step.work {
        Work::Softmax => runs([read.view(0), to], n, |[x_at, at], len| {
            softmax::softmax(isa, classes, &scores[x_at..][..len], &mut y[at..][..len]);
        }),
        Work::SoftmaxGradient => {
            let dy = read.samples(1);
            runs([read.view(0), read.view(1), to], n, |[saved_at, dy_at, at], len| {
                let (saved, dy) = (&scores[saved_at..][..len], &dy[dy_at..][..len]);
                softmax::softmax_gradient(isa, classes, saved, dy, &mut y[at..][..len]);
            });
        }
        Work::CrossEntropy { label_smoothing, from_logits } => {
            let kind = CrossEntropy { classes, label_smoothing, from_logits };
            loss::cross_entropy(isa, &kind, scores, read.labels(1), read.weights(2), y);
        }
        Work::CrossEntropyGradient { label_smoothing, from_logits } => {
            let kind = CrossEntropy { classes, label_smoothing, from_logits };
            loss::cross_entropy_gradient(isa, &kind, scores, read.labels(1), read.weights(3), read.samples(2), y);
        }
        Work::SquaredError => loss::squared_error(isa, classes, scores, read.labels(1), read.weights(2), y),
        Work::SquaredErrorGradient => {
            loss::squared_error_gradient(isa, classes, scores, read.labels(1), read.weights(3), read.samples(2), y);
        }
        _ => unreachable!("{} is no loss", read.step.work.name()),
    }
}

/// Every sample gets the one value of the whole batch, or its share of it.
fn spread(read: &Reader<'_>, mean: bool, y: &mut [f32]) {
    let to = read.to();
    let factor = if mean { 1.0 / read.context.plan.batch as f32 } else { 1.0 };
    let (sample, row_len) = (read.whole(0), to.width * to.channels);
    for (row, at) in to.rows(read.n()).enumerate() {
        let from = &sample[row % to.height * row_len..][..row_len];
        y[at].iter_mut().zip(from).for_each(|(y, x)| *y = x * factor);
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
    conv2d::Signals { x: read.samples(0), winners: bytes_of(read.samples(1)), dy: read.samples(2) }
}

/// Adds a shard's part to the gradient of a kernel, in the order of its product, and computes that of x where it is stored.
pub(crate) fn kernel_gradient(
    context: &Context<'_>,
    step: &Step,
    shard: &Shard,
    slots: &[Buffer],
    scratch: &mut [f32],
    gradient: &mut [f32],
    dx: Option<&mut [f32]>,
) {
    let read = Reader { context, step, shard, slots };
    let (isa, n) = (context.isa, shard.n);
    // The first shard overwrites what another group has left.
    let begin = shard.local.start == 0;
    match (&step.work, dx) {
        (Work::ConvolveGradients { product, packed, .. }, Some(dx)) => {
            let (dy, x, packed) = (read.samples(0), read.samples(1), context.packs[*packed].kernel());
            let ahead = &read.ahead();
            let both = conv2d::BothGradients { view: read.view(1), x, dy, packed, dx, begin, gradient, ahead };
            product.gradients(isa, n, both, scratch);
        }
        (Work::KernelGradient { product, .. }, None) => {
            product.kernel_gradient(isa, n, read.samples(0), read.samples(1), begin, gradient, scratch);
        }
        (other, _) => unreachable!("{} is no gradient of a kernel", other.name()),
    }
}

/// Computes the gradient of relu, and adds a shard's part to the sums of the norm before it.
pub(crate) fn relu_gradient_and_sums(
    context: &Context<'_>,
    step: &Step,
    shard: &Shard,
    slots: &[Buffer],
    part: &mut [f64],
    dz: &mut [f32],
) {
    let read = Reader { context, step, shard, slots };
    let Work::ReluGradientAndSums { epsilon, .. } = step.work else {
        unreachable!("{} is no gradient of relu", step.work.name())
    };
    let norm = batch_norm::Norm { statistics: read.whole(2), epsilon };
    let gradient = |index: usize| {
        let samples = (step.in_place() != Some(index)).then(|| read.samples(index));
        (read.view(index), samples)
    };
    let added = (step.reads.len() > 4).then(|| gradient(4));
    let relu = batch_norm::ReluGradient { given: (read.view(0), read.samples(0)), dy: gradient(3), added };
    let views = [read.view(1), read.to()];
    batch_norm::relu_gradient_and_sums(context.isa, views, shard.n, relu, read.samples(1), &norm, dz, part);
}

/// Adds a shard's part to a sum.
pub(crate) fn add(context: &Context<'_>, step: &Step, shard: &Shard, slots: &[Buffer], part: &mut [f64]) {
    let read = Reader { context, step, shard, slots };
    let (isa, n) = (context.isa, shard.n);
    match &step.work {
        Work::SumToChannels { .. } => {
            arithmetic::sum_to_channels(isa, read.view(0), n, read.samples(0), part);
        }
        Work::SumOverBatch { .. } => {
            let (view, x) = (read.view(0), read.samples(0));
            let row_len = view.width * view.channels;
            for (row, at) in view.rows(n).enumerate() {
                let sums = &mut part[row % view.height * row_len..][..row_len];
                sums.iter_mut().zip(&x[at]).for_each(|(sum, x)| *sum += f64::from(*x));
            }
        }
        Work::Statistics { sum } => {
            let SumKind::Statistics { shard: samples, .. } = context.plan.sums[*sum].kind else {
                unreachable!("statistics go to statistics")
            };
            let numbers = 2 * read.view(0).channels;
            let first = shard.local.start / samples;
            let part = &mut part[first * numbers..][..numbers];
            batch_norm::statistics(isa, read.view(0), n, read.samples(0), part);
        }
        Work::BatchNormSums { epsilon, .. } => {
            let norm = batch_norm::Norm { statistics: read.whole(1), epsilon: *epsilon };
            let views = [read.view(0), read.view(2)];
            batch_norm::gradient_sums(isa, views, n, read.samples(0), &norm, read.samples(2), part);
        }
        other => unreachable!("{} is no sum", other.name()),
    }
}
