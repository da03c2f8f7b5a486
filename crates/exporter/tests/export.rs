//! Whole files: every option is proven, accepted by the ONNX project's checker, and a changed weight is found.

use std::path::{Path, PathBuf};

use engine::{Feed, Input, Predictions, Program, Settings, Threads, Variables};
use exporter::{
    About, Error, Layout, OnnxModel, OnnxSection, Proof, ProofSamples, ProofSection, Prove, document, prove,
};
use kernels::Isa;
use kernels::input::Normalization;
use model::Network;
use spec::{Faults, Sources};

const N: usize = 40;
const IMAGE: [usize; 3] = [9, 7, 3];

fn library() -> PathBuf {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH") {
        return path.into();
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/onnxruntime");
    let files = std::fs::read_dir(&folder).expect("./bootstrap.sh fetches ONNX Runtime").flatten().map(|e| e.path());
    let is_it = |p: &PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("libonnxruntime."));
    files.filter(is_it).max().expect("./bootstrap.sh fetches ONNX Runtime")
}

const LAYERS: &str = "
- conv2d: {filters: 6, kernel_size: 3, padding: same, bias: false}
- batch_norm
- activation: relu
- conv2d: {filters: 6, kernel_size: [3, 2], stride: [2, 1], padding: same, activation: gelu, name: left}
- max_pool2d: {kernel_size: 3, stride: [2, 1], padding: same, from: activation, name: right}
- add: [left, right]
- pad_channels: 8
- batch_norm
- average_pool2d: {kernel_size: 2, padding: 1}
- dropout: 0.5
- flatten
- activation: silu
- dense: {units: 9, activation: {type: leaky_relu, slope: 0.2}}
- dense: 4";

fn network(layers: &str, normalization: Normalization) -> (Network, Variables) {
    let text = format!("layers:{}", layers.replace('\n', "\n  "));
    network_of(&text, IMAGE, normalization)
}

fn network_of(text: &str, image: [usize; 3], normalization: Normalization) -> (Network, Variables) {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let node = spec::parse("model.yaml", text.as_bytes(), &mut sources, &mut faults).unwrap();
    let node = spec::resolve(&node, &model::MODEL, &mut faults);
    let inputs = model::Inputs { train: Some(image), evaluate: Some(image), n_classes: Some(4) };
    let network = model::check(&node, &inputs, &mut faults);
    let mut network = network.unwrap_or_else(|| panic!("{}", faults.render(&sources, false)));
    network.normalization = normalization;
    let initial = network.initial(5);
    let arrays: Vec<_> = initial.iter().map(|(path, dims, _)| (path.clone(), dims.clone())).collect();
    let mut variables = Variables::new(&arrays);
    for (path, _, mut values) in initial {
        // Norms that do nothing would hide their mistakes.
        if path.contains("batch_norm") {
            values.iter_mut().enumerate().for_each(|(i, x)| *x = 0.5 + 0.1 * (i % 7) as f32);
        }
        variables.set(&path, &values);
    }
    (network, variables)
}

fn affine() -> Normalization {
    Normalization::Affine { scale: vec![0.02, 0.017, 0.015], shift: vec![-2.0, -1.9, 0.5] }
}

fn pixels(image: [usize; 3], samples: std::ops::Range<usize>) -> Vec<u8> {
    let size = image.iter().product::<usize>();
    samples.flat_map(|s| (0..size).map(move |i| ((s * 7919 + i * 104_729) % 251) as u8)).collect()
}

fn predictions(network: &Network, variables: &mut Variables) -> Predictions {
    let settings = Settings {
        isa: Isa::best(),
        threads: Threads::new(1),
        arithmetic: engine::Arithmetic::Accurate,
        keep_all: false,
    };
    let mut program = Program::new(&network.inference(), &settings);
    let (image, samples) = (pixels(network.input, 0..N), (0..N as u32).collect::<Vec<_>>());
    let inputs = [("image", Input::U8(&image))];
    program.run(variables, &Feed { batch: N, inputs: &inputs, seed: 0, epoch: 0, samples: &samples }).unwrap();
    let probabilities = program.output("probabilities").to_vec();
    let labels = samples.iter().map(|s| s % 4).collect();
    Predictions { output: "scores".into(), field: "label".into(), n_classes: 4, samples, labels, probabilities }
}

