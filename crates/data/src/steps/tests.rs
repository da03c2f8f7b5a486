//! Every step against a plain definition on small images, and the tables.

use spec::{FaultLine, Faults, KindTable, Node, Sources, Type, parse, resolve, to_yaml};

use super::*;

/// An image whose pixels all differ: value `(31 y + 7 x + 97 c) mod 251`.
fn image(height: usize, width: usize, channels: usize) -> Pixels {
    let value = |i: usize| (31 * (i / channels / width) + 7 * (i / channels % width) + 97 * (i % channels)) % 251;
    let bytes = (0..height * width * channels).map(|i| value(i) as u8).collect();
    Pixels { height, width, channels, bytes }
}

fn at(image: &Pixels, y: usize, x: usize, c: usize) -> u8 {
    image.bytes[(y * image.width + x) * image.channels + c]
}

/// An image of a size, pixel by pixel.
fn plain(height: usize, width: usize, channels: usize, f: impl Fn(usize, usize, usize) -> u8) -> Pixels {
    let pixel = |i: usize| f(i / channels / width, i / channels % width, i % channels);
    let bytes = (0..height * width * channels).map(pixel).collect();
    Pixels { height, width, channels, bytes }
}

fn resolved(list: &str, text: &str) -> (Node, Sources, Faults) {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let node = parse("steps.yaml", format!("{list}:\n  {text}\n").as_bytes(), &mut sources, &mut faults).unwrap();
    let table = if list == "augment" { &AUGMENT } else { &PREPROCESS };
    let mut node = node;
    let steps = node.map_mut().unwrap().find_mut(list).unwrap();
    *steps = resolve(steps, &Type::Steps(table), &mut faults);
    (node, sources, faults)
}

fn steps(list: &str, text: &str) -> Steps {
    let (node, sources, faults) = resolved(list, text);
    assert!(faults.is_empty(), "{}", faults.render(&sources, false));
    Steps::of(&node)
}

fn preprocessed(text: &str, image: Pixels) -> Pixels {
    steps("preprocess", text).evaluate(image).unwrap()
}

fn augmented(text: &str, image: &Pixels, sample: u32) -> Pixels {
    let mut scratch = Scratch::default();
    scratch.image_mut().clone_from(image);
    steps("augment", text).run(Mode::Train, &mut scratch, Key { seed: 5, epoch: 2, sample }).unwrap();
    scratch.image().clone()
}

#[track_caller]
fn assert_close(found: &Pixels, expected: &Pixels, tolerance: u8) {
    assert_eq!((found.height, found.width, found.channels), (expected.height, expected.width, expected.channels));
    let worst = found.bytes.iter().zip(&expected.bytes).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(worst.unwrap() <= tolerance, "{worst:?}\n{:?}\n{:?}", found.bytes, expected.bytes);
}

/// Mirrors a coordinate at the outermost pixels, which are not repeated.
fn reflected(i: i64, n: usize) -> usize {
    let period = 2 * (n as i64 - 1);
    let i = i.rem_euclid(period);
    i.min(period - i) as usize
}

#[test]
fn every_row_is_well_named_and_documented_and_its_example_is_right() {
    assert!(ROWS.windows(2).all(|rows| rows[0].kind.name < rows[1].kind.name), "sorted");
    for row in ROWS {
        assert!(spec::is_name(row.kind.name) && row.kind.doc.trim().ends_with("`."), "{}", row.kind.name);
        assert!(row.kind.fields.iter().all(|f| f.doc.trim().ends_with('.')), "{}", row.kind.name);
        assert_eq!(row.stage == Stage::Augment, row.kind.name.starts_with("random_"));
        let list = if row.stage == Stage::Augment { "augment" } else { "preprocess" };
        let (node, sources, faults) = resolved(list, row.kind.example);
        assert!(faults.is_empty(), "{}", faults.render(&sources, false));
        assert!(!Steps::of(&node).is_empty(Mode::Train));
        let yaml = to_yaml(&node);
        let again = parse("again", yaml.as_bytes(), &mut Sources::new(), &mut Faults::new()).unwrap();
        assert_eq!(to_yaml(&again), yaml);
    }
}

