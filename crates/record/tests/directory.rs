//! A run's directory from its making to its reading back, by name, while others work, and damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kernels::input::Normalization;
use record::{DatasetRecord, Metric, Run, RunDirectory, RunFile, Start, Status, files, find};

fn run_file(name: &str, seed: u64, started: &str) -> RunFile {
    let dataset = DatasetRecord {
        name: "digits".into(),
        published: true,
        instead_of: None,
        fingerprint: "f00d".into(),
        layout: "embedded".into(),
        classes: vec!["zero".into(), "one".into()],
        normalization: Normalization::PerImage,
        findings: Default::default(),
    };
    RunFile {
        started: started.into(),
        metrics: BTreeMap::from([("test/accuracy".into(), Metric { value: 0.5, low: 0.25, high: 0.75, n: 8 })]),
        ..RunFile::begun(name, seed, dataset)
    }
}

fn create(runs: &Path, run: &RunFile) -> RunDirectory {
    let start = Start { experiment: b"name: digits # as written\n", resolved: "name: digits\n", run };
    RunDirectory::create(runs, &start).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const MORNING: &str = "2026-03-01T09:05:07Z";
const EVENING: &str = "2026-03-01T19:05:07Z";

#[test]
fn a_new_run_is_complete_in_itself_and_leaves_no_temporary_name() {
    let runs = tempfile::tempdir().unwrap();
    let directory = create(runs.path(), &run_file("digits", 7, MORNING));
    let hash = &record::fingerprint(b"name: digits\n")[..8];
    assert_eq!(names(&runs.path().join("digits")), [format!("20260301T090507Z-7-{hash}")]);
    let mut expected = [files::LOCK, files::EXPERIMENT, files::RESOLVED, files::RUN, "checkpoints", "plots"];
    expected.sort();
    assert_eq!(names(directory.path()), expected);
    assert_eq!(fs::read(directory.file(files::EXPERIMENT)).unwrap(), b"name: digits # as written\n");
    let mut run = directory.run_file().unwrap();
    assert_eq!(run.id, directory.path().file_name().unwrap().to_str().unwrap());
    run.status = Status::Done;
    directory.save_run_file(&run).unwrap();
    assert_eq!(directory.run_file().unwrap(), run);
}

#[test]
fn two_runs_of_one_second_get_two_directories() {
    let runs = tempfile::tempdir().unwrap();
    let run = run_file("digits", 7, MORNING);
    let first = create(runs.path(), &run);
    let second = create(runs.path(), &run);
    assert_eq!(second.path().to_str().unwrap(), format!("{}-2", first.path().to_str().unwrap()));
    assert_eq!(second.run_file().unwrap().id, format!("{}-2", first.run_file().unwrap().id));
    assert_eq!(find::resolve("digits", runs.path()).unwrap().directory, second.path());
}

#[test]
fn two_processes_never_work_on_one_run_and_a_dead_one_holds_nothing() {
    let runs = tempfile::tempdir().unwrap();
    let directory = create(runs.path(), &run_file("digits", 7, MORNING));
    let path = directory.path().to_path_buf();
    let error = RunDirectory::open(&path).unwrap_err().to_string();
    let expected = format!("is in use by process {}; wait until it ends, or stop it", std::process::id());
    assert!(error.ends_with(&expected), "{error}");
    assert_eq!(Run::read(&path).unwrap().status(), Status::Running);
    drop(directory);
    // The file is still there, as after a kill; nobody holds it.
    assert!(path.join(files::LOCK).exists());
    assert_eq!(Run::read(&path).unwrap().status(), Status::Interrupted);
    let half = path.join("checkpoints/.x1.part");
    fs::write(&half, "half a checkpoint").unwrap();
    let directory = RunDirectory::open(&path).unwrap();
    assert!(!half.exists(), "what a killed process left half-written is cleared away");
    assert!(Run::read(&path).unwrap().is_active());
    drop(directory);
}

#[test]
fn a_run_is_meant_by_directory_name_folder_or_id() {
    let runs = tempfile::tempdir().unwrap();
    let early = create(runs.path(), &run_file("digits", 9, MORNING)).path().to_path_buf();
    let late = create(runs.path(), &run_file("digits", 1, EVENING)).path().to_path_buf();
    create(runs.path(), &run_file("shapes", 1, EVENING));
    let meant = |word: &str| find::resolve(word, runs.path()).unwrap().directory;
    assert_eq!(meant(early.to_str().unwrap()), early);
    assert_eq!(meant("digits"), late);
    assert_eq!(meant(runs.path().join("digits").to_str().unwrap()), late);
    assert_eq!(meant(early.file_name().unwrap().to_str().unwrap()), early);
    assert_eq!(meant(early.strip_prefix(runs.path()).unwrap().to_str().unwrap()), early);
    let error = find::resolve("digit", runs.path()).unwrap_err().to_string();
    assert!(error.starts_with("no run `digit`: it is no run's directory and no name in "), "{error}");
    assert!(error.ends_with("; did you mean `digits`?"), "{error}");
}

#[test]
fn damaged_runs_are_named_and_the_others_listed() {
    let runs = tempfile::tempdir().unwrap();
    let damaged = create(runs.path(), &run_file("digits", 1, MORNING)).path().to_path_buf();
    let missing = create(runs.path(), &run_file("digits", 2, MORNING)).path().to_path_buf();
    let sound = create(runs.path(), &run_file("digits", 3, MORNING)).path().to_path_buf();
    fs::write(damaged.join(files::RUN), "{\"status\": \"don").unwrap();
    fs::remove_file(missing.join(files::RUN)).unwrap();
    fs::create_dir(runs.path().join("digits/.being-made.part")).unwrap();
    let listing = find::list(runs.path()).unwrap();
    assert_eq!(listing.runs.iter().map(|r| r.directory.clone()).collect::<Vec<_>>(), [sound]);
    let errors: Vec<String> = listing.damaged.iter().map(|e| e.to_string()).collect();
    assert!(errors[0].contains("run.json is damaged: EOF while parsing a string at line 1 column 15; "), "{errors:?}");
    assert!(errors[1].ends_with("is damaged: it has no run.json; remove the run, or start it again"), "{errors:?}");
    let error = RunDirectory::open(runs.path()).unwrap_err().to_string();
    assert!(error.ends_with("is no run: it has no run.json; `etalon compare` lists runs"), "{error}");
}

#[test]
fn names_that_leave_the_folder_and_folders_that_cannot_be_made_are_refused() {
    let runs = tempfile::tempdir().unwrap();
    for name in ["", "..", ".hidden", "a/b", "a\u{1b}[31m", &"x".repeat(101)] {
        let run = run_file(name, 1, MORNING);
        let start = Start { experiment: b"", resolved: "", run: &run };
        let error = RunDirectory::create(runs.path(), &start).unwrap_err().to_string();
        assert!(error.starts_with("the name ") && !error.contains('\u{1b}'), "{error}");
    }
    let file = runs.path().join("a-file");
    fs::write(&file, "").unwrap();
    let run = run_file("digits", 1, MORNING);
    let error = RunDirectory::create(&file, &Start { experiment: b"", resolved: "", run: &run }).unwrap_err();
    let error = error.to_string();
    assert!(error.ends_with("a-file/digits: not a directory; move away what stands there"), "{error}");
    assert_eq!(names(runs.path()), ["a-file"]);
}
