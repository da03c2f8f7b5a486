//! Kernels in the order in which the tiles read them.
//!
//! Packed: `[group][block of outputs][kernel row, kernel column, input][width]`, transposed: `[group][tap][block of
//! inputs][output][width]`; `width` is 32, or 16 where the channels are no more; lanes beyond the channels hold zeros.
//! A depthwise kernel is `[tap][channel]` in both.

use super::{Conv2d, by_rows};

/// Channels in a block.
pub(crate) fn width(channels: usize) -> usize {
    if channels > 16 { 32 } else { 16 }
}

/// Rows that are turned together: they stay in the first-level cache while each lane takes its numbers.
const PART: usize = 16;

/// What lies in lanes beyond the channels.
const ZEROS: [f32; PART] = [0.0; PART];

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
pub(super) fn pack(conv: &Conv2d, kernel: &[f32], packed: &mut [f32]) {
    assert_eq!((kernel.len(), packed.len()), (conv.kernel_len(), packed_len(conv)));
    let (rows, outputs) = (conv.kernel_rows(), conv.group_outputs());
    if conv.is_depthwise() {
        return transpose(kernel, conv.output.channels, rows, packed);
    }
    let width = width(outputs);
    let blocks = outputs.div_ceil(width);
    for (index, block) in packed.chunks_exact_mut(rows * width).enumerate() {
        let (group, first) = (index / blocks, index % blocks * width);
        let used = width.min(outputs - first);
        let kernels = &kernel[(group * outputs + first) * rows..][..used * rows];
        for (part, block) in block.chunks_mut(PART * width).enumerate() {
            for lane in 0..width {
                let first = part * PART;
                let from = if lane < used { &kernels[lane * rows + first..(lane + 1) * rows] } else { &ZEROS[..] };
                let to = block.iter_mut().skip(lane).step_by(width);
                to.zip(from).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// The kernel, canonical, in the order of [`super::input_gradient::input_gradient`].
pub(super) fn pack_transposed(conv: &Conv2d, kernel: &[f32], packed: &mut [f32]) {
    assert_eq!((kernel.len(), packed.len()), (conv.kernel_len(), packed_transposed_len(conv)));
    let (rows, inputs, outputs) = (conv.kernel_rows(), conv.group_inputs(), conv.group_outputs());
    if conv.is_depthwise() {
        return transpose(kernel, conv.output.channels, rows, packed);
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
pub(super) fn unpack(conv: &Conv2d, packed: &[f32], kernel: &mut [f32]) {
    assert_eq!((kernel.len(), packed.len()), (conv.kernel_len(), packed_len(conv)));
    let (rows, outputs) = (conv.kernel_rows(), conv.group_outputs());
    if conv.is_depthwise() {
        return transpose(packed, rows, conv.output.channels, kernel);
    }
    let width = width(outputs);
    let blocks = outputs.div_ceil(width);
    for (index, block) in packed.chunks_exact(rows * width).enumerate() {
        let (group, first) = (index / blocks, index % blocks * width);
        let used = width.min(outputs - first);
        let kernels = &mut kernel[(group * outputs + first) * rows..][..used * rows];
        for (part, block) in block.chunks(PART * width).enumerate() {
            for (lane, kernel) in kernels.chunks_exact_mut(rows).enumerate() {
                let from = block.iter().skip(lane).step_by(width);
                kernel[part * PART..].iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// `[rows][columns]` to `[columns][rows]`.
fn transpose(from: &[f32], rows: usize, columns: usize, to: &mut [f32]) {
    for (index, value) in to.iter_mut().enumerate() {
        *value = from[index % rows * columns + index / rows];
    }
}