#[test]
fn no_synonym_means_two_things() {
    let names = |table: &KindTable| -> Vec<&str> {
        (table.kinds)().iter().flat_map(|k| k.synonyms.iter().copied().chain([k.name])).collect()
    };
    let mut all = [names(&PREPROCESS), names(&AUGMENT)].concat();
    all.sort_unstable();
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "{all:?}");
}

#[test]
fn crops_and_paddings_move_pixels() {
    let image = image(5, 7, 3);
    let crop = preprocessed("- crop: {size: [2, 3], top: 1, left: 4}", image.clone());
    assert_eq!(crop, plain(2, 3, 3, |y, x, c| at(&image, y + 1, x + 4, c)));
    let center = preprocessed("- center_crop: [4, 3]", image.clone());
    assert_eq!(center, plain(4, 3, 3, |y, x, c| at(&image, y, x + 2, c)));
    let within = |y: usize, x: usize| (2..7).contains(&y) && (1..8).contains(&x);
    let padded = preprocessed("- pad: {padding: [2, 1], fill: [9, 8, 7]}", image.clone());
    let colour = [9, 8, 7];
    assert_eq!(padded, plain(9, 9, 3, |y, x, c| if within(y, x) { at(&image, y - 2, x - 1, c) } else { colour[c] }));
    let edge = preprocessed("- pad: {padding: 3, fill: edge}", image.clone());
    let clamp = |i: usize, n: usize| i.saturating_sub(3).min(n - 1);
    assert_eq!(edge, plain(11, 13, 3, |y, x, c| at(&image, clamp(y, 5), clamp(x, 7), c)));
    let reflect = preprocessed("- pad: {padding: 3, fill: reflect}", image.clone());
    let mirror = |i: usize, n: usize| reflected(i as i64 - 3, n);
    assert_eq!(reflect, plain(11, 13, 3, |y, x, c| at(&image, mirror(y, 5), mirror(x, 7), c)));
    let mean = preprocessed("- pad: {padding: 1, fill: mean}", image.clone());
    let sum: u32 = image.bytes.iter().step_by(3).map(|&b| u32::from(b)).sum();
    assert_eq!(i64::from(at(&mean, 0, 0, 0)), (f64::from(sum) / 35.0).round_ties_even() as i64);
}

#[test]
fn grey_is_weighted_and_colour_is_grey_three_times() {
    let image = image(4, 6, 3);
    let weighted = |y, x| {
        let [r, g, b] = [0, 1, 2].map(|c| f64::from(at(&image, y, x, c)));
        (0.299 * r + 0.587 * g + 0.114 * b).round() as u8
    };
    assert_close(&preprocessed("- grayscale", image.clone()), &plain(4, 6, 1, |y, x, _| weighted(y, x)), 1);
    let grey = preprocessed("- grayscale", image.clone());
    assert_eq!(preprocessed("- color", grey.clone()), plain(4, 6, 3, |y, x, _| at(&grey, y, x, 0)));
    assert_eq!(preprocessed("- color", image.clone()), image);
    assert_eq!(preprocessed("- grayscale", grey.clone()), grey);
}

