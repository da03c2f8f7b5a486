//! Checkpoints: numbers by path as safetensors, and beside them what else is needed to go on.
//!
//! The file's only metadata entry, `etalon`, is JSON: the state that the writer handed over (position, counters, best so
//! far) and a BLAKE3 of state and numbers, so that a flipped bit is found. Fractions in the state come back to the bit. Equal
//! contents give equal files.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors, View};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::number::{fractions_to_text, text_to_fractions};
use crate::{Error, Result, whole};

/// Larger than any checkpoint that fits into memory here.
const LIMIT: u64 = 64 << 30;

/// The metadata's one entry.
const ENTRY: &str = "etalon";

const REMEDY: &str = "use another checkpoint, or start the run again";

/// A checkpoint that was read.
#[derive(Debug)]
pub struct Checkpoint<S> {
    /// What was saved beside the numbers.
    pub state: S,
    path: PathBuf,
    tensors: BTreeMap<String, Tensor>,
}

/// Numbers with their shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub dims: Vec<usize>,
    pub values: Vec<f32>,
}

/// Writes a checkpoint whole. The state's fractions must be finite: JSON has no others.
pub fn save<'a, S: Serialize>(
    path: &Path,
    tensors: impl IntoIterator<Item = (&'a str, &'a [usize], &'a [f32])>,
    state: &S,
) -> Result<()> {
    let tensors: BTreeMap<&str, Numbers<'_>> =
        tensors.into_iter().map(|(name, dims, values)| (name, Numbers { dims, values })).collect();
    let state = serde_json::to_value(state).expect("a state of numbers, text, lists and named fields");
    let state = fractions_to_text(state);
    let hash = hash(&state, tensors.iter().map(|(name, t)| (*name, t.dims, t.values)));
    let entry = json!({ "state": state, "blake3": hash }).to_string();
    let metadata = HashMap::from([(ENTRY.to_string(), entry)]);
    let bytes = safetensors::serialize(tensors, Some(metadata)).expect("shapes agree with their numbers");
    whole::write(path, &bytes)
}

/// Reads a checkpoint.
pub fn load<S: DeserializeOwned>(path: &Path) -> Result<Checkpoint<S>> {
    let bytes = whole::read(path, LIMIT)?;
    let damaged = |why: &dyn std::fmt::Display| Error::damaged(path, why, REMEDY);
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(&e))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| damaged(&e))?;
    let entry = header.metadata().as_ref().and_then(|m| m.get(ENTRY));
    let entry = entry.ok_or_else(|| damaged(&"it was not written by etalon"))?;
    let mut entry: Value = serde_json::from_str(entry).map_err(|e| damaged(&e))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(damaged(&format_args!("`{name}` holds {:?} where F32 is expected", view.dtype())));
        }
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        tensors.insert(name.to_string(), Tensor { dims: view.shape().to_vec(), values });
    }
    let state = entry["state"].take();
    if entry["blake3"] != hash(&state, tensors.iter().map(|(name, t)| (name.as_str(), &t.dims[..], &t.values[..]))) {
        return Err(damaged(&"it holds other numbers than were written"));
    }
    let state = serde_json::from_value(text_to_fractions(state)).map_err(|e| damaged(&e))?;
    Ok(Checkpoint { state, path: path.to_path_buf(), tensors })
}

impl<S> Checkpoint<S> {
    /// The numbers of this path, which must have this shape.
    pub fn tensor(&self, path: &str, dims: &[usize]) -> Result<&[f32]> {
        let other = |why: String| {
            Error::plain(format!(
                "{} does not fit: {why}; it belongs to another model, use a run of this one",
                crate::error::show(&self.path)
            ))
        };
        let tensor = self.tensors.get(path).ok_or_else(|| other(format!("it has no `{path}`")))?;
        match tensor.dims == dims {
            true => Ok(&tensor.values),
            false => Err(other(format!("`{path}` is {:?}, {dims:?} is expected", tensor.dims))),
        }
    }

    /// All numbers by path.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }
}

/// Numbers as safetensors wants to see them.
struct Numbers<'a> {
    dims: &'a [usize],
    values: &'a [f32],
}

impl View for Numbers<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.dims
    }

    fn data(&self) -> Cow<'_, [u8]> {
        little_endian(self.values)
    }

    fn data_len(&self) -> usize {
        size_of_val(self.values)
    }
}

