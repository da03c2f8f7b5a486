//! Kernels transformed, in the order in which products read them, and gradients back from there.
//!
//! Packed: `[place][block of outputs][input][width]`, transposed: `[place][block of inputs][output][width]`, with the
//! blocks of [`super::super::pack`]. Lanes beyond the channels are never read.

use super::transform::{Transform, both};
use crate::channels::load;
use crate::conv2d::Conv2d;
use crate::conv2d::pack::width;
use crate::isa::Kernel;
use crate::lanes::Lanes;

/// Which products read a packed kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Those forward: outputs lie across the lanes.
    Forward,
    /// Those of the input's gradient: inputs lie across the lanes.
    InputGradient,
}

/// Most numbers in a vector.
const MOST_LANES: usize = 16;

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

    /// Numbers of a place.
    fn place_len(&self) -> usize {
        let (lanes, rows) = match self.reader {
            Reader::Forward => (self.outputs, self.inputs),
            Reader::InputGradient => (self.inputs, self.outputs),
        };
        lanes.next_multiple_of(width(lanes)) * rows
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
        let (order, transform) = (Order::of(self.conv, self.reader), self.transform);
        let (inputs, place_len) = (order.inputs, order.place_len());
        assert_eq!((self.kernel.len(), self.packed.len()), (self.conv.kernel_len(), T * T * place_len));
        for (output, kernel) in self.kernel.chunks_exact(9 * inputs).enumerate() {
            for first in (0..inputs).step_by(L::N) {
                let count = L::N.min(inputs - first);
                both!(
                    transform.kernel,
                    3,
                    T,
                    // SAFETY: `count` inputs of the tap lie behind `first`.
                    |i, j| unsafe { load::<L>(kernel[(3 * i + j) * inputs + first..].as_ptr(), count) },
                    |i, j, value| {
                        let mut numbers = [0.0; MOST_LANES];
                        // SAFETY: no vector has more lanes.
                        unsafe { value.store(numbers.as_mut_ptr()) };
                        let packed = &mut self.packed[(i * T + j) * place_len..][..place_len];
                        for (lane, number) in numbers.iter().enumerate().take(count) {
                            packed[order.at(first + lane, output)] = *number;
                        }
                    }
                );
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
        for first in (0..outputs).step_by(L::N) {
            let count = L::N.min(outputs - first);
            for input in 0..inputs {
                let from = &self.packed[order.at(input, first)..];
                both!(
                    transform.kernel_back,
                    T,
                    3,
                    // SAFETY: `count` outputs lie behind `first` in its block, whose width vectors divide.
                    |i, j| unsafe { load::<L>(from[(i * T + j) * place_len..].as_ptr(), count) },
                    |i, j, value| {
                        let mut numbers = [0.0; MOST_LANES];
                        // SAFETY: no vector has more lanes.
                        unsafe { value.store(numbers.as_mut_ptr()) };
                        for (lane, number) in numbers.iter().enumerate().take(count) {
                            self.kernel[((first + lane) * 9 + 3 * i + j) * inputs + input] = *number;
                        }
                    }
                );
            }
        }
    }
}
