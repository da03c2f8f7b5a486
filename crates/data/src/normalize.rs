//! How 8-bit values become the numbers that a network sees. It belongs to the model: the data only says which it is.

use kernels::input::Normalization;
use spec::{Chosen, Fault, Faults, Field, Kind, KindTable, Node, Word};

spec::section! {
    /// `(x / 255 − mean) / std`, channel by channel, with these numbers. A mapping without `type` is this one.
    /// Example: `{mean: [0.1307], std: [0.3081]}`.
    struct Statistics {
        /// The mean of each channel, of values from 0 to 1.
        mean: Vec<f64> = required, example "[0.4914, 0.4822, 0.4465]";
        /// The standard deviation of each channel, of values from 0 to 1.
        std: Vec<f64> = required, synonyms &["stddev", "sd"], example "[0.2470, 0.2435, 0.2616]";
    }
}

const fn kind(
    name: &'static str,
    synonyms: &'static [&'static str],
    doc: &'static str,
    fields: &'static [Field],
    example: &'static str,
) -> Kind {
    Kind { name, synonyms, doc, main: None, fields, example }
}

const OF_DATASET: &str =
    "`(x / 255 − mean) / std`, channel by channel, with the numbers of the training part, preprocessed, not augmented.";

static KINDS: [Kind; 6] = [
    kind("dataset", &["auto", "standardize"], OF_DATASET, &[], "dataset"),
    kind("none", &["raw"], "The values as they are: from 0 to 255.", &[], "none"),
    kind("per_image", &["per_image_standardization"], "Every image has mean 0 and variance 1.", &[], "per_image"),
    kind("statistics", &["mean_std", "zscore"], Statistics::SECTION.doc, Statistics::SECTION.fields, EXAMPLE),
    kind("symmetric", &["minus_one_one"], "`x / 127.5 − 1`: from −1 to 1.", &[], "symmetric"),
    kind("unit", &["rescale", "zero_one", "minmax"], "`x / 255`: from 0 to 1.", &[], "unit"),
];

const EXAMPLE: &str = "{mean: [0.1307], std: [0.3081]}";

/// What the key `normalize` chooses among.
pub static NORMALIZATIONS: KindTable =
    KindTable { what: "normalization", kinds: || KINDS.iter().collect(), common: &[], untyped: Some("statistics") };

/// What the file says of normalization.
#[derive(Clone, Debug, PartialEq)]
pub enum Normalize {
    /// From 0 to 1.
    Unit,
    /// From −1 to 1.
    Symmetric,
    /// By mean and standard deviation of each channel, of values from 0 to 1.
    Statistics {
        /// The mean of each channel.
        mean: Vec<f64>,
        /// The standard deviation of each channel.
        std: Vec<f64>,
    },
    /// The same with the numbers of the training part.
    Dataset,
    /// Every image by itself.
    PerImage,
    /// From 0 to 255.
    None,
}

impl Normalize {
    /// Reads the resolved value of `normalize`.
    pub fn of(node: &Node) -> Normalize {
        let chosen: Chosen = Word::read(node);
        match chosen.kind.as_str() {
            "unit" => Normalize::Unit,
            "symmetric" => Normalize::Symmetric,
            "dataset" => Normalize::Dataset,
            "per_image" => Normalize::PerImage,
            "none" => Normalize::None,
            "statistics" => {
                let Statistics { mean, std } = chosen.read();
                Normalize::Statistics { mean, std }
            }
            other => unreachable!("{other} was checked against the table"),
        }
    }

    /// What is done to images of so many channels; none where the training part has to be measured first.
    pub fn known(&self, channels: usize) -> Option<Normalization> {
        let same = |scale: f64, shift: f64| Normalization::Affine {
            scale: vec![scale as f32; channels],
            shift: vec![shift as f32; channels],
        };
        match self {
            Normalize::Unit => Some(same(1.0 / 255.0, 0.0)),
            Normalize::Symmetric => Some(same(2.0 / 255.0, -1.0)),
            Normalize::Statistics { mean, std } => Some(of_statistics(mean, std)),
            Normalize::Dataset => None,
            Normalize::PerImage => Some(Normalization::PerImage),
            Normalize::None => Some(same(1.0, 0.0)),
        }
    }
}

/// `(x / 255 − mean) / std`, channel by channel.
pub(crate) fn of_statistics(mean: &[f64], std: &[f64]) -> Normalization {
    Normalization::Affine {
        scale: std.iter().map(|s| (1.0 / (255.0 * s)) as f32).collect(),
        shift: mean.iter().zip(std).map(|(m, s)| (-m / s) as f32).collect(),
    }
}

/// Pushes what is wrong with a resolved `normalize` for images of so many channels.
pub(crate) fn check(node: &Node, channels: Option<usize>, faults: &mut Faults) {
    if !node.is_sound() {
        return;
    }
    let Normalize::Statistics { mean, std } = Normalize::of(node) else { return };
    let unit = |place: &str, values: &[f64], wrong: fn(f64) -> bool, expected: &str, faults: &mut Faults| {
        let Some(value) = values.iter().copied().find(|&x| wrong(x)) else { return };
        let message = format!("`{place}` is of values from 0 to 1, so it is {expected}; found {value}");
        let fault = Fault::new(node.place_of(place), message);
        let divided: Vec<String> = values.iter().map(|x| format!("{}", (x / 255.0 * 1e4).round() / 1e4)).collect();
        let of_bytes = values.iter().all(|&x| x > 0.0 && x <= 255.0);
        faults.push(match of_bytes {
            true => fault.help(format!("if these are of values from 0 to 255, write [{}]", divided.join(", "))),
            false => fault,
        });
    };
    unit("mean", &mean, |x| !(0.0..=1.0).contains(&x), "at least 0 and at most 1", faults);
    unit("std", &std, |x| x <= 0.0 || x > 1.0, "above 0 and at most 1", faults);
    for (name, values) in [("mean", &mean), ("std", &std)] {
        if let Some(channels) = channels.filter(|&n| n != values.len()) {
            let images =
                if channels == 1 { "grey: 1 channel".into() } else { format!("in colour: {channels} channels") };
            let message = format!("`{name}` has {} numbers, but the images are {images}", values.len());
            faults.push(Fault::new(node.place_of(name), message).help("give one number a channel"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_what_they_say() {
        let apply = |normalize: &Normalize, x: f32| match normalize.known(2).unwrap() {
            Normalization::Affine { scale, shift } => scale[1] * x + shift[1],
            Normalization::PerImage => panic!("not affine"),
        };
        let statistics = Normalize::Statistics { mean: vec![0.0, 0.4], std: vec![1.0, 0.2] };
        for (normalize, low, high) in [
            (&Normalize::Unit, 0.0, 1.0),
            (&Normalize::Symmetric, -1.0, 1.0),
            (&Normalize::None, 0.0, 255.0),
            (&statistics, -2.0, 3.0),
        ] {
            assert!((apply(normalize, 0.0) - low).abs() < 1e-6 && (apply(normalize, 255.0) - high).abs() < 1e-5);
        }
        assert_eq!(Normalize::Dataset.known(3), None);
    }
}
