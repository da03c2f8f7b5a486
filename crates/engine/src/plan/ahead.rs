//! What is brought into the cache while a shard's products are computed.
//!
//! Values that are kept for the whole batch lie where a pass over them waits for memory more than it computes. A product
//! has time to spare, so it asks for those that the steps behind it will touch first, and the last product of a segment for
//! those with which the next shard begins.

use kernels::View;

use super::segments::STEP_NUMBERS;
use super::{Operand, Segment, Slot, Stage, Step, Work};

/// Most values that a step asks for.
pub(crate) const MOST_AHEAD: usize = 8;

/// A kept value of which a step asks for one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ahead {
    pub slot: usize,
    pub view: View,
    pub shard: Which,
}

/// Whose samples are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    This,
    Next,
}

/// Tells products what to ask for.
pub(super) fn tell(stages: &mut [Stage], slots: &[Slot]) {
    for Stage { steps, segments, .. } in stages {
        for Segment { steps: range, shard } in segments.iter() {
            tell_segment(&mut steps[range.clone()], *shard, slots);
        }
    }
}

fn tell_segment(steps: &mut [Step], shard: usize, slots: &[Slot]) {
    let carriers: Vec<usize> = (0..steps.len()).filter(|at| is_asking(&steps[*at])).collect();
    let Some(&last) = carriers.last() else { return };
    let mut asked: Vec<(usize, Ahead)> = Vec::new();
    let mut touched = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        for (slot, view) in places(step).filter(|(slot, _)| slots[*slot].kept) {
            if touched.contains(&slot) {
                continue;
            }
            touched.push(slot);
            match carriers.iter().rfind(|carrier| **carrier < at) {
                Some(carrier) => asked.push((*carrier, Ahead { slot, view, shard: Which::This })),
                None if reads_last(step) == Some(slot) => asked.push((at, Ahead { slot, view, shard: Which::This })),
                // A product fetches what it begins with and what it writes by itself.
                None if carriers.contains(&at) => {}
                None => asked.push((last, Ahead { slot, view, shard: Which::Next })),
            }
        }
    }
    asked.sort_by_key(|(_, ahead)| ahead.shard == Which::Next);
    for (carrier, ahead) in asked {
        let list = &mut steps[carrier].ahead;
        let numbers: usize = list.iter().chain([&ahead]).map(|ahead| ahead.view.len(shard)).sum();
        if list.len() < MOST_AHEAD && numbers <= STEP_NUMBERS {
            list.push(ahead);
        }
    }
}

/// Whether a step asks for others' values.
fn is_asking(step: &Step) -> bool {
    match &step.work {
        Work::Convolve { product, .. } | Work::ConvolveGradients { product, .. } => product.asks(),
        _ => false,
    }
}

/// The slot that a product reads only when it is half done: x, where the gradient of the input comes first.
fn reads_last(step: &Step) -> Option<usize> {
    match (&step.work, step.reads.last()) {
        (Work::ConvolveGradients { product, .. }, Some(Operand::Slot { slot, .. }))
            if product.has_direct_gradients() =>
        {
            Some(*slot)
        }
        _ => None,
    }
}

/// Slots that a step reads or writes.
fn places(step: &Step) -> impl Iterator<Item = (usize, View)> {
    let read = |operand: &Operand| match operand {
        Operand::Slot { slot, view } => Some((*slot, *view)),
        _ => None,
    };
    step.reads.iter().filter_map(read).chain(step.write).chain(step.aside)
}

#[cfg(test)]
mod tests {
    use graph::NodeId;
    use kernels::Window;
    use kernels::conv2d::{Arithmetic, Conv2d, Product};

    use super::*;

    fn view() -> View {
        View::plain(8, 8, 16)
    }

    /// A step that reads and writes these slots.
    fn step(work: Work, reads: &[usize], write: usize) -> Step {
        let reads = reads.iter().map(|slot| Operand::Slot { slot: *slot, view: view() }).collect();
        let write = Some((write, view()));
        Step { node: NodeId(0), work, reads, write, aside: None, ahead: Vec::new(), bands: Vec::new() }
    }

    /// A convolution of 3×3 in so many groups, which F(4×4) computes if it is one.
    fn product(groups: usize, reads: &[usize], write: usize) -> Step {
        let window = Window { kernel: [3; 2], stride: [1; 2], padding: [1; 4], dilation: [1; 2] };
        let conv = Conv2d { input: view(), output: view(), window, groups };
        let product = Product::new(conv, Arithmetic::Fast);
        step(Work::Convolve { product, packed: 0, bias: None, added: false, relu: false }, reads, write)
    }

    /// What each step asks for, the slots below ten being kept.
    fn asked(mut steps: Vec<Step>, shard: usize) -> Vec<Vec<(usize, Which)>> {
        let slots: Vec<Slot> = (0..20).map(|slot| Slot { view: view(), pitch: 0, len: 0, kept: slot < 10 }).collect();
        tell_segment(&mut steps, shard, &slots);
        steps.iter().map(|step| step.ahead.iter().map(|ahead| (ahead.slot, ahead.shard)).collect()).collect()
    }

    #[test]
    fn products_ask_for_what_comes_behind_them_and_the_last_for_the_next_shard() {
        let steps = vec![
            step(Work::Copy, &[0, 10], 11),
            product(1, &[11, 1], 2),
            step(Work::Copy, &[2, 3], 12),
            product(2, &[12], 13),
            step(Work::Copy, &[13, 0, 4], 5),
        ];
        let first = vec![(3, Which::This)];
        let last = vec![(4, Which::This), (5, Which::This), (0, Which::Next)];
        assert_eq!(asked(steps, 1), [vec![], first, vec![], last, vec![]]);
    }

    #[test]
    fn depthwise_products_ask_for_nothing_and_none_for_more_than_the_cache_takes() {
        assert_eq!(asked(vec![product(16, &[0], 10), step(Work::Copy, &[10, 1], 2)], 1), [vec![], vec![]]);
        let steps = || vec![product(1, &[10], 11), step(Work::Copy, &[11, 1, 2], 12)];
        let shard = STEP_NUMBERS / view().len(1);
        assert_eq!(asked(steps(), shard), [vec![(1, Which::This)], vec![]]);
        assert_eq!(asked(steps(), 2 * shard), [vec![], vec![]]);
    }
}