fn little_endian(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        Cow::Borrowed(bytemuck::cast_slice(values))
    } else {
        Cow::Owned(values.iter().flat_map(|x| x.to_le_bytes()).collect())
    }
}

/// One hash over the state and over names, shapes and numbers in the order of names.
fn hash<'a>(state: &Value, tensors: impl Iterator<Item = (&'a str, &'a [usize], &'a [f32])>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(state.to_string().as_bytes());
    for (name, dims, values) in tensors {
        // Lengths before contents: no two lists of tensors give the same bytes.
        for length in [name.len(), dims.len(), values.len()].iter().chain(dims) {
            hasher.update(&(*length as u64).to_le_bytes());
        }
        hasher.update(name.as_bytes());
        hasher.update(&little_endian(values));
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct State {
        epoch: usize,
        steps: u64,
        best: Option<f64>,
        rates: Vec<f64>,
    }

    fn state(best: f64) -> State {
        State { epoch: 3, steps: u64::MAX, best: Some(best), rates: vec![best, 1.0, -0.0] }
    }

    const KERNEL: [f32; 6] = [1.0, -2.0, f32::MIN_POSITIVE, f32::NAN, f32::INFINITY, 0.1];

    fn saved(folder: &Path, best: f64) -> PathBuf {
        let path = folder.join("last.safetensors");
        let tensors: [(&str, &[usize], &[f32]); 3] =
            [("dense/kernel", &[2, 3], &KERNEL), ("adam/dense/kernel", &[1], &[7.0]), ("empty", &[0], &[])];
        save(&path, tensors, &state(best)).unwrap();
        path
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|x| x.to_bits()).collect()
    }

    #[test]
    fn what_is_saved_comes_back_to_the_bit_and_equal_contents_are_equal_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = saved(folder.path(), 0.1);
        let read: Checkpoint<State> = load(&path).unwrap();
        assert_eq!(bits(read.tensor("dense/kernel", &[2, 3]).unwrap()), bits(&KERNEL));
        assert_eq!(read.state, state(0.1));
        assert_eq!(read.tensors().len(), 3);
        let first = std::fs::read(&path).unwrap();
        assert_eq!(first, std::fs::read(saved(folder.path(), 0.1)).unwrap());
    }

    proptest! {
        #[test]
        fn fractions_of_the_state_come_back_to_the_bit(best in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            let folder = tempfile::tempdir().unwrap();
            let read: Checkpoint<State> = load(&saved(folder.path(), best)).unwrap();
            prop_assert_eq!(read.state.best.unwrap().to_bits(), best.to_bits());
        }

        #[test]
        fn garbage_is_an_error_of_one_line(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("last.safetensors");
            std::fs::write(&path, bytes).unwrap();
            let error = load::<State>(&path).unwrap_err().to_string();
            prop_assert!(error.contains("is damaged: ") && !error.contains('\n'), "{}", error);
        }

        #[test]
        fn a_file_cut_short_or_with_a_flipped_bit_is_an_error(at in any::<prop::sample::Index>(), cut in any::<bool>()) {
            let folder = tempfile::tempdir().unwrap();
            let path = saved(folder.path(), 0.1);
            let mut bytes = std::fs::read(&path).unwrap();
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= 1 }
            std::fs::write(&path, bytes).unwrap();
            prop_assert!(load::<State>(&path).is_err());
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let read: Checkpoint<State> = load(&saved(folder.path(), 0.1)).unwrap();
        let error = read.tensor("dense/bias", &[3]).unwrap_err().to_string();
        assert!(error.contains("last.safetensors does not fit: it has no `dense/bias`; it belongs"), "{error}");
        let error = read.tensor("dense/kernel", &[3, 2]).unwrap_err().to_string();
        assert!(error.contains("`dense/kernel` is [2, 3], [3, 2] is expected"), "{error}");
    }

    #[test]
    fn a_foreign_or_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.safetensors");
        let error = load::<State>(&path).unwrap_err().to_string();
        assert!(error.ends_with("other.safetensors: no such file or directory; check the path"), "{error}");
        let numbers = Numbers { dims: &[1], values: &[1.0] };
        std::fs::write(&path, safetensors::serialize([("x", numbers)], None).unwrap()).unwrap();
        let error = load::<State>(&path).unwrap_err().to_string();
        assert!(error.contains("is damaged: it was not written by etalon; use another checkpoint"), "{error}");
    }
}
