//! Broken data files: each with its exact message. `INSTA_UPDATE=always cargo test -p data` writes them anew.

mod support;

use std::fs;
use std::path::Path;

use support::{card, gzip, idx, read, write, write_image};

const CIFAR: &str = "{name: tiny, image: [2, 2, 3], classes: [a, b, c],
    layouts: [{format: cifar, folder: tiny, splits: {train: [one.bin, two.bin], test: [three.bin]}}]}";
const IDX: &str = "{name: tiny, image: [2, 3, 1], classes: [a, b],
    layouts: [{format: idx, folder: tiny, splits: {all: {images: images, labels: labels}}}]}";
const FOLDER: &str = "{name: pets, image: [4, 4, 3], classes: [cat, dog],
    layouts: [{format: image_folder, folder: pets, splits: {train: train, test: test}}],
    sources: [{url: 'http://localhost/pets.tar.gz'}]}";

/// Lays files out, breaks them, and holds what reading says to its snapshot.
#[track_caller]
fn check(name: &str, card_text: &str, lay_out: fn(&Path), break_it: fn(&Path)) {
    let place = tempfile::tempdir().unwrap();
    lay_out(place.path());
    read(&card(card_text), place.path()).expect("it is whole before it is broken");
    break_it(place.path());
    let error = read(&card(card_text), place.path()).expect_err(name);
    assert!(!error.is_absent(), "what is broken is here");
    let text = error.to_string().replace(&place.path().display().to_string(), "DATA");
    insta::with_settings!({prepend_module_to_snapshot => false}, { insta::assert_snapshot!(name, text) });
}

fn cifar(data: &Path) {
    for name in ["one.bin", "two.bin", "three.bin"] {
        write(&data.join("tiny").join(name), &[[0; 13], [1; 13], [2; 13]].concat());
    }
}

fn mnist(data: &Path) {
    write(&data.join("tiny/images.gz"), &gzip(&idx(&[2, 2, 3], &[9; 12])));
    write(&data.join("tiny/labels.gz"), &gzip(&idx(&[2], &[0, 1])));
}

fn pets(data: &Path) {
    for image in ["train/cat/1.png", "train/cat/2.jpg", "train/dog/1.png", "test/cat/1.webp", "test/dog/1.bmp"] {
        write_image(&data.join("pets").join(image), 4, 4);
    }
}

#[test]
fn a_truncated_cifar_record() {
    check("cifar_truncated", CIFAR, cifar, |data| write(&data.join("tiny/two.bin"), &[0; 13 * 3 - 4]));
}

#[test]
fn cifar_labels_out_of_range() {
    check("cifar_labels", CIFAR, cifar, |data| {
        write(&data.join("tiny/one.bin"), &[[2; 13], [7; 13], [3; 13], [255; 13]].concat());
        write(&data.join("tiny/two.bin"), &[0; 14]);
        write(&data.join("tiny/three.bin"), &[3; 13]);
    });
}

#[test]
fn missing_and_empty_files_of_all_splits_together() {
    check("cifar_missing", CIFAR, cifar, |data| {
        fs::remove_file(data.join("tiny/one.bin")).unwrap();
        write(&data.join("tiny/three.bin"), b"");
    });
}

#[test]
fn idx_files_of_something_else() {
    check("idx_magic", IDX, mnist, |data| {
        write(&data.join("tiny/images.gz"), &gzip(&idx(&[2], &[0, 1])));
        write(&data.join("tiny/labels.gz"), &gzip(b"PK"));
    });
}

#[test]
fn idx_with_fewer_labels_than_images() {
    check("idx_counts", IDX, mnist, |data| write(&data.join("tiny/labels.gz"), &gzip(&idx(&[1], &[0]))));
}

#[test]
fn idx_shorter_than_its_header_says() {
    check("idx_short", IDX, mnist, |data| write(&data.join("tiny/images.gz"), &gzip(&idx(&[2, 2, 3], &[9; 11]))));
}

#[test]
fn idx_images_of_another_size() {
    check("idx_sizes", IDX, mnist, |data| write(&data.join("tiny/images.gz"), &gzip(&idx(&[2, 3, 2], &[9; 12]))));
}

#[test]
fn idx_labels_out_of_range() {
    check("idx_labels", IDX, mnist, |data| write(&data.join("tiny/labels.gz"), &gzip(&idx(&[2], &[0, 2]))));
}

#[test]
fn files_that_are_no_gzip_or_half_of_one() {
    check("idx_not_gzip", IDX, mnist, |data| {
        write(&data.join("tiny/labels.gz"), b"<html>404</html>");
        let whole = gzip(&idx(&[2, 2, 3], &[9; 12]));
        write(&data.join("tiny/images.gz"), &whole[..whole.len() / 2]);
    });
}

