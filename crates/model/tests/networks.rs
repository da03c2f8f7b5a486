//! Networks from their words: parameter counts of the papers, shapes, graphs, names, and what is said of wrong ones.

use graph::reference::{Feed, Tensor, run};
use model::{Inputs, MODEL, Mode, Network, check};
use proptest::prelude::*;
use spec::{Faults, Sources};

fn read(yaml: &str, image: [usize; 3], n_classes: usize) -> Result<Network, String> {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let parsed = spec::parse("model.yaml", yaml.as_bytes(), &mut sources, &mut faults);
    let network = parsed.and_then(|node| {
        let node = spec::resolve(&node, &MODEL, &mut faults);
        let inputs = Inputs { train: Some(image), evaluate: Some(image), n_classes: Some(n_classes) };
        check(&node, &inputs, &mut faults)
    });
    match network {
        Some(network) if faults.is_empty() => Ok(network),
        _ => Err(faults.render(&sources, false)),
    }
}

#[track_caller]
fn network(yaml: &str, image: [usize; 3], n_classes: usize) -> Network {
    read(yaml, image, n_classes).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn presets_have_the_parameters_of_their_papers() {
    // He et al. 2015, table 6 gives 0.27, 0.46, 0.66 and 0.85 million; the exact counts follow from section 4.2.
    for (name, image, count) in [
        ("resnet20", [32, 32, 3], 269_722),
        ("resnet32", [32, 32, 3], 464_154),
        ("resnet44", [32, 32, 3], 658_586),
        ("resnet56", [32, 32, 3], 853_018),
        ("lenet5", [28, 28, 1], 61_706),
    ] {
        assert_eq!(network(&format!("{{preset: {name}}}"), image, 10).n_trainable(), count, "{name}");
    }
}

#[test]
fn the_normal_form_keeps_what_defaults_say() {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let node = spec::parse("model.yaml", RESIDUAL.as_bytes(), &mut sources, &mut faults).unwrap();
    let normal = spec::to_yaml(&spec::normalize(&node, &MODEL));
    assert_eq!(network(&normal, [8, 8, 3], 5).layers, network(RESIDUAL, [8, 8, 3], 5).layers);
}

#[test]
fn the_resolved_network_is_the_same_network() {
    for preset in ["{preset: lenet5}", "{layers: [flatten, dense: $classes]}"] {
        let (mut sources, mut faults) = (Sources::new(), Faults::new());
        let node = spec::parse("model.yaml", preset.as_bytes(), &mut sources, &mut faults).unwrap();
        let resolved = spec::to_yaml(&spec::resolve(&node, &MODEL, &mut faults));
        assert_eq!(network(&resolved, [28, 28, 1], 10).layers, network(preset, [28, 28, 1], 10).layers);
    }
}

const RESIDUAL: &str = "
defaults: {conv2d: {padding: same, bias: false, init: {kernel: he_normal}}}
blocks:
  residual:
    parameters: {filters: required, stride: 1, project: false, norm: batch_norm}
    layers:
      - conv2d: {filters: $filters, kernel_size: 3, stride: $stride}
      - $norm
      - activation: relu
      - conv2d: {filters: $filters, kernel_size: 3}
      - batch_norm: {name: main}
      - conv2d: {filters: $filters, kernel_size: 1, stride: $stride, from: input, when: $project}
      - batch_norm: {name: shortcut, when: $project}
      - add: [main, shortcut]
      - activation: {type: leaky_relu, slope: 0.1}
layers:
  - conv2d: {filters: 4, kernel_size: 3}
  - residual: {filters: 4, name: stage1}
  - residual: {filters: 8, repeat: {stride: [2, 1], project: [true, false]}, name: stage2}
  - global_average_pool2d
  - dropout: 0.5
  - dense: $classes
";

#[test]
fn blocks_unfold_into_paths_and_leave_out_what_is_not_there() {
    let network = network(RESIDUAL, [8, 8, 3], 5);
    let paths: Vec<&str> = network.layers.iter().map(|layer| layer.path.as_str()).collect();
    assert!(paths.contains(&"stage1/main") && paths.contains(&"stage2/0/shortcut") && paths.contains(&"stage2/1/add"));
    assert!(!paths.iter().any(|path| path.starts_with("stage2/1/shortcut") || path.starts_with("stage1/shortcut")));
    let shape = |path: &str| network.layers.iter().find(|layer| layer.path == path).unwrap().output.clone();
    assert_eq!((shape("stage2/0/add"), shape("dense")), (vec![4, 4, 8], vec![5]));
    assert!(network.parameters.iter().all(|p| p.path != "conv2d/bias"), "the model's defaults hold");
}

#[test]
fn the_graph_computes_probabilities_and_training_follows_the_batch() {
    let network = network(RESIDUAL, [8, 8, 3], 5);
    let g = network.inference();
    graph::verify(&g).unwrap();
    let mut feed = Feed::new(3);
    feed.inputs.insert("image".into(), Tensor::new(&[3, 8, 8, 3], (0..576).map(|i| f64::from(i * 37 % 256)).collect()));
    for (path, dims, values) in network.initial(1) {
        feed.variables.insert(path, Tensor::new(&dims, values.into_iter().map(f64::from).collect()));
    }
    let values = run(&g, &feed);
    for row in values.output(&g, "probabilities").rows(5) {
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12 && row.iter().all(|p| *p > 0.0));
    }
    let mut g = graph::Graph::new();
    let pixels = g.input("image", graph::Shape::batched(&[8, 8, 3]), graph::DType::U8);
    let forward = network.forward(&mut g, pixels, &|g, p| g.variable(&p.path, &p.dims), Mode::Train);
    let norms = network.layers.iter().filter(|layer| layer.kind == "batch_norm").count();
    assert_eq!(forward.running.len(), 2 * norms);
}

