//! Steps that take every number on its own, in place where the result overwrites an operand.

use graph::ops;
use kernels::activation::{self, Activation};
use kernels::arithmetic::{self, Binary, Operand};

use super::reader::Reader;
use super::samples::runs;

/// An activation.
pub(super) fn activate(read: &Reader<'_>, kind: Activation, y: &mut [f32]) {
    map(
        read,
        y,
        |x, y| activation::activate(read.isa(), kind, x, y),
        |y| activation::activate_in_place(read.isa(), kind, y),
    );
}

/// An activation of what lies aside, and its slope in that place.
pub(super) fn activate_with_slope(read: &Reader<'_>, kind: Activation, x: &mut [f32], y: &mut [f32]) {
    let (_, aside) = read.step.aside.expect("it writes both");
    runs([&aside, read.to()], read.n(), |[x_at, at], len| {
        activation::activate_with_slope(read.isa(), kind, &mut x[x_at..][..len], &mut y[at..][..len]);
    });
}

/// The gradient of an activation, from what it kept and the gradient of its result.
pub(super) fn activation_gradient(read: &Reader<'_>, kind: Activation, y: &mut [f32]) {
    let (isa, n, to, saved) = (read.isa(), read.n(), read.to(), read.samples(0));
    if read.step.in_place().is_some() {
        return runs([read.view(0), to], n, |[saved_at, at], len| {
            activation::activation_gradient_in_place(isa, kind, &saved[saved_at..][..len], &mut y[at..][..len]);
        });
    }
    let dy = read.samples(1);
    runs([read.view(0), read.view(1), to], n, |[saved_at, dy_at, at], len| {
        let (saved, dy) = (&saved[saved_at..][..len], &dy[dy_at..][..len]);
        activation::activation_gradient(isa, kind, saved, dy, &mut y[at..][..len]);
    });
}

/// The square root.
pub(super) fn square_root(read: &Reader<'_>, y: &mut [f32]) {
    map(read, y, |x, y| arithmetic::square_root(read.isa(), x, y), |y| arithmetic::square_root_in_place(read.isa(), y));
}

/// One number against all of the operand.
pub(super) fn with_number(read: &Reader<'_>, op: Binary, by: f32, y: &mut [f32]) {
    let by = Operand::Scalar(by);
    map(
        read,
        y,
        |x, y| arithmetic::binary(read.isa(), op, Operand::Slice(x), by, y),
        |y| arithmetic::binary_into(read.isa(), op, y, by),
    );
}

/// Two operands, of which one may be a number of the whole batch.
pub(super) fn binary(read: &Reader<'_>, op: Binary, y: &mut [f32]) {
    let (isa, n, to) = (read.isa(), read.n(), read.to());
    match (read.step.in_place(), read.number(0), read.number(1)) {
        (Some(written), _, _) => match read.number(1 - written) {
            Some(b) => {
                runs([to], n, |[at], len| arithmetic::binary_into(isa, op, &mut y[at..][..len], Operand::Scalar(b)));
            }
            None => {
                let b = read.samples(1 - written);
                runs([read.view(1 - written), to], n, |[b_at, at], len| {
                    arithmetic::binary_into(isa, op, &mut y[at..][..len], Operand::Slice(&b[b_at..][..len]));
                });
            }
        },
        (None, None, None) => {
            let (a, b) = (read.samples(0), read.samples(1));
            runs([read.view(0), read.view(1), to], n, |[a_at, b_at, at], len| {
                let (a, b) = (Operand::Slice(&a[a_at..][..len]), Operand::Slice(&b[b_at..][..len]));
                arithmetic::binary(isa, op, a, b, &mut y[at..][..len]);
            });
        }
        (None, Some(a), _) => {
            let b = read.samples(1);
            runs([read.view(1), to], n, |[b_at, at], len| {
                arithmetic::binary(isa, op, Operand::Scalar(a), Operand::Slice(&b[b_at..][..len]), &mut y[at..][..len]);
            });
        }
        (None, None, Some(b)) => {
            let a = read.samples(0);
            runs([read.view(0), to], n, |[a_at, at], len| {
                arithmetic::binary(isa, op, Operand::Slice(&a[a_at..][..len]), Operand::Scalar(b), &mut y[at..][..len]);
            });
        }
    }
}

/// From the only operand to the result, or in its place.
fn map(read: &Reader<'_>, y: &mut [f32], over: impl Fn(&[f32], &mut [f32]), in_place: impl Fn(&mut [f32])) {
    let (n, to) = (read.n(), read.to());
    if read.step.in_place().is_some() {
        return runs([to], n, |[at], len| in_place(&mut y[at..][..len]));
    }
    let x = read.samples(0);
    runs([read.view(0), to], n, |[x_at, at], len| over(&x[x_at..][..len], &mut y[at..][..len]));
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