#[test]
fn images_that_cannot_be_decoded() {
    check("image_undecodable", FOLDER, pets, |data| {
        write(&data.join("pets/train/dog/1.png"), b"this is text");
        write(&data.join("pets/test/dog/2.png"), b"");
        let whole = fs::read(data.join("pets/train/cat/1.png")).unwrap();
        write(&data.join("pets/train/cat/1.png"), &whole[..whole.len() / 2]);
    });
}

#[test]
fn images_of_another_size() {
    check("image_sizes", FOLDER, pets, |data| write_image(&data.join("pets/train/dog/2.png"), 5, 4));
}

#[test]
fn an_image_too_large_to_be_decoded() {
    check("image_too_large", FOLDER, pets, |data| {
        let mut png = fs::read(data.join("pets/train/dog/1.png")).unwrap();
        // Width and height stand after the signature and the name of the first chunk; its checksum is made anew.
        png[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        let mut crc = flate2::Crc::new();
        crc.update(&png[12..29]);
        png[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        write(&data.join("pets/train/dog/1.png"), &png);
    });
}

#[test]
fn idx_files_of_two_splits_each_with_its_fault() {
    const TWO: &str = "{name: tiny, image: [2, 3, 1], classes: [a, b], layouts: [{format: idx, folder: tiny, splits: {
        train: {images: images, labels: labels}, test: {images: images2, labels: labels2}}}]}";
    let lay_out = |data: &Path| {
        mnist(data);
        write(&data.join("tiny/images2"), &idx(&[2, 2, 3], &[9; 12]));
        write(&data.join("tiny/labels2"), &idx(&[2], &[0, 1]));
    };
    check("idx_two_splits", TWO, lay_out, |data| {
        write(&data.join("tiny/images.gz"), b"no gzip");
        write(&data.join("tiny/labels.gz"), &gzip(&idx(&[2], &[7, 9])));
        write(&data.join("tiny/images2"), &idx(&[1, 2, 3], &[9; 6]));
    });
}

#[test]
#[cfg(unix)]
fn links_that_lead_nowhere_and_what_is_no_file() {
    check("image_links", FOLDER, pets, |data| {
        let train = data.join("pets/train");
        std::os::unix::fs::symlink("no/such\x1b[2J.png", train.join("cat/3\n.png")).unwrap();
        std::os::unix::fs::symlink("../cat", train.join("cat/loop")).unwrap();
        // Reading a pipe that nobody writes to would wait for ever.
        let pipe = train.join("dog/pipe.png");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        fs::remove_dir_all(data.join("pets/test/dog")).unwrap();
        std::os::unix::fs::symlink("/no/such/folder", data.join("pets/test/dog")).unwrap();
    });
}

#[test]
#[cfg(unix)]
fn links_are_followed_and_names_may_be_strange() {
    use std::os::unix::ffi::OsStrExt;
    let place = tempfile::tempdir().unwrap();
    pets(place.path());
    let train = place.path().join("pets/train");
    fs::rename(train.join("cat"), place.path().join("cats")).unwrap();
    std::os::unix::fs::symlink(place.path().join("cats"), train.join("cat")).unwrap();
    std::os::unix::fs::symlink("../../../cats/1.png", train.join("dog/linked.png")).unwrap();
    let no_unicode = std::ffi::OsStr::from_bytes(b"caf\xe9 \x07.png");
    fs::copy(train.join("dog/1.png"), train.join("dog").join(no_unicode)).unwrap();
    write(&train.join("dog/.hidden"), b"no image");
    let stored = read(&card(FOLDER), place.path()).unwrap();
    assert_eq!(stored.splits["train"].labels, [0, 0, 1, 1, 1]);
}

#[test]
fn folders_that_are_missing_empty_or_strange() {
    check("folders", FOLDER, pets, |data| {
        fs::remove_dir_all(data.join("pets/train/dog")).unwrap();
        fs::remove_dir_all(data.join("pets/test")).unwrap();
        fs::create_dir_all(data.join("pets/train/bird/wings")).unwrap();
        fs::create_dir_all(data.join("pets/train/cat/kittens")).unwrap();
        write(&data.join("pets/train/readme.txt"), b"hello\x1b[2J");
    });
}

#[test]
fn an_empty_folder() {
    check("folder_empty", FOLDER, pets, |data| {
        fs::remove_dir_all(data.join("pets/train")).unwrap();
        fs::create_dir(data.join("pets/train")).unwrap();
        fs::remove_file(data.join("pets/test/cat/1.webp")).unwrap();
    });
}

#[test]
fn a_dataset_that_is_nowhere() {
    let place = tempfile::tempdir().unwrap();
    let error = read(&card(CIFAR), place.path()).unwrap_err();
    assert!(error.is_absent());
    let text = error.to_string().replace(&place.path().display().to_string(), "DATA");
    insta::with_settings!({prepend_module_to_snapshot => false}, { insta::assert_snapshot!("nowhere", text) });
}
