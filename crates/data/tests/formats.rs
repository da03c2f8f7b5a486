//! What the formats read, against bytes that are written here by hand or come from elsewhere.

mod support;

use std::path::Path;

use data::{Images, Published};
use sha2::{Digest, Sha256};
use support::{card, gzip, idx, read, write, write_image};

/// Records of two labels and three planes of four pixels.
const TINY_CIFAR: &str = "{name: tiny, image: [2, 2, 3], label: fine, classes: {coarse: [a, b], fine: [c, d, e]},
    layouts: [{format: cifar, folder: tiny, labels: [coarse, fine], splits: {all: [one.bin, two.bin]}}]}";

#[test]
fn cifar_records_become_pixels_with_their_channels_side_by_side() {
    let place = tempfile::tempdir().unwrap();
    let record = |label: u8, first: u8| [vec![0, label], (first..first + 12).collect()].concat();
    write(&place.path().join("tiny/one.bin"), &[record(2, 0), record(1, 100)].concat());
    write(&place.path().join("tiny/two.bin"), &record(0, 50));
    let stored = read(&card(TINY_CIFAR), place.path()).unwrap();
    let split = &stored.splits["all"];
    assert_eq!((stored.layout, stored.published, &split.labels), ("cifar", Published::NotChecked, &vec![2, 1, 0]));
    assert_eq!(stored.classes, ["c", "d", "e"]);
    assert_eq!(split.image(0).unwrap().bytes, [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
    assert_eq!(split.image(2).unwrap().bytes[..3], [50, 54, 58]);
}

#[test]
fn idx_files_are_read_plain_and_packed_to_the_same_fingerprint() {
    let text = |md5: &str| {
        format!(
            "{{name: tiny, image: [2, 3, 1], classes: [a, b], layouts: [{{format: idx, folder: tiny, md5: {{{md5}}},
              splits: {{all: {{images: images, labels: labels}}}}}}]}}"
        )
    };
    let (images, labels) = (idx(&[2, 2, 3], &(0..12).collect::<Vec<_>>()), idx(&[2], &[1, 0]));
    // By Python's hashlib of the same bytes.
    let published = "images: d9ff8e7baab2007f6e075931dce93b9a, labels: e83ca311ba2a0ada46840ed9d6b893c1";
    let (plain, packed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (name, bytes) in [("images", &images), ("labels", &labels)] {
        write(&plain.path().join("tiny").join(name), bytes);
        write(&packed.path().join("tiny").join(format!("{name}.gz")), &gzip(bytes));
    }
    let [a, b] = [&plain, &packed].map(|place| read(&card(&text(published)), place.path()).unwrap());
    assert_eq!((a.published, b.published), (Published::Yes, Published::Yes));
    assert_eq!(a.fingerprint, b.fingerprint);
    assert_eq!(a.splits["all"].labels, [1, 0]);
    assert_eq!(b.splits["all"].image(1).unwrap().bytes, [6, 7, 8, 9, 10, 11]);
    let other = text(&published.replace("e83ca3", "000000"));
    assert_eq!(read(&card(&other), plain.path()).unwrap().published, Published::Differs);
    assert_eq!(read(&card(&text("")), plain.path()).unwrap().published, Published::NotChecked);
}

#[test]
fn image_folders_keep_what_has_one_shape_in_memory_and_leave_the_rest_on_disk() {
    let place = tempfile::tempdir().unwrap();
    for (name, height, width) in [("b/2.png", 4, 5), ("b/1.bmp", 4, 5), ("a/x.png", 4, 5), ("a/.hidden", 1, 1)] {
        let path = place.path().join("pets").join(name);
        if name.ends_with("hidden") { write(&path, b"x") } else { write_image(&path, height, width) }
    }
    let layout = "classes: [a, b], layouts: [{format: image_folder, folder: pets, splits: {all: .}}]}";
    let fixed = read(&card(&format!("{{name: pets, image: [4, 5, 3], {layout}")), place.path()).unwrap();
    let any = read(&card(&format!("{{name: pets, image: [any, 5, 3], {layout}")), place.path()).unwrap();
    assert!(matches!(fixed.splits["all"].images, Images::Memory { shape: [4, 5, 3], .. }));
    assert!(matches!(any.splits["all"].images, Images::Files { .. }));
    assert_eq!(fixed.fingerprint, any.fingerprint);
    for stored in [&fixed, &any] {
        let split = &stored.splits["all"];
        assert_eq!(split.labels, [0, 1, 1]);
        assert!(split.files.as_ref().unwrap()[1].ends_with("pets/b/1.bmp"));
        assert_eq!(split.image(1).unwrap().bytes[3 * 7..][..3], [2, 1, 7], "row 1, column 2");
    }
    let grey = read(&card(&format!("{{name: pets, image: [4, 5, 1], {layout}")), place.path()).unwrap();
    assert_eq!(grey.splits["all"].image(0).unwrap().bytes.len(), 20);
}

#[test]
fn a_fingerprint_changes_with_any_pixel_label_or_name() {
    let text = |split: &str| {
        format!(
            "{{name: tiny, image: [1, 1, 1], classes: [a, b], layouts: [{{format: cifar, folder: tiny, splits: {{{split}: [x]}}}}]}}"
        )
    };
    let print = |split, bytes: &[u8]| {
        let place = tempfile::tempdir().unwrap();
        write(&place.path().join("tiny/x"), bytes);
        read(&card(&text(split)), place.path()).unwrap().fingerprint
    };
    let first = print("all", &[0, 10, 1, 20]);
    assert_eq!(first, print("all", &[0, 10, 1, 20]));
    for (split, bytes) in [("all", [0, 10, 1, 21]), ("all", [1, 10, 1, 20]), ("test", [0, 10, 1, 20])] {
        assert_ne!(first, print(split, &bytes));
    }
}

/// The digits are written out again as the comma-separated text that scikit-learn ships; its SHA-256 is from `zcat
/// digits.csv.gz | sha256sum`.
#[test]
fn the_embedded_digits_are_those_of_their_source() {
    let stored = read(&card("digits"), Path::new("")).unwrap();
    let split = &stored.splits["all"];
    assert_eq!((split.len(), stored.published), (1797, Published::Yes));
    let mut text = String::new();
    for (index, label) in split.labels.iter().enumerate() {
        for pixel in split.image(index).unwrap().bytes {
            let value = (f64::from(pixel) * 16.0 / 255.0).round();
            assert_eq!(f64::from(pixel), (value * 255.0 / 16.0).round());
            text += &format!("{value},");
        }
        text += &format!("{label}\n");
    }
    let digits: String = Sha256::digest(&text).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(digits, "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8");
}

#[test]
fn shapes_are_drawn_the_same_each_time_and_by_any_thread() {
    let draw = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| read(&card("shapes10"), Path::new("")).unwrap())
    };
    let (first, again) = (draw(1), draw(3));
    assert_eq!(first.fingerprint, again.fingerprint);
    let (train, test) = (&first.splits["train"], &first.splits["test"]);
    assert_eq!((train.len(), test.len()), (5000, 1000));
    for class in 0..10 {
        assert_eq!(test.labels.iter().filter(|l| **l == class).count(), 100);
    }
    assert_ne!(train.image(0).unwrap(), test.image(0).unwrap());
}
