//! Nodes of the whole batch that are computed on their own: scalars, rows of statistics, sums of squares.

use graph::Op;
use graph::ops::Unary;
use kernels::activation::{activate, activation_gradient};
use kernels::arithmetic::{self, Operand, binary};
use kernels::{Isa, batch_norm};

use super::{Whole, pointwise};
use crate::plan::Single;

/// Numbers whose squares one task sums.
const TASK: usize = 1 << 14;

/// Computes `y` for a batch of `batch` samples.
pub(crate) fn run(isa: Isa, single: &Single, whole: &Whole<'_>, batch: usize, y: &mut [f32]) {
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
        Op::SumOfSquares => y[0] = sum_of_squares(isa, read(0)) as f32,
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

/// The sum of squares, as a tree that depends on the length alone.
fn sum_of_squares(isa: Isa, x: &[f32]) -> f64 {
    if x.len() <= TASK {
        return arithmetic::sum_of_squares(isa, x);
    }
    let (first, second) = x.split_at(x.len() / 2);
    let (first, second) = rayon::join(|| sum_of_squares(isa, first), || sum_of_squares(isa, second));
    first + second
}
