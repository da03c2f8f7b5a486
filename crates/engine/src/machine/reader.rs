//! What a step of a shard reads, and how long it is.

use kernels::buffer::Buffer;
use kernels::{Isa, View};

use super::group::{Context, Shard};
use crate::Input;
use crate::plan::{Ahead, MOST_AHEAD, Operand, Step, Which};

/// What a step reads: the operands of one shard.
pub(super) struct Reader<'a> {
    pub context: &'a Context<'a>,
    pub step: &'a Step,
    pub shard: &'a Shard,
    pub slots: &'a [Buffer],
}

impl<'a> Reader<'a> {
    /// The samples of an operand.
    pub fn samples(&self, index: usize) -> &'a [f32] {
        match &self.step.reads[index] {
            Operand::Slot { slot, view } => {
                let start = if self.context.plan.slots[*slot].kept { self.shard.local.start } else { 0 };
                &self.slots[*slot][view.len(start)..][..view.len(self.shard.n)]
            }
            Operand::Input { view, .. } => match self.input(index) {
                Input::F32(numbers) => &numbers[view.len(self.shard.first)..][..view.len(self.shard.n)],
                other => panic!("{} reads numbers, not {other:?}", self.step.node),
            },
            Operand::Fixed(_) => panic!("{} reads samples", self.step.node),
        }
    }

    /// What the step asks for while it computes; nothing behind the last.
    pub fn ahead(&self) -> [&'a [f32]; MOST_AHEAD] {
        let mut slices = [&[][..]; MOST_AHEAD];
        for (slice, Ahead { slot, view, shard }) in slices.iter_mut().zip(&self.step.ahead) {
            let start = match shard {
                Which::This => self.shard.local.start,
                Which::Next => self.shard.local.end,
            };
            // Behind the last shard there is none, and what is written just now is somewhere else.
            let numbers = &self.slots[*slot];
            let start = view.len(start).min(numbers.len());
            *slice = &numbers[start..(start + view.len(self.shard.n)).min(numbers.len())];
        }
        slices
    }

    /// An operand of the whole batch.
    pub fn whole(&self, index: usize) -> &'a [f32] {
        match self.step.reads[index] {
            Operand::Fixed(fixed) => self.context.whole.get(fixed),
            _ => panic!("{} reads a value of the whole batch", self.step.node),
        }
    }

    /// How an operand lies.
    pub fn view(&self, index: usize) -> &'a View {
        self.step.reads[index].view()
    }

    /// What the feed has for an operand.
    pub fn input(&self, index: usize) -> Input<'a> {
        let Operand::Input { name, .. } = self.step.reads[index] else { panic!("{} reads an input", self.step.node) };
        self.context.feed.input(&self.context.plan.names[name])
    }

    /// 8-bit values of images.
    pub fn pixels(&self, index: usize) -> &'a [u8] {
        let view = self.view(index);
        match self.input(index) {
            Input::U8(bytes) => &bytes[view.len(self.shard.first)..][..view.len(self.shard.n)],
            other => panic!("{} reads pixels, not {} numbers", self.step.node, other.len()),
        }
    }

    /// Class indices.
    pub fn labels(&self, index: usize) -> &'a [u32] {
        match self.input(index) {
            Input::Index(labels) => &labels[self.shard.first..][..self.shard.n],
            other => panic!("{} reads labels, not {} numbers", self.step.node, other.len()),
        }
    }

    /// Weights of the classes, where there are some.
    pub fn weights(&self, index: usize) -> Option<&'a [f32]> {
        (index < self.step.reads.len()).then(|| self.whole(index))
    }

    /// A number that an operand of the whole batch is.
    pub fn number(&self, index: usize) -> Option<f32> {
        match self.step.reads[index] {
            Operand::Fixed(fixed) => Some(self.context.whole.number(fixed)),
            _ => None,
        }
    }

    pub fn isa(&self) -> Isa {
        self.context.isa
    }

    /// The number of samples.
    pub fn n(&self) -> usize {
        self.shard.n
    }

    /// Where the result lies.
    pub fn to(&self) -> &'a View {
        &self.step.write.as_ref().expect("only what is stored is computed").1
    }
}
