//! Batch normalization (Ioffe and Szegedy 2015, algorithm 1 and the gradients of section 3).
//!
//! `y = scale * z + offset` with `z = (x - mean) / sqrt(variance + epsilon)`. x, y: `[N, .., C]`; statistics: `[2, C]`,
//! the mean and the biased variance of each channel over the `M = N * positions` values of the batch, or running ones.
//! The gradient through x and through the statistics of the same batch is one expression:
//! `dx = scale / sqrt(variance + epsilon) * (dy - sum(dy) / M - z * sum(dy * z) / M)`.

use super::operands::{Inferred, Operands, SECOND_ORDER, batched_channels, exactly, numbers, result};
use super::{Cases, Gradient, Onnx, Op, OpRule, Step};
use crate::cases::{Case, Numbers, Operand, ROUNDING, SUM};
use crate::reference::{Call, Tensor};
use crate::{Graph, NodeId, Shape};

/// x -> statistics
pub const BATCH_STATISTICS: OpRule = OpRule {
    name: "batch_statistics",
    infer: infer_statistics,
    gradient: Gradient::None("the gradient of batch_norm holds it"),
    reference: statistics,
    flops: |_, operands, _| 3 * operands[0].sample_len() as u64,
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| cases(Op::BatchStatistics, |x, _| vec![x], SUM)),
};

/// x, statistics, scale, offset -> y
pub const BATCH_NORM: OpRule = OpRule {
    name: "batch_norm",
    infer: infer_norm,
    gradient: Gradient::Rule(gradient),
    reference: norm,
    flops: |_, _, result| 2 * result.sample_len() as u64,
    onnx: Onnx::Operator { name: "BatchNormalization", since: 15 },
    cases: Cases::Make(|| {
        let operands = |x, channels| vec![x, pair(channels), row(channels), row(channels)];
        cases(Op::BatchNorm { epsilon: 1e-5 }, operands, SUM)
    }),
};

/// x, statistics, dy -> `[2, C]`: sum of dy, sum of dy * z
pub const BATCH_NORM_SUMS: OpRule = OpRule {
    name: "batch_norm_sums",
    infer: infer_sums,
    gradient: Gradient::None(SECOND_ORDER),
    reference: sums,
    flops: |_, operands, _| 5 * operands[0].sample_len() as u64,
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| {
        let operands = |x: Operand, channels| vec![x.clone(), pair(channels), x];
        cases(Op::BatchNormSums { epsilon: 1e-5 }, operands, SUM)
    }),
};

/// x, statistics, scale, sums, dy -> dx
pub const BATCH_NORM_INPUT_GRADIENT: OpRule = OpRule {
    name: "batch_norm_input_gradient",
    infer: infer_input_gradient,
    gradient: Gradient::None(SECOND_ORDER),
    reference: input_gradient,
    flops: |_, _, result| 6 * result.sample_len() as u64,
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| {
        let operands = |x: Operand, channels| vec![x.clone(), pair(channels), row(channels), pair(channels), x];
        cases(Op::BatchNormInputGradient { epsilon: 1e-5 }, operands, SUM)
    }),
};

/// running `[C]`, statistics -> `momentum * running + (1 - momentum) * mean`
pub const RUNNING_MEAN: OpRule = OpRule {
    name: "running_mean",
    infer: infer_running,
    gradient: Gradient::None(RUNNING),
    reference: running_mean,
    flops: |_, _, result| 3 * result.sample_len() as u64,
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| running_cases(Op::RunningMean { momentum: 0.9 })),
};

/// running `[C]`, statistics -> the same with the unbiased variance, `variance * M / (M - 1)`; of one value the biased
pub const RUNNING_VARIANCE: OpRule = OpRule {
    name: "running_variance",
    infer: infer_running,
    gradient: Gradient::None(RUNNING),
    reference: running_variance,
    flops: |_, _, result| 4 * result.sample_len() as u64,
    onnx: Onnx::None("training only"),
    cases: Cases::Make(|| running_cases(Op::RunningVariance { momentum: 0.9, positions: 6 })),
};

