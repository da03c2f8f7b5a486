//! The gradients of a convolution behind which stand a relu and a max pool: only living gradients are multiplied.
//!
//! Of a pool's window one number a channel has a gradient, and it has none where relu gave zero, so that of the gradient
//! of a 2×2 pool's operand at most a quarter is not zero. These numbers are put into lists twice: by output channel, where
//! a list's entries are multiplied with the windows of the input and their sum belongs to the channel's kernel; and by
//! place of the convolution's result, where they are multiplied with the kernels of their channels and the sum belongs to
//! the window of the input's gradient. So sums stay in registers for the length of a list, or of all lists of a pool's window
//! ([`patches`]). An image is taken band by band of the pool's rows, so that its windows stay in the first-level cache, and
//! by blocks of channels, so that rows of their kernels do. Small kernels whose input needs no gradient go without lists
//! ([`quads`]). Kernels and their gradients are read and written in the canonical layout.

mod lists;
mod patches;
mod quads;
mod tiles;

use std::ops::Range;

use super::Pooled;
use crate::Isa;
use crate::copy::clear_border;
use lists::{ByChannel, ByPlace, Found, MakeLists, Placed};
use patches::{Packed, add_patches};
use quads::{AddImage, Quads};
use tiles::{Rows, add_lists};

/// Memory for the lists of a band and a block of channels.
#[derive(Clone, Debug, Default)]
pub struct Living {
    found: Found,
    by_channel: ByChannel,
    by_place: ByPlace,
    quads: Quads,
    /// The kernel, where patches read it.
    packed: Packed,
}

/// Numbers of x that the windows of a band reach at most, half a first-level cache of 32 KiB.
const BAND: usize = 1 << 12;

/// Rows of the pool that a band has all the same, if they are not too many places: a kernel's sums lie farther away than x,
/// and are read and written once a band.
const LEAST_ROWS: usize = 3;

/// Places of the pool in a band at most, so that the lists of a block's channels stay there too.
const PLACES: usize = 64;

/// Output channels of a block: of a row of twelve vectors of eight, their kernels fill three quarters of such a cache.
const CHANNELS: usize = 64;

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
        self.by_channel.reserve(CHANNELS, pooled.band_places());
        self.by_place.reserve(pooled.band_places() * pooled.tap_count());
        self.quads.reserve(pooled);
        self.packed.reserve(pooled);
    }

    /// Sets where lists belong: those of channels in a kernel from the block's first on, those of places in x from the first
    /// window of a band on.
    fn place(&mut self, pooled: &Pooled) {
        let kernel_len = pooled.product.conv.kernel_rows();
        self.by_channel.to.iter_mut().enumerate().for_each(|(channel, to)| *to = (channel * kernel_len) as u32);
        let row_step = pooled.pool.window.stride[0] * pooled.tap_steps()[0];
        let mut places = self.by_place.to.iter_mut();
        for row in 0..pooled.band_rows() {
            for column in 0..pooled.pool.output.width {
                let first = row * row_step + column * pooled.place_step();
                pooled.taps().zip(&mut places).for_each(|(tap, to)| *to = (first + tap) as u32);
            }
        }
    }
}

impl Pooled {
    /// Whether its gradients can be listed: rows of the kernel are in one piece.
    pub fn has_living_gradients(&self) -> bool {
        let conv = &self.product.conv;
        conv.groups == 1 && conv.window.dilation[1] == 1
    }

    /// Places of the pool in a band at most.
    fn band_places(&self) -> usize {
        self.band_rows() * self.pool.output.width
    }

    /// Numbers of a window of the pool.
    fn tap_count(&self) -> usize {
        self.pool.window.kernel[0] * self.pool.window.kernel[1]
    }

    /// Rows of the pool whose windows lie in one band.
    fn band_rows(&self) -> usize {
        let (conv, pool) = (&self.product.conv, &self.pool.window);
        let step = conv.window.stride[0] * conv.input.row_pitch;
        let reach =
            (pool.kernel[0] - 1) * step + (conv.window.kernel[0] - 1) * conv.window.dilation[0] * conv.input.row_pitch;
        let further = BAND.saturating_sub(reach + conv.input.row_pitch) / (pool.stride[0] * step).max(1);
        let most = (PLACES / self.pool.output.width.max(1)).max(1);
        (1 + further).max(LEAST_ROWS).min(most).min(self.pool.output.height.max(1))
    }

