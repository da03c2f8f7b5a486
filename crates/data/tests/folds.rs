//! Cross-validation and groups from the words of `data` to the parts: on the digits, and on folders with a table beside.

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use data::{Dataset, PartName, summary};
use support::{try_open, write, write_image};

fn open(text: &str) -> Dataset {
    try_open(text, &[]).unwrap()
}

fn indices(dataset: &Dataset, part: PartName) -> Vec<u32> {
    dataset.part(part).unwrap().indices.clone()
}

#[test]
fn each_fold_validates_once_and_the_test_part_stays() {
    let text = "dataset: digits\ntrain: {split: all}\ntest: {split: all, fraction: 0.2}\nfolds: 4\n";
    let runs: Vec<Dataset> = (1..=4).map(|fold| open(&format!("{text}fold: {fold}\n"))).collect();
    let without = open(&text.replace("folds: 4\n", ""));
    let mut validated = Vec::new();
    for run in &runs {
        assert_eq!(indices(run, PartName::Test), indices(&without, PartName::Test));
        let (train, validation) = (indices(run, PartName::Train), indices(run, PartName::Validation));
        let both: BTreeSet<u32> = train.iter().chain(&validation).copied().collect();
        assert_eq!(both.len(), train.len() + validation.len());
        assert!(both.into_iter().eq(indices(&without, PartName::Train)));
        validated.extend(validation);
    }
    validated.sort_unstable();
    assert_eq!(validated, indices(&without, PartName::Train));
    // What a file without `fold` opens is the first.
    assert_eq!(indices(&open(text), PartName::Validation), indices(&runs[0], PartName::Validation));
    let counts = runs[2].fold_class_counts();
    assert_eq!(counts.len(), 4);
    assert_eq!(counts[2], runs[2].class_counts(PartName::Validation));
}

#[test]
fn a_class_that_is_in_one_fold_alone_is_refused_for_all_folds_at_once() {
    let root = tempfile::tempdir().unwrap();
    for (class, n) in [("cat", 4), ("dog", 4), ("eel", 1)] {
        (0..n).for_each(|i| write_image(&root.path().join(format!("pets/{class}/{i}.png")), 4, 5 + i));
    }
    let text = "dataset: {path: pets}\ntrain: {split: all}\npreprocess: [resize: 4]\nfolds: 2\n";
    for fold in [1, 2] {
        let error = try_open(&format!("{text}fold: {fold}"), &[root.path()]).err().unwrap().to_string();
        assert!(
            error.contains("  fold 1: all samples of the class `eel` are in one fold; nothing else teaches it"),
            "{error}"
        );
    }
}

/// Frames of videos, some of them of both classes: two videos a class and one of both, in `train`; one more in `test`.
fn videos(table: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let clips = root.path().join("clips");
    for (class, names) in [("run", ["a", "b", "c"]), ("walk", ["c", "d", "e"])] {
        for (index, video) in names.iter().enumerate() {
            for frame in 0..4 {
                let path = clips.join(format!("train/{class}/{video}{frame}.png"));
                write_image(&path, 4 + frame, 5 + index as u32 + 3 * class.len() as u32);
            }
        }
        write_image(&clips.join(format!("test/{class}/t{class}.png")), 30, 5 + class.len() as u32);
    }
    write(&clips.join("samples.csv"), table.as_bytes());
    root
}

fn table() -> String {
    let mut table = String::from("file,camera,video\n");
    for (class, names) in [("run", ["a", "b", "c"]), ("walk", ["c", "d", "e"])] {
        for video in names {
            (0..4).for_each(|frame| table += &format!("train/{class}/{video}{frame}.png,1,\"video, {video}\"\n"));
        }
        table += &format!("test/{class}/t{class}.png,2,t\n");
    }
    table
}

const CLIPS: &str = "dataset: {path: clips}\npreprocess: [resize: 4]\ngroup: video\n";

/// The videos of a part, by the names of the files.
fn videos_of(dataset: &Dataset, part: PartName) -> BTreeSet<char> {
    let name =
        |sample: u32| dataset.file(part, sample).and_then(Path::file_name).unwrap().to_string_lossy().to_string();
    indices(dataset, part).into_iter().map(|sample| name(sample).chars().next().unwrap()).collect()
}

