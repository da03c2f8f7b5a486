//! `etalon bench` on a tiny experiment: what it says, not how fast it is.

use crate::support::Place;

const TINY: &str = "
task: classification
data:
  dataset: digits
  train: {split: all}
  augment: [{random_crop: {padding: 1}}]
model:
  layers:
    - conv2d: {filters: 8, kernel_size: 3, activation: relu}
    - max_pool2d: 2
    - flatten
    - dense: $classes
loss: cross_entropy
optimizer: {type: adam, learning_rate: 0.05}
train: {epochs: 1, batch_size: 32}
evaluate: {part: train}
";

fn tiny(place: &Place) -> String {
    let file = place.folder.path().join("tiny.yaml");
    std::fs::write(&file, TINY).unwrap();
    file.to_str().unwrap().to_string()
}

#[test]
fn its_last_line_holds_what_programs_ask_for() {
    let place = Place::new();
    let file = tiny(&place);
    let call = |more: &[&str]| {
        let arguments = [&["bench", &file, "--format", "json", "--seconds", "0.1"], more].concat();
        place.call(&arguments).expect(0).json()
    };
    let training = call(&["train.batch_size=16", "--threads", "1"]);
    let number = |line: &serde_json::Value, key: &str| line[key].as_f64().unwrap_or_else(|| panic!("{key}: {line}"));
    for key in ["images_per_second", "gflops", "ceiling_gflops", "warmup_steps"] {
        assert!(number(&training, key) > 0.0, "{key}: {training}");
    }
    assert_eq!(training["peak_rss_bytes"].is_u64(), cfg!(target_os = "linux"), "{training}");
    assert_eq!([&training["batch_size"], &training["threads"]], [16, 1]);
    // 6 x 6 places of 8 filters with 9 weights, and 72 numbers to 10 classes; the image itself needs no gradient.
    let (convolution, dense) = (2 * 36 * 8 * 9, 2 * 72 * 10);
    assert_eq!(training["flops_per_image"], 2 * convolution + 3 * dense, "{training}");
    let layers = training["layers"].as_array().unwrap();
    for path in ["conv2d", "dense", "loss"] {
        let layer = layers.iter().find(|layer| layer["path"] == path).unwrap_or_else(|| panic!("{path}: {training}"));
        assert!(number(layer, "forward_us") + number(layer, "backward_us") > 0.0, "{layer}");
    }
    // Twenty steps on images whose class can be seen: below the 2.30 of guessing.
    assert!(number(&training, "warmup_loss") < 2.2, "{training}");

    let data = call(&["--with-data"]);
    assert!(number(&data, "images_per_second_loading") > 0.0, "{data}");
    assert!(["loading", "computing"].contains(&data["limit"].as_str().unwrap()), "{data}");

    let inference = call(&["--inference", "train.batch_size=1"]);
    assert_eq!(inference["flops_per_image"], convolution + dense, "{inference}");
    assert!(number(&inference, "images_per_second") > 0.0, "{inference}");
}

#[test]
fn its_text_fits_the_terminal_and_a_faulty_experiment_is_not_measured() {
    let place = Place::new();
    let file = tiny(&place);
    let said = place.call(&["bench", &file, "--seconds", "0.1", "--with-data"]).expect(0);
    for word in ["tiny: training, batch 32", "in memory", "loading", "is the limit", "GFLOP/s", "backward", "conv2d"] {
        assert!(said.out.contains(word), "{word:?} is missing:\n{}", said.out);
    }
    assert!(said.out.lines().all(|line| line.chars().count() <= 80), "{}", said.out);
    place.call(&["bench", &file, "train.batch_size=0"]).expect(1);
    place.call(&["bench", &file, "--seconds", "0"]).expect(2);
}

#[test]
fn the_experiments_that_only_benchmarks_need_are_right() {
    let folder = crate::support::root().join("benches/experiments");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().to_str().unwrap().to_string());
    let files: Vec<String> = files.collect();
    assert!(files.len() > 5, "{files:?}");
    let arguments: Vec<&str> = std::iter::once("check").chain(files.iter().map(String::as_str)).collect();
    Place::new().call(&arguments).expect(0);
}

#[test]
fn kernels_are_timed_by_every_way_and_the_plans_is_marked() {
    let place = Place::new();
    let file = tiny(&place);
    for arithmetic in ["strict", "fast"] {
        let line = format!("engine.arithmetic={arithmetic}");
        let found = place.call(&["bench", "kernels", &file, &line, "--format", "json"]).expect(0).json();
        let rows = found["kernels"].as_array().unwrap();
        // Few channels are computed pixels side by side, too few for transforms to pay; those are timed all the same.
        let ways = |layer: &str| -> Vec<&str> {
            rows.iter().filter(|row| row["layer"] == layer).map(|row| row["method"].as_str().unwrap()).collect()
        };
        let transformed = ["F(2x2)", "F(4x4)", "F(2) along rows", "F(4) along rows"];
        assert_eq!(ways("conv2d"), [&["direct", "2 pixels side by side"][..], &transformed].concat(), "{found}");
        // Zeros are seen when they are there, so that both are what a plan may do.
        assert_eq!(ways("dense"), ["direct", "direct, half zero"], "{found}");
        for row in rows {
            let taken = row["layer"] != "conv2d" || row["method"] == "2 pixels side by side";
            assert_eq!(row["is_taken"] == true, taken, "{row}");
            for pass in ["forward", "input_gradient", "kernel_gradient"] {
                assert!(row[format!("gflops_{pass}")].as_f64().unwrap() > 0.0, "{row}");
            }
        }
    }
    let said = place.call(&["bench", "kernels", "experiments/cifar_cnn.yaml", "engine.arithmetic=fast"]).expect(0);
    assert!(said.out.contains("* F(4x4)") && said.out.contains("* F(4) along rows"), "{}", said.out);
    assert!(said.out.lines().all(|line| line.chars().count() <= 80), "{}", said.out);
}
