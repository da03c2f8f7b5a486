//! What YAML and files can do to a reader: each is met with a clear message, or read as it is meant, and none of it runs,
//! hangs or fills the memory.

use crate::support::{Place, root};

/// An experiment with nothing wrong in it.
fn good() -> String {
    std::fs::read_to_string(root().join("experiments/digits_quickstart.yaml")).unwrap()
}

/// The same with one piece of text exchanged.
fn with(old: &str, new: &str) -> Vec<u8> {
    let good = good();
    assert!(good.contains(old), "{old}");
    good.replacen(old, new, 1).into_bytes()
}

/// Nine aliases of nine aliases of nine aliases, nine deep: 387 million values.
fn bomb() -> String {
    let level = |pair: &[char]| format!("{}: &{} [{}]\n", pair[1], pair[1], vec![format!("*{}", pair[0]); 9].join(","));
    let names: Vec<char> = ('a'..='i').collect();
    format!("a: &a [{}]\n", ["x"; 9].join(",")) + &names.windows(2).map(level).collect::<String>()
}

#[test]
fn every_trap_is_told_or_read_as_meant() {
    let utf16: Vec<u8> = good().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut latin = good().into_bytes();
    latin.extend(b"# h\xe4ndwritten\n");
    let told: [(&str, Vec<u8>, &str); 23] = [
        ("a tab", with("  dataset:", "\tdataset:"), "indent with spaces; YAML does not take tabs there"),
        ("a key twice", (good() + "task: classification\n").into(), "the key `task` stands twice in this mapping"),
        ("no", with("normalize: unit", "normalize: no"), "unknown normalization `no`"),
        ("no for false", (good() + "export: {onnx: {softmax: no}}\n").into(), "write `false`"),
        ("nothing", with("normalize: unit", "normalize: null"), "a key without a value"),
        ("infinity", with("learning_rate: 0.002", "learning_rate: .inf"), "expected a number above 0, found `.inf`"),
        ("too large for a number", with("learning_rate: 0.002", "learning_rate: 1e999"), "found `1e999`"),
        ("too large for a whole number", (good() + "seed: 99999999999999999999\n").into(), "expected a whole number"),
        ("more folds than memory", with("normalize: unit", "folds: 99999999999"), "at least 2 and at most 1000"),
        ("ten megabytes", format!("{}# {}", good(), "x".repeat(10_000_000)).into(), "more than 1048576 bytes"),
        ("UTF-16", utf16, "is not UTF-8 text"),
        ("Latin-1", latin, "is not UTF-8 text"),
        ("a zero byte", with("handwritten", "hand\0written"), "is not UTF-8 text"),
        ("two documents", (good() + "---\n" + &good()).into(), "a second document begins here"),
        ("a list", b"- a\n- b\n".to_vec(), "expected an experiment (a mapping of keys), found a list of 2"),
        ("a word", b"hello\n".to_vec(), "expected an experiment (a mapping of keys), found `hello`"),
        ("nothing at all", Vec::new(), "the file is empty"),
        ("a comment", b"# nothing\n".to_vec(), "the file is empty"),
        ("an alias bomb", bomb().into(), "with its aliases written out the file has more than 100000 values"),
        ("itself", b"a: &a [*a]\n".to_vec(), "this alias stands inside the value that it names"),
        ("five thousand deep", format!("a: {}{}", "[".repeat(5000), "]".repeat(5000)).into(), "recursion limit"),
        ("a tag", with("classification", "!!python/object:os.system classification"), "take the tag out"),
        ("a merge key", (good() + "limits: {<<: {hours: 1}}\n").into(), "`extends` lays one file over another"),
    ];
    let place = Place::new();
    let file = place.folder.path().join("trap.yaml");
    for (what, bytes, message) in told {
        std::fs::write(&file, bytes).unwrap();
        let said = place.call(&["check", file.to_str().unwrap()]).expect(1);
        assert!(said.err.contains(message), "{what}: {}", said.err);
    }
    let mark = [b"\xef\xbb\xbf".to_vec(), good().into_bytes()].concat();
    let meant = [
        ("a byte order mark", mark),
        ("lines of Windows", good().replace('\n', "\r\n").into()),
        ("an exponent", with("learning_rate: 0.002", "learning_rate: 2e-3")),
    ];
    for (what, bytes) in meant {
        std::fs::write(&file, bytes).unwrap();
        let said = place.call(&["check", file.to_str().unwrap()]);
        assert!(said.code == Some(0), "{what}: {}", said.err);
    }
}

#[test]
fn a_file_that_cannot_be_read_hides_no_other() {
    let place = Place::new();
    let (missing, wrong) = (place.folder.path().join("missing.yaml"), place.folder.path().join("wrong.yaml"));
    std::fs::write(&wrong, "task: classification\ntask: classification\n").unwrap();
    let folder = place.folder.path().to_str().unwrap();
    let (missing, wrong) = (missing.to_str().unwrap(), wrong.to_str().unwrap());
    let said = place.call(&["check", missing, folder, wrong]).expect(1);
    for part in [format!("cannot read {missing}"), format!("cannot read {folder}"), "stands twice".to_string()] {
        assert!(said.err.contains(&part), "{part}: {}", said.err);
    }
    place.call(&["check", missing]).expect(2);
    let said = place.call(&["check", missing, wrong, "--format", "json"]).expect(1).json();
    assert_eq!(said["unreadable"].as_array().map(Vec::len), Some(1));
    assert!(said["faults"].as_array().unwrap().iter().any(|fault| fault["line"] == 2), "{said}");
}

#[test]
fn nothing_leads_out_of_the_project() {
    let place = Place::new();
    let file = place.folder.path().join("trap.yaml");
    for (bytes, message) in [
        ((String::from("extends: /etc/passwd\n") + &good()).into(), "lies outside the project"),
        (with("dataset: digits", "dataset: {format: image_folder, path: ../../etc}"), "path"),
        (with("dataset: digits", "dataset: {format: image_folder, path: /etc}"), "path"),
        (with("name: digits_quickstart", "name: ../evil"), "no folder can be called so"),
        ((good() + "seed: ${HOME}\n").into(), "${HOME}"),
    ] {
        let bytes: Vec<u8> = bytes;
        std::fs::write(&file, bytes).unwrap();
        let said = place.call(&["check", file.to_str().unwrap()]).expect(1);
        assert!(said.err.contains(message), "{}", said.err);
    }
}
