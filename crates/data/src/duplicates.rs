//! Images that stand in training and in validation or test: what is learned by heart there is no skill.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use crate::dataset::Store;
use crate::error::grouped;
use crate::words::Duplicates;
use crate::{Error, Part, PartName};

/// Two samples with the same image, byte by byte (pixels in memory, or whole files).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The sample of training.
    pub train: u32,
    /// The part of the other one.
    pub part: PartName,
    /// The other one.
    pub sample: u32,
}

/// All of them, in the order of training.
pub(crate) fn find(store: &Store) -> Result<Vec<Duplicate>, Error> {
    let Some(train) = store.find_part(PartName::Train) else { return Ok(Vec::new()) };
    let mut held = HashMap::new();
    for name in [PartName::Validation, PartName::Test] {
        if let Some(part) = store.find_part(name) {
            held.extend(hashes(store, part)?.into_iter().map(|(sample, hash)| (hash, (name, sample))));
        }
    }
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let found =
        |(train, hash): (u32, blake3::Hash)| held.get(&hash).map(|&(part, sample)| Duplicate { train, part, sample });
    Ok(hashes(store, train)?.into_iter().filter_map(found).collect())
}

fn hashes(store: &Store, part: &Part) -> Result<Vec<(u32, blake3::Hash)>, Error> {
    let hash = |&sample: &u32| {
        let (split, index) = store.locate(part, sample);
        let hash = match (split.in_memory(index), &split.files) {
            (Some((_, bytes)), _) => blake3::hash(bytes),
            (None, Some(files)) => {
                let bytes = std::fs::read(&files[index]);
                blake3::hash(&bytes.map_err(|e| Error::refused("read", &files[index], e))?)
            }
            (None, None) => unreachable!("images that are not in memory are files"),
        };
        Ok((sample, hash))
    };
    part.indices.par_iter().map(hash).collect()
}

/// Does what the file says about them.
pub(crate) fn act(
    name: &str,
    what: Duplicates,
    duplicates: &[Duplicate],
    parts: &mut BTreeMap<PartName, Part>,
) -> Result<(), Error> {
    let Some(first) = duplicates.first() else { return Ok(()) };
    match what {
        Duplicates::Report => Ok(()),
        Duplicates::Refuse => {
            let n = grouped(duplicates.len() as u64);
            let Duplicate { train, part, sample } = first;
            let example = format!("sample {train} of train is sample {sample} of {}", part.name());
            Err(Error::plain(format!(
                "{name} is refused: {n} images stand in train and in another part, {example}; `duplicates: drop` leaves them out of train"
            )))
        }
        Duplicates::Drop => {
            let train = parts.get_mut(&PartName::Train).expect("duplicates are of train");
            train.indices.retain(|sample| duplicates.binary_search_by_key(sample, |d| d.train).is_err());
            if train.indices.is_empty() {
                return Err(Error::plain(format!(
                    "{name} has nothing to train on: every image stands in another part"
                )));
            }
            Ok(())
        }
    }
}