fn options() -> OnnxSection {
    OnnxSection { opset: 17, fold_batch_norm: true, normalization: false, softmax: false, layout: Layout::Nchw }
}

fn about(classes: &[String]) -> About<'_> {
    About {
        experiment: "test",
        run: "20260101T000000Z-1-abc",
        dataset: "made",
        classes,
        preprocess: "[]",
        fingerprints: &[],
    }
}

fn classes() -> Vec<String> {
    ["ant", "bee", "cat", "dog"].map(String::from).to_vec()
}

fn proof(network: &Network, variables: &mut Variables, options: &OnnxSection, onnx: &[u8]) -> Proof {
    let predictions = predictions(network, variables);
    proof_of(network, variables, options, onnx, &predictions)
}

fn proof_of(
    network: &Network,
    variables: &Variables,
    options: &OnnxSection,
    onnx: &[u8],
    predictions: &Predictions,
) -> Proof {
    try_proof(network, variables, options, onnx, predictions).unwrap()
}

fn try_proof(
    network: &Network,
    variables: &Variables,
    options: &OnnxSection,
    onnx: &[u8],
    predictions: &Predictions,
) -> Result<Proof, Error> {
    let section =
        ProofSection { samples: ProofSamples::All, batch_sizes: vec![1, 7, 32], tolerance: 1e-5, disagreements: 0 };
    let what =
        Prove { library: &library(), onnx, network, variables, options, section: &section, predictions, threads: 1 };
    prove(&what, &mut |range| Ok(pixels(network.input, range)))
}

#[test]
fn every_option_gives_a_file_that_decides_alike_and_passes_the_full_checker() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (index, normalization) in [affine(), Normalization::PerImage].into_iter().enumerate() {
        let (network, mut variables) = network(LAYERS, normalization);
        for opset in [17, 21] {
            for bits in 0..16 {
                let flag = |bit: u32| bits >> bit & 1 == 1;
                let options = OnnxSection {
                    opset,
                    fold_batch_norm: flag(0),
                    normalization: flag(1),
                    softmax: flag(2),
                    layout: if flag(3) { Layout::Nhwc } else { Layout::Nchw },
                };
                let onnx = document(&network, &variables, &options, &about(&classes())).unwrap();
                let proof = proof(&network, &mut variables, &options, &onnx);
                assert!(proof.passed, "{options:?}: {proof:?}");
                assert_eq!((proof.samples, proof.latency.len(), proof.accuracy_onnx), (N, 3, proof.accuracy_engine));
                let file = folder.path().join(format!("{index}-{opset}-{bits}.onnx"));
                std::fs::write(&file, onnx).unwrap();
                files.push(file);
            }
        }
    }
    full_check(&files);
}

#[test]
fn presets_decide_alike() {
    for (preset, image) in [("lenet5", [32, 32, 1]), ("resnet20", [32, 32, 3])] {
        let normalization = Normalization::Affine { scale: vec![0.02; image[2]], shift: vec![-1.5; image[2]] };
        let (network, mut variables) = network_of(&format!("preset: {preset}"), image, normalization);
        for fold_batch_norm in [true, false] {
            let options = OnnxSection { fold_batch_norm, ..options() };
            let onnx = document(&network, &variables, &options, &about(&classes())).unwrap();
            let proof = proof(&network, &mut variables, &options, &onnx);
            assert!(proof.passed, "{preset}: {proof:?}");
        }
    }
}