#[test]
fn resizing_looks_at_pixel_centres() {
    let image = image(6, 8, 3);
    let nearest = preprocessed("- resize: {size: [9, 4], interpolation: nearest}", image.clone());
    assert_eq!(nearest, plain(9, 4, 3, |y, x, c| at(&image, y * 6 / 9, x * 8 / 4, c)));
    let area = preprocessed("- resize: {size: [3, 4], interpolation: area}", image.clone());
    let mean = |y: usize, x: usize, c| {
        let sum: u32 = [(0, 0), (0, 1), (1, 0), (1, 1)]
            .map(|(i, j)| at(&image, 2 * y + i, 2 * x + j, c))
            .map(u32::from)
            .iter()
            .sum();
        (f64::from(sum) / 4.0).round() as u8
    };
    assert_close(&area, &plain(3, 4, 3, mean), 1);
    let linear = preprocessed("- resize: [9, 5]", image.clone());
    let lines = |i: usize, n: usize, of: usize| {
        let place = ((i as f64 + 0.5) * n as f64 / of as f64 - 0.5).clamp(0.0, n as f64 - 1.0);
        let low = place.floor() as usize;
        (low, (low + 1).min(n - 1), place - low as f64)
    };
    let between = |y: usize, x: usize, c: usize| {
        let ((y0, y1, v), (x0, x1, u)) = (lines(y, 6, 9), lines(x, 8, 5));
        let row = |y| f64::from(at(&image, y, x0, c)) * (1.0 - u) + f64::from(at(&image, y, x1, c)) * u;
        (row(y0) * (1.0 - v) + row(y1) * v).round() as u8
    };
    assert_close(&linear, &plain(9, 5, 3, between), 1);
    for interpolation in ["nearest", "linear", "cubic", "area", "lanczos"] {
        let same = preprocessed(&format!("- resize: {{size: [6, 8], interpolation: {interpolation}}}"), image.clone());
        assert_eq!(same, image, "{interpolation}");
    }
}

/// The numbers are Pillow's (13.0.0, `Image.resize`); torchvision 0.29 has the same for `linear` with `antialias=True`.
#[test]
fn resizing_without_aliases_is_pillows() {
    let image = image(9, 11, 3);
    for (interpolation, red, blue) in [
        (
            "linear",
            [38, 61, 84, 100, 123, 146, 172, 183, 186, 160, 96, 70],
            [172, 115, 75, 60, 70, 89, 115, 138, 161, 177, 200, 178],
        ),
        (
            "cubic",
            [31, 56, 81, 98, 123, 151, 177, 196, 196, 163, 89, 59],
            [183, 118, 71, 47, 60, 86, 112, 138, 167, 180, 208, 179],
        ),
        (
            "lanczos",
            [29, 54, 79, 93, 121, 154, 182, 203, 198, 167, 87, 54],
            [184, 122, 69, 42, 52, 81, 112, 141, 174, 180, 212, 179],
        ),
    ] {
        let text = format!("- resize: {{size: [4, 3], interpolation: {interpolation}, antialias: true}}");
        let small = preprocessed(&text, image.clone());
        for (channel, expected) in [(0, red), (2, blue)] {
            assert_close(
                &plain(4, 3, 1, |y, x, _| at(&small, y, x, channel)),
                &plain(4, 3, 1, |y, x, _| expected[3 * y + x]),
                1,
            );
        }
        let grey = preprocessed(&text, plain(9, 11, 1, |y, x, _| at(&image, y, x, 2)));
        assert_eq!(grey, plain(4, 3, 1, |y, x, _| at(&small, y, x, 2)), "{interpolation}");
    }
    let letterbox = preprocessed("- resize: {size: [4, 4], fit: letterbox, antialias: true, fill: 7}", image.clone());
    let inner = preprocessed("- resize: {size: [3, 4], antialias: true}", image);
    assert_eq!(letterbox, plain(4, 4, 3, |y, x, c| if y < 3 { at(&inner, y, x, c) } else { 7 }));
}

#[test]
fn resizing_keeps_proportions_where_it_is_told() {
    let white = plain(10, 20, 1, |_, _, _| 255);
    let covering = preprocessed("- resize: {size: 5, fit: shorter_side}", white.clone());
    assert_eq!(covering, plain(5, 10, 1, |_, _, _| 255));
    let letterbox = preprocessed("- resize: {size: [8, 10], fit: letterbox, fill: 7}", white);
    assert_eq!(letterbox, plain(8, 10, 1, |y, _, _| if (1..6).contains(&y) { 255 } else { 7 }));
}

