//! From the words of `data` to batches, on the digits that come with the program and on folders made here.

mod support;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use data::{Batch, Dataset, Loader, LoaderSettings, Mode, PartName, Pixels, Values, preview, summary};
use kernels::input::Normalization;
use support::try_open;

const DIGITS: &str = "dataset: digits\ntrain: {split: all}\nvalidation: {split: all, fraction: 0.15}\ntest: {split: all, fraction: 0.25}\n";
const AUGMENT: &str = "augment:\n  - random_crop: {padding: 1}\n  - random_rotation: 10\n  - random_flip\n";

fn open(text: &str) -> Dataset {
    try_open(text, &[]).unwrap()
}

fn settings(threads: usize) -> LoaderSettings {
    LoaderSettings { batch_size: 50, drop_last: false, shuffle: true, mode: Mode::Train, seed: 3, threads }
}

fn epoch(dataset: &Dataset, settings: LoaderSettings, epoch: u64, first_batch: usize) -> Vec<Batch> {
    let mut loader = Loader::new(dataset, PartName::Train, settings).unwrap();
    let mut batches = Vec::new();
    let mut keep = |batch: &Batch| {
        batches.push(batch.clone());
        ControlFlow::Continue(())
    };
    loader.epoch(epoch, first_batch, &mut keep).unwrap();
    batches
}

#[test]
fn a_dataset_is_divided_and_known() {
    let dataset = open(DIGITS);
    let sizes: Vec<usize> = dataset.parts().map(|part| part.indices.len()).collect();
    assert_eq!(sizes, [1078, 270, 449]);
    let all: BTreeSet<u32> = dataset.parts().flat_map(|part| part.indices.iter().copied()).collect();
    assert!(all.into_iter().eq(0..1797));
    let whole = PartName::ALL.map(|part| dataset.class_counts(part));
    let of_class = |class: usize| whole.iter().map(|counts| counts[class]).sum::<usize>() as f64;
    for (counts, share) in whole.iter().zip([0.6, 0.15, 0.25]) {
        assert!((0..10).all(|class| (counts[class] as f64 - share * of_class(class)).abs() < 2.0), "{counts:?}");
    }
    insta::assert_snapshot!(summary(&dataset).unwrap());
}

#[test]
fn batches_do_not_depend_on_threads() {
    let dataset = open(&format!("{DIGITS}{AUGMENT}"));
    let one = epoch(&dataset, settings(1), 2, 0);
    assert_eq!(one.len(), 22);
    assert_eq!(one.last().unwrap().len(), 28);
    for threads in [2, 3] {
        assert!(epoch(&dataset, settings(threads), 2, 0) == one, "{threads} threads");
    }
    assert!(epoch(&dataset, settings(2), 3, 0) != one);
}

#[test]
fn an_epoch_may_begin_in_its_middle() {
    for text in [DIGITS.to_string(), format!("{DIGITS}{AUGMENT}")] {
        let dataset = open(&text);
        let whole = epoch(&dataset, settings(2), 1, 0);
        assert!(epoch(&dataset, settings(2), 1, 7) == whole[7..]);
        assert!(epoch(&dataset, settings(2), 1, 22).is_empty());
    }
}

#[test]
fn every_sample_comes_once_with_its_image_and_label() {
    for text in [DIGITS.to_string(), format!("{DIGITS}{AUGMENT}")] {
        let dataset = open(&text);
        let part = dataset.part(PartName::Train).unwrap();
        let labels = dataset.labels(PartName::Train);
        let batches = epoch(&dataset, settings(2), 4, 0);
        let mut samples: Vec<u32> = batches.iter().flat_map(|batch| batch.samples.clone()).collect();
        assert_ne!(samples, part.indices);
        for batch in &batches {
            assert_eq!(batch.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["image", "label"]);
            assert!(matches!(batch.fields[0].values, Values::U8 { shape: [8, 8, 1], .. }));
            for (i, &sample) in batch.samples.iter().enumerate() {
                let image = dataset.image_for(PartName::Train, sample, Mode::Train, 3, 4).unwrap();
                assert_eq!(batch.image()[64 * i..64 * (i + 1)], image.bytes);
                assert_eq!(batch.labels()[i], labels[part.indices.binary_search(&sample).unwrap()]);
            }
        }
        samples.sort_unstable();
        assert_eq!(samples, part.indices);
    }
}

