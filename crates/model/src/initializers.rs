//! Initial values of parameters: a function of (seed, path), so that adding a layer leaves the others' start as it was.
//!
//! `fan_in` is the number of values that one output reads, `fan_out` the number of outputs that one value reaches,
//! positions of a convolution's window included.

use kernels::random::{Draws, Stream};
use spec::{Chosen, Field, Kind, KindTable, Type, Word};

/// How a parameter begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initializer {
    /// Uniform within ±√(6 / (fan_in + fan_out)) (Glorot and Bengio 2010).
    GlorotUniform,
    /// Normal with variance 2 / fan_in (He et al. 2015).
    HeNormal,
    /// Uniform within ±√(6 / fan_in) (He et al. 2015).
    HeUniform,
    /// Normal with variance 1 / fan_in (LeCun et al. 1998).
    LecunNormal,
    /// Rows, or columns where there are fewer, of length 1 and at right angles (Saxe et al. 2014).
    Orthogonal,
    /// Normal with this standard deviation.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// Every element this.
    Constant(f64),
}

/// One initializer of the table.
struct InitializerRow {
    kind: Kind,
    read: fn(&Chosen) -> Initializer,
}

const fn row(
    name: &'static str,
    synonyms: &'static [&'static str],
    doc: &'static str,
    initializer: fn(&Chosen) -> Initializer,
) -> InitializerRow {
    InitializerRow { kind: Kind { name, synonyms, doc, main: None, fields: &[], example: name }, read: initializer }
}

static ROWS: [InitializerRow; 7] = [
    row("glorot_uniform", &["xavier_uniform"], "Uniform, by both fans (Glorot and Bengio 2010).", |_| {
        Initializer::GlorotUniform
    }),
    row("he_normal", &["kaiming_normal"], "Normal, by the inputs, for relu (He et al. 2015).", |_| {
        Initializer::HeNormal
    }),
    row("he_uniform", &["kaiming_uniform"], "Uniform, by the inputs, for relu (He et al. 2015).", |_| {
        Initializer::HeUniform
    }),
    row("lecun_normal", &[], "Normal with variance 1 / inputs (LeCun et al. 1998).", |_| Initializer::LecunNormal),
    InitializerRow {
        kind: Kind {
            name: "normal",
            synonyms: &["random_normal", "gaussian"],
            doc: "Normal with a standard deviation of one's own.",
            main: None,
            fields: &STD,
            example: "{type: normal, std: 0.02}",
        },
        read: |chosen| Initializer::Normal { std: f64::read_key(&chosen.parameters, "std") },
    },
    row("orthogonal", &[], "Directions at right angles (Saxe et al. 2014).", |_| Initializer::Orthogonal),
    row("zeros", &["zero"], "Zero.", |_| Initializer::Constant(0.0)),
];

static STD: [Field; 1] = [Field::with_default("std", "The standard deviation.", <f64 as Word>::TYPE, "0.02")
    .above(0.0)
    .synonyms(&["stddev"])];

/// What `init.kernel` and `init.bias` choose among.
pub static INITIALIZERS: KindTable =
    KindTable { what: "initializer", kinds: || ROWS.iter().map(|row| &row.kind).collect(), common: &[], untyped: None };

/// The initializer that was chosen.
fn initializer(chosen: &Chosen) -> Initializer {
    let row = ROWS.iter().find(|row| row.kind.name == chosen.kind).expect("the kind was checked against the table");
    (row.read)(chosen)
}

spec::section! {
    /// How the parameters of a layer begin.
    pub(crate) struct Init {
        /// The weights.
        pub(crate) kernel: Chosen = glorot_uniform, kinds &INITIALIZERS, synonyms &["weight", "weights"];
        /// The biases.
        pub(crate) bias: Chosen = zeros, kinds &INITIALIZERS;
    }
}

impl Init {
    /// Of kernel and bias.
    pub(crate) fn both(&self) -> (Initializer, Initializer) {
        (initializer(&self.kernel), initializer(&self.bias))
    }
}

/// The key `init` of layers with weights.
pub(crate) const INIT: Type = Type::Section(&Init::SECTION);