#[test]
fn flips_mirror_with_their_probability() {
    let image = image(3, 4, 3);
    let horizontal = plain(3, 4, 3, |y, x, c| at(&image, y, 3 - x, c));
    let vertical = plain(3, 4, 3, |y, x, c| at(&image, 2 - y, x, c));
    assert_eq!(augmented("- random_flip: {probability: 1}", &image, 0), horizontal);
    assert_eq!(augmented("- random_flip: {direction: vertical, probability: 1}", &image, 0), vertical);
    assert_eq!(augmented("- random_flip: {probability: 0}", &image, 0), image);
    let flipped = (0..400).filter(|&i| augmented("- random_flip: horizontal", &image, i) == horizontal).count();
    // Five standard deviations of 400 fair draws are 50.
    assert!((150..250).contains(&flipped), "{flipped}");
}

#[test]
fn random_crops_are_windows_of_the_padded_image_and_all_occur() {
    let image = image(3, 4, 3);
    let padded = |y: usize, x: usize, c: usize| match (y.checked_sub(1), x.checked_sub(1)) {
        (Some(y), Some(x)) if y < 3 && x < 4 => at(&image, y, x, c),
        _ => 0,
    };
    let window = |top: usize, left: usize| plain(3, 4, 3, |y, x, c| padded(y + top, x + left, c));
    let windows: Vec<Pixels> = (0..9).map(|i| window(i / 3, i % 3)).collect();
    let mut seen = [0; 9];
    for sample in 0..200 {
        let crop = augmented("- random_crop: {padding: 1}", &image, sample);
        seen[windows.iter().position(|w| *w == crop).expect("a window")] += 1;
    }
    assert!(seen.iter().all(|&n| n > 5), "{seen:?}");
    let small = augmented("- random_crop: [2, 1]", &image, 3);
    let found = (0..2 * 4).any(|i| small == plain(2, 1, 3, |y, x, c| at(&image, y + i / 4, x + i % 4, c)));
    assert!(found);
}

#[test]
fn rotation_turns_about_the_middle() {
    // A turn by the angle that the stream draws, sampled at the nearest pixel.
    let image = image(9, 9, 1);
    let text = "- random_rotation: {degrees: 180, interpolation: nearest, fill: 3}";
    let stream = kernels::random::Stream::new(5, kernels::random::purpose("augment/random_rotation"), 2, 11);
    let angle = stream.draws().range(-180.0, 180.0).to_radians();
    let found = augmented(text, &image, 11);
    let mut agree = 0;
    for (y, x) in (0..81).map(|i| (i / 9, i % 9)) {
        // Counter-clockwise, with the y axis down: the pixel comes from the place turned back.
        let (dy, dx) = (y as f64 - 4.0, x as f64 - 4.0);
        let from_x = 4.0 + dx * angle.cos() - dy * angle.sin();
        let from_y = 4.0 + dx * angle.sin() + dy * angle.cos();
        let (row, col) = (from_y.round() as i64, from_x.round() as i64);
        let inside = (0..9).contains(&row) && (0..9).contains(&col);
        let expected = if inside { at(&image, row as usize, col as usize, 0) } else { 3 };
        agree += usize::from(at(&found, y, x, 0) == expected);
    }
    // OpenCV rounds places to 1/1024 of a pixel, so that one on the border between two may go either way.
    assert!(agree >= 78, "{agree} of 81 at {} degrees", angle.to_degrees());
    assert_eq!(augmented("- random_rotation: 0", &image, 1), image);
}

