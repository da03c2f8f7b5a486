//! Images that the program draws: ten classes of shapes.

use std::collections::BTreeMap;

use kernels::random::{Draws, Stream, purpose};
use opencv::core::{Mat, MatTrait, Point, Scalar, Vector};
use opencv::imgproc::{LINE_AA, fill_poly};
use rayon::prelude::*;
use spec::{Kind, Node, Word};

use crate::card::Card;
use crate::card_words::Named;
use crate::checksum;
use crate::error::Problem;
use crate::formats::{Contents, Format, Reading};
use crate::places::Progress;
use crate::steps::mat::one_thread;
use crate::stored::{Images, Published, Split};

spec::section! {
    /// Shapes that the program draws, the same each time.
    pub struct DrawnLayout {
        /// How many images each split has.
        pub splits: Named<usize> = required;
    }
}

/// The row of `drawn`.
pub const FORMAT: Format = Format {
    kind: Kind {
        name: "drawn",
        synonyms: &["generated", "synthetic"],
        doc: DrawnLayout::SECTION.doc,
        main: None,
        fields: DrawnLayout::SECTION.fields,
        example: "{format: drawn, splits: {train: 5000, test: 1000}}",
    },
    built_in: true,
    has_files: false,
    takes,
    samples,
    read,
};

fn samples(parameters: &Node) -> BTreeMap<String, usize> {
    DrawnLayout::read(parameters).splits.0.into_iter().collect()
}

const SIDE: usize = 32;
const SHAPE: [usize; 3] = [SIDE, SIDE, 3];
/// Which of all possible drawings these are.
const SEED: u64 = 10;
/// Binary digits after the point of a corner's place, in pixels.
const SHIFT: i32 = 4;

/// A corner, in radii of the shape around its centre.
type Corner = (f64, f64);

/// Outlines that are filled where an odd number of them lies around a point.
type Outlines = Vec<Vec<Corner>>;