const RUNNING: &str = "running statistics are no part of the loss";

impl Graph {
    /// y and the statistics of the batch; scale and offset `[C]`.
    pub fn batch_norm(&mut self, x: NodeId, scale: NodeId, offset: NodeId, epsilon: f32) -> (NodeId, NodeId) {
        let statistics = self.push(Op::BatchStatistics, &[x]);
        (self.push(Op::BatchNorm { epsilon }, &[x, statistics, scale, offset]), statistics)
    }
}

fn epsilon(op: &Op) -> f64 {
    match op {
        Op::BatchNorm { epsilon } | Op::BatchNormSums { epsilon } | Op::BatchNormInputGradient { epsilon } => {
            f64::from(*epsilon)
        }
        other => unreachable!("{} has no epsilon", other.name()),
    }
}

fn infer_statistics(_: &Op, operands: &Operands<'_>) -> Inferred {
    let [x] = numbers(operands)?;
    result(Shape::fixed(&[2, batched_channels(x)?]))
}

fn infer_norm(_: &Op, operands: &Operands<'_>) -> Inferred {
    let [x, statistics, scale, offset] = numbers(operands)?;
    let channels = batched_channels(x)?;
    exactly("statistics", statistics, &Shape::fixed(&[2, channels]))?;
    exactly("a scale", scale, &Shape::fixed(&[channels]))?;
    exactly("an offset", offset, &Shape::fixed(&[channels]))?;
    result(x.clone())
}

fn infer_sums(_: &Op, operands: &Operands<'_>) -> Inferred {
    let [x, statistics, dy] = numbers(operands)?;
    let rows = Shape::fixed(&[2, batched_channels(x)?]);
    exactly("statistics", statistics, &rows)?;
    exactly("a gradient", dy, x)?;
    result(rows)
}

fn infer_input_gradient(_: &Op, operands: &Operands<'_>) -> Inferred {
    let [x, statistics, scale, sums, dy] = numbers(operands)?;
    let channels = batched_channels(x)?;
    exactly("statistics", statistics, &Shape::fixed(&[2, channels]))?;
    exactly("a scale", scale, &Shape::fixed(&[channels]))?;
    exactly("sums", sums, &Shape::fixed(&[2, channels]))?;
    exactly("a gradient", dy, x)?;
    result(x.clone())
}

fn infer_running(_: &Op, operands: &Operands<'_>) -> Inferred {
    let [running, statistics] = numbers(operands)?;
    exactly("statistics", statistics, &Shape::fixed(&[2, running.channels()]))?;
    exactly("a running value", running, &Shape::fixed(&[running.channels()]))?;
    result(running.clone())
}

/// With the statistics of its own batch the whole gradient goes to x; other statistics are numbers from outside, and
/// the two sums, which are the way through the statistics, do not count.
fn gradient(g: &mut Graph, step: &Step<'_>) -> Vec<Option<NodeId>> {
    let epsilon = epsilon(step.op) as f32;
    let (x, statistics, scale, dy) = (step.inputs[0], step.inputs[1], step.inputs[2], step.dy);
    let of_this_batch = matches!(g.node(statistics).op, Op::BatchStatistics) && g.node(statistics).inputs == [x];
    assert!(of_this_batch || !step.wants(1), "batch_norm hands no gradient to statistics that are not of its own x");
    let sums = g.push(Op::BatchNormSums { epsilon }, &[x, statistics, dy]);
    let dx = step.wants(0).then(|| {
        let through = if of_this_batch { sums } else { g.constant(0.0, &g.shape(sums).dims.clone()) };
        g.push(Op::BatchNormInputGradient { epsilon }, &[x, statistics, scale, through, dy])
    });
    let dscale = step.wants(2).then(|| g.push(Op::TakeRow { row: 1 }, &[sums]));
    let doffset = step.wants(3).then(|| g.push(Op::TakeRow { row: 0 }, &[sums]));
    vec![dx, None, dscale, doffset]
}

