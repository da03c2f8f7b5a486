//! Every card of the project: it parses, its checksums are well formed, and what a user's folder adds is known too.

use std::fs;
use std::path::{Path, PathBuf};

use data::{Card, Cards, DATASET, FieldKind};
use spec::{Faults, Sources};

fn find(text: &str, folders: &[PathBuf]) -> Result<Card, String> {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let cards = Cards::load(folders, &mut sources);
    let node = spec::parse("test.yaml", text.as_bytes(), &mut sources, &mut faults).unwrap();
    let node = spec::resolve(&node, &DATASET, &mut faults);
    let card = cards.find(&node, &mut faults);
    match (faults.is_empty(), card) {
        (true, Some(card)) => Ok(card),
        _ => Err(faults.lines(&sources).iter().map(|f| format!("{}:{} {}\n", f.file, f.line, f.message)).collect()),
    }
}

#[track_caller]
fn known(text: &str) -> Card {
    find(text, &[]).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn every_card_of_the_project_is_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "yaml") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_string();
            let card = find(&name, std::slice::from_ref(&folder)).unwrap_or_else(|faults| panic!("{faults}"));
            let embedded = known(&name);
            assert_eq!((&card.name, &card.fields), (&embedded.name, &embedded.fields));
            assert!(embedded.licence.is_some() && !embedded.title.is_empty(), "{name}");
            assert_eq!(embedded.samples.len(), embedded.splits().unwrap().len(), "{name} knows its sizes");
            for source in &embedded.sources {
                assert!(source.sha256.is_some() || source.md5.is_some(), "{}", source.url);
            }
            names.push(name);
        }
    }
    names.sort();
    assert_eq!(Cards::load(&[], &mut Sources::new()).names(), names);
}

#[test]
fn a_label_is_chosen_among_several() {
    assert_eq!(known("cifar100").classes().unwrap().len(), 100);
    let coarse = known("{card: cifar100, label: coarse}");
    assert_eq!((coarse.classes().unwrap().len(), coarse.label.as_deref()), (20, Some("coarse")));
    assert_eq!(find("{card: cifar100, label: corse}", &[]).err().unwrap(), "test.yaml:1 unknown label `corse`\n");
}

#[test]
fn a_folder_of_ones_own_needs_no_card() {
    let place = tempfile::tempdir().unwrap();
    for folder in ["pets/train/dog", "pets/train/cat", "pets/val/cat", "pets/val/dog", "flat/b", "flat/a"] {
        fs::create_dir_all(place.path().join(folder)).unwrap();
    }
    let dirs = [place.path().to_path_buf()];
    let pets = find("{format: image_folder, path: pets}", &dirs).unwrap();
    assert_eq!(pets.splits().unwrap(), ["train", "validation"]);
    assert_eq!(pets.classes().unwrap(), ["cat", "dog"]);
    assert_eq!((pets.name.as_str(), pets.image().fixed(), pets.image().channels), ("pets", None, 3));
    let flat = find("{path: flat, image: [8, 8, 1], classes: [b, a]}", &dirs).unwrap();
    assert_eq!(
        (flat.splits().unwrap(), flat.classes().unwrap()),
        (&["all".to_string()][..], &["b".into(), "a".into()][..])
    );
    let nowhere = find("{path: nowhere}", &dirs).unwrap();
    assert_eq!((nowhere.splits(), nowhere.classes()), (None, None));
}

#[test]
fn a_card_of_the_users_folder_is_known_and_its_faults_are_told_when_it_is_used() {
    let place = tempfile::tempdir().unwrap();
    let card = "name: pets\nfields:\n  photo: {type: image, shape: [any, any, 3]}\n  kind: {type: class, classes: [cat, dog]}\n\
                layouts: [{format: image_folder, folder: pets, splits: {all: .}}]\n";
    fs::write(place.path().join("pets.yaml"), card).unwrap();
    fs::write(place.path().join("broken.yaml"), "name: broken\nclasses: [a, b]\nlayouts: [{format: cfar}]\n").unwrap();
    let dirs = [place.path().to_path_buf()];
    let pets = find("pets", &dirs).unwrap();
    assert_eq!(pets.fields[0].name, "photo");
    assert!(matches!(&pets.fields[1].kind, FieldKind::Class { classes: Some(c) } if c.len() == 2));
    assert!(find("mnist", &dirs).is_ok());
    assert!(find("broken", &dirs).err().unwrap().ends_with("broken.yaml:3 unknown format `cfar`\n"));
}

#[test]
fn what_is_wrong_with_a_card_is_said() {
    let image = "image: [8, 8, 1]\nclasses: [a, b]\n";
    let layout = "layouts: [{format: image_folder, folder: x, splits: {all: .}}]\n";
    for (text, expected) in [
        ("cifar11".to_string(), "unknown dataset `cifar11`"),
        ("[1]".to_string(), "expected a name"),
        ("{path: ../x}".to_string(), "`../x` leads out of the data folder"),
        ("{path: /etc}".to_string(), "`/etc` leads out of the data folder"),
        (format!("name: x\n{layout}"), "a card says what a sample consists of, once"),
        (format!("name: x\n{image}layouts: []\n"), "a card says how its files lie on disk"),
        (format!("name: x\nimage: [8, 8, 2]\nclasses: [a, b]\n{layout}"), "images have 1 channel (grey) or 3 (RGB)"),
        (format!("name: x\nimage: [8, 8, 1]\nclasses: [a, a]\n{layout}"), "the class `a` stands twice"),
        (format!("name: x\nimage: [8, 8, 1]\nclasses: [a]\n{layout}"), "a dataset has at least two classes"),
        (format!("name: x\nimage: [8, 8, 1]\nclasses: {{a: [b, c]}}\n{layout}"), "`label` is missing"),
        (
            format!("name: x\n{image}{layout}statistics: {{mean: [1, 2], std: [0, 1]}}\n"),
            "one number a channel: 1 of them",
        ),
        (format!("name: x\n{image}{layout}sources: [{{url: u, sha256: abc}}]\n"), "expected a checksum of 64 digits"),
        (format!("name: x\n{image}layouts: [{{format: drawn, splits: {{a: 1}}}}]\n"), "what is drawn are images"),
        (
            "name: x\nimage: [any, 8, 1]\nclasses: [a, b]\nlayouts: [{format: cifar, folder: x, splits: {a: [b]}}]\n"
                .to_string(),
            "images of this format have one shape",
        ),
    ] {
        let faults = find(&text, &[]).err().unwrap_or_else(|| panic!("{text} has no fault"));
        assert!(faults.contains(expected), "{text}\n{faults}");
    }
}
