//! Dropout (Srivastava et al. 2014), inverted: `y = 0` with probability `rate`, else `x / (1 - rate)`.
//!
//! x, y: `[N, ...]`. Element i of a sample is kept iff word `i % 4` of block `i / 4` of the random stream of (seed of the
//! run, `stream`, epoch, sample) is at least `rate * 2^32`, rounded. The mask depends on nothing else, so that applying
//! the operator to dy is its gradient, and no mask is kept.

use kernels::random::Stream;

use super::operands::{Inferred, Operands, numbers, result};
use super::{Cases, Gradient, Onnx, Op, OpRule};
use crate::cases::{Case, Numbers, Operand, ROUNDING};
use crate::reference::{Call, Tensor};

pub const DROPOUT: OpRule = OpRule {
    name: "dropout",
    infer,
    gradient: Gradient::Rule(|g, step| vec![Some(g.push(step.op.clone(), &[step.dy]))]),
    reference: forward,
    flops: |_, _, result| result.sample_len() as u64,
    onnx: Onnx::None("evaluation drops nothing"),
    cases: Cases::Make(|| {
        let case = |batch, dims: &[usize], rate| {
            let op = Op::Dropout { rate, stream: 7 };
            Case::new(op, batch, vec![Operand::batched(dims, Numbers::Signed)], ROUNDING)
        };
        vec![case(1, &[1], 0.0), case(3, &[7], 0.5), case(2, &[3, 5, 17], 0.2)]
    }),
};

fn infer(op: &Op, operands: &Operands<'_>) -> Inferred {
    let Op::Dropout { rate, .. } = op else { unreachable!("the row of dropout") };
    let [x] = numbers(operands)?;
    match x.batch && (0.0..1.0).contains(rate) {
        true => result(x.clone()),
        false => Err(format!("takes a value with a batch and a rate in [0, 1), not {x} and {rate}")),
    }
}

fn forward(call: &Call<'_>) -> Tensor {
    let Op::Dropout { rate, stream } = *call.op else { unreachable!("the row of dropout") };
    let threshold = (f64::from(rate) * 4_294_967_296.0).round() as u64;
    let mut y = call.operands[0].clone();
    let length = call.shape[1..].iter().product();
    for (sample, values) in call.feed.samples.iter().zip(y.data.chunks_exact_mut(length)) {
        let random = Stream::new(call.feed.seed, stream, call.feed.epoch, u64::from(*sample));
        for (element, value) in values.iter_mut().enumerate() {
            let word = random.block(element as u64 / 4)[element % 4];
            let kept = u64::from(word) >= threshold;
            *value = if kept { *value / (1.0 - f64::from(rate)) } else { 0.0 };
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{Feed, run};
    use crate::{DType, Graph, Shape};

    const LENGTH: usize = 4000;

    /// What dropout with rate 0.25 makes of ones, each sample on its own.
    fn masks(samples: &[u32], seed: u64, epoch: u64, stream: u64) -> Vec<Vec<f64>> {
        let mut g = Graph::new();
        let x = g.input("x", Shape::batched(&[LENGTH]), DType::F32);
        let y = g.push(Op::Dropout { rate: 0.25, stream }, &[x]);
        let mut feed = Feed { seed, epoch, samples: samples.to_vec(), ..Feed::new(samples.len()) };
        feed.inputs.insert("x".to_string(), Tensor::filled(&[samples.len(), LENGTH], 1.0));
        run(&g, &feed)[y].rows(LENGTH).map(<[f64]>::to_vec).collect()
    }

    #[test]
    fn a_quarter_is_dropped_and_the_mean_stays() {
        let mask = &masks(&[5], 1, 0, 0)[0];
        let dropped = mask.iter().filter(|value| **value == 0.0).count();
        assert!((900..1100).contains(&dropped), "{dropped} of {LENGTH}, five standard deviations are 137");
        assert!(mask.iter().all(|&value| value == 0.0 || value == 1.0 / 0.75));
    }

    #[test]
    fn the_mask_belongs_to_the_sample_not_to_its_place() {
        assert_eq!(masks(&[5], 1, 2, 3)[0], masks(&[7, 5], 1, 2, 3)[1]);
    }

    #[test]
    fn sample_seed_epoch_and_stream_all_count() {
        let mask = |sample, seed, epoch, stream| masks(&[sample], seed, epoch, stream).remove(0);
        let first = mask(5, 1, 2, 3);
        for other in [mask(6, 1, 2, 3), mask(5, 2, 2, 3), mask(5, 1, 3, 3), mask(5, 1, 2, 4)] {
            assert_ne!(first, other);
        }
    }
}
