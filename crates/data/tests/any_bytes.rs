//! Whatever stands in a file: it is read or refused, never a panic; and every row of the formats is as it should be.

mod support;

use data::{CardSection, Cards, DATASET, FORMATS};
use proptest::prelude::*;
use spec::{Faults, Sources, Word};
use support::{card, gzip, idx, read, write};

const CIFAR: &str = "{name: tiny, image: [2, 2, 3], classes: [a, b, c],
    layouts: [{format: cifar, folder: tiny, splits: {all: [bytes]}}]}";
const IDX: &str = "{name: tiny, image: [2, 3, 1], classes: [a, b],
    layouts: [{format: idx, folder: tiny, splits: {all: {images: images, labels: labels}}}]}";
const FOLDER: &str = "{name: tiny, image: [any, any, 3], classes: [a, b],
    layouts: [{format: image_folder, folder: tiny, splits: {all: .}}]}";

/// Lines of a card, some of them broken.
fn card_lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("name: x"),
        Just("image: [8, any, 3]"),
        Just("image: [0, 8]"),
        Just("classes: [a, b]"),
        Just("classes: {fine: [a, b], coarse: []}"),
        Just("label: fine"),
        Just("label:"),
        Just("fields: {image: {type: image}}"),
        Just("samples: {train: -1}"),
        Just("sources: [{url: u, md5: 12}]"),
        Just("layouts: [{format: image_folder, folder: ../x, splits: {a: .}}]"),
        Just("layouts: [{format: image_folder, folder: x, splits: {a: .}}]"),
        Just("layouts: [{format: drawn, splits: {train: 1e9}}]"),
        Just("layouts: [{format: cifar, folder: x, labels: [], splits: []}]"),
        Just("statistics: {mean: [], std: 1}"),
    ];
    prop::collection::vec(line, 0..8).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_data_file_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let place = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| write(&place.path().join("tiny").join(name), bytes);
        file("bytes", &bytes);
        let _ = read(&card(CIFAR), place.path());
        file("images", &idx(&[2, 2, 3], &bytes));
        file("labels", &bytes);
        let _ = read(&card(IDX), place.path());
        file("images.gz", &gzip(&bytes));
        let _ = read(&card(IDX), place.path());
        std::fs::remove_dir_all(place.path().join("tiny")).unwrap();
        file("a/1.png", &bytes);
        file("b/1.jpg", &[&b"\xff\xd8\xff\xe0"[..], &bytes].concat());
        prop_assert!(read(&card(FOLDER), place.path()).is_err());
    }

    #[test]
    fn no_card_panics(text in card_lines(), noise in "\\PC{0,40}") {
        let place = tempfile::tempdir().unwrap();
        for text in [text.clone(), format!("{text}\n{noise}"), noise] {
            write(&place.path().join("x.yaml"), text.as_bytes());
            let (mut sources, mut faults) = (Sources::new(), Faults::new());
            let cards = Cards::load(&[place.path().to_path_buf()], &mut sources);
            let node = spec::parse("test.yaml", text.as_bytes(), &mut sources, &mut faults);
            for node in node.into_iter().chain([spec::Node::word("x", spec::Place::new(sources.add("t", "x"), 0..1))]) {
                let node = spec::resolve(&node, &DATASET, &mut faults);
                let card = cards.find(&node, &mut faults);
                prop_assert!(card.is_some() || !faults.is_empty(), "{text}");
            }
            faults.render(&sources, false);
        }
    }
}

#[test]
fn every_format_is_well_named_and_documented_and_its_example_is_right() {
    for format in FORMATS {
        let kind = &format.kind;
        assert!(spec::is_name(kind.name) && !kind.doc.is_empty());
        for field in kind.fields {
            assert!(spec::is_name(field.name) && !field.doc.is_empty(), "{}.{}", kind.name, field.name);
        }
        let text = format!("name: x\nlayouts: [{}]\n", kind.example);
        let (mut sources, mut faults) = (Sources::new(), Faults::new());
        let node = spec::parse("test.yaml", text.as_bytes(), &mut sources, &mut faults).unwrap();
        let resolved = spec::resolve(&node, &CardSection::TYPE, &mut faults);
        assert!(faults.is_empty(), "{}", faults.render(&sources, false));
        let again = spec::resolve(&resolved, &CardSection::TYPE, &mut faults);
        assert_eq!((spec::to_yaml(&again), faults.len()), (spec::to_yaml(&resolved), 0));
    }
}
