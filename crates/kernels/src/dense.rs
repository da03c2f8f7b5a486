//! Dense layers: the products of samples with a matrix, and their two gradients.
//!
//! `y[n, u] = bias[u] + sum over f of x[n, f] · kernel[u, f]`. All three products read the kernel as it lies, `[units,
//! features]`: forward its rows are broadcast and samples lie across the lanes, so that only the samples are turned, which
//! are fewer; in the gradients features lie across the lanes. The kernel's gradient runs over the whole batch at once and
//! may be computed by ranges of units, one on each thread. Where a third or more of what is multiplied is zero, as behind relu
//! and dropout, all three skip it ([`living`]): the sums are the same, in the same order.

mod few;
mod forward;
mod input_gradient;
mod kernel_gradient;
mod living;

use std::ops::Range;

use crate::Isa;

/// Most features that are brought together as lines of a panel.
const WIDTH: usize = 32;

/// A dense layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dense {
    pub features: usize,
    pub units: usize,
}

impl Dense {
    /// Floating-point operations of one pass over a sample; a multiply-add is two.
    pub fn flops(&self) -> u64 {
        2 * self.kernel_len() as u64
    }

    /// Numbers of the kernel.
    pub fn kernel_len(&self) -> usize {
        self.features * self.units
    }

    /// Numbers that [`Dense::forward`] and [`Dense::input_gradient`] need to work in.
    pub fn scratch_len(&self) -> usize {
        forward::scratch_len(self).max(input_gradient::scratch_len(self)).max(living::PANEL)
    }

    /// `y = x · kernelᵀ + bias`, with relu behind it if asked. Samples are `[n, features]` and `[n, units]`.
    ///
    /// # Panics
    /// If a slice has not the length that the layer says, as in the other passes.
    pub fn forward(
        &self,
        isa: Isa,
        n: usize,
        x: &[f32],
        kernel: &[f32],
        bias: Option<&[f32]>,
        relu: bool,
        y: &mut [f32],
        scratch: &mut [f32],
    ) {
        self.check(n, x.len(), y.len(), kernel.len());
        assert!(bias.is_none_or(|bias| bias.len() == self.units));
        if n < isa.lanes() / 2 {
            return isa.run(few::Few { dense: *self, x, kernel, bias, relu, y });
        }
        assert!(scratch.len() >= self.scratch_len());
        // Half a vector of samples would cost as much as a whole one.
        isa.for_few(n).run(forward::Forward { dense: *self, n, x, kernel, bias, relu, y, scratch });
    }

    /// `dx = dy · kernel`.
    pub fn input_gradient(&self, isa: Isa, n: usize, dy: &[f32], kernel: &[f32], dx: &mut [f32], scratch: &mut [f32]) {
        self.check(n, dx.len(), dy.len(), kernel.len());
        assert!(scratch.len() >= self.scratch_len());
        isa.run(input_gradient::InputGradient { dense: *self, n, dy, kernel, dx, scratch });
    }

    /// Numbers that [`Dense::kernel_gradient`] needs to work in for so many units and samples.
    pub fn kernel_gradient_scratch_len(units: usize, n: usize) -> usize {
        kernel_gradient::scratch_len(units, n)
    }

    /// `gradient[u, f] = sum over n of dy[n, u] · x[n, f]` for a range of units; `x` and `dy` give the samples by their
    /// number. The order of summation depends on the number of samples alone.
    pub fn kernel_gradient<'a>(
        &self,
        isa: Isa,
        n: usize,
        x: &dyn Fn(usize) -> &'a [f32],
        dy: &dyn Fn(usize) -> &'a [f32],
        units: Range<usize>,
        gradient: &mut [f32],
        scratch: &mut [f32],
    ) {
        assert!(units.end <= self.units && gradient.len() == units.len() * self.features);
        assert!(scratch.len() >= kernel_gradient::scratch_len(units.len(), n));
        if n == 0 || units.is_empty() {
            return gradient.fill(0.0);
        }
        isa.run(kernel_gradient::KernelGradient { dense: *self, n, x, dy, units, gradient, scratch });
    }

    fn check(&self, n: usize, x: usize, y: usize, kernel: usize) {
        assert_eq!((x, y, kernel), (n * self.features, n * self.units, self.kernel_len()));
    }
}

#[cfg(test)]
mod tests;