    /// The bands of an image: rows of the pool.
    fn bands(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (rows, height) = (self.band_rows(), self.pool.output.height);
        (0..height).step_by(rows).map(move |row| row..height.min(row + rows))
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
    check(pooled, n, signals, &gradients);
    let conv = &pooled.product.conv;
    if let Some((kernel, _)) = &gradients.input
        && patches::suits(isa, pooled)
    {
        living.packed.pack(pooled, kernel);
    }
    if let Some((true, kernel)) = &mut gradients.kernel {
        kernel.fill(0.0);
    }
    if let Gradients { input: None, kernel: Some((_, kernel)), bias } = &mut gradients
        && pooled.has_quads()
    {
        for image in 0..n {
            let (quads, bias) = (&mut living.quads, bias.as_deref_mut());
            let isa = isa.for_few(pooled.pool.output.channels);
            isa.run(AddImage { pooled, image, signals, quads, kernel, bias });
        }
        return;
    }
    living.place(pooled);
    for image in 0..n {
        if let Some((_, dx)) = &mut gradients.input {
            // Right before it is added to, while it is in the cache.
            dx[image * conv.input.image_pitch..][..conv.input.len(1)].fill(0.0);
        }
        for rows in pooled.bands() {
            for first in (0..conv.output.channels).step_by(CHANNELS) {
                let channels = first..conv.output.channels.min(first + CHANNELS);
                add_block(isa, pooled, image, rows.clone(), channels, signals, living, &mut gradients);
            }
        }
    }
    if let Some((_, dx)) = &mut gradients.input {
        // Windows that reach into the padding have left something there.
        clear_border(&conv.input, n, dx);
    }
}

/// Asserts that the geometry suits, and that slices are long enough for `n` images.
fn check(pooled: &Pooled, n: usize, signals: Signals<'_>, gradients: &Gradients<'_>) {
    let (conv, pool) = (&pooled.product.conv, &pooled.pool);
    assert!(pooled.has_living_gradients() && Pooled::suits(&pool.window));
    let Signals { x, winners, dy } = signals;
    pooled.check(n, x.len(), gradients.bias.as_deref().map(<[f64]>::len), dy.len(), Some(winners.len()));
    assert!(signals.x.len().max(conv.kernel_len()) <= u32::MAX as usize);
    assert!(gradients.kernel.as_ref().is_none_or(|(_, kernel)| kernel.len() == conv.kernel_len()));
    if let Some((kernel, dx)) = &gradients.input {
        assert!(kernel.len() == conv.kernel_len() && dx.len() >= conv.input.len(n));
        conv.check(n, dx.len(), conv.output.len(n));
    }
}

/// Adds the products of some rows of an image's pool and some output channels; [`check`] has asserted that all of them lie
/// inside.
fn add_block(
    isa: Isa,
    pooled: &Pooled,
    image: usize,
    rows: Range<usize>,
    channels: Range<usize>,
    signals: Signals<'_>,
    living: &mut Living,
    gradients: &mut Gradients<'_>,
) {
    let conv = &pooled.product.conv;
    let wanted = [gradients.kernel.is_some(), gradients.input.is_some()];
    let bias = gradients.bias.as_deref_mut().map(|bias| &mut bias[channels.clone()]);
    isa.run(MakeLists { pooled, image, rows: rows.clone(), channels: channels.clone(), signals, living, wanted, bias });
    let (count, len) = (conv.window.kernel[0], conv.window.kernel[1] * conv.input.channels);
    let step = conv.window.dilation[0] * conv.input.row_pitch;
    let (window, first) = (pooled.first_window(image, rows.start), channels.start * conv.kernel_rows());
    if let Some((_, kernel)) = &mut gradients.kernel {
        let part = Rows { count, len, from_step: step, to_step: len };
        let (x, kernel) = (&signals.x[window..], &mut kernel[first..]);
        // SAFETY: lists of channels lie in the kernel; their entries hold windows of output pixels, whose rows were found
        // inside x.
        unsafe { add_lists(isa, &part, &living.by_channel, channels.len(), x.as_ptr(), kernel.as_mut_ptr()) };
    }
    if let Some((kernel, dx)) = &mut gradients.input {
        let part = Rows { count, len, from_step: len, to_step: step };
        let (kernel, dx) = (kernel[first..].as_ptr(), dx[window..].as_mut_ptr());
        let places = rows.len() * pooled.pool.output.width;
        let lists = Placed { lists: &living.by_place, dy: signals.dy, kernel_len: conv.kernel_rows() };
        // SAFETY: as above, the other way round; dx is as long as x, and a patch is what the windows of a place reach.
        unsafe {
            match patches::suits(isa, pooled) {
                true => add_patches(isa, pooled, &lists, places, &living.packed, channels.start, dx),
                false => add_lists(isa, &part, &lists, places * pooled.tap_count(), kernel, dx),
            }
        }
    }
}

#[cfg(test)]
mod tests;
