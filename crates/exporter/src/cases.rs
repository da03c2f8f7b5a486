//! Every operator with a form in ONNX: its translation in ONNX Runtime against its definition, on the operator's own cases.

use std::path::{Path, PathBuf};

use engine::Variables;
use graph::cases::{Case, Program};
use graph::ops::{Cases, RULES};
use graph::reference::{Tensor, run};
use ndarray::ArrayView4;
use prost::Message;

use crate::proto::{ModelProto, OperatorSetIdProto};
use crate::runtime::Runtime;
use crate::translate::translate;
use crate::words::{Layout, OnnxSection};

/// The library that set-up fetched.
pub(crate) fn library() -> PathBuf {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH") {
        return path.into();
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/onnxruntime");
    let files = std::fs::read_dir(&folder).expect("./bootstrap.sh fetches ONNX Runtime").flatten().map(|e| e.path());
    let is_it = |p: &PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("libonnxruntime."));
    files.filter(is_it).max().expect("./bootstrap.sh fetches ONNX Runtime")
}

/// The arrays of a case's fixed operands.
fn variables(program: &Program) -> Variables {
    let fixed = || program.feed.variables.iter();
    let arrays: Vec<_> = fixed().map(|(path, value)| (path.clone(), value.shape.clone())).collect();
    let mut variables = Variables::new(&arrays);
    for (path, value) in fixed() {
        variables.set(path, &to_f32(&value.data));
    }
    variables
}

fn to_f32(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|x| *x as f32).collect()
}

/// A batched value as ONNX has it: images with channels before rows and columns.
fn turned(tensor: &Tensor, batched: bool) -> Tensor {
    match *tensor.shape.as_slice() {
        [n, height, width, channels] if batched => {
            let view = ArrayView4::from_shape((n, height, width, channels), &tensor.data).unwrap();
            let data = view.permuted_axes([0, 3, 1, 2]).iter().copied().collect();
            Tensor::new(&[n, channels, height, width], data)
        }
        _ => tensor.clone(),
    }
}

/// Whether ONNX Runtime gives what the definition says. Operators on constants only have no input.
fn check(case: &Case, opset: usize) {
    let name = case.op.name();
    let program = case.program();
    let options =
        OnnxSection { opset, fold_batch_norm: false, normalization: true, softmax: false, layout: Layout::Nchw };
    let translated = translate(&program.graph, &variables(&program), &options, ("result", program.result))
        .unwrap_or_else(|why| panic!("{name}: {why}"));
    let (operator, since) = case.op.onnx().expect("only operators of ONNX are tried");
    let operators: Vec<_> = translated.graph.node.iter().filter_map(|node| node.op_type.as_deref()).collect();
    assert!(operators.contains(&operator) && since as usize <= opset, "{name} is no {operator} but {operators:?}");
    let model = ModelProto {
        ir_version: Some(8),
        graph: Some(translated.graph),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(opset as i64) }],
        ..ModelProto::default()
    };
    let mut runtime = Runtime::new(&library(), &model.encode_to_vec(), 1).unwrap_or_else(|e| panic!("{name}: {e}"));
    let inputs: Vec<_> = program.feed.inputs.iter().map(|(name, value)| (name, turned(value, true))).collect();
    let inputs: Vec<_> = inputs.iter().map(|(name, value)| (name, &value.shape, to_f32(&value.data))).collect();
    let inputs: Vec<_> = inputs.iter().map(|(name, dims, data)| (name.as_str(), &dims[..], &data[..])).collect();
    let truth = &run(&program.graph, &program.feed)[program.result];
    let expected = turned(truth, program.graph.shape(program.result).batch);
    let largest = expected.data.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    let compare = &mut |_: &str, found: &[f32]| {
        assert_eq!(found.len(), expected.data.len(), "{name}");
        for (found, expected) in found.iter().zip(&expected.data) {
            // Exact results may still not be numbers of f32.
            let allowed = case.tolerance.max(f64::from(f32::EPSILON)) * largest;
            assert!((f64::from(*found) - expected).abs() <= allowed, "{case:?}: {found} is not {expected}");
        }
    };
    runtime.run(&inputs, compare).unwrap_or_else(|e| panic!("{name}: {e}"));
}

#[test]
fn operators_in_onnx_runtime_agree_with_their_definition() {
    for rule in RULES {
        let Cases::Make(make) = rule.cases else { continue };
        for case in make().iter().filter(|case| case.op.onnx().is_some()) {
            for opset in [17, 21] {
                check(case, opset);
            }
        }
    }
}