impl Initializer {
    /// The first values of the parameter at `path` with axes `dims`, the output axis first.
    pub fn values(self, seed: u64, path: &str, dims: &[usize]) -> Vec<f32> {
        let n: usize = dims.iter().product();
        let outputs = dims.first().copied().unwrap_or(1).max(1);
        let fan_in = (n / outputs).max(1) as f64;
        let window: usize = if dims.len() > 2 { dims[1..dims.len() - 1].iter().product() } else { 1 };
        let fan_out = (outputs * window) as f64;
        let mut draws = Stream::new(seed, stream(path), 0, 0).draws();
        let mut uniform = |limit: f64| (0..n).map(|_| draws.range(-limit, limit) as f32).collect();
        match self {
            Initializer::GlorotUniform => uniform((6.0 / (fan_in + fan_out)).sqrt()),
            Initializer::HeUniform => uniform((6.0 / fan_in).sqrt()),
            Initializer::HeNormal => normal(&mut draws, n, (2.0 / fan_in).sqrt()),
            Initializer::LecunNormal => normal(&mut draws, n, (1.0 / fan_in).sqrt()),
            Initializer::Normal { std } => normal(&mut draws, n, std),
            Initializer::Orthogonal => orthogonal(&mut draws, outputs, n / outputs),
            Initializer::Constant(value) => vec![value as f32; n],
        }
    }
}

/// Tells the random numbers of one path from those of all others: FNV-1a (Fowler, Noll and Vo).
pub(crate) fn stream(path: &str) -> u64 {
    path.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn normal(draws: &mut Draws, n: usize, std: f64) -> Vec<f32> {
    (0..n).map(|_| (draws.normal() * std) as f32).collect()
}

/// A random matrix made orthogonal by Gram and Schmidt, twice, so that rounding does not show.
fn orthogonal(draws: &mut Draws, rows: usize, columns: usize) -> Vec<f32> {
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    while vectors.len() < count {
        let mut vector: Vec<f64> = (0..length).map(|_| draws.normal()).collect();
        for _ in 0..2 {
            for other in &vectors {
                let dot: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(a, b)| *a -= dot * b);
            }
        }
        let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|x| *x /= norm);
        vectors.push(vector);
    }
    let value = |row: usize, column: usize| if rows <= columns { vectors[row][column] } else { vectors[column][row] };
    (0..rows * columns).map(|i| value(i / columns, i % columns) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[f32]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
        (mean, values.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n)
    }

    #[test]
    fn variances_are_those_of_the_papers() {
        // fan_in 3 * 3 * 64 = 576, fan_out 3 * 3 * 128 = 1152
        let dims = [128, 3, 3, 64];
        for (initializer, variance) in [
            (Initializer::GlorotUniform, 2.0 / (576.0 + 1152.0)),
            (Initializer::HeNormal, 2.0 / 576.0),
            (Initializer::HeUniform, 2.0 / 576.0),
            (Initializer::LecunNormal, 1.0 / 576.0),
            (Initializer::Normal { std: 0.5 }, 0.25),
        ] {
            let (mean, found) = moments(&initializer.values(1, "conv2d/kernel", &dims));
            assert!(mean.abs() < 4.0 * (variance / 73728.0_f64).sqrt(), "{initializer:?}: mean {mean}");
            assert!((found / variance - 1.0).abs() < 0.05, "{initializer:?}: {found} is not {variance}");
        }
    }

    #[test]
    fn orthogonal_directions_have_length_one_and_right_angles() {
        for [rows, columns] in [[4, 9], [9, 4], [5, 5]] {
            let values = Initializer::Orthogonal.values(3, "dense/kernel", &[rows, columns]);
            let vector = |i: usize| -> Vec<f64> {
                let element = |j: usize| if rows <= columns { i * columns + j } else { j * columns + i };
                (0..rows.max(columns)).map(|j| f64::from(values[element(j)])).collect()
            };
            for (i, j) in (0..rows.min(columns)).flat_map(|i| (0..=i).map(move |j| (i, j))) {
                let dot: f64 = vector(i).iter().zip(vector(j)).map(|(a, b)| a * b).sum();
                assert!((dot - if i == j { 1.0 } else { 0.0 }).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn seed_and_path_decide() {
        let values = |seed, path| Initializer::HeNormal.values(seed, path, &[8, 8]);
        assert_eq!(values(1, "a"), values(1, "a"));
        assert_ne!(values(1, "a"), values(2, "a"));
        assert_ne!(values(1, "a"), values(1, "b"));
    }
}
