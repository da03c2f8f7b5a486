//! Which values share memory: a slot holds one value after the other, in the order of the steps.
//!
//! A slot of the shard is as large as a shard and stands at the desk of a thread, which all groups use in turns. One that
//! is kept is a group's own and holds all its samples, since its value is read in a later segment or after the run. Values
//! with a border only follow each other where they have the same layout, so that the zeros of the border stay.

use graph::NodeId;
use kernels::View;

/// What a step does to values of samples, all named by their roots ([`super::layout::Layout::root`]).
#[derive(Clone, Debug, Default)]
pub(crate) struct Touch {
    pub stage: usize,
    /// Counted over all stages.
    pub segment: usize,
    /// The samples that it takes at a time.
    pub shard: usize,
    /// Numbers of a sample that it writes.
    pub written: usize,
    pub is_product: bool,
    /// Whether it is a product that asks for what comes later ([`super::ahead`]).
    pub asks_ahead: bool,
    pub reads: Vec<NodeId>,
    pub writes: Vec<(NodeId, View)>,
    /// What is read and may be overwritten by the first result, best first.
    pub in_place: Vec<NodeId>,
    /// Whether it reads the samples of the whole batch, when the stage is closed.
    pub for_batch: bool,
}

/// One slot.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// The layout of its values, where they must have the same.
    pub view: View,
    /// The largest number of numbers a sample.
    pub pitch: usize,
    /// The largest number of numbers a shard.
    pub len: usize,
    pub kept: bool,
}

/// Where each value lies.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    pub slots: Vec<Slot>,
    /// By root.
    of: Vec<Option<usize>>,
}

/// The life of a value: its last reader, and whether it outlives its segment.
#[derive(Clone, Copy, Default)]
struct Life {
    last: usize,
    kept: bool,
}

impl Slots {
    /// Slots for `n_nodes` nodes; `outputs` are read after the last step.
    pub fn new(n_nodes: usize, touches: &[Touch], outputs: &[NodeId], share: bool) -> Slots {
        let lives = lives(n_nodes, touches, outputs);
        let mut slots = Slots { slots: Vec::new(), of: vec![None; n_nodes] };
        let mut free: Vec<usize> = Vec::new();
        let mut living: Vec<NodeId> = Vec::new();
        for (at, touch) in touches.iter().enumerate() {
            let dead = |id: &NodeId| lives[id.0 as usize].last < at;
            free.extend(living.extract_if(.., |id| dead(id)).filter_map(|id| slots.of[id.0 as usize]));
            for (number, &(id, view)) in touch.writes.iter().enumerate() {
                let life = lives[id.0 as usize];
                let taken = touch.in_place.iter().copied().filter(|_| number == 0).find(|operand| {
                    let dies = living.contains(operand) && lives[operand.0 as usize].last == at;
                    share && dies && slots.of(*operand).is_some_and(|slot| slots.fits(slot, &view, life.kept))
                });
                let slot = match taken {
                    Some(operand) => {
                        living.retain(|other| *other != operand);
                        slots.of[operand.0 as usize]
                    }
                    None if share => slots.take_free(&mut free, &view, view.len(touch.shard), life.kept),
                    None => None,
                };
                let slot = slot.unwrap_or_else(|| slots.add(view, life.kept));
                let taken = &mut slots.slots[slot];
                (taken.pitch, taken.len) = (taken.pitch.max(view.image_pitch), taken.len.max(view.len(touch.shard)));
                slots.of[id.0 as usize] = Some(slot);
                living.push(id);
            }
        }
        slots
    }

    /// The slot of a root; none for inputs, which stay where they are.
    pub fn of(&self, root: NodeId) -> Option<usize> {
        self.of[root.0 as usize]
    }

    fn add(&mut self, view: View, kept: bool) -> usize {
        self.slots.push(Slot { view, pitch: 0, len: 0, kept });
        self.slots.len() - 1
    }

    /// Whether a value may overwrite what the slot holds, sample by sample.
    fn fits(&self, slot: usize, view: &View, kept: bool) -> bool {
        let slot = &self.slots[slot];
        let same = slot.view == *view || (slot.view.is_plain() && view.is_plain());
        same && slot.kept >= kept && (!slot.kept || slot.view.image_pitch == view.image_pitch)
    }

    /// The free slot that fits best: the smallest that is large enough, else the largest.
    fn take_free(&self, free: &mut Vec<usize>, view: &View, len: usize, kept: bool) -> Option<usize> {
        let fits = |slot: &usize| self.slots[*slot].kept == kept && self.fits(*slot, view, kept);
        let cost = |slot: &usize| {
            let there = self.slots[*slot].len;
            if there >= len { (0, there) } else { (1, usize::MAX - there) }
        };
        let best = free.iter().copied().filter(fits).min_by_key(cost)?;
        free.retain(|slot| *slot != best);
        Some(best)
    }
}

