//! The network as ONNX, and what ONNX Runtime says of it.

use std::path::Path;

use data::{Mode, PartName};
use engine::{Predictions, Variables};
use exporter::{About, OnnxSection, Proof, ProofSection, Prove};
use record::{ProofRecord, RunFile, Verdict};

use super::Prepared;
use crate::failure::Failure;
use crate::library;
use crate::progress::thousands;

/// The bytes of the ONNX file of a run.
pub fn export(
    prepared: &Prepared,
    variables: &Variables,
    options: &OnnxSection,
    run: &RunFile,
) -> Result<Vec<u8>, Failure> {
    let dataset = prepared.dataset.described();
    let fingerprints = &run.fingerprints;
    let fingerprints =
        [("resolved", &fingerprints.resolved), ("data", &fingerprints.data), ("code", &fingerprints.code)];
    let about = About {
        experiment: &run.name,
        run: &run.id,
        dataset: &dataset,
        classes: &prepared.dataset.classes,
        preprocess: &prepared.checked.preprocess,
        fingerprints: &fingerprints.map(|(name, value)| (name.to_string(), value.clone())),
    };
    exporter::document(prepared.network(), variables, options, &about).map_err(Failure::work)
}

/// The proof of an ONNX file over the samples of predictions of a part.
pub fn prove(
    prepared: &Prepared,
    variables: &Variables,
    (options, section): (&OnnxSection, &ProofSection),
    onnx: &[u8],
    part: PartName,
    predictions: &Predictions,
) -> Result<Proof, Failure> {
    let what = Prove {
        library: &library::onnx_runtime().map_err(Failure::Work)?,
        onnx,
        network: prepared.network(),
        variables,
        options,
        section,
        predictions,
        threads: prepared.settings.threads.count(),
    };
    let dataset = &prepared.dataset;
    let mut images = |places: std::ops::Range<usize>| {
        let mut pixels = Vec::new();
        for sample in &predictions.samples[places] {
            let image = dataset.image_for(part, *sample, Mode::Evaluate, 0, 0).map_err(|e| e.to_string())?;
            pixels.extend_from_slice(&image.bytes);
        }
        Ok(pixels)
    };
    exporter::prove(&what, &mut images).map_err(Failure::work)
}

/// The proof as `run.json` keeps it.
pub fn record_of(proof: &Proof) -> ProofRecord {
    ProofRecord {
        verdict: if proof.passed { Verdict::Passed } else { Verdict::Failed },
        max_error: Some(proof.max_error),
        disagreements: Some(proof.disagreements),
        samples: proof.samples,
    }
}

/// `onnx: 10,000 of 10,000 decisions agree, largest difference 3.1e-6`, or what is wrong.
pub fn said_of(proof: &Proof) -> Result<String, Failure> {
    let number = |n: usize| thousands(n as f64);
    let agree = number(proof.samples - proof.disagreements);
    let line = format!(
        "onnx: {agree} of {} decisions agree, largest difference {:.1e}",
        number(proof.samples),
        proof.max_error
    );
    if proof.passed {
        return Ok(line);
    }
    let node = match &proof.first_different_node {
        Some(node) => format!("the first node that differs is `{node}`"),
        None => "no node differs from its definition".to_string(),
    };
    let allowed = format!("allowed are {} other decisions and {:.1e}", proof.allowed_disagreements, proof.tolerance);
    Err(Failure::Proof(format!("{line}; {allowed}; {node}")))
}

/// Whether a path names an ONNX file.
pub fn is_onnx(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "onnx")
}
