//! Kernels in the order in which the tiles read them.
//!
//! Packed: `[group][block of outputs][kernel row, kernel column, input][width]`, transposed: `[group][tap][block of
//! inputs][output][width]`; `width` is 32, or 16 where the channels are no more; lanes beyond the channels hold zeros.
//! A depthwise kernel is `[tap][channel]` in both; those of few channels have an order of their own ([`super::by_rows`],
//! [`super::side_by_side`]).

use super::{Conv2d, by_rows};
use crate::Isa;
use crate::turn::transpose;

/// Channels in a block.
pub(crate) fn width(channels: usize) -> usize {
    if channels > 16 { 32 } else { 16 }
}

/// Length of [`pack`]'s result.
pub(super) fn packed_len(conv: &Conv2d) -> usize {
    if conv.is_depthwise() {
        return conv.kernel_len();
    }
    let width = width(conv.group_outputs());
    conv.groups * conv.group_outputs().div_ceil(width) * conv.kernel_rows() * width
}

/// Length of [`pack_transposed`]'s result.
pub(super) fn packed_transposed_len(conv: &Conv2d) -> usize {
    if conv.is_depthwise() {
        return conv.kernel_len();
    }
    if by_rows::suits(conv) {
        return by_rows::packed_len(conv);
    }
    let width = width(conv.group_inputs());
    let taps = conv.window.kernel[0] * conv.window.kernel[1];
    conv.groups * taps * conv.group_inputs().div_ceil(width) * conv.group_outputs() * width
}

/// The kernel, canonical, in the order of [`super::forward::forward`].
pub(super) fn pack(isa: Isa, conv: &Conv2d, kernel: &[f32], packed: &mut [f32]) {
    assert_eq!((kernel.len(), packed.len()), (conv.kernel_len(), packed_len(conv)));
    let (rows, outputs) = (conv.kernel_rows(), conv.group_outputs());
    if conv.is_depthwise() {
        let channels = conv.output.channels;
        return transpose(isa, (kernel, rows), [channels, rows], (packed, channels));
    }
    let width = width(outputs);
    let blocks = outputs.div_ceil(width);
    for (index, block) in packed.chunks_exact_mut(rows * width).enumerate() {
        let (group, first) = (index / blocks, index % blocks * width);
        let used = width.min(outputs - first);
        if used < width {
            block.fill(0.0);
        }
        transpose(isa, (&kernel[(group * outputs + first) * rows..], rows), [used, rows], (block, width));
    }
}

/// The kernel, canonical, in the order of [`super::input_gradient::input_gradient`].
pub(super) fn pack_transposed(isa: Isa, conv: &Conv2d, kernel: &[f32], packed: &mut [f32]) {
    assert_eq!((kernel.len(), packed.len()), (conv.kernel_len(), packed_transposed_len(conv)));
    let (rows, inputs, outputs) = (conv.kernel_rows(), conv.group_inputs(), conv.group_outputs());
    if conv.is_depthwise() {
        return pack(isa, conv, kernel, packed);
    }
    if by_rows::suits(conv) {
        return by_rows::pack(conv, kernel, packed);
    }
    let (width, taps) = (width(inputs), rows / inputs);
    let blocks = inputs.div_ceil(width);
    for (index, lanes) in packed.chunks_exact_mut(width).enumerate() {
        let (output, rest) = (index % outputs, index / outputs);
        let (first, rest) = (rest % blocks * width, rest / blocks);
        let (tap, group) = (rest % taps, rest / taps);
        let used = width.min(inputs - first);
        let from = &kernel[(group * outputs + output) * rows + tap * inputs + first..][..used];
        lanes[..used].copy_from_slice(from);
        lanes[used..].fill(0.0);
    }
}

/// A gradient of [`super::kernel_gradient::kernel_gradient`], packed as [`pack`] does, in canonical layout.
pub(super) fn unpack(isa: Isa, conv: &Conv2d, packed: &[f32], kernel: &mut [f32]) {
    assert_eq!((kernel.len(), packed.len()), (conv.kernel_len(), packed_len(conv)));
    let (rows, outputs) = (conv.kernel_rows(), conv.group_outputs());
    if conv.is_depthwise() {
        let channels = conv.output.channels;
        return transpose(isa, (packed, channels), [rows, channels], (kernel, rows));
    }
    let width = width(outputs);
    let blocks = outputs.div_ceil(width);
    for (index, block) in packed.chunks_exact(rows * width).enumerate() {
        let (group, first) = (index / blocks, index % blocks * width);
        let used = width.min(outputs - first);
        let kernels = &mut kernel[(group * outputs + first) * rows..][..used * rows];
        transpose(isa, (block, width), [rows, used], (kernels, rows));
    }
}