/// The number of values a channel.
fn values_a_channel(x: &Tensor) -> f64 {
    (x.data.len() / x.channels()) as f64
}

fn statistics(call: &Call<'_>) -> Tensor {
    let x = call.operands[0];
    let mut statistics = Tensor::zeros(call.shape);
    for row in x.rows(x.channels()) {
        for (channel, value) in row.iter().enumerate() {
            statistics[[0, channel]] += value / values_a_channel(x);
        }
    }
    for row in x.rows(x.channels()) {
        for (channel, value) in row.iter().enumerate() {
            let centred = value - statistics[[0, channel]];
            statistics[[1, channel]] += centred * centred / values_a_channel(x);
        }
    }
    statistics
}

/// z, and for each channel `1 / sqrt(variance + epsilon)`.
fn normalized(x: &Tensor, statistics: &Tensor, epsilon: f64) -> (Tensor, Vec<f64>) {
    let factor: Vec<f64> = (0..x.channels()).map(|c| 1.0 / (statistics[[1, c]] + epsilon).sqrt()).collect();
    let mut z = x.clone();
    for (place, value) in z.data.iter_mut().enumerate() {
        let channel = place % x.channels();
        *value = (*value - statistics[[0, channel]]) * factor[channel];
    }
    (z, factor)
}

fn norm(call: &Call<'_>) -> Tensor {
    let &[x, statistics, scale, offset] = call.operands else { unreachable!("four operands") };
    let (mut y, _) = normalized(x, statistics, epsilon(call.op));
    for (place, value) in y.data.iter_mut().enumerate() {
        let channel = place % x.channels();
        *value = *value * scale[[channel]] + offset[[channel]];
    }
    y
}

fn sums(call: &Call<'_>) -> Tensor {
    let &[x, statistics, dy] = call.operands else { unreachable!("three operands") };
    let (z, _) = normalized(x, statistics, epsilon(call.op));
    let mut sums = Tensor::zeros(call.shape);
    for (place, (dy, z)) in dy.data.iter().zip(&z.data).enumerate() {
        let channel = place % x.channels();
        sums[[0, channel]] += dy;
        sums[[1, channel]] += dy * z;
    }
    sums
}

fn input_gradient(call: &Call<'_>) -> Tensor {
    let &[x, statistics, scale, sums, dy] = call.operands else { unreachable!("five operands") };
    let (z, factor) = normalized(x, statistics, epsilon(call.op));
    let count = values_a_channel(x);
    let mut dx = z.zip(dy, |z, _| z);
    for (place, (value, dy)) in dx.data.iter_mut().zip(&dy.data).enumerate() {
        let channel = place % x.channels();
        let through_statistics = (sums[[0, channel]] + *value * sums[[1, channel]]) / count;
        *value = scale[[channel]] * factor[channel] * (dy - through_statistics);
    }
    dx
}

fn running_mean(call: &Call<'_>) -> Tensor {
    let Op::RunningMean { momentum } = *call.op else { unreachable!("the row of running_mean") };
    moved(call, f64::from(momentum), 0, 1.0)
}

fn running_variance(call: &Call<'_>) -> Tensor {
    let Op::RunningVariance { momentum, positions } = *call.op else { unreachable!("the row of running_variance") };
    let count = (call.feed.batch * positions) as f64;
    let unbiased = if count > 1.0 { count / (count - 1.0) } else { 1.0 };
    moved(call, f64::from(momentum), 1, unbiased)
}

/// The running value, moved towards `factor` times a row of the statistics.
fn moved(call: &Call<'_>, momentum: f64, row: usize, factor: f64) -> Tensor {
    let (running, statistics) = (call.operands[0], call.operands[1]);
    let mut moved = running.clone();
    for (channel, value) in moved.data.iter_mut().enumerate() {
        *value = momentum * *value + (1.0 - momentum) * factor * statistics[[row, channel]];
    }
    moved
}

fn row(channels: usize) -> Operand {
    Operand::fixed(&[channels], Numbers::Signed)
}

fn pair(channels: usize) -> Operand {
    Operand::fixed(&[2, channels], Numbers::Statistics)
}

