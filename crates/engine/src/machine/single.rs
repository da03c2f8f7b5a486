//! Nodes of the whole batch that are computed on their own: scalars, rows of statistics, sums of squares.

use std::ops::Range;

use graph::Op;
use graph::ops::Unary;
use kernels::activation::{activate, activation_gradient};
use kernels::arithmetic::{self, Operand, binary};
use kernels::team::Crew;
use kernels::{Isa, batch_norm};

use super::{Whole, pointwise};
use crate::plan::Single;

/// Numbers whose squares one thread sums at a time.
const PART: usize = 1 << 14;

/// Computes `y` for a batch of `batch` samples.
pub(crate) fn run(isa: Isa, single: &Single, whole: &Whole<'_>, batch: usize, crew: &Crew<'_>, y: &mut [f32]) {
    let read = |index: usize| whole.get(single.reads[index]);
    let operand = |index: usize| match read(index) {
        &[number] => Operand::Scalar(number),
        slice => Operand::Slice(slice),
    };
    match &single.op {
        Op::Binary(op) => binary(isa, pointwise::binary_op(*op), operand(0), operand(1), y),
        Op::Unary(Unary::Scale { by }) => {
            binary(isa, arithmetic::Binary::Multiply, operand(0), Operand::Scalar(*by as f32), y);
        }
        Op::Unary(Unary::Offset { by }) => {
            binary(isa, arithmetic::Binary::Add, operand(0), Operand::Scalar(*by as f32), y);
        }
        Op::Unary(Unary::Sqrt) => arithmetic::square_root(isa, read(0), y),
        Op::Activate(activation) => activate(isa, pointwise::activation_of(*activation), read(0), y),
        Op::ActivateGradient(activation) => {
            activation_gradient(isa, pointwise::activation_of(*activation), read(0), read(1), y);
        }
        Op::SumOfSquares => {
            y[0] = sum_of_squares(isa, crew, 0..crew.helpers() + 1, read(0)) as f32;
        }
        Op::SumToChannels => {
            y.fill(0.0);
            for row in read(0).chunks_exact(y.len()) {
                y.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
        }
        Op::Reshape { .. } => y.copy_from_slice(read(0)),
        Op::StackRows => {
            let (first, second) = y.split_at_mut(read(0).len());
            first.copy_from_slice(read(0));
            second.copy_from_slice(read(1));
        }
        Op::TakeRow { row } => y.copy_from_slice(&read(0)[row * y.len()..][..y.len()]),
        Op::RunningMean { momentum } => {
            y.copy_from_slice(read(0));
            batch_norm::running_mean(*momentum, read(1), y);
        }
        Op::RunningVariance { momentum, positions } => {
            y.copy_from_slice(read(0));
            batch_norm::running_variance(*momentum, batch * positions, read(1), y);
        }
        other => unreachable!("{} does not belong to the whole batch", other.name()),
    }
}

/// The sum of squares by these members of the crew, as a tree that depends on the length alone.
fn sum_of_squares(isa: Isa, crew: &Crew<'_>, members: Range<usize>, x: &[f32]) -> f64 {
    if x.len() <= PART {
        return arithmetic::sum_of_squares(isa, x);
    }
    let (first, second) = x.split_at(x.len() / 2);
    let middle = members.start + members.len() / 2;
    let sum = |members, part| sum_of_squares(isa, crew, members, part);
    let (first, second) = match members.len() {
        0 | 1 => (sum(members.clone(), first), sum(members, second)),
        _ => crew.join(middle - 1, || sum(members.start..middle, first), || sum(middle..members.end, second)),
    };
    first + second
}
