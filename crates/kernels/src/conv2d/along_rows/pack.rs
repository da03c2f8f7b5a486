//! The kernel's rows, transformed: `[block of outputs][channel][place][kernel row][width]`, with the blocks of
//! [`super::super::pack`]; lanes beyond the channels hold zeros.

use super::KERNEL_ROWS;
use crate::conv2d::Conv2d;
use crate::conv2d::pack::width;
use crate::conv2d::winograd::Transform;
use crate::isa::Kernel;
use crate::lanes::{Lanes, MOST_LANES};

/// Length of a packed kernel with rows of so many places.
pub(super) fn packed_len(conv: &Conv2d, places: usize) -> usize {
    let width = width(conv.output.channels);
    conv.output.channels.div_ceil(width) * block_len(conv, places)
}

/// Numbers of a block.
pub(super) fn block_len(conv: &Conv2d, places: usize) -> usize {
    conv.input.channels * places * KERNEL_ROWS * width(conv.output.channels)
}

/// Packs a canonical kernel.
pub(super) struct Pack<'a, F, const M: usize, const T: usize> {
    pub conv: &'a Conv2d,
    pub kernel: &'a [f32],
    pub packed: &'a mut [f32],
    pub transform: F,
}

impl<F: Transform<M, T>, const M: usize, const T: usize> Kernel for Pack<'_, F, M, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let (conv, inputs, outputs) = (self.conv, self.conv.input.channels, self.conv.output.channels);
        assert_eq!((self.kernel.len(), self.packed.len()), (conv.kernel_len(), packed_len(conv, T)));
        let width = width(outputs);
        let mut taps = [[0.0; MOST_LANES]; 3];
        for (block, packed) in self.packed.chunks_exact_mut(block_len(conv, T)).enumerate() {
            for (input, row, lane) in (0..inputs)
                .flat_map(|input| (0..KERNEL_ROWS).map(move |row| (input, row)))
                .flat_map(|(input, row)| (0..width).step_by(L::N).map(move |lane| (input, row, lane)))
            {
                for (column, taps) in taps.iter_mut().enumerate() {
                    for (output, tap) in (block * width + lane..).zip(&mut taps[..L::N]) {
                        let at = ((output * KERNEL_ROWS + row) * 3 + column) * inputs + input;
                        *tap = if output < outputs { self.kernel[at] } else { 0.0 };
                    }
                }
                // SAFETY: `MOST_LANES` numbers of each tap are no fewer than a vector has.
                let taps = [0, 1, 2].map(|column: usize| unsafe { L::load(taps[column].as_ptr()) });
                for (place, value) in self.transform.kernel(taps).into_iter().enumerate() {
                    let at = ((input * T + place) * KERNEL_ROWS + row) * width + lane;
                    // SAFETY: the slice has these numbers, or this would have panicked.
                    unsafe { value.store(packed[at..at + L::N].as_mut_ptr()) };
                }
            }
        }
    }
}