#[test]
fn groups_are_kept_whole_by_shares_and_folds() {
    let root = videos(&table());
    for text in ["validation: {split: train, fraction: 0.3}\n", "validation: {split: train, count: 9}\n", "folds: 2\n"]
    {
        for seed in 0..6 {
            let dataset = try_open(&format!("{CLIPS}{text}split_seed: {seed}\n"), &[root.path()]).unwrap();
            let [train, validation] = [PartName::Train, PartName::Validation].map(|part| videos_of(&dataset, part));
            assert!(train.is_disjoint(&validation) && !validation.is_empty(), "{train:?} {validation:?}");
            assert_eq!(train.len() + validation.len(), 5);
            let (column, counts) = dataset.groups().unwrap();
            assert_eq!((column, counts[&PartName::Train], counts[&PartName::Test]), ("video", train.len(), 1));
        }
    }
}

#[test]
fn a_summary_tells_of_groups_and_folds() {
    let root = videos(&table());
    let dataset = try_open(&format!("{CLIPS}folds: 2\nfold: 2\n"), &[root.path()]).unwrap();
    let text = summary(&dataset).unwrap().replace(&dataset.fingerprint[..16], "FINGERPRINT");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn groups_decide_the_fingerprint() {
    let open = |table: &str, more: &str| {
        let root = videos(table);
        try_open(&format!("{CLIPS}{more}"), &[root.path()]).unwrap().fingerprint
    };
    let moved = table().replace("train/run/a0.png,1,\"video, a\"", "train/run/a0.png,1,\"video, b\"");
    assert_eq!(open(&table(), ""), open(&table(), "validation: {split: train, fraction: 0.3}\n"));
    assert_ne!(open(&table(), ""), open(&moved, ""));
}

#[test]
fn all_that_is_wrong_with_a_table_is_listed() {
    let broken = table()
        .replace("train/run/a1.png,1,\"video, a\"\n", "train/run/a1.png,1\n")
        .replace("train/run/b2.png,1,\"video, b\"\n", "")
        .replace("train/walk/d0.png,1,\"video, d\"\n", "train/walk/d0.png,1,\ntrain/walk/d0.png,1,again\n")
        .replace("test/run/trun.png", "test/run/t\u{1b}[2Jrun.png");
    let wrong = |table: &str| {
        let root = videos(table);
        let error = try_open(CLIPS, &[root.path()]).err().unwrap().to_string();
        error.replace(&root.path().display().to_string(), "DATA")
    };
    insta::assert_snapshot!(wrong(&broken));
    let straddling = table().replace("test/run/trun.png,2,t", "test/run/trun.png,2,\"video, e\"");
    assert_eq!(
        wrong(&straddling),
        "clips cannot be used: one thing stands in the way\n  train: `video, e` of `video` also stand in test; let both take from the same splits"
    );
    assert_eq!(
        wrong("path,video\n"),
        "could not read DATA/clips/samples.csv: it has no column `file`, but path or video"
    );
    let root = videos("");
    std::fs::remove_file(root.path().join("clips/samples.csv")).unwrap();
    let error = try_open(CLIPS, &[root.path()]).err().unwrap().to_string();
    assert!(error.ends_with("samples.csv: no such file or directory; check the path"), "{error}");
}

#[test]
fn one_group_cannot_be_shared() {
    let one = table().replace("video, ", "").lines().map(|line| format!("{line}\n")).collect::<String>();
    let one: String = one
        .lines()
        .map(|line| match line.rsplit_once(',') {
            Some((row, "video" | "t")) => format!("{row},{}\n", line.rsplit(',').next().unwrap()),
            Some((row, _)) => format!("{row},one\n"),
            None => String::new(),
        })
        .collect();
    let root = videos(&one);
    let wrong = |more: &str| try_open(&format!("{CLIPS}{more}"), &[root.path()]).err().unwrap().to_string();
    assert_eq!(
        wrong("validation: {split: train, fraction: 0.1}\n"),
        "clips has too few samples: `validation` takes so small a share of `train` that no group fits"
    );
    assert_eq!(wrong("folds: 2\n"), "clips has too few samples: `train` has too few groups for 2 folds");
}