#[test]
fn initial_weights_do_not_depend_on_other_layers() {
    let of = |layers: &str| {
        let network = network(&format!("layers: [{layers}]"), [4, 4, 1], 3);
        network.initial(7).into_iter().find(|(path, ..)| path == "dense/kernel").unwrap().2
    };
    assert_eq!(of("flatten, dense: 3"), of("flatten, dropout: 0.5, dense: 3"));
}

#[test]
fn same_padding_gives_the_ceiling() {
    for (size, kernel, stride) in [(7, 3, 2), (8, 3, 2), (5, 2, 3), (1, 5, 1), (9, 4, 4)] {
        let yaml = format!(
            "layers: [conv2d: {{filters: 2, kernel_size: {kernel}, stride: {stride}, padding: same}}, flatten, dense: 2]"
        );
        let shape = network(&yaml, [size, size, 1], 2).layers[0].output.clone();
        assert_eq!(shape, [size.div_ceil(stride), size.div_ceil(stride), 2]);
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_a_way_out() {
    let mut all = String::new();
    for yaml in [
        "layers: [conv2d: {filters: 8, kernel_size: 3}, dense: 10]",
        "layers: [conv2d: {filters: 8, kernel_size: 40}, flatten, dense: 10]",
        "layers: [flatten, dense: 12]",
        "layers: [flatten, dens: 10]",
        "layers: [flatten, dense: $clases]",
        "layers: [{conv2d: {filters: 8, kernel_size: 3, name: a}}, {flatten: {from: b}}, {dense: 10}]",
        "layers: [{dense: {units: 3, from: input}}]",
        "layers: [flatten, {dense: {units: 5, name: unread}}, {dense: {units: 10, from: flatten}}]",
        "{blocks: {twice: {layers: [twice]}}, layers: [twice, flatten, dense: 10]}",
        "{blocks: {dense: {layers: [flatten]}}, layers: [flatten, dense: 10]}",
        "{blocks: {unit: {parameters: {n: required, repeat: 2}, layers: [dense: $n]}}, layers: [flatten, unit: {n: ten}]}",
        "{preset: resnet20, layers: [flatten]}",
        "{preset: resnet18}",
        "layers: []",
        "layers: {flatten: 1}",
        "defaults: {conv2d: {filter: 3}}\nlayers: [flatten, dense: 10]",
        "layers: [{add: [input]}]",
        "layers: [{conv2d: {filters: 6, kernel_size: 1, groups: 4}}, flatten, dense: 10]",
        "layers: [{max_pool2d: {kernel_size: 2, padding: 2}}, flatten, dense: 10]",
    ] {
        let said = read(yaml, [32, 32, 3], 10).expect_err(yaml);
        all += &format!("{yaml}\n{said}\n\n");
    }
    insta::assert_snapshot!(all);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_words_make_the_checker_panic(
        steps in proptest::collection::vec(("[a-z_0-9$]{1,8}|conv2d|dense|flatten|add|max_pool2d|resnet20|unit", "[0-9]{1,3}|-1|none|\\[a, b\\]|\\{\\}|\\{from: input\\}|\\{filters: 3, kernel_size: 2\\}|\\{repeat: 3\\}|\\$n|\\$classes"), 0..6),
        image in [1usize..9, 1usize..9, 1usize..4],
    ) {
        let layers: Vec<String> = steps.iter().map(|(kind, value)| format!("{{{kind}: {value}}}")).collect();
        let list = layers.join(", ");
        let _ = read(&format!("{{blocks: {{unit: {{parameters: {{n: 2}}, layers: [{list}]}}}}, layers: [{list}]}}"), image, 3);
    }
}
