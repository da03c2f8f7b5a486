//! Which kernel computes a convolution: the choice, and the three passes by what was chosen.
//!
//! The choice is a function of geometry and asked-for exactness alone, so that an experiment plans the same everywhere.

use std::fmt;

use super::winograd::{Reader, Size};
use super::{Conv2d, along_rows, depthwise, forward, input_gradient, kernel_gradient, pack, side_by_side};
use crate::arithmetic::{self, Binary, Operand};
use crate::prefetch::Ahead;
use crate::{Isa, View};

/// How exact a convolution must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Arithmetic {
    /// Sums of products as the definition says.
    Strict,
    /// Also what errs no more than those: Winograd's F(2×2, 3×3).
    #[default]
    Accurate,
    /// Also F(4×4, 3×3) where it multiplies less, whose errors are about three times as large.
    Fast,
}

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Product by product.
    Direct,
    /// The same, with so many pixels of a row as the channels of one.
    SideBySide(usize),
    /// By tiles of this size.
    Winograd(Size),
    /// By tiles of so many columns of single rows.
    AlongRows(Size),
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Method::Direct => f.write_str("direct"),
            Method::SideBySide(pixels) => write!(f, "{pixels} pixels side by side"),
            Method::Winograd(Size::Two) => f.write_str("F(2x2)"),
            Method::Winograd(Size::Four) => f.write_str("F(4x4)"),
            Method::AlongRows(size) => write!(f, "F({}) along rows", size.outputs()),
        }
    }
}

/// A convolution and how it is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Product {
    pub conv: Conv2d,
    pub method: Method,
}

/// What follows a convolution before its result is stored.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// Added to all pixels, `[out channels]`.
    pub bias: Option<&'a [f32]>,
    /// Added number by number: images as large as the result, and how they lie.
    pub added: Option<(&'a View, &'a [f32])>,
    pub relu: bool,
    /// What others will touch, which is brought into the cache meanwhile.
    pub ahead: &'a [&'a [f32]],
}

/// What both gradients of a convolution read and write.
#[derive(Debug)]
pub struct BothGradients<'a> {
    /// How x lies, which may be otherwise than dx does.
    pub view: &'a View,
    pub x: &'a [f32],
    pub dy: &'a [f32],
    /// [`Product::pack_transposed`]'s.
    pub packed: &'a [f32],
    pub dx: &'a mut [f32],
    /// Whether the kernel's gradient is begun anew.
    pub begin: bool,
    /// The kernel's, packed.
    pub gradient: &'a mut [f32],
    /// What others will touch, which is brought into the cache meanwhile.
    pub ahead: &'a [&'a [f32]],
}

/// Channels, of inputs and outputs each, from which on fewer multiplications outweigh the transforms
/// (`etalon bench kernels` times them).
const LEAST_CHANNELS: usize = 8;

impl Product {
    /// The fastest way that is exact enough.
    pub fn new(conv: Conv2d, arithmetic: Arithmetic) -> Product {
        let exact_enough: &[Size] = match arithmetic {
            Arithmetic::Strict => &[],
            Arithmetic::Accurate => &[Size::Two],
            Arithmetic::Fast => &[Size::Two, Size::Four],
        };
        // Of equals the first: it has fewer weights and errs less.
        let fewest = |suits: &dyn Fn(Size) -> bool, products: &dyn Fn(Size) -> usize| {
            exact_enough.iter().copied().filter(|size| suits(*size)).min_by_key(|size| products(*size))
        };
        let [few_inputs, few_outputs] = [conv.input, conv.output].map(|view| view.channels < LEAST_CHANNELS);
        let pixels = side_by_side::best(&conv);
        let method = match (few_inputs, few_outputs, pixels) {
            (false, false, _) => fewest(&|size| size.suits(&conv), &|size| size.products(&conv)).map(Method::Winograd),
            (true, false, 1) => {
                let products = |size: Size| along_rows::products(size, &conv);
                fewest(&|size| along_rows::suits(size, &conv), &products).map(Method::AlongRows)
            }
            _ => None,
        };
        let by_definition = if pixels == 1 { Method::Direct } else { Method::SideBySide(pixels) };
        Product { conv, method: method.unwrap_or(by_definition) }
    }

    /// All ways to compute a convolution, that of the definition first.
    pub fn candidates(conv: Conv2d) -> Vec<Product> {
        let sizes = [Size::Two, Size::Four].into_iter().filter(|size| size.suits(&conv));
        let pixels = Some(side_by_side::best(&conv)).filter(|pixels| *pixels > 1);
        let direct = [Method::Direct].into_iter().chain(pixels.map(Method::SideBySide));
        let along_rows = [Size::Two, Size::Four].into_iter().filter(|size| along_rows::suits(*size, &conv));
        let methods = direct.chain(sizes.map(Method::Winograd)).chain(along_rows.map(Method::AlongRows));
        methods.map(|method| Product { conv, method }).collect()
    }