fn cases(op: Op, operands: fn(Operand, usize) -> Vec<Operand>, tolerance: f64) -> Vec<Case> {
    let shapes: [(usize, &[usize]); 4] = [(1, &[2, 1, 1]), (4, &[3]), (3, &[3, 2, 5]), (2, &[4, 4, 17])];
    let case = |(batch, dims): (usize, &[usize])| {
        let x = Operand::batched(dims, Numbers::Signed);
        let channels = x.shape.channels();
        Case::new(op.clone(), batch, operands(x, channels), tolerance)
    };
    shapes.into_iter().map(case).collect()
}

fn running_cases(op: Op) -> Vec<Case> {
    let case = |(batch, channels)| Case::new(op.clone(), batch, vec![row(channels), pair(channels)], ROUNDING);
    [(1, 1), (2, 5), (3, 17)].into_iter().map(case).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;
    use crate::finite_differences;
    use crate::reference::{Feed, run};

    /// x, scale and offset of a batch norm in training, with numbers.
    fn normalized_batch(batch: usize, dims: &[usize], epsilon: f32) -> (Graph, Feed, [NodeId; 3], NodeId) {
        let channels = dims[dims.len() - 1];
        let mut g = Graph::new();
        let x = g.input("x", Shape::batched(dims), DType::F32);
        let [scale, offset] = ["scale", "offset"].map(|path| g.variable(path, &[channels]));
        let (y, statistics) = g.batch_norm(x, scale, offset, epsilon);
        g.output("statistics", statistics);
        let mut feed = Feed::new(batch);
        feed.inputs.insert("x".to_string(), Operand::batched(dims, Numbers::Signed).tensor(batch, 0));
        feed.variables.insert("scale".to_string(), row(channels).tensor(batch, 1));
        feed.variables.insert("offset".to_string(), row(channels).tensor(batch, 2));
        (g, feed, [x, scale, offset], y)
    }

    #[test]
    fn the_whole_gradient_goes_through_the_statistics() {
        let shapes: [(usize, &[usize]); 4] = [(2, &[1]), (5, &[3]), (1, &[3, 2, 2]), (3, &[2, 3, 4])];
        for (batch, dims) in shapes {
            let (g, feed, leaves, y) = normalized_batch(batch, dims, 1e-3);
            finite_differences::check(&g, &feed, y, &leaves);
        }
    }

    #[test]
    fn statistics_are_the_mean_and_the_biased_variance() {
        let (g, mut feed, _, y) = normalized_batch(4, &[1], 0.0);
        feed.inputs.insert("x".to_string(), Tensor::new(&[4, 1], vec![1.0, 3.0, 5.0, 7.0]));
        feed.variables.insert("scale".to_string(), Tensor::new(&[1], vec![5f64.sqrt()]));
        feed.variables.insert("offset".to_string(), Tensor::new(&[1], vec![10.0]));
        let values = run(&g, &feed);
        assert_eq!(values.output(&g, "statistics").data, [4.0, 5.0]);
        for (found, expected) in values[y].data.iter().zip([7.0, 9.0, 11.0, 13.0]) {
            assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
        }
    }

    #[test]
    fn the_running_variance_takes_the_unbiased_one() {
        let mut g = Graph::new();
        let [running, statistics] = [g.variable("running", &[1]), g.variable("statistics", &[2, 1])];
        let mean = g.push(Op::RunningMean { momentum: 0.75 }, &[running, statistics]);
        let variance = g.push(Op::RunningVariance { momentum: 0.75, positions: 3 }, &[running, statistics]);
        let mut feed = Feed::new(2);
        feed.variables.insert("running".to_string(), Tensor::new(&[1], vec![8.0]));
        feed.variables.insert("statistics".to_string(), Tensor::new(&[2, 1], vec![4.0, 5.0]));
        let values = run(&g, &feed);
        assert_eq!(values[mean].data, [7.0]);
        assert_eq!(values[variance].data, [7.5]); // 0.75 * 8 + 0.25 * 5 * 6 / 5
    }
}