/// A class: its name and what it looks like.
type Shape = (&'static str, fn() -> Outlines);

const SHAPES: [Shape; 10] = [
    ("circle", || vec![ellipse(0.9, 0.9)]),
    ("square", || vec![vec![(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)]]),
    ("triangle", || vec![regular(3)]),
    ("cross", || vec![cross(0.3)]),
    ("star", || vec![star()]),
    ("ring", || vec![ellipse(1.0, 1.0), ellipse(0.55, 0.55)]),
    ("ellipse", || vec![ellipse(1.0, 0.5)]),
    ("diamond", || vec![vec![(-1.0, 0.0), (0.0, -0.55), (1.0, 0.0), (0.0, 0.55)]]),
    ("hexagon", || vec![regular(6)]),
    ("arrow", || vec![arrow()]),
];

fn around(turn: f64) -> Corner {
    ((turn * std::f64::consts::TAU).cos(), (turn * std::f64::consts::TAU).sin())
}

fn regular(corners: usize) -> Vec<Corner> {
    (0..corners).map(|i| around(i as f64 / corners as f64)).collect()
}

fn ellipse(a: f64, b: f64) -> Vec<Corner> {
    regular(48).into_iter().map(|(x, y)| (a * x, b * y)).collect()
}

fn star() -> Vec<Corner> {
    let corner = |i: usize| (around(i as f64 / 10.0), if i.is_multiple_of(2) { 1.0 } else { 0.42 });
    (0..10).map(corner).map(|((x, y), radius)| (radius * x, radius * y)).collect()
}

fn cross(w: f64) -> Vec<Corner> {
    let quarter = [(w, -w), (1.0, -w), (1.0, w)];
    let turned = |times: usize| quarter.map(|corner| (0..times).fold(corner, |(x, y), _| (-y, x)));
    (0..4).flat_map(turned).collect()
}

fn arrow() -> Vec<Corner> {
    vec![(-1.0, -0.25), (0.1, -0.25), (0.1, -0.75), (1.0, 0.0), (0.1, 0.75), (0.1, 0.25), (-1.0, 0.25)]
}

fn takes(card: &Card, _: &Node) -> Result<(), String> {
    let names = SHAPES.map(|(name, _)| name);
    let agree = card.classes().is_some_and(|classes| classes == names);
    match card.image().fixed() {
        Some(SHAPE) if agree => Ok(()),
        _ => Err(format!("what is drawn are images of [32, 32, 3] of the classes {}", names.join(", "))),
    }
}

fn read(reading: &mut Reading) -> Result<Contents, Vec<Problem>> {
    one_thread();
    let mut splits = BTreeMap::new();
    for (name, n) in DrawnLayout::read(reading.parameters).splits.0 {
        (reading.progress)(Progress::Draw { split: &name, n_images: n });
        let images = Images::Memory { shape: SHAPE, bytes: draw_all(&name, n) };
        let labels = (0..n).map(|index| (index % SHAPES.len()) as u32).collect();
        splits.insert(name, Split { images, labels, files: None });
    }
    let fingerprint = checksum::of_memory(&splits);
    Ok(Contents { splits, published: Published::Yes, fingerprint })
}

/// All images of a split, a class after the other in turn.
fn draw_all(split: &str, n: usize) -> Vec<u8> {
    let outlines: Vec<_> = SHAPES.iter().map(|(_, outlines)| outlines()).collect();
    let mut bytes = vec![0; n * SIDE * SIDE * 3];
    bytes.par_chunks_exact_mut(SIDE * SIDE * 3).enumerate().for_each(|(index, image)| {
        let mut draws = Stream::new(SEED, purpose(split), 0, index as u64).draws();
        draw(&outlines[index % SHAPES.len()], &mut draws, image);
    });
    bytes
}

/// One image: a background that runs from one colour to another, the shape in a third, noise over both.
fn draw(outlines: &[Vec<Corner>], draws: &mut Draws, image: &mut [u8]) {
    let (from, to) = (colour(draws), colour(draws));
    let mut shape = colour(draws);
    while distance(shape, from).min(distance(shape, to)) < 130 {
        shape = colour(draws);
    }
    fill_background(from, to, draws.below(2) == 0, image);
    let radius = draws.range(8.0, 14.0);
    let (low, high) = (0.8 * radius, SIDE as f64 - 0.8 * radius);
    let centre = (draws.range(low, high), draws.range(low, high));
    let (cos, sin) = around(draws.uniform());
    let place = |(x, y): Corner| {
        let at = |offset: f64, centre: f64| ((centre + radius * offset) * f64::from(1 << SHIFT)).round() as i32;
        Point::new(at(x * cos - y * sin, centre.0), at(x * sin + y * cos, centre.1))
    };
    let outlines: Vector<Vector<Point>> = outlines.iter().map(|o| o.iter().map(|c| place(*c)).collect()).collect();
    fill_outlines(&outlines, shape, image).expect("outlines of this program can be filled");
    add_noise(draws.below(28) as i32 + 4, draws, image);
}

fn colour(draws: &mut Draws) -> [u8; 3] {
    [(); 3].map(|()| draws.below(256) as u8)
}

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    (0..3).map(|i| u32::from(a[i].abs_diff(b[i]))).sum()
}

fn fill_background(from: [u8; 3], to: [u8; 3], downwards: bool, image: &mut [u8]) {
    for (index, pixel) in image.chunks_exact_mut(3).enumerate() {
        let step = if downwards { index / SIDE } else { index % SIDE };
        for channel in 0..3 {
            let (a, b) = (usize::from(from[channel]), usize::from(to[channel]));
            pixel[channel] = ((a * (SIDE - 1 - step) + b * step) / (SIDE - 1)) as u8;
        }
    }
}

fn fill_outlines(outlines: &Vector<Vector<Point>>, colour: [u8; 3], image: &mut [u8]) -> opencv::Result<()> {
    let mut row = Mat::from_slice_mut(image)?;
    let mut image = row.reshape_mut(3, SIDE as i32)?;
    let [r, g, b] = colour.map(f64::from);
    fill_poly(&mut image, outlines, Scalar::new(r, g, b, 0.0), LINE_AA, SHIFT, Point::new(0, 0))
}

/// Adds to each value the sum of two bytes, spread over `-amplitude..=amplitude`.
fn add_noise(amplitude: i32, draws: &mut Draws, image: &mut [u8]) {
    for pair in image.chunks_exact_mut(2) {
        let [a, b, c, d] = draws.next_u32().to_le_bytes().map(i32::from);
        for (value, sum) in pair.iter_mut().zip([a + b, c + d]) {
            *value = (i32::from(*value) + (sum - 255) * amplitude / 255).clamp(0, 255) as u8;
        }
    }
}