    /// Rows of the output that are computed together: bands of as many are computed as they are in the whole.
    pub fn tile_rows(&self) -> usize {
        match self.method {
            Method::Direct | Method::SideBySide(_) => 1,
            Method::Winograd(size) => size.outputs(),
            Method::AlongRows(_) => along_rows::LEAST_ROWS,
        }
    }

    /// Numbers that a pass needs to work in.
    pub fn scratch_len(&self) -> usize {
        match self.method {
            Method::Direct => input_gradient::scratch_len(&self.conv),
            Method::SideBySide(pixels) => {
                input_gradient::scratch_len(&self.conv).max(pixels * self.conv.output.channels)
            }
            Method::Winograd(size) => size.scratch_len(&self.conv),
            Method::AlongRows(size) => {
                input_gradient::scratch_len(&self.conv).max(along_rows::scratch_len(size, &self.conv))
            }
        }
    }

    /// Length of [`Product::pack`]'s result.
    pub fn packed_len(&self) -> usize {
        match self.method {
            Method::Direct => pack::packed_len(&self.conv),
            Method::SideBySide(pixels) => side_by_side::packed_len(&self.conv, pixels),
            Method::Winograd(size) => size.packed_len(&self.conv, Reader::Forward),
            Method::AlongRows(size) => along_rows::packed_len(size, &self.conv),
        }
    }

    /// How its gradients are computed.
    pub fn gradient_method(&self) -> Method {
        match self.method {
            Method::AlongRows(_) => Method::Direct,
            method => method,
        }
    }

    /// Length of the kernel's gradient, packed.
    pub fn gradient_len(&self) -> usize {
        Product { method: self.gradient_method(), ..*self }.packed_len()
    }

    /// Length of [`Product::pack_transposed`]'s result.
    pub fn packed_transposed_len(&self) -> usize {
        match self.method {
            Method::Direct | Method::SideBySide(_) | Method::AlongRows(_) => pack::packed_transposed_len(&self.conv),
            Method::Winograd(size) => size.packed_len(&self.conv, Reader::InputGradient),
        }
    }

    /// The kernel, canonical, in the order of [`Product::forward`].
    pub fn pack(&self, isa: Isa, kernel: &[f32], packed: &mut [f32]) {
        match self.method {
            Method::Direct => pack::pack(isa, &self.conv, kernel, packed),
            Method::SideBySide(pixels) => side_by_side::pack(&self.conv, pixels, kernel, packed),
            Method::Winograd(size) => size.pack(isa, &self.conv, kernel, Reader::Forward, packed),
            Method::AlongRows(size) => along_rows::pack(size, isa, &self.conv, kernel, packed),
        }
    }

    /// The kernel, canonical, in the order of [`Product::input_gradient`].
    pub fn pack_transposed(&self, isa: Isa, kernel: &[f32], packed: &mut [f32]) {
        match self.method {
            Method::Direct | Method::SideBySide(_) | Method::AlongRows(_) => {
                pack::pack_transposed(isa, &self.conv, kernel, packed);
            }
            Method::Winograd(size) => size.pack(isa, &self.conv, kernel, Reader::InputGradient, packed),
        }
    }

    /// A gradient of [`Product::kernel_gradient`] in canonical layout.
    pub fn unpack(&self, isa: Isa, packed: &[f32], kernel: &mut [f32]) {
        match self.method {
            Method::Direct | Method::AlongRows(_) => pack::unpack(isa, &self.conv, packed, kernel),
            Method::SideBySide(pixels) => side_by_side::unpack(&self.conv, pixels, packed, kernel),
            Method::Winograd(size) => size.unpack(isa, &self.conv, packed, kernel),
        }
    }