fn lives(n_nodes: usize, touches: &[Touch], outputs: &[NodeId]) -> Vec<Life> {
    let mut lives = vec![Life::default(); n_nodes];
    let mut born = vec![0; n_nodes];
    for (at, touch) in touches.iter().enumerate() {
        // Touches are in the order of stages.
        let closed = touches.partition_point(|other| other.stage <= touch.stage) - 1;
        for id in &touch.reads {
            let life = &mut lives[id.0 as usize];
            life.last = life.last.max(if touch.for_batch { closed } else { at });
            life.kept |= touch.for_batch || born[id.0 as usize] != touch.segment;
        }
        for (id, _) in &touch.writes {
            let life = &mut lives[id.0 as usize];
            life.last = life.last.max(at);
            born[id.0 as usize] = touch.segment;
        }
    }
    for id in outputs {
        lives[id.0 as usize] = Life { last: usize::MAX, kept: true };
    }
    lives
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(stage: usize, reads: &[u32], write: Option<(u32, View)>, in_place: &[u32]) -> Touch {
        let ids = |list: &[u32]| list.iter().copied().map(NodeId).collect();
        Touch {
            stage,
            reads: ids(reads),
            writes: write.map(|(id, v)| (NodeId(id), v)).into_iter().collect(),
            in_place: ids(in_place),
            segment: stage,
            shard: 1,
            ..Touch::default()
        }
    }

    fn slots_of(touches: &[Touch], outputs: &[u32], n: usize) -> Vec<Option<usize>> {
        let outputs: Vec<NodeId> = outputs.iter().copied().map(NodeId).collect();
        let slots = Slots::new(n, touches, &outputs, true);
        (0..n as u32).map(|id| slots.of(NodeId(id))).collect()
    }

    #[test]
    fn a_value_takes_the_memory_of_one_that_is_read_no_more() {
        let plain = View::plain(4, 4, 2);
        let touches = [
            touch(0, &[], Some((0, plain)), &[]),
            touch(0, &[0], Some((1, plain)), &[]), // while 0 is read
            touch(0, &[1], Some((2, plain)), &[]), // where 0 was
            touch(0, &[2, 1], Some((3, plain)), &[2, 1]),
        ];
        assert_eq!(slots_of(&touches, &[], 4), [Some(0), Some(1), Some(0), Some(0)]);
    }

    #[test]
    fn a_border_is_only_followed_by_the_same_border() {
        let (plain, bordered) = (View::plain(4, 4, 2), View::bordered(4, 4, 2, [1; 4]));
        let touches = [
            touch(0, &[], Some((0, bordered)), &[]),
            touch(0, &[0], Some((1, plain)), &[0]),
            touch(0, &[1], Some((2, bordered)), &[1]),
        ];
        assert_eq!(slots_of(&touches, &[], 3), [Some(0), Some(1), Some(0)]);
    }

    #[test]
    fn what_is_read_for_the_whole_batch_is_kept_to_the_end_of_its_stage() {
        let plain = View::vectors(3);
        let mut touches = vec![
            touch(0, &[], Some((0, plain)), &[]),
            touch(0, &[0], None, &[]),
            touch(0, &[], Some((1, plain)), &[]),
            touch(1, &[], Some((2, plain)), &[]),
        ];
        touches[1].for_batch = true;
        let slots = Slots::new(3, &touches, &[NodeId(2)], true);
        assert_eq!([0, 1, 2].map(|id| slots.of(NodeId(id))), [Some(0), Some(1), Some(0)]);
        assert!(slots.slots[0].kept);
    }

    #[test]
    fn what_a_later_segment_or_a_caller_reads_is_kept() {
        let plain = View::vectors(3);
        let mut touches = [
            touch(0, &[], Some((0, plain)), &[]),
            touch(0, &[0], Some((1, plain)), &[0]),
            touch(0, &[1], Some((2, plain)), &[1]),
            touch(0, &[2], Some((3, plain)), &[2]),
        ];
        touches[2..].iter_mut().for_each(|touch| touch.segment = 1);
        let slots = Slots::new(4, &touches, &[NodeId(3)], true);
        let kept: Vec<bool> = (0..4).map(|id| slots.slots[slots.of(NodeId(id)).unwrap()].kept).collect();
        assert_eq!(kept, [false, true, true, true]);
    }
}