#[test]
fn evaluation_is_in_order_and_not_augmented() {
    let dataset = open(&format!("{DIGITS}{AUGMENT}"));
    let settings = LoaderSettings { shuffle: false, mode: Mode::Evaluate, drop_last: true, ..settings(2) };
    let batches = epoch(&dataset, settings, 0, 0);
    assert_eq!(batches.len(), 21);
    let part = dataset.part(PartName::Train).unwrap();
    assert_eq!(batches[3].samples, part.indices[150..200]);
    let original = dataset.original(PartName::Train, batches[3].samples[9]).unwrap();
    assert_eq!(batches[3].image()[64 * 9..64 * 10], original.bytes);
}

#[test]
fn a_loader_goes_on_after_an_epoch_was_broken_off() {
    let dataset = open(&format!("{DIGITS}{AUGMENT}"));
    let mut loader = Loader::new(&dataset, PartName::Train, settings(2)).unwrap();
    let mut seen = 0;
    let mut two = |_: &Batch| {
        seen += 1;
        if seen < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    loader.epoch(0, 0, &mut two).unwrap();
    assert_eq!(seen, 2);
    let whole = epoch(&dataset, settings(1), 5, 0);
    let mut batches = loader.batches(5, 0);
    for expected in &whole {
        assert!(batches.next().unwrap().unwrap() == expected);
    }
    assert!(batches.next().is_none());
}

#[test]
fn statistics_are_those_of_the_training_part() {
    let dataset =
        open(&format!("{DIGITS}preprocess: [{{resize: {{size: 4, interpolation: area}}}}]\nnormalize: dataset\n"));
    let mut values = Vec::new();
    for &sample in &dataset.part(PartName::Train).unwrap().indices {
        values.extend(dataset.image_for(PartName::Train, sample, Mode::Evaluate, 0, 0).unwrap().bytes);
    }
    let n = values.len() as f64;
    let mean = values.iter().map(|&x| f64::from(x) / 255.0).sum::<f64>() / n;
    let std = (values.iter().map(|&x| (f64::from(x) / 255.0 - mean).powi(2)).sum::<f64>() / n).sqrt();
    let Normalization::Affine { scale, shift } = dataset.normalization().unwrap() else { panic!("affine") };
    assert!((f64::from(scale[0]) - 1.0 / 255.0 / std).abs() < 1e-8 && (f64::from(shift[0]) + mean / std).abs() < 1e-6);
}

#[test]
fn a_fallback_stands_in_for_what_is_not_here() {
    let text = "dataset: cifar10\nfallback: shapes10\nvalidation: {split: train, fraction: 0.1}\n";
    let dataset = open(text);
    assert_eq!(dataset.name, "shapes10");
    assert_eq!(dataset.described(), "shapes10 (instead of cifar10)");
    let instead = dataset.instead_of.clone().unwrap();
    assert!(instead.name == "cifar10" && instead.why.contains("cifar10 is not here"), "{instead:?}");
    assert!(try_open("dataset: cifar10", &[]).err().unwrap().is_absent());
}

/// Two classes of images with these sides in a folder, all of them different.
fn folder(sides: &[(u32, u32)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for class in ["cat", "dog"] {
        let folder = root.path().join("pets").join(class);
        std::fs::create_dir_all(&folder).unwrap();
        for (i, &(height, width)) in sides.iter().enumerate() {
            let shade = |x: u32, y: u32| {
                image::Rgb([(x * 9) as u8, (y * 7) as u8, (i * 40 + class.len() + usize::from(class == "cat")) as u8])
            };
            image::RgbImage::from_fn(width, height, shade).save(folder.join(format!("{i}.png"))).unwrap();
        }
    }
    root
}

#[test]
fn images_of_any_size_come_to_one() {
    let root = folder(&[(20, 30), (31, 17), (25, 25)]);
    let text = "dataset: {path: pets}\ntrain: {split: all}\ntest: {split: all, count: 2}\npreprocess:\n  - resize: {size: 16, fit: shorter_side}\n  - center_crop: 12\n";
    let dataset = try_open(text, &[root.path()]).unwrap();
    assert_eq!(dataset.classes, ["cat", "dog"]);
    let batches = epoch(&dataset, LoaderSettings { batch_size: 3, ..settings(2) }, 0, 0);
    assert_eq!(batches.iter().map(Batch::len).collect::<Vec<_>>(), [3, 1]);
    assert!(matches!(batches[0].fields[0].values, Values::U8 { shape: [12, 12, 3], .. }));
    assert!(dataset.file(PartName::Test, dataset.part(PartName::Test).unwrap().indices[0]).unwrap().is_file());
}

#[test]
fn images_that_a_step_cannot_take_are_listed() {
    let root = folder(&[(20, 30), (11, 30), (25, 9)]);
    let text = "dataset: {path: pets}\ntrain: {split: all}\npreprocess: [center_crop: 12]\n";
    let error = try_open(text, &[root.path()]).err().unwrap().to_string();
    let error = error.replace(&root.path().display().to_string(), "DATA");
    insta::assert_snapshot!(error);
}

#[test]
fn a_folder_with_too_few_images_says_so() {
    let root = folder(&[(8, 8)]);
    let text = "dataset: {path: pets, image: [8, 8, 3]}\ntrain: {split: all}\ntest: {split: all, count: 5}\n";
    let error = try_open(text, &[root.path()]).err().unwrap().to_string();
    assert_eq!(error, "pets has too few samples: `test` takes 5 samples of `all`, which has 2");
}

/// Pets in `train` and `test`, each with its image 2 of train in test as well.
fn pets_with_copies() -> tempfile::TempDir {
    let root = folder(&[(8, 8), (8, 8), (8, 8), (8, 8)]);
    let pets = root.path().join("pets");
    std::fs::create_dir(pets.join("train")).unwrap();
    for class in ["cat", "dog"] {
        let to = pets.join("test").join(class);
        std::fs::create_dir_all(&to).unwrap();
        std::fs::rename(pets.join(class), pets.join("train").join(class)).unwrap();
        std::fs::copy(pets.join("train").join(class).join("2.png"), to.join("copy.png")).unwrap();
    }
    root
}

/// What is wrong with a dataset in a folder that is made anew for every test.
fn wrong(text: &str, root: &tempfile::TempDir) -> String {
    let error = try_open(text, &[root.path()]).err().unwrap().to_string();
    error.replace(&root.path().display().to_string(), "DATA")
}

const PETS: &str = "dataset: {path: pets, image: [8, 8, 3]}\n";

#[test]
fn copies_across_parts_are_reported_refused_or_dropped() {
    let root = pets_with_copies();
    let open = |more: &str| try_open(&format!("{PETS}{more}"), &[root.path()]);
    let reported = open("").unwrap();
    let [copies] = &reported.findings.copies[..] else { panic!("{:?}", reported.findings) };
    assert_eq!((copies.first, copies.second), (PartName::Train, PartName::Test));
    assert_eq!((copies.samples, copies.other_class, copies.example), (2, 0, [2, 0]));
    assert_eq!(reported.part(PartName::Train).unwrap().indices.len(), 8);
    let dropped = open("duplicates: drop").unwrap();
    assert_eq!(dropped.part(PartName::Train).unwrap().indices, [0, 1, 3, 4, 5, 7]);
    assert_eq!(dropped.findings.dropped, [2, 6]);
    assert_eq!(dropped.findings.copies, reported.findings.copies);
    assert_ne!(dropped.fingerprint, reported.fingerprint);
    insta::assert_snapshot!(wrong(&format!("{PETS}duplicates: refuse"), &root));
}

#[test]
fn copies_are_counted_within_parts_and_with_other_classes() {
    let root = pets_with_copies();
    let pets = root.path().join("pets");
    let copy = |from: &str, to: &str| std::fs::copy(pets.join(from), pets.join(to)).map(drop).unwrap();
    copy("train/cat/0.png", "train/cat/10.png");
    copy("train/cat/0.png", "train/dog/10.png");
    copy("train/cat/0.png", "test/dog/10.png");
    // Any size, and with it files in place of pixels in memory, finds the same.
    for text in [PETS, "dataset: {path: pets}\npreprocess: [resize: 8]\n"] {
        let dataset = try_open(text, &[root.path()]).unwrap();
        let found = dataset.findings.describe(&dataset.classes);
        assert_eq!(
            found,
            [
                "2 images of train repeat another of its images, 1 of them with another class",
                "5 images of train stand in test as well, 2 of them with another class"
            ]
        );
    }
    let dropped = try_open(&format!("{PETS}duplicates: drop"), &[root.path()]).unwrap();
    // By name: 0, 1, 10, 2, 3 of each class.
    assert_eq!(dropped.findings.dropped, [0, 2, 3, 7, 8]);
}

#[test]
fn validation_that_is_the_test_part_is_no_copy_of_it() {
    let dataset = open("dataset: digits\ntrain: {split: all, count: 1000}\n");
    assert_eq!(dataset.findings.copies, []);
    let root = pets_with_copies();
    let same = try_open(&format!("{PETS}validation: {{split: test}}\n"), &[root.path()]).unwrap();
    let pairs: Vec<_> = same.findings.copies.iter().map(|copies| (copies.first, copies.second)).collect();
    assert_eq!(pairs, [(PartName::Train, PartName::Validation), (PartName::Train, PartName::Test)]);
}

#[test]
fn all_that_stands_in_the_way_is_listed_together() {
    let root = folder(&[(8, 8), (8, 8), (6, 8), (8, 8)]);
    let pets = root.path().join("pets");
    for class in ["ant", "bee"] {
        std::fs::create_dir_all(pets.join(class)).unwrap();
        std::fs::copy(pets.join("cat/1.png"), pets.join(class).join("1.png")).unwrap();
    }
    let text = "dataset: {path: pets}\ntrain: {split: all, count: 4}\nvalidation: {split: all, count: 2}\ntest: {split: all}\npreprocess: [center_crop: 7]\nduplicates: refuse";
    insta::assert_snapshot!(wrong(text, &root));
}

#[test]
fn a_class_that_no_sample_teaches_is_refused_and_one_that_none_measures_is_told() {
    let root = pets_with_copies();
    std::fs::create_dir_all(root.path().join("pets/train/eel")).unwrap();
    std::fs::create_dir_all(root.path().join("pets/test/eel")).unwrap();
    let empty = wrong(PETS, &root);
    assert!(empty.contains("train/eel: the folder of this class is empty"), "{empty}");
    let digits = "dataset: digits\ntrain: {split: all}\ntest: {split: all, count: 7}\n";
    let dataset = open(digits);
    let absent = &dataset.findings.absent_classes[&PartName::Test];
    assert!(absent.iter().all(|&class| dataset.class_counts(PartName::Test)[class as usize] == 0) && absent.len() == 3);
    let error = try_open(&digits.replace("count: 7", "count: 1790"), &[]).err().unwrap().to_string();
    let first = "digits cannot be used: 3 things stand in the way\n  train: the class `";
    assert!(error.starts_with(first), "{error}");
}

#[test]
fn a_preview_is_a_png_of_all_its_rows() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("preview.png");
    let dataset = open(&format!("{DIGITS}{AUGMENT}"));
    preview(&dataset, 1, &path).unwrap();
    let sheet = Pixels::read(&path, 3).unwrap();
    assert_eq!((sheet.width, sheet.height), (848, 1682));
    let missing = preview(&dataset, 1, &root.path().join("no/such/folder.png")).unwrap_err().to_string();
    assert!(missing.contains("could not write the preview"), "{missing}");
}
