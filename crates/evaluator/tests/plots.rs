//! Every plot is a readable PNG of the size that its content asks for. `ETALON_PLOTS=DIR` keeps them for looking at.

use std::collections::BTreeMap;

use engine::Predictions;
use evaluator::compare::Flip;
use evaluator::plots::{self, Mistake, Pixels};
use record::Epoch;

fn classes(n: usize) -> Vec<String> {
    let names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
    (0..n).map(|i| names.get(i).map_or_else(|| format!("class {i}"), |name| name.to_string())).collect()
}

/// Predictions of a network that is sure and often right: a formula, no randomness.
fn predictions(n: usize, n_classes: usize) -> Predictions {
    let mut made = Predictions { n_classes, ..Predictions::default() };
    for index in 0..n {
        let label = index % n_classes;
        let taken = if index % 7 == 0 { (label + index / 7) % n_classes } else { label };
        let sure = 0.3 + 0.69 * ((index * 37 % 101) as f32 / 100.0);
        made.samples.push(index as u32);
        made.labels.push(label as u32);
        let rest = (1.0 - sure) / (n_classes - 1) as f32;
        made.probabilities.extend((0..n_classes).map(|class| if class == taken { sure } else { rest }));
    }
    made
}

fn epochs(n: usize) -> Vec<Epoch> {
    let epoch = |epoch: usize| {
        let t = epoch as f64;
        let metrics = [
            ("train/loss", 1.9 / t.sqrt()),
            ("train/accuracy", 1.0 - 0.6 / t.sqrt()),
            ("validation/loss", 1.5 / t.sqrt() + 0.3),
            ("validation/accuracy", 0.9 - 0.5 / t.sqrt()),
        ];
        let metrics: BTreeMap<String, f64> =
            metrics.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
        Epoch { epoch, steps: 10 * epoch as u64, learning_rate: 0.1, seconds: 1.0, images_per_second: 10.0, metrics }
    };
    (1..=n).map(epoch).collect()
}

#[track_caller]
fn check(name: &str, png: Vec<u8>, size: (u32, u32)) {
    let picture = image::load_from_memory(&png).expect("a PNG").to_rgb8();
    assert_eq!(picture.dimensions(), size, "{name}");
    let drawn = picture.pixels().filter(|pixel| pixel.0 != [255; 3]).count();
    // Two words are the least that any of them says.
    assert!(drawn > 300, "{name} is nearly empty: {drawn} pixels");
    if let Some(folder) = std::env::var_os("ETALON_PLOTS") {
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), png).unwrap();
    }
}

#[test]
fn curves_have_two_panels_or_one() {
    check("curves", plots::curves(&epochs(10)).unwrap(), (1000, 400));
    let mut only_loss = epochs(1);
    only_loss[0].metrics.retain(|name, _| name == "train/loss");
    check("curves_loss", plots::curves(&only_loss).unwrap(), (520, 400));
    check("curves_none", plots::curves(&[]).unwrap(), (520, 400));
}

#[test]
fn values_that_are_no_numbers_are_left_out() {
    let mut history = epochs(3);
    history[1].metrics.insert("train/loss".into(), f64::NAN);
    history[2].metrics.insert("validation/loss".into(), f64::INFINITY);
    check("curves_gaps", plots::curves(&history).unwrap(), (1000, 400));
}

#[test]
fn the_confusion_matrix_grows_with_its_classes() {
    let count =
        |n: usize| -> Vec<u64> { (0..n * n).map(|i| if i / n == i % n { 870 } else { (i % 13) as u64 }).collect() };
    check("confusion", plots::confusion(&count(10), &classes(10)).unwrap(), (696, 724));
    check("confusion_2", plots::confusion(&count(2), &classes(2)).unwrap(), (340, 292));
    check("confusion_100", plots::confusion(&count(100), &classes(100)).unwrap(), (1434, 1462));
}

#[test]
fn reliability_and_mistakes_come_from_predictions() {
    let said = predictions(700, 10);
    check("reliability", plots::reliability(&said).unwrap(), (620, 700));
    let worst = plots::most_confident(&said, 20);
    assert_eq!(worst.len(), 20);
    let mut image = |mistake: &Mistake| {
        let bytes = (0..32 * 32 * 3).map(|i| (i * (mistake.sample as usize + 3) / 7 % 256) as u8).collect();
        Some(Pixels { height: 32, width: 32, channels: 3, bytes })
    };
    check("mistakes", plots::mistakes(&worst, &classes(10), &mut image).unwrap(), (870, 940));
    check("no_mistakes", plots::mistakes(&[], &classes(10), &mut image).unwrap(), (870, 60));
}

#[test]
fn disagreements_show_both_answers() {
    let flip = |sample: u32| Flip {
        sample,
        label: "automobile".into(),
        first: ("automobile".into(), 0.7),
        second: ("truck".into(), 0.9),
    };
    let mut image = |_: &Flip| Some(Pixels { height: 2, width: 2, channels: 1, bytes: vec![99; 4] });
    let sheet = plots::disagreements(&(0..7).map(flip).collect::<Vec<_>>(), &mut image).unwrap();
    check("disagreements", sheet, (870, 538));
    check("no_disagreements", plots::disagreements(&[], &mut image).unwrap(), (870, 60));
}

#[test]
fn pixels_of_images_keep_their_colours() {
    let worst = plots::most_confident(&predictions(20, 10), 1);
    for (channels, bytes, expected) in [(3, vec![10, 200, 30], [10, 200, 30]), (1, vec![77], [77; 3])] {
        let mut image = |_: &Mistake| Some(Pixels { height: 2, width: 2, channels, bytes: bytes.repeat(4) });
        let sheet = plots::mistakes(&worst, &classes(10), &mut image).unwrap();
        let sheet = image::load_from_memory(&sheet).unwrap().to_rgb8();
        let image = (30..160).flat_map(|x| (60..190).map(move |y| (x, y)));
        assert!(image.into_iter().all(|(x, y)| sheet.get_pixel(x, y).0 == expected));
    }
}

#[test]
fn cells_of_the_confusion_matrix_touch() {
    // Everything right: a diagonal in the full colour up to the lines between cells.
    let counts = [5, 0, 0, 5];
    let matrix = image::load_from_memory(&plots::confusion(&counts, &classes(2)).unwrap()).unwrap().to_rgb8();
    let blue = matrix.pixels().filter(|pixel| pixel.0 == [31, 111, 180]).count();
    assert!(blue > 2 * 52 * 52 - 2 * 20 * 20, "{blue}");
}
