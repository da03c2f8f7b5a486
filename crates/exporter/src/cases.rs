//! Every operator with a form in ONNX: its translation in ONNX Runtime against its definition, on the operator's own cases.

use std::path::{Path, PathBuf};

use engine::Variables;
use graph::ops::RULES;
use graph::reference::{Feed, Tensor, run};
use graph::{Graph, NodeId, Op};
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

/// A case with its only batched operand as the image, the others as variables; none for cases of two.
struct One {
    graph: Graph,
    result: NodeId,
    variables: Variables,
    feed: Feed,
    image: Tensor,
}

fn one(case: &graph::cases::Case) -> Option<One> {
    let program = case.program();
    let (mut g, mut feed) = (Graph::new(), Feed::new(case.batch));
    let (mut operands, mut arrays, mut image) = (Vec::new(), Vec::new(), None);
    for (index, &id) in program.operands.iter().enumerate() {
        let node = program.graph.node(id);
        let name = format!("operand_{index}");
        let value = program.feed.inputs.get(&name).or_else(|| program.feed.variables.get(&name))?.clone();
        if node.shape.batch && image.is_none() {
            operands.push(g.input("image", node.shape.clone(), node.dtype));
            feed.inputs.insert("image".into(), value.clone());
            image = Some(value);
        } else if node.shape.batch {
            return None;
        } else {
            operands.push(g.variable(&name, &node.shape.dims));
            feed.variables.insert(name.clone(), value.clone());
            arrays.push((name, node.shape.dims.clone(), value));
        }
    }
    let result = g.push(case.op.clone(), &operands);
    let named: Vec<_> = arrays.iter().map(|(name, dims, _)| (name.clone(), dims.clone())).collect();
    let mut variables = Variables::new(&named);
    for (name, _, value) in &arrays {
        variables.set(name, &value.data.iter().map(|x| *x as f32).collect::<Vec<_>>());
    }
    Some(One { graph: g, result, variables, feed, image: image? })
}

fn turned(tensor: &Tensor, order: [usize; 4]) -> Vec<f64> {
    match *tensor.shape.as_slice() {
        [n, a, b, c] => {
            let view = ArrayView4::from_shape((n, a, b, c), &tensor.data).unwrap();
            view.permuted_axes(order).iter().copied().collect()
        }
        _ => tensor.data.clone(),
    }
}

#[test]
fn operators_in_onnx_runtime_agree_with_their_definition() {
    let options =
        OnnxSection { opset: 17, fold_batch_norm: false, normalization: true, softmax: false, layout: Layout::Nchw };
    let mut tried = std::collections::BTreeSet::new();
    for case in RULES
        .iter()
        .filter_map(|rule| match rule.cases {
            graph::ops::Cases::Make(make) => Some(make()),
            graph::ops::Cases::None(_) => None,
        })
        .flatten()
        .filter(|case| case.op.onnx().is_some() && case.op != Op::StackRows)
    {
        let Some(one) = one(&case) else { continue };
        let name = case.op.name();
        let translated = translate(&one.graph, &one.variables, &options, ("result", one.result))
            .unwrap_or_else(|why| panic!("{name}: {why}"));
        let model = ModelProto {
            ir_version: Some(8),
            graph: Some(translated.graph),
            opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(17) }],
            ..ModelProto::default()
        };
        let mut runtime = Runtime::new(&library(), &model.encode_to_vec(), 1).unwrap_or_else(|e| panic!("{name}: {e}"));
        let numbers: Vec<f32> = turned(&one.image, [0, 3, 1, 2]).into_iter().map(|x| x as f32).collect();
        let mut dims = one.image.shape.clone();
        if let [n, h, w, c] = *dims.as_slice() {
            dims = vec![n, c, h, w];
        }
        let truth = run(&one.graph, &one.feed)[one.result].clone();
        let expected = turned(&truth, [0, 3, 1, 2]);
        let scale = expected.iter().fold(1e-3, |scale: f64, x| scale.max(x.abs()));
        runtime
            .run(&dims, &numbers, &mut |_, found| {
                assert_eq!(found.len(), expected.len(), "{name}");
                for (found, expected) in found.iter().zip(&expected) {
                    assert!((f64::from(*found) - expected).abs() <= 1e-5 * scale, "{name}: {found} is not {expected}");
                }
            })
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        tried.insert(name);
    }
    for name in [
        "conv2d",
        "dense",
        "batch_norm",
        "max_pool2d",
        "average_pool2d",
        "gelu",
        "silu",
        "softmax",
        "normalize",
        "pad_channels",
    ] {
        assert!(tried.contains(name), "{name} was not tried: {tried:?}");
    }
}
