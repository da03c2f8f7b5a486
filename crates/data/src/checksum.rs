//! Checksums of files, and the fingerprint of what was read.

use std::collections::BTreeMap;

use md5::Md5;
use rayon::prelude::*;
use sha2::Sha256;
use sha2::digest::Digest;

use crate::card_words::{Hex, Named};
use crate::stored::{Images, Published, Split};

/// How much of the pixels is hashed at a time, so that threads share the work. Part of the fingerprint's definition.
const PIECE: usize = 1 << 22;

/// SHA-256 in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// MD5 in hexadecimal digits.
pub(crate) fn md5(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

/// Hexadecimal digits of bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The checksums that a card knows of its files, by their names.
pub(crate) struct Sums<'a> {
    pub sha256: &'a Named<Hex<64>>,
    pub md5: &'a Named<Hex<32>>,
}

impl Sums<'_> {
    /// Whether a file is the published one, by each checksum that the card has for it.
    pub fn check(&self, name: &str, bytes: &[u8]) -> Published {
        let sha256 = self.sha256.find(name).map(|sum| sum.0 == self::sha256(bytes));
        let md5 = self.md5.find(name).map(|sum| sum.0 == self::md5(bytes));
        match (sha256, md5) {
            (None, None) => Published::NotChecked,
            (Some(false), _) | (_, Some(false)) => Published::Differs,
            (Some(true), _) | (_, Some(true)) => Published::Yes,
        }
    }
}

impl Published {
    /// Of all files together: one that differs makes the whole differ, one that is not checked leaves it open.
    pub(crate) fn all(each: impl IntoIterator<Item = Published>) -> Published {
        each.into_iter().fold(Published::Yes, |all, one| match (all, one) {
            (Published::Differs, _) | (_, Published::Differs) => Published::Differs,
            (Published::NotChecked, _) | (_, Published::NotChecked) => Published::NotChecked,
            (Published::Yes, Published::Yes) => Published::Yes,
        })
    }
}

/// BLAKE3 over the splits: for each in the order of their names its name, shape, labels and pixels, whatever files these
/// came from. Splits of files are given as the hashes of their files, see [`of_files`].
pub(crate) fn of_memory(splits: &BTreeMap<String, Split>) -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, split) in splits {
        text(&mut hasher, name);
        hasher.update(&(split.len() as u64).to_le_bytes());
        split.labels.iter().for_each(|label| {
            hasher.update(&label.to_le_bytes());
        });
        if let Images::Memory { shape, bytes } = &split.images {
            shape.iter().for_each(|size| {
                hasher.update(&(*size as u64).to_le_bytes());
            });
            let pieces: Vec<blake3::Hash> = bytes.par_chunks(PIECE).map(blake3::hash).collect();
            pieces.iter().for_each(|piece| {
                hasher.update(piece.as_bytes());
            });
        }
    }
    hasher.finalize().to_hex().to_string()
}

/// BLAKE3 over files: each one's name within the dataset and the BLAKE3 of its bytes.
pub(crate) fn of_files<'a>(files: impl IntoIterator<Item = (&'a str, blake3::Hash)>) -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, hash) in files {
        text(&mut hasher, name);
        hasher.update(hash.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// A fingerprint of what has this one together with some numbers, of which `what` says what they are.
pub(crate) fn with(fingerprint: &str, what: &str, numbers: impl Iterator<Item = u64>) -> String {
    let mut hasher = blake3::Hasher::new();
    text(&mut hasher, fingerprint);
    text(&mut hasher, what);
    numbers.for_each(|number| {
        hasher.update(&number.to_le_bytes());
    });
    hasher.finalize().to_hex().to_string()
}

fn text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}
