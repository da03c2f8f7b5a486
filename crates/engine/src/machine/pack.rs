//! Kernels in the order in which tiles read them, made anew when what they are made of has changed.

use kernels::buffer::Buffer;
use kernels::{Isa, batch_norm};

use super::Whole;
use crate::plan::{Fixed, Norm, Pack};

/// A kernel with its norm, packed.
#[derive(Debug)]
pub(crate) struct PackTask {
    pack: Pack,
    packed: Buffer,
    /// Kernel and bias with the norm in them; empty without one.
    folded: [Buffer; 2],
    /// The variables that it is made of; none where a source is computed by every run.
    sources: Option<Vec<usize>>,
    /// Their stamps when it was made.
    made_of: Vec<u64>,
}

impl PackTask {
    /// A kernel to be packed; `constants` are the numbers of values that never change.
    pub fn new(pack: &Pack, constants: &[(usize, f32)]) -> PackTask {
        let len = match pack.transposed {
            true => pack.product.packed_transposed_len(),
            false => pack.product.packed_len(),
        };
        let conv = &pack.product.conv;
        let folded = pack.norm.map_or([0; 2], |_| [conv.kernel_len(), conv.output.channels]).map(Buffer::zeros);
        let given = |norm: Norm| [Some(norm.mean), Some(norm.variance), Some(norm.scale), Some(norm.offset), norm.bias];
        let sources = std::iter::once(pack.source).chain(pack.norm.map(given).into_iter().flatten().flatten());
        let is_constant = |number: usize| constants.iter().any(|(constant, _)| *constant == number);
        let variable = |source| match source {
            Fixed::Variable(index) => Some(Some(index)),
            Fixed::Value(number) if is_constant(number) => None,
            Fixed::Value(_) => Some(None),
        };
        let sources: Option<Vec<usize>> = sources.filter_map(variable).collect();
        let made_of = vec![u64::MAX; sources.as_ref().map_or(0, Vec::len)];
        PackTask { pack: pack.clone(), packed: Buffer::zeros(len), folded, sources, made_of }
    }

    /// The stage before whose steps it is made.
    pub fn stage(&self) -> usize {
        self.pack.stage
    }

    /// The kernel in the order of tiles.
    pub fn kernel(&self) -> &[f32] {
        &self.packed
    }

    /// The bias, where there is a norm in it.
    pub fn bias(&self) -> Option<&[f32]> {
        self.pack.norm.map(|_| &self.folded[1][..])
    }

    /// Packs what has changed since it was packed: in evaluation, before the first batch.
    pub fn run(&mut self, isa: Isa, whole: &Whole<'_>) {
        if !self.has_changed(whole) {
            return;
        }
        let PackTask { pack, packed, folded: [kernel, bias], .. } = self;
        let source = match &pack.norm {
            Some(norm) => {
                let given = [norm.mean, norm.variance, norm.scale, norm.offset].map(|fixed| whole.get(fixed));
                let product = (whole.get(pack.source), norm.bias.map(|bias| whole.get(bias)));
                batch_norm::fold(product, given, norm.epsilon, (kernel, bias));
                kernel
            }
            None => whole.get(pack.source),
        };
        match pack.transposed {
            true => pack.product.pack_transposed(isa, source, packed),
            false => pack.product.pack(isa, source, packed),
        }
    }

    /// Whether a source is another than it was, which is noted.
    fn has_changed(&mut self, whole: &Whole<'_>) -> bool {
        let Some(sources) = &self.sources else { return true };
        let mut changed = sources.is_empty();
        for (made_of, source) in self.made_of.iter_mut().zip(sources) {
            let stamp = whole.stamp(*source);
            changed |= *made_of != stamp;
            *made_of = stamp;
        }
        changed
    }
}
