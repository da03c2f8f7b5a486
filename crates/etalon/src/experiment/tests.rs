//! Whatever stands in a file: it is an experiment or it is told what is wrong, never a panic and never a hang.
//!
//! `ETALON_FUZZ_CASES=100000 cargo test -p etalon --bin etalon changed_experiments` looks longer.

use std::path::Path;

use proptest::prelude::*;

use super::*;

/// The experiments of the project, good and wrong ones.
fn files() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths: Vec<PathBuf> = ["experiments", "tests/faults", "tests/wrong"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    let text = |path: &PathBuf| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    paths.iter().map(text).collect()
}

/// No check takes so long on any machine unless it hangs.
const HANG: std::time::Duration = std::time::Duration::from_secs(60);

/// How many cases each property is tried with.
fn cases() -> u32 {
    std::env::var("ETALON_FUZZ_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(600)
}

/// Paths that exist in most experiments, or nearly.
fn paths() -> impl Strategy<Value = String> {
    let known = [
        "seed",
        "seeds",
        "sweep",
        "vars.act",
        "train.epochs",
        "train",
        "optimizer",
        "optimizer.learning_rate",
        "loss",
        "loss.type",
        "model.layers.0",
        "model.layers.conv2d",
        "model.layers.conv2d.conv2d.filters",
        "model.layers",
        "data.train.limit",
        "data.folds",
        "data.fold",
        "data.dataset",
        "sweep.vary",
        "sweep.method",
        "sweep.trials",
        "extends",
        "override",
        "evaluate.metrics",
        "export.onnx",
        "limits",
        "limits.hours",
        "engine",
        "model.preset",
    ];
    prop_oneof![3 => prop::sample::select(known.map(str::to_string).to_vec()), 1 => "[a-z_.0-9]{1,20}"]
}

/// Checks, shows what is wrong, and holds that a file is one or the other. What is resolved must read as the same.
fn check_text(bytes: &[u8], overrides: &[String]) {
    let check = |bytes: &[u8], overrides: &[String]| {
        let (mut sources, mut faults) = (Sources::new(), Faults::new());
        let cards = data::Cards::load(&[], &mut sources);
        let checked = check_bytes(Path::new("any.yaml"), bytes.to_vec(), overrides, &cards, &mut sources, &mut faults);
        let said = faults.render(&sources, false);
        let _ = (faults.render(&sources, true), faults.lines(&sources));
        assert_eq!(checked.is_some(), faults.is_empty(), "{said}");
        (checked, said)
    };
    let begun = std::time::Instant::now();
    let (checked, _) = check(bytes, overrides);
    assert!(begun.elapsed() < HANG, "checking took {:?}", begun.elapsed());
    let Some(checked) = checked else { return };
    checked.network.inference();
    let (again, said) = check(checked.resolved.as_bytes(), &[]);
    let again = again.unwrap_or_else(|| panic!("the resolved file is wrong:\n{said}\n{}", checked.resolved));
    assert_eq!(again.resolved, checked.resolved);
}

/// What may stand in the place of a word.
fn odd_words() -> impl Strategy<Value = String> {
    let odd = [
        "",
        "~",
        "none",
        "[]",
        "{}",
        "-1",
        "0",
        "1",
        "3",
        "1e400",
        "1e18",
        "-0.5",
        ".nan",
        "true",
        "no",
        "$classes",
        "$x",
        "any",
        "all",
        "input",
        "image",
        "&a x",
        "*a",
        "!!binary x",
        "\"",
        "'",
        "|",
        "- x",
        "x: y",
        "[[[[]]]]",
        "{a: {b: [c]}}",
        "\t",
        "ä€🦀",
        "flatten",
        "conv2d",
        "add",
        "[1, 2, 3]",
        "9223372036854775808",
        "4294967296",
        "0x10",
        "1_000",
        "\u{0}",
        "<<: *a",
    ];
    prop_oneof![prop::sample::select(odd.map(str::to_string).to_vec()), "\\PC{0,12}"]
}

/// One change of a text at a place given as a share of it.
#[derive(Clone, Debug)]
enum Change {
    Word(f64, String),
    DropLine(f64),
    RepeatLine(f64),
    MoveLine(f64, f64),
    Indent(f64, usize),
    Cut(f64),
}

fn changes() -> impl Strategy<Value = Change> {
    let at = || 0.0..1.0f64;
    prop_oneof![
        4 => (at(), odd_words()).prop_map(|(at, word)| Change::Word(at, word)),
        1 => at().prop_map(Change::DropLine),
        1 => at().prop_map(Change::RepeatLine),
        1 => (at(), at()).prop_map(|(from, to)| Change::MoveLine(from, to)),
        1 => (at(), 0..9usize).prop_map(|(at, by)| Change::Indent(at, by)),
        1 => at().prop_map(Change::Cut),
    ]
}

fn changed(text: &str, change: &Change) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
    let index = |share: &f64, n: usize| ((share * n as f64) as usize).min(n.saturating_sub(1));
    let line = |share: &f64| index(share, text.lines().count());
    if lines.is_empty() {
        return String::new();
    }
    match change {
        Change::Word(at, word) => return with_word(text, *at, word),
        Change::DropLine(at) => drop(lines.remove(line(at))),
        Change::RepeatLine(at) => lines.insert(line(at), lines[line(at)].clone()),
        Change::MoveLine(from, to) => {
            let moved = lines.remove(line(from));
            lines.insert(index(to, lines.len() + 1), moved);
        }
        Change::Indent(at, by) => lines[line(at)].insert_str(0, &" ".repeat(*by)),
        Change::Cut(at) => return text.chars().take(index(at, text.chars().count())).collect(),
    }
    lines.join("\n")
}

/// The text with one of its words replaced.
fn with_word(text: &str, at: f64, word: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || "_.$/".contains(c);
    let starts: Vec<usize> = text
        .char_indices()
        .filter(|(i, c)| is_word(*c) && !text[..*i].chars().next_back().is_some_and(is_word))
        .map(|(i, _)| i)
        .collect();
    let Some(&start) = starts.get((at * starts.len() as f64) as usize) else { return word.to_string() };
    let end = text[start..].find(|c| !is_word(c)).map_or(text.len(), |length| start + length);
    [&text[..start], word, &text[end..]].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_experiments_are_read_or_told_what_is_wrong(
        file in 0..1000usize,
        changes in prop::collection::vec(changes(), 1..4),
        overrides in prop::collection::vec((paths(), odd_words()), 0..3),
    ) {
        let files = files();
        let text = changes.iter().fold(files[file % files.len()].clone(), |text, change| changed(&text, change));
        let overrides: Vec<String> = overrides.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        check_text(text.as_bytes(), &overrides);
    }

    #[test]
    fn any_bytes_are_told_what_is_wrong(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check_text(&bytes, &[]);
    }
}