    /// `y = conv(x, kernel)` and what follows. `packed` is [`Product::pack`]'s.
    ///
    /// # Panics
    /// If a slice is too short for `n` images, as in the other passes, or what is added has another size.
    pub fn forward(
        &self,
        isa: Isa,
        n: usize,
        x: &[f32],
        packed: &[f32],
        epilogue: Epilogue<'_>,
        y: &mut [f32],
        scratch: &mut [f32],
    ) {
        if let Some((view, added)) = epilogue.added {
            assert!(view.size() == self.conv.output.size() && added.len() >= view.len(n));
        }
        match self.method {
            Method::Direct => forward_directly(isa, &self.conv, n, x, packed, epilogue, y),
            Method::SideBySide(pixels) => {
                let joined = side_by_side::joined(&self.conv, pixels);
                let repeated = &mut scratch[..joined.output.channels];
                let bias = epilogue.bias.map(|bias| {
                    repeated.chunks_exact_mut(bias.len()).for_each(|to| to.copy_from_slice(bias));
                    &*repeated
                });
                forward_directly(isa, &joined, n, x, packed, Epilogue { bias, ..epilogue }, y);
            }
            Method::Winograd(size) => size.forward(isa, &self.conv, n, x, packed, epilogue, y, scratch),
            Method::AlongRows(size) => along_rows::forward(size, isa, &self.conv, n, x, packed, epilogue, y, scratch),
        }
    }

    /// `dx` from `dy`; the border of `dx` is left alone. `packed` is [`Product::pack_transposed`]'s.
    pub fn input_gradient(&self, isa: Isa, n: usize, dy: &[f32], packed: &[f32], dx: &mut [f32], scratch: &mut [f32]) {
        match self.method {
            Method::Direct | Method::SideBySide(_) | Method::AlongRows(_) => {
                input_gradient::input_gradient(isa, &self.conv, n, dy, packed, &mut Ahead::nothing(), dx, scratch)
            }
            Method::Winograd(size) => size.input_gradient(isa, &self.conv, n, dy, packed, dx, scratch),
        }
    }

    /// Whether gradients are multiplied as the definition says, each in a pass of its own.
    pub fn has_direct_gradients(&self) -> bool {
        !matches!(self.method, Method::Winograd(_)) && !self.conv.is_depthwise()
    }

    /// Whether passes ask for what is ahead.
    pub fn asks(&self) -> bool {
        !self.conv.is_depthwise()
    }

    /// Both gradients, bit by bit as [`Product::input_gradient`] and [`Product::kernel_gradient`] compute them.
    pub fn gradients(&self, isa: Isa, n: usize, both: BothGradients<'_>, scratch: &mut [f32]) {
        if let Method::Winograd(size) = self.method {
            return size.gradients(isa, &self.conv, n, both, scratch);
        }
        if self.conv.is_depthwise() {
            return depthwise::gradients(isa, &self.conv, n, both, scratch);
        }
        let BothGradients { view, x, dy, packed, dx, begin, gradient, ahead } = both;
        let of_x = Conv2d { input: *view, ..self.conv };
        let of_x =
            if let Method::SideBySide(pixels) = self.method { side_by_side::joined(&of_x, pixels) } else { of_x };
        let products = input_gradient::products(isa, &self.conv, n) + of_x.products(isa, n);
        let ahead = &mut Ahead::new(ahead, products);
        input_gradient::input_gradient(isa, &self.conv, n, dy, packed, ahead, dx, scratch);
        kernel_gradient::kernel_gradient(isa, &of_x, n, x, dy, begin, ahead, gradient);
    }

    /// Adds the kernel's gradient to `packed`, which [`Product::unpack`] brings to the canonical layout, or begins it anew
    /// with `begin`. The order of summation depends on shapes only.
    pub fn kernel_gradient(
        &self,
        isa: Isa,
        n: usize,
        x: &[f32],
        dy: &[f32],
        begin: bool,
        packed: &mut [f32],
        scratch: &mut [f32],
    ) {
        match self.method {
            Method::Direct | Method::AlongRows(_) => {
                kernel_gradient::kernel_gradient(isa, &self.conv, n, x, dy, begin, &mut Ahead::nothing(), packed);
            }
            Method::SideBySide(pixels) => {
                let joined = side_by_side::joined(&self.conv, pixels);
                kernel_gradient::kernel_gradient(isa, &joined, n, x, dy, begin, &mut Ahead::nothing(), packed);
            }
            Method::Winograd(size) => size.kernel_gradient(isa, &self.conv, n, x, dy, begin, packed, scratch),
        }
    }
}

fn forward_directly(
    isa: Isa,
    conv: &Conv2d,
    n: usize,
    x: &[f32],
    packed: &[f32],
    epilogue: Epilogue<'_>,
    y: &mut [f32],
) {
    let Epilogue { bias, added, relu, ahead } = epilogue;
    let ahead = &mut Ahead::new(ahead, conv.products(isa, n));
    forward::forward(isa, conv, n, x, packed, bias, relu && added.is_none(), ahead, y);
    if let Some((view, added)) = added {
        let rule = if relu { Binary::AddRelu } else { Binary::Add };
        for (to, from) in conv.output.rows(n).zip(view.rows(n)) {
            arithmetic::binary_into(isa, rule, &mut y[to], Operand::Slice(&added[from]));
        }
    }
}
