//! The gradients of a convolution behind which stand a relu and a max pool: only living gradients are multiplied.
//!
//! Of a pool's window one number a channel has a gradient, and it has none where relu gave zero, so that of the gradient
//! of a 2×2 pool's operand at most a quarter is not zero. Per image and output channel these numbers are listed with the
//! place of their window in the input; kernel and input gradient then run over the lists, band by band of the image, so
//! that the windows of a band stay in the first-level cache. Kernels and their gradients are read and written in the
//! canonical layout.

mod lists;
mod tiles;

use super::Pooled;
use crate::Isa;
use crate::copy::clear_border;
use lists::{BLOCK, MakeLists};

/// Memory for the lists of one image: of every channel the gradients that are not zero, and where in the image their
/// windows begin.
#[derive(Clone, Debug, Default)]
pub struct Living {
    /// `[channel][pitch]`
    windows: Vec<u32>,
    values: Vec<f32>,
    /// Where the entries of a band end, `[band][channel]`.
    ends: Vec<u32>,
}

/// Numbers of x that the windows of a band reach at most, half a first-level cache of 32 KiB.
const BAND: usize = 1 << 12;

/// Numbers of a list beyond the places of the pool, since a vector is stored where fewer numbers are kept.
const SLACK: usize = 16;

/// The list of one channel.
#[derive(Clone, Copy)]
struct List<'a> {
    windows: &'a [u32],
    values: &'a [f32],
}

/// What comes in: n images each.
#[derive(Clone, Copy, Debug)]
pub struct Signals<'a> {
    /// The convolution's input.
    pub x: &'a [f32],
    /// Which numbers the pool let through, as [`Pooled::forward`] writes it.
    pub winners: &'a [u8],
    /// The gradient of the pool's result.
    pub dy: &'a [f32],
}

/// Where the gradients go; those that are not asked for are none.
#[derive(Debug)]
pub struct Gradients<'a> {
    /// The kernel, and the gradient of x, which is overwritten; of the layout of x, with zeros as its border.
    pub input: Option<(&'a [f32], &'a mut [f32])>,
    /// Is added to, or begun anew; canonical.
    pub kernel: Option<(bool, &'a mut [f32])>,
    /// Is added to.
    pub bias: Option<&'a mut [f64]>,
}

impl Living {
    /// Lists for images of this geometry or smaller ones.
    pub fn reserve(&mut self, pooled: &Pooled) {
        let channels = pooled.pool.output.channels.next_multiple_of(BLOCK);
        let len = channels * pooled.list_pitch();
        self.windows.resize(self.windows.len().max(len), 0);
        self.values.resize(self.values.len().max(len), 0.0);
        self.ends.resize(self.ends.len().max(channels * pooled.bands()), 0);
    }

    /// The list of a channel in a band, of `channels`, lists being `pitch` apart.
    #[inline(always)]
    fn of(&self, channel: usize, channels: usize, band: usize, pitch: usize) -> List<'_> {
        let end = |band: usize| self.ends[band * channels + channel] as usize;
        let entries = channel * pitch + if band == 0 { 0 } else { end(band - 1) }..channel * pitch + end(band);
        List { windows: &self.windows[entries.clone()], values: &self.values[entries] }
    }
}

impl Pooled {
    /// Whether its gradients can be listed: rows of the kernel are in one piece.
    pub fn has_living_gradients(&self) -> bool {
        let conv = &self.product.conv;
        conv.groups == 1 && conv.window.dilation[1] == 1
    }

    /// Numbers from a channel's list to the next.
    fn list_pitch(&self) -> usize {
        self.pool.output.height * self.pool.output.width + SLACK
    }

    /// Rows of the pool whose windows lie in one band.
    fn band_rows(&self) -> usize {
        let (conv, pool) = (&self.product.conv, &self.pool.window);
        let step = conv.window.stride[0] * conv.input.row_pitch;
        let reach =
            (pool.kernel[0] - 1) * step + (conv.window.kernel[0] - 1) * conv.window.dilation[0] * conv.input.row_pitch;
        let further = BAND.saturating_sub(reach + conv.input.row_pitch) / (pool.stride[0] * step).max(1);
        (1 + further).min(self.pool.output.height.max(1))
    }

    /// Bands of an image.
    fn bands(&self) -> usize {
        self.pool.output.height.div_ceil(self.band_rows())
    }

    /// Numbers of a row of the kernel.
    fn row(&self) -> usize {
        self.product.conv.window.kernel[1] * self.product.conv.input.channels
    }
}

/// Computes the gradients asked for, image by image.
///
/// # Panics
/// If a slice is too short for `n` images, `living` has not enough room, or the geometry does not suit.
pub fn living_gradients(
    isa: Isa,
    pooled: &Pooled,
    n: usize,
    signals: Signals<'_>,
    living: &mut Living,
    mut gradients: Gradients<'_>,
) {
    let (conv, pool) = (&pooled.product.conv, &pooled.pool);
    assert!(pooled.has_living_gradients() && Pooled::suits(&pool.window));
    conv.check(n, signals.x.len(), conv.output.len(n));
    assert!(pool.input == conv.output && pool.output.channels == conv.output.channels);
    assert!(signals.winners.len() >= n * pooled.winners_pitch() && signals.dy.len() >= pool.output.len(n));
    let [down, right] = [0, 1].map(|axis| {
        let places = [pool.output.height, pool.output.width][axis];
        places.saturating_sub(1) * pool.window.stride[axis] + pool.window.kernel[axis]
    });
    assert!(down <= conv.output.height && right <= conv.output.width, "the pool's windows lie inside");
    let channels = conv.output.channels.next_multiple_of(BLOCK);
    let numbers = channels * pooled.list_pitch();
    assert!(
        living.windows.len() >= numbers
            && living.values.len() >= numbers
            && living.ends.len() >= channels * pooled.bands()
    );
    assert!(signals.x.len() <= u32::MAX as usize);
    assert!(gradients.bias.as_ref().is_none_or(|bias| bias.len() == conv.output.channels));
    if let Some((kernel, dx)) = &mut gradients.input {
        assert!(kernel.len() == conv.kernel_len() && dx.len() >= conv.input.len(n));
        conv.check(n, dx.len(), conv.output.len(n));
        for row in conv.input.rows(n) {
            dx[row].fill(0.0);
        }
    }
    assert!(gradients.kernel.as_ref().is_none_or(|(_, kernel)| kernel.len() == conv.kernel_len()));
    if let Some((true, kernel)) = &mut gradients.kernel
        && n == 0
    {
        kernel.fill(0.0);
    }
    for image in 0..n {
        let bias = gradients.bias.as_deref_mut();
        isa.run(MakeLists { pooled, image, signals, living: &mut *living, bias });
        for band in 0..pooled.bands() {
            if let Some((begin, kernel)) = &mut gradients.kernel {
                tiles::add_to_kernel(isa, pooled, living, band, signals.x, *begin && image + band == 0, kernel);
            }
            if let Some((kernel, dx)) = &mut gradients.input {
                tiles::add_to_input(isa, pooled, living, band, kernel, dx);
            }
        }
    }
    if let Some((_, dx)) = &mut gradients.input {
        // Windows that reach into the padding have left something there.
        clear_border(&conv.input, n, dx);
    }
}

#[cfg(test)]
mod tests;
