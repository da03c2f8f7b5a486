//! Kernels transformed, in the order in which products read them, and gradients back from there.
//!
//! Packed: `[place][block of outputs][input][width]`, transposed: `[place][block of inputs][output][width]`, with the
//! blocks of [`super::super::pack`]. Lanes beyond the channels are never read.

use super::places::packed_place;
use super::transform::{Transform, both};
use crate::channels::{load, store};
use crate::conv2d::Conv2d;
use crate::conv2d::pack::width;
use crate::isa::Kernel;
use crate::lanes::{Lanes, MOST_LANES};
use crate::turn::turn;

/// Which products read a packed kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Those forward: outputs lie across the lanes.
    Forward,
    /// Those of the input's gradient: inputs lie across the lanes.
    InputGradient,
}

/// Nine taps of a square of channels.
type Taps = [f32; 9 * MOST_LANES * MOST_LANES];

/// How a packed kernel lies.
#[derive(Clone, Copy)]
struct Order {
    inputs: usize,
    outputs: usize,
    reader: Reader,
}

impl Order {
    fn of(conv: &Conv2d, reader: Reader) -> Order {
        Order { inputs: conv.input.channels, outputs: conv.output.channels, reader }
    }

    /// Numbers from a place to the next.
    fn place_len(&self) -> usize {
        match self.reader {
            Reader::Forward => packed_place(self.outputs, self.inputs),
            Reader::InputGradient => packed_place(self.inputs, self.outputs),
        }
    }

    /// Where in a place the number of an input and an output lies.
    #[inline(always)]
    fn at(&self, input: usize, output: usize) -> usize {
        let (lane, lanes, row, rows) = match self.reader {
            Reader::Forward => (output, self.outputs, input, self.inputs),
            Reader::InputGradient => (input, self.inputs, output, self.outputs),
        };
        let width = width(lanes);
        (lane / width * rows + row) * width + lane % width
    }
}

/// Length of a packed kernel of `places` places.
pub(super) fn packed_len(conv: &Conv2d, places: usize, reader: Reader) -> usize {
    places * Order::of(conv, reader).place_len()
}

/// The kernel, canonical, transformed.
pub(super) struct Pack<'a, F, const M: usize, const T: usize> {
    pub conv: &'a Conv2d,
    pub kernel: &'a [f32],
    pub reader: Reader,
    pub packed: &'a mut [f32],
    pub transform: F,
}

impl<F: Transform<M, T>, const M: usize, const T: usize> Kernel for Pack<'_, F, M, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let order = Order::of(self.conv, self.reader);
        assert_eq!((self.kernel.len(), self.packed.len()), (self.conv.kernel_len(), T * T * order.place_len()));
        match self.reader {
            Reader::Forward => self.across_outputs::<L>(&order),
            Reader::InputGradient => self.across_inputs::<L>(&order),
        }
    }
}

