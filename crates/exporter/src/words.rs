//! The section `export`.

use spec::{Choice, Fault, Faults, Map, Node, Range, Type, Value, Word};

spec::choice! {
    /// The order of an image's axes.
    pub enum Layout {
        /// Batch, channels, height, width: what most users of ONNX expect.
        Nchw = "nchw",
        /// Batch, height, width, channels.
        Nhwc = "nhwc",
    }
}

spec::section! {
    /// What is written as ONNX.
    pub struct OnnxSection {
        /// Version of the operator set.
        pub opset: usize = 17, min 17.0, max 21.0, synonyms &["opset_version"];
        /// Whether batch norms become part of the convolutions before them.
        pub fold_batch_norm: bool = true;
        /// Whether the graph takes pixels 0..255 and normalizes them itself.
        pub normalization: bool = false, synonyms &["normalize", "preprocessing"];
        /// Whether the graph gives probabilities instead of scores.
        pub softmax: bool = false;
        /// The order of the input's axes.
        pub layout: Layout = nchw;
    }
}

/// How many samples a proof looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofSamples {
    /// All of the evaluated part.
    All,
    /// The first ones of it.
    Count(usize),
}

impl Word for ProofSamples {
    const TYPE: Type = Type::Either(&[
        Type::Integer(Range { low: 1.0, ..Range::ANY }),
        Type::Choice(&[Choice { name: "all", doc: "All samples of the evaluated part." }]),
    ]);

    fn read(node: &Node) -> ProofSamples {
        if node.is_word("all") { ProofSamples::All } else { ProofSamples::Count(usize::read(node)) }
    }
}

spec::section! {
    /// How the exported file is proven.
    pub struct ProofSection {
        /// How many samples: `all`, or a number.
        pub samples: ProofSamples = all;
        /// The batch sizes that it is run with.
        pub batch_sizes: Vec<usize> = [1, 7, 32], synonyms &["batches"];
        /// Largest absolute difference of probabilities that passes.
        pub tolerance: f64 = 1e-4, min 0.0, synonyms &["atol"];
        /// How many decisions may differ.
        pub disagreements: usize = 0;
    }
}

spec::section! {
    /// What is written for other programs, and how it is proven.
    pub struct ExportSection {
        /// What is written as ONNX; `none` writes nothing.
        pub onnx: Option<OnnxSection> = {};
        /// How the file is proven; `none` leaves it unproven.
        pub proof: Option<ProofSection> = {};
    }
}

/// Pushes what is wrong with a resolved section beyond single values.
pub fn check(export: &Node, faults: &mut Faults) {
    check_proof(export, faults);
    let sizes = export.find("proof").and_then(|proof| proof.find("batch_sizes"));
    let Some(sizes) = sizes.filter(|sizes| sizes.is_sound()) else { return };
    let items = sizes.list().unwrap_or_default();
    if items.is_empty() || items.iter().any(|size| usize::read(size) == 0) {
        let fault = Fault::new(sizes.place, "the proof needs batch sizes of at least 1");
        faults.push(fault.help("for example `batch_sizes: [1, 7, 32]`"));
    }
}

/// How a file is proven says nothing where none is written; what only repeats the defaults may stand.
fn check_proof(export: &Node, faults: &mut Faults) {
    let Some(proof) = export.find("proof").filter(|proof| proof.map().is_some()) else { return };
    let empty = Node { value: Value::Map(Map::default()), place: proof.place };
    let defaults = spec::resolve(&empty, &ProofSection::TYPE, &mut Faults::new());
    // Numbers may be written otherwise than here.
    let says = |node: &Node| format!("{:?}", ProofSection::read(node));
    let is_off = export.find("onnx").is_some_and(|onnx| onnx.is_word("none"));
    if is_off && proof.is_sound() && says(proof) != says(&defaults) {
        let fault = Fault::new(export.place_of("proof"), "nothing is proven where `onnx: none` writes nothing");
        faults.push(fault.help("take one of the two out"));
    }
}