/// What the Python package `onnx`, which `./bootstrap.sh --tests` fetches, says of files.
fn python(script: &str, files: &[PathBuf]) -> String {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/python");
    let mut python = std::process::Command::new("python3");
    let output = python.env("PYTHONPATH", packages).args(["-c", script]).args(files).output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn full_check(files: &[PathBuf]) {
    let checked = "import sys, onnx
for path in sys.argv[1:]:
    onnx.checker.check_model(path, full_check=True)
    print(path)";
    assert_eq!(python(checked, files).lines().count(), files.len());
}

#[test]
fn others_read_what_a_file_says_of_itself() {
    let (network, variables) = network(LAYERS, affine());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.onnx");
    let classes = classes();
    let fingerprints = [("data".to_string(), "f00d".to_string())];
    let about = About { fingerprints: &fingerprints, preprocess: "- grayscale\n", ..about(&classes) };
    std::fs::write(&file, document(&network, &variables, &options(), &about).unwrap()).unwrap();
    let said = python(
        "import sys, onnx, json
model = onnx.load(sys.argv[1])
for value in list(model.graph.input) + list(model.graph.output):
    print(value.name, [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim])
print([node.name for node in model.graph.node][:4])
words = {entry.key: entry.value for entry in model.metadata_props}
for key in ['experiment', 'run', 'dataset', 'classes', 'preprocess', 'normalization', 'fingerprint/data']:
    print(key, repr(words[key]))",
        &[file],
    );
    let expected = r#"image ['batch', 3, 9, 7]
scores ['batch', 4]
['conv2d/Conv', 'activation/Relu', 'left/Conv', 'left/Div']
experiment 'test'
run '20260101T000000Z-1-abc'
dataset 'made'
classes '["ant","bee","cat","dog"]'
preprocess '- grayscale\n'
normalization '{"affine":{"scale":[0.02,0.017,0.015],"shift":[-2.0,-1.9,0.5]}}'
fingerprint/data 'f00d'
"#;
    assert_eq!(said, expected);
}

#[test]
fn a_file_is_read_back_with_all_that_it_says_of_itself() {
    let (network, variables) = network(LAYERS, affine());
    let onnx = document(&network, &variables, &options(), &about(&classes())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.onnx");
    std::fs::write(&file, &onnx).unwrap();
    let mut read = OnnxModel::open(&library(), &file, 1).unwrap();
    assert_eq!((read.classes(), read.input(), read.preprocess()), (&classes()[..], IMAGE, "[]"));
    assert_eq!(read.run(), "20260101T000000Z-1-abc");
    let probabilities = read.probabilities(2, &pixels(IMAGE, 0..2)).unwrap();
    assert!((probabilities.iter().sum::<f32>() - 2.0).abs() < 1e-5);
}

/// The file of a network in which one number of one array is another.
fn changed(network: &Network, variables: &Variables, options: &OnnxSection, path: &str, by: f32) -> Vec<u8> {
    let mut other = variables.clone();
    let mut values = other.value(path).unwrap().to_vec();
    values[1] += by;
    other.set(path, &values);
    document(network, &other, options, &about(&classes())).unwrap()
}

#[test]
fn a_changed_weight_fails_the_proof_and_the_node_is_named() {
    let (network, mut variables) = network(LAYERS, affine());
    let nchw = options();
    let nhwc = OnnxSection { layout: Layout::Nhwc, ..nchw.clone() };
    let pixels = OnnxSection { normalization: true, softmax: true, ..nchw.clone() };
    let unfolded = OnnxSection { fold_batch_norm: false, ..nchw.clone() };
    for (options, path, node) in [
        (&nchw, "left/kernel", "left/Conv"),
        (&nchw, "batch_norm/offset", "conv2d/Conv"),
        (&unfolded, "batch_norm/offset", "batch_norm/BatchNormalization"),
        (&nhwc, "left/kernel", "left/Conv"),
        (&nhwc, "dense/kernel", "dense/Gemm"),
        (&pixels, "batch_norm_2/running_mean", "batch_norm_2/BatchNormalization"),
        (&pixels, "dense_2/bias", "dense_2/Gemm"),
    ] {
        let onnx = changed(&network, &variables, options, path, 3.0);
        let proof = proof(&network, &mut variables, options, &onnx);
        assert!(!proof.passed && proof.max_error > 1e-3, "{path}: {proof:?}");
        assert!(proof.first_different_node.as_deref().unwrap().starts_with(node), "{path}: {proof:?}");
    }
}

#[test]
fn what_is_not_a_number_fails_the_proof_and_can_be_kept() {
    let (network, mut variables) = network(LAYERS, affine());
    let onnx = changed(&network, &variables, &options(), "left/kernel", f32::NAN);
    let proof = proof(&network, &mut variables, &options(), &onnx);
    assert!(!proof.passed && proof.max_error.is_infinite(), "{proof:?}");
    assert_eq!(proof.first_different_node.as_deref(), Some("left/Conv"));
    let json = serde_json::to_string(&proof).unwrap();
    let kept: Proof = serde_json::from_str(&json).unwrap();
    assert_eq!((kept.max_error, kept.mean_error), (proof.max_error, proof.mean_error), "{json}");
    assert_eq!((proof.disagreements, proof.accuracy_onnx), (N, 0.0), "no decision is right by chance");
}

#[test]
fn an_engine_that_strays_is_caught_and_no_node_is_blamed() {
    let (network, mut variables) = network(LAYERS, affine());
    let onnx = document(&network, &variables, &options(), &about(&classes())).unwrap();
    let mut predictions = predictions(&network, &mut variables);
    let last = predictions.probabilities.len() - 4;
    predictions.probabilities[last..].rotate_right(1);
    let found = proof_of(&network, &variables, &options(), &onnx, &predictions);
    assert_eq!((found.passed, found.disagreements, found.first_different_node), (false, 1, None));
}

#[test]
fn a_file_of_other_options_than_said_is_judged_all_the_same() {
    let (network, mut variables) = network(LAYERS, affine());
    let other = OnnxSection { fold_batch_norm: false, normalization: true, softmax: true, ..options() };
    let onnx = document(&network, &variables, &other, &about(&classes())).unwrap();
    assert!(proof(&network, &mut variables, &options(), &onnx).passed);
    let onnx = changed(&network, &variables, &other, "left/kernel", 3.0);
    assert!(!proof(&network, &mut variables, &options(), &onnx).passed);
}

#[test]
fn a_file_of_another_network_is_one_clear_line() {
    let (small, mut variables) = network(LAYERS, affine());
    let (other, others) = network_of("layers: [flatten, dense: 4]", [9, 6, 3], affine());
    let onnx = document(&other, &others, &options(), &about(&classes())).unwrap();
    let predictions = predictions(&small, &mut variables);
    let error = try_proof(&small, &variables, &options(), &onnx, &predictions).unwrap_err().to_string();
    let said = "it takes images 9 x 6 x 3 to 4 classes, the network images 9 x 7 x 3 to 4 classes";
    assert_eq!(error, format!("the exported file cannot be proven: {said}"));
}

#[test]
fn what_is_no_file_of_ours_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.onnx");
    let said = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        let Err(error) = OnnxModel::open(&library(), &file, 1) else { panic!("it opened") };
        error.to_string().replace(&file.display().to_string(), "x.onnx")
    };
    assert_eq!(said(b"garbage"), "x.onnx: it is no ONNX file, or a damaged one");
    assert_eq!(said(b""), "x.onnx: it was not written by etalon: it lacks our metadata");
    let (network, variables) = network(LAYERS, affine());
    let onnx = document(&network, &variables, &options(), &about(&classes())).unwrap();
    let cut = said(&onnx[..onnx.len() / 2]);
    assert!(cut.lines().count() == 1, "{cut}");
    let nowhere = OnnxModel::open(&library(), Path::new("/nowhere.onnx"), 1).err().unwrap().to_string();
    assert!(nowhere.starts_with("/nowhere.onnx: "), "{nowhere}");
}