#[test]
fn jitter_changes_each_as_its_formula_says() {
    let image = image(5, 6, 3);
    let draws = |sample| {
        let purpose = kernels::random::purpose("augment/random_color_jitter");
        let mut draws = kernels::random::Stream::new(5, purpose, 2, u64::from(sample)).draws();
        move |value: f64| draws.range(1.0 - value, 1.0 + value)
    };
    let grey = |y, x| {
        let [r, g, b] = [0, 1, 2].map(|c| f64::from(at(&image, y, x, c)));
        0.299 * r + 0.587 * g + 0.114 * b
    };
    let rounded = |x: f64| x.round().clamp(0.0, 255.0) as u8;
    let mean = (0..30).map(|i| grey(i / 6, i % 6)).sum::<f64>() / 30.0;
    for sample in 0..5 {
        let mut next = draws(sample);
        let f = next(0.5);
        let bright = plain(5, 6, 3, |y, x, c| rounded(f * f64::from(at(&image, y, x, c))));
        assert_close(&augmented("- random_color_jitter: {brightness: 0.5}", &image, sample), &bright, 1);
        let f = draws_of(draws(sample), [0.0, 0.5]);
        let contrast = plain(5, 6, 3, |y, x, c| rounded(f * f64::from(at(&image, y, x, c)) + (1.0 - f) * mean));
        assert_close(&augmented("- random_color_jitter: {contrast: 0.5}", &image, sample), &contrast, 2);
        let f = draws_of(draws(sample), [0.0, 0.0, 0.5]);
        let pale = plain(5, 6, 3, |y, x, c| rounded(f * f64::from(at(&image, y, x, c)) + (1.0 - f) * grey(y, x)));
        assert_close(&augmented("- random_color_jitter: {saturation: 0.5}", &image, sample), &pale, 2);
    }
}

/// The last of these draws.
fn draws_of<const N: usize>(mut draw: impl FnMut(f64) -> f64, values: [f64; N]) -> f64 {
    values.map(&mut draw)[N - 1]
}

#[test]
fn hue_turns_colours_and_leaves_greys() {
    let grey = plain(2, 3, 3, |y, x, _| (40 * y + 30 * x) as u8);
    assert_eq!(augmented("- random_color_jitter: {hue: 0.5}", &grey, 1), grey);
    let red = plain(1, 1, 3, |_, _, c| [255, 0, 0][c]);
    let purpose = kernels::random::purpose("augment/random_color_jitter");
    for sample in 0..4 {
        let mut draws = kernels::random::Stream::new(5, purpose, 2, sample.into()).draws();
        (0..3).for_each(|_| assert_eq!(draws.range(1.0, 1.0), 1.0));
        let turn = draws.range(-0.5, 0.5).rem_euclid(1.0) * 6.0;
        // The hue circle: full where the channel's hue is within a sixth, none beyond two sixths.
        let channel = |place: f64| {
            let distance = (turn - place).abs().min(6.0 - (turn - place).abs());
            ((2.0 - distance).clamp(0.0, 1.0) * 255.0).round() as u8
        };
        let expected = plain(1, 1, 3, |_, _, c| channel([0.0, 2.0, 4.0][c]));
        // One of the 256 steps of the hue is six levels of a channel.
        assert_close(&augmented("- random_color_jitter: {hue: 0.5}", &red, sample), &expected, 6);
    }
}

#[test]
fn erasing_covers_one_square() {
    let image = plain(6, 8, 1, |_, _, _| 200);
    let square = |cy: usize, cx: usize| {
        let covers = |i: usize, centre: usize| (i + 1).wrapping_sub(centre) < 3;
        plain(6, 8, 1, |y, x, _| if covers(y, cy) && covers(x, cx) { 5 } else { 200 })
    };
    let all: Vec<Pixels> = (0..48).map(|i| square(i / 8, i % 8)).collect();
    let mut seen = std::collections::BTreeSet::new();
    for sample in 0..300 {
        let erased = augmented("- random_erasing: {size: 3, fill: 5}", &image, sample);
        seen.insert(all.iter().position(|s| *s == erased).expect("one square"));
    }
    assert!(seen.len() > 40, "{seen:?}");
}

