//! Segments: how many samples go through which steps of a stage together.
//!
//! As many as the step that touches most lets stay in the cache. Where the images of a network become small, products
//! want more of them at a time than where they are large. Where a shard's values would not stay in the cache from its first
//! step to its last, there a stage is cut: all shards of a group pass the first segment before they pass the next, and
//! what one segment leaves to another is kept for all samples of the group.

use std::ops::Range;

use super::slots::Touch;

/// Most samples of a shard.
const MOST: usize = 64;

/// Numbers that a step of a shard reads and writes, so that what one step writes the next finds in the second-level cache.
pub(super) const STEP_NUMBERS: usize = 1 << 17;

/// Numbers that the steps of a stage write for a shard and that still stay in a cache: four second-level caches of 512 KiB,
/// since what is overwritten is counted twice.
const STAGE_NUMBERS: usize = 4 * STEP_NUMBERS;

/// How many times as many samples a segment must take as its neighbour.
const RATIO: usize = 4;

/// Steps of a stage, and the samples that go through them together.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub steps: Range<usize>,
    /// A power of two.
    pub shard: usize,
}

/// The samples that a step which touches so many numbers of each can take at a time, of a batch.
pub(super) fn shard(numbers: usize, batch: usize) -> usize {
    // The power of two that is nearest by ratio: 3 counts as 4, as its square is above 8.
    let fit = (STEP_NUMBERS as f64 / numbers.max(1) as f64).clamp(1.0, MOST as f64);
    (1 << fit.log2().round() as usize).min(batch.next_power_of_two())
}

/// Halves the shards of stages whose only product asks for what comes later, as between batch norms: nearly all that they
/// read is kept for the batch, and what is asked for ([`super::ahead`]) wants half of the cache.
pub(super) fn leave_room(touches: &mut [Touch]) {
    for stage in touches.chunk_by_mut(|a, b| a.stage == b.stage) {
        let mut products = stage.iter().filter(|touch| touch.is_product);
        let only = products.next().filter(|_| products.next().is_none());
        if only.is_some_and(|touch| touch.asks_ahead) {
            stage.iter_mut().for_each(|touch| touch.shard = (touch.shard / 2).max(1));
        }
    }
}

/// Cuts what the steps do into segments, which all of them are told.
pub(super) fn cut(touches: &mut [Touch]) {
    let mut segment = 0;
    for stage in touches.chunk_by_mut(|a, b| a.stage == b.stage) {
        let smallest = stage.iter().map(|touch| touch.shard).min().unwrap_or(1);
        let written: usize = stage.iter().map(|touch| touch.written).sum();
        let ratio = if written * smallest > STAGE_NUMBERS { RATIO } else { usize::MAX };
        let mut rest = stage;
        while !rest.is_empty() {
            let (len, shard) = first(rest, ratio);
            let (here, behind) = rest.split_at_mut(len);
            here.iter_mut().for_each(|touch| (touch.segment, touch.shard) = (segment, shard));
            (rest, segment) = (behind, segment + 1);
        }
    }
}

/// How many touches of a stage belong to its first segment, and its samples, if others take `ratio` times as many or
/// fewer. A cut is worth it for products alone: what only passes over numbers is as fast with any.
fn first(touches: &[Touch], ratio: usize) -> (usize, usize) {
    let mut shard = touches[0].shard;
    let mut has_product = touches[0].is_product;
    for (at, touch) in touches.iter().enumerate().skip(1) {
        let takes_more = |other: &&Touch| other.shard / ratio >= shard;
        let more = touches[at..].iter().take_while(takes_more).any(|other| other.is_product);
        let fewer = shard / ratio >= touch.shard && has_product;
        if more || fewer {
            return (at, shard);
        }
        shard = shard.min(touch.shard);
        has_product |= touch.is_product;
    }
    (touches.len(), shard)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The segments and shards of steps that take so many samples, products in capitals, and write so many numbers each.
    fn segments(text: &str, written: usize) -> Vec<(usize, usize)> {
        let touch = |word: &str| {
            let (stage, fit) = word[1..].split_once(':').expect("stage:shard");
            let [stage, shard] = [stage, fit].map(|number| number.parse().expect("a number"));
            Touch { stage, shard, written, is_product: word.starts_with('P'), ..Touch::default() }
        };
        let mut touches: Vec<Touch> = text.split(' ').map(touch).collect();
        cut(&mut touches);
        touches.iter().map(|touch| (touch.segment, touch.shard)).collect()
    }

    #[test]
    fn products_that_take_four_times_as_many_samples_have_a_segment_of_their_own() {
        let text = "P0:2 p0:4 P0:8 P0:32 p0:64";
        assert_eq!(segments(text, STAGE_NUMBERS / 8), [(0, 2), (0, 2), (1, 8), (2, 32), (2, 32)]);
        assert_eq!(segments(text, STAGE_NUMBERS / 16), [(0, 2); 5]);
        assert_eq!(segments("P0:32 p0:64 P0:4 P0:2", STAGE_NUMBERS), [(0, 32), (0, 32), (1, 2), (1, 2)]);
    }

    #[test]
    fn passes_stay_with_the_products_before_them_and_stages_apart() {
        assert_eq!(segments("P0:2 p0:64 p0:64 P0:2", STAGE_NUMBERS), [(0, 2); 4]);
        assert_eq!(segments("p0:64 P0:2 P1:2", STAGE_NUMBERS), [(0, 2), (0, 2), (1, 2)]);
    }

    #[test]
    fn a_product_that_asks_alone_leaves_room() {
        let of = |stage: usize, shard: usize, is_product: bool, asks_ahead: bool| Touch {
            stage,
            shard,
            is_product,
            asks_ahead,
            ..Touch::default()
        };
        let two = [of(0, 8, true, true), of(0, 4, true, false)];
        let alone = [of(1, 4, false, false), of(1, 1, true, true)];
        let none = [of(2, 4, false, false), of(3, 4, true, false)];
        let mut touches = [two, alone, none].concat();
        leave_room(&mut touches);
        assert_eq!(touches.iter().map(|touch| touch.shard).collect::<Vec<_>>(), [8, 4, 2, 1, 4, 4]);
    }

    #[test]
    fn a_shard_is_the_power_of_two_that_fits_best_and_no_larger_than_the_batch() {
        assert_eq!([1, 1 << 12, 45_000, 1 << 16, 1 << 20].map(|numbers| shard(numbers, 128)), [64, 32, 4, 2, 1]);
        assert_eq!(shard(1, 5), 8);
    }
}