impl<F: Transform<M, T>, const M: usize, const T: usize> Pack<'_, F, M, T> {
    /// Inputs lie side by side in the kernel as in the lanes.
    #[inline(always)]
    fn across_inputs<L: Lanes>(self, order: &Order) {
        let (transform, inputs, place_len) = (self.transform, order.inputs, order.place_len());
        for (output, kernel) in self.kernel.chunks_exact(9 * inputs).enumerate() {
            for first in (0..inputs).step_by(L::N) {
                let count = L::N.min(inputs - first);
                let to = &mut self.packed[order.at(first, output)..];
                // SAFETY: `count` inputs of every tap lie behind `first`, and as many of every place in its block.
                unsafe {
                    both!(
                        transform.kernel,
                        3,
                        T,
                        |row| row * F::parts::<L>() / T,
                        |i, j| load::<L>(kernel[(3 * i + j) * inputs + first..].as_ptr(), count),
                        |i, j, value| store(value, to[(i * T + j) * place_len..].as_mut_ptr(), count)
                    );
                }
            }
        }
    }

    /// Squares of channels are turned, so that outputs lie in the lanes.
    #[inline(always)]
    fn across_outputs<L: Lanes>(self, order: &Order) {
        let (transform, place_len) = (self.transform, order.place_len());
        let (inputs, outputs) = (order.inputs, order.outputs);
        let square = L::N * L::N;
        let mut taps: Taps = [0.0; 9 * MOST_LANES * MOST_LANES];
        for first in (0..outputs).step_by(L::N) {
            let count = L::N.min(outputs - first);
            for column in (0..inputs).step_by(L::N) {
                let columns = column..inputs.min(column + L::N);
                for (tap, to) in taps.chunks_exact_mut(square).enumerate().take(9) {
                    let row = |output: usize| &self.kernel[((first + output) * 9 + tap) * inputs..][..inputs];
                    turn::<L>(row, count, columns.clone(), to, L::N);
                }
                for (line, input) in columns.enumerate() {
                    let from = &taps[line * L::N..];
                    let to = &mut self.packed[order.at(input, first)..];
                    // SAFETY: a line of a square has `N` numbers; `count` of every place lie behind `first` in its block.
                    unsafe {
                        both!(
                            transform.kernel,
                            3,
                            T,
                            |row| row * F::parts::<L>() / T,
                            |i, j| L::load(from[(3 * i + j) * square..].as_ptr()),
                            |i, j, value| store(value, to[(i * T + j) * place_len..].as_mut_ptr(), count)
                        );
                    }
                }
            }
        }
    }
}

/// A kernel's gradient, packed as for [`Reader::Forward`], in canonical layout.
pub(super) struct Unpack<'a, F, const M: usize, const T: usize> {
    pub conv: &'a Conv2d,
    pub packed: &'a [f32],
    pub kernel: &'a mut [f32],
    pub transform: F,
}

impl<F: Transform<M, T>, const M: usize, const T: usize> Kernel for Unpack<'_, F, M, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (order, transform) = (Order::of(self.conv, Reader::Forward), self.transform);
        let (inputs, outputs, place_len) = (order.inputs, order.outputs, order.place_len());
        assert_eq!((self.kernel.len(), self.packed.len()), (self.conv.kernel_len(), T * T * place_len));
        let square = L::N * L::N;
        let mut taps: Taps = [0.0; 9 * MOST_LANES * MOST_LANES];
        for first in (0..outputs).step_by(L::N) {
            let count = L::N.min(outputs - first);
            for column in (0..inputs).step_by(L::N) {
                let columns = L::N.min(inputs - column);
                for line in 0..columns {
                    let from = &self.packed[order.at(column + line, first)..];
                    let to = &mut taps[line * L::N..];
                    // SAFETY: `count` outputs of every place lie behind `first` in its block; a line of a square has `N` numbers.
                    unsafe {
                        both!(
                            transform.kernel_back,
                            T,
                            3,
                            |_row| 0,
                            |i, j| load::<L>(from[(i * T + j) * place_len..].as_ptr(), count),
                            |i, j, value| value.store(to[(3 * i + j) * square..].as_mut_ptr())
                        );
                    }
                }
                for (tap, from) in taps.chunks_exact(square).enumerate().take(9) {
                    let to = &mut self.kernel[(first * 9 + tap) * inputs + column..];
                    if (columns, count) == (L::N, L::N) {
                        // SAFETY: `N` outputs have `N` inputs of this tap from here on.
                        unsafe { L::transpose(from.as_ptr(), L::N, to.as_mut_ptr(), 9 * inputs) };
                        continue;
                    }
                    for (lane, to) in to.chunks_mut(9 * inputs).enumerate().take(count) {
                        let numbers = from.iter().skip(lane).step_by(L::N);
                        to[..columns].iter_mut().zip(numbers).for_each(|(to, number)| *to = *number);
                    }
                }
            }
        }
    }
}