#[test]
fn random_steps_depend_on_their_key_and_nothing_else() {
    let image = image(8, 8, 3);
    let text = "- random_crop: {padding: 2}\n  - random_flip\n  - random_rotation: 20\n  - random_flip: vertical\n  - random_erasing: 2";
    assert_eq!(augmented(text, &image, 4), augmented(text, &image, 4));
    assert_ne!(augmented(text, &image, 4), augmented(text, &image, 5));
    let twice = "- random_flip\n  - random_flip";
    assert!((0..32).any(|i| augmented(twice, &image, i) != image), "the second flip draws for itself");
}

#[test]
fn the_rule_of_every_step_is_the_shape_that_it_gives() {
    for row in ROWS {
        let list = if row.stage == Stage::Augment { "augment" } else { "preprocess" };
        let steps = steps(list, row.kind.example);
        for (height, width) in [(40, 40), (33, 57), (57, 33)] {
            let image = image(height, width, 3);
            let rule = steps.shape(Mode::Train, ImageShape::of(&image)).unwrap();
            let mut scratch = Scratch::default();
            scratch.image_mut().clone_from(&image);
            steps.run(Mode::Train, &mut scratch, Key { seed: 1, epoch: 0, sample: 0 }).unwrap();
            assert_eq!(ImageShape::of(scratch.image()), rule, "{}", row.kind.name);
        }
    }
}

#[test]
fn images_that_would_fill_the_memory_are_refused() {
    let text = ["- pad: 4096"; 5].join("\n  ");
    let image = ImageShape { height: Some(1), width: Some(16384), channels: 3 };
    let why = steps("preprocess", &text).shape(Mode::Train, image).unwrap_err();
    assert_eq!(why, "`pad`: an image of 16385 x 32768 x 3 is too large");
    let any = ImageShape { height: None, width: None, channels: 3 };
    assert!(steps("preprocess", "- crop: {size: 8e15, top: 8e15}").shape(Mode::Train, any).is_err());
    let covering = steps("preprocess", "- resize: {size: 16384, fit: shorter_side}");
    let why = covering.shape(Mode::Train, image).unwrap_err();
    assert_eq!(why, "`resize`: an image of 16384 x 268435456 x 3 is too large");
}

#[test]
fn steps_may_be_for_one_mode_only() {
    let steps = steps("preprocess", "- resize: 8\n  - center_crop: {size: 4, mode: evaluate}");
    let image = ImageShape { height: None, width: Some(9), channels: 3 };
    assert_eq!(steps.shape(Mode::Train, image).unwrap().fixed(), Some([8, 8, 3]));
    assert_eq!(steps.shape(Mode::Evaluate, image).unwrap().fixed(), Some([4, 4, 3]));
}

#[test]
fn a_filter_that_cannot_widen_is_told() {
    let steps = steps("preprocess", "- resize: {size: 8, interpolation: area, antialias: true}");
    let why = steps.shape(Mode::Train, ImageShape { height: Some(32), width: Some(32), channels: 1 }).unwrap_err();
    assert!(why.contains("`antialias` widens a filter, and `area` has none"), "{why}");
}

#[test]
fn wrong_steps_are_faults_at_their_places() {
    let preprocess = "- center_crop: 40\n  - resize: {size: 28, interpolation: bicubic}\n  - random_flip";
    let augment = "- random_crop: {fill: [1, 2]}\n  - random_flip: sideways\n  - mixup: 0.2\n  - cutout: 3\n  - random_erasing: {size: 3, fill: edge}";
    let mut all = Vec::new();
    for (list, text) in [("preprocess", preprocess), ("augment", augment)] {
        let (node, sources, mut faults) = resolved(list, text);
        Steps::of(&node).check(Mode::Train, ImageShape { height: Some(32), width: Some(32), channels: 1 }, &mut faults);
        let lines = faults.lines(&sources);
        let line =
            |f: &FaultLine| format!("{}:{} {}\n    {}", f.line, f.column, f.message, f.help.as_deref().unwrap_or("-"));
        all.extend(lines.iter().map(line));
    }
    insta::assert_snapshot!(all.join("\n"));
}
