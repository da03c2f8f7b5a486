//! The mechanism on a small language of its own: every kind of fault with its place, normal form, defaults, overrides.

use spec::*;

spec::section! {
    /// Stochastic gradient descent.
    struct Sgd {
        /// Share of the old velocity that stays.
        momentum: f64 = 0.0, min 0.0, below 1.0;
        /// Look ahead.
        nesterov: bool = false;
    }
}

spec::section! {
    /// A convolution.
    struct Conv {
        /// Number of output channels.
        filters: usize = required, min 1.0, synonyms &["out_channels"];
        /// Side of the window.
        kernel_size: [usize; 2] = 3, min 1.0;
    }
}

spec::section! {
    /// A smooth fall.
    struct Cosine {
        /// The last factor.
        last: f64 = 0.0, min 0.0;
    }
}

static KINDS: [Kind; 2] = [
    Kind { name: "sgd", synonyms: &["SGD"], doc: "", main: None, fields: Sgd::SECTION.fields, example: "sgd" },
    Kind { name: "cosine", synonyms: &[], doc: "", main: None, fields: Cosine::SECTION.fields, example: "cosine" },
];
static RATE: [Field; 1] =
    [Field::required("learning_rate", "The step size.", <f64 as Word>::TYPE).above(0.0).synonyms(&["lr"])];
static OPTIMIZERS: KindTable =
    KindTable { what: "optimizer", kinds: || KINDS.iter().collect(), common: &RATE, untyped: None };
static LAYERS_: [Kind; 2] = [
    Kind {
        name: "conv2d",
        synonyms: &[],
        doc: "",
        main: Some("filters"),
        fields: Conv::SECTION.fields,
        example: "conv2d: {filters: 32}",
    },
    Kind { name: "flatten", synonyms: &[], doc: "", main: None, fields: &[], example: "flatten" },
];
static LAYERS: KindTable = KindTable { what: "layer", kinds: || LAYERS_.iter().collect(), common: &[], untyped: None };

spec::section! {
    /// An experiment.
    struct Experiment {
        /// Passes over the data.
        epochs: usize = 10, min 1.0;
        /// How to descend.
        optimizer: Chosen = required, kinds &OPTIMIZERS;
        /// The network.
        layers: Vec<Chosen> = [], steps &LAYERS;
        /// Largest norm of the gradient.
        clip_norm: Option<f64> = none, above 0.0;
    }
}

fn check(text: &str) -> (Node, Vec<String>) {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let Some(tree) = parse("t.yaml", text.as_bytes(), &mut sources, &mut faults) else { panic!("{faults:?}") };
    let node = resolve(&tree, &Experiment::TYPE, &mut faults);
    let lines = faults.lines(&sources);
    let line = |f: &FaultLine| format!("{}:{} {} ({})", f.line, f.column, f.message, f.help.as_deref().unwrap_or(""));
    (node, lines.iter().map(line).collect())
}

#[test]
fn a_good_file_reads_and_prints_back_the_same() {
    let text = "optimizer: {type: sgd, learning_rate: 1e-3}\nlayers:\n- conv2d: 8\n- flatten\n";
    let (node, faults) = check(text);
    assert!(faults.is_empty(), "{faults:?}");
    let read = Experiment::read(&node);
    assert_eq!((read.epochs, read.clip_norm), (10, None));
    let conv: Conv = read.layers[0].read();
    assert_eq!((conv.filters, conv.kernel_size), (8, [3, 3]));
    let sgd: Sgd = read.optimizer.read();
    assert_eq!((sgd.momentum, sgd.nesterov), (0.0, false));
    assert_eq!(f64::read_key(&read.optimizer.parameters, "learning_rate"), 1e-3);
    let written = to_yaml(&node);
    let (again, faults) = check(&written);
    assert!(faults.is_empty(), "{written}\n{faults:?}");
    assert_eq!(to_yaml(&again), written);
}

#[test]
fn all_faults_are_found_at_once_each_at_its_place() {
    let text = "epochs: no\noptimizer: {type: sgd, lr: 0.1, momentum: 1.0, nesterov: yes}\nlayers:\n  - conv2: 8\n  - conv2d: {out_channels: 3}\n  - flatten:\n  - conv2d: {filters: 0, kernel_size: [3]}\nclip_norm:\nepoch: 3\n";
    let (_, faults) = check(text);
    insta::assert_snapshot!(faults.join("\n"));
}

#[test]
fn overrides_work_on_the_normal_form() {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let text = "optimizer: {type: sgd, learning_rate: 0.1, momentum: 0.9}\nlayers: [conv2d: 8, conv2d: 16, flatten]\n";
    let tree = parse("t.yaml", text.as_bytes(), &mut sources, &mut faults).unwrap();
    let mut tree = normalize(&tree, &Experiment::TYPE);
    for change in
        ["layers.conv2d_2.conv2d.filters=64", "layers.0.conv2d=4", "optimizer.type=cosine", "optimizer.learning_rate=2"]
    {
        let change = Override::parse(change, &mut sources, &mut faults).unwrap();
        apply_override(&mut tree, &change, &mut faults);
    }
    let node = resolve(&tree, &Experiment::TYPE, &mut faults);
    assert!(faults.is_empty(), "{}", faults.render(&sources, false));
    insta::assert_snapshot!(to_yaml(&node));
}

#[test]
fn a_wrong_override_is_a_fault_on_the_command_line() {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let text = "optimizer: {type: sgd, learning_rate: 0.1}\nlayers: [flatten]\n";
    let tree = parse("t.yaml", text.as_bytes(), &mut sources, &mut faults).unwrap();
    let mut tree = normalize(&tree, &Experiment::TYPE);
    for change in ["epochs.x=1", "layers.flaten.x=1", "optimizer.momentun=0.5", "epochs=0"] {
        let change = Override::parse(change, &mut sources, &mut faults).unwrap();
        apply_override(&mut tree, &change, &mut faults);
    }
    resolve(&tree, &Experiment::TYPE, &mut faults);
    insta::assert_snapshot!(faults.render(&sources, false));
}
