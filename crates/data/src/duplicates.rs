//! Exact copies among images: what stands in training and in validation or test is learned by heart there, which is no
//! skill, and what stands twice under two classes is labelled wrong once.

use rayon::prelude::*;

use crate::dataset::Store;
use crate::error::{grouped, show};
use crate::{Error, Part, PartName};

/// The copies within a part, or between two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copies {
    /// The part, the earlier one of two.
    pub first: PartName,
    /// The same part, or the later one.
    pub second: PartName,
    /// Within a part: its samples that repeat an earlier one. Between two: the samples of the first whose image stands in
    /// the second as well.
    pub samples: usize,
    /// How many of these have another class than a copy of theirs.
    pub other_class: usize,
    /// One of them, and its copy.
    pub example: [u32; 2],
}

/// What was found, and the samples of train that stand in another part.
pub(crate) struct Found {
    /// Pairs of parts with copies, in the order of the parts.
    pub copies: Vec<Copies>,
    /// Ascending.
    pub of_train: Vec<u32>,
}

/// A sample that was looked at.
struct Seen {
    /// BLAKE3 of the pixels in memory, or of the whole file.
    hash: blake3::Hash,
    part: PartName,
    sample: u32,
    class: u32,
}

impl Copies {
    /// Whether the copies cross from one part to another.
    pub fn crosses(&self) -> bool {
        self.first != self.second
    }

    /// In words: `3 images of train stand in test as well, 1 of them with another class`.
    pub fn describe(&self) -> String {
        let (first, second) = (self.first.name(), self.second.name());
        let n = grouped(self.samples as u64);
        let (images, stand, repeat) =
            if self.samples == 1 { ("image", "stands", "repeats") } else { ("images", "stand", "repeat") };
        let what = match self.crosses() {
            true => format!("{n} {images} of {first} {stand} in {second} as well"),
            false => format!("{n} {images} of {first} {repeat} another of its images"),
        };
        match self.other_class {
            0 => what,
            n => format!("{what}, {} of them with another class", grouped(n as u64)),
        }
    }

    /// The example in words: `sample 2 of train is sample 0 of test`, or the files, where they are files.
    pub(crate) fn describe_example(&self, store: &Store) -> String {
        let name = |part: PartName, sample| {
            let (split, index) = store.locate(store.part(part), sample);
            match &split.files {
                Some(files) => show(&files[index]),
                None => format!("sample {sample} of {}", part.name()),
            }
        };
        let [one, other] = self.example;
        format!("{} is {}", name(self.first, one), name(self.second, other))
    }
}

/// Looks at every image of every part once. `same` are two parts that are the same samples on purpose.
pub(crate) fn find(store: &Store, same: Option<[PartName; 2]>) -> Result<Found, Error> {
    let mut seen = Vec::new();
    for part in store.parts() {
        seen.extend(look(store, part)?);
    }
    seen.par_sort_unstable_by(|a, b| (a.hash.as_bytes(), a.part, a.sample).cmp(&(b.hash.as_bytes(), b.part, b.sample)));
    let mut found = Found { copies: Vec::new(), of_train: Vec::new() };
    for alike in seen.chunk_by(|a, b| a.hash == b.hash).filter(|alike| alike.len() > 1) {
        let of_parts: Vec<&[Seen]> = alike.chunk_by(|a, b| a.part == b.part).collect();
        for (index, of_first) in of_parts.iter().enumerate() {
            found.add(&of_first[1..], &of_first[..1]);
            for of_second in &of_parts[index + 1..] {
                if same != Some([of_first[0].part, of_second[0].part]) {
                    found.add(of_first, of_second);
                }
            }
        }
        if alike[0].part == PartName::Train && of_parts.len() > 1 {
            found.of_train.extend(of_parts[0].iter().map(|seen| seen.sample));
        }
    }
    found.copies.sort_by_key(|copies| (copies.first, copies.second));
    found.of_train.sort_unstable();
    Ok(found)
}

impl Found {
    /// Counts samples of which each is a copy of all the others.
    fn add(&mut self, samples: &[Seen], others: &[Seen]) {
        let (Some(sample), Some(other)) = (samples.first(), others.first()) else { return };
        let (first, second) = (sample.part, other.part);
        let at = self.copies.iter().position(|copies| (copies.first, copies.second) == (first, second));
        let at = at.unwrap_or_else(|| {
            let example = [sample.sample, other.sample];
            self.copies.push(Copies { first, second, samples: 0, other_class: 0, example });
            self.copies.len() - 1
        });
        let (low, high) = others.iter().fold((u32::MAX, 0), |(low, high), o| (low.min(o.class), high.max(o.class)));
        let copies = &mut self.copies[at];
        copies.samples += samples.len();
        copies.other_class += samples.iter().filter(|sample| sample.class != low || sample.class != high).count();
        if sample.sample < copies.example[0] {
            copies.example = [sample.sample, other.sample];
        }
    }
}

fn look(store: &Store, part: &Part) -> Result<Vec<Seen>, Error> {
    let hash = |&sample: &u32| {
        let (split, index) = store.locate(part, sample);
        let hash = split.hash(index);
        Seen { hash, part: part.name, sample, class: split.labels[index] }
    };
    Ok(part.indices.par_iter().map(hash).collect())
}
