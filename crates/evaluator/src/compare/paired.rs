//! Two experiments on the same samples, sample by sample: which of them is better, and whether that may be chance.
//!
//! Of one run against one run the decisions are compared by McNemar's exact test (McNemar 1947; two-sided binomial test of
//! the samples on which exactly one is right), other metrics by the paired bootstrap over samples (Efron 1979): the
//! percentile interval, and twice the smaller share of resamples on one side of zero as p-value. Where both have several
//! runs with the same seeds, see [`super::crossed`]. Several p-values are corrected by Holm (1979).

use std::collections::BTreeMap;

use kernels::random::{Stream, purpose};
use polars::prelude::*;
use polars_io::SerReader;
use polars_io::parquet::read::ParquetReader;
use rayon::prelude::*;
use record::{Run, files};

use super::crossed::crossed;
use super::groups::Group;
use crate::intervals::percentiles;

/// How often the samples are drawn anew.
const RESAMPLES: usize = 2000;

/// Share of the interval; a difference counts as real below one minus it.
const CONFIDENCE: f64 = 0.95;

/// What one run decided about every sample of its part.
struct Decisions {
    samples: Vec<u32>,
    labels: Vec<String>,
    right: Vec<bool>,
    /// Probability of the label.
    probability: Vec<f64>,
    /// What was decided, and how surely.
    decided: Vec<(String, f64)>,
}

/// A sample that one run has right and the other wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Flip {
    /// Index in the part that was judged.
    pub sample: u32,
    pub label: String,
    /// What the first run decided, and how surely.
    pub first: (String, f64),
    /// The same of the second.
    pub second: (String, f64),
}

/// The samples on which exactly one of two runs is right, the surest wrong answer first.
///
/// # Errors
/// In one line, if the runs judged other samples or their predictions cannot be read.
pub fn flips(first: &Run, second: &Run) -> Result<Vec<Flip>, String> {
    let (a, b) = (decisions(first)?, decisions(second)?);
    if a.samples != b.samples || a.labels != b.labels {
        return Err("they cannot be compared sample by sample: they judged other samples".to_string());
    }
    let differs = |at: &usize| a.right[*at] != b.right[*at];
    let flip = |at: usize| {
        let wrong = if a.right[at] { b.decided[at].1 } else { a.decided[at].1 };
        let label = a.labels[at].clone();
        let (first, second) = (a.decided[at].clone(), b.decided[at].clone());
        (wrong, Flip { sample: a.samples[at], label, first, second })
    };
    let mut flips: Vec<(f64, Flip)> = (0..a.samples.len()).filter(differs).map(flip).collect();
    flips.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.sample.cmp(&other.1.sample)));
    Ok(flips.into_iter().map(|(_, flip)| flip).collect())
}

/// A metric of two experiments on the same samples; the difference is the second less the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// `accuracy`, `log_loss`, or the name of a class whose recall it is.
    pub name: String,
    pub value: f64,
    pub low: f64,
    pub high: f64,
    /// The chance of a difference as large where there is none, after correction.
    pub p: f64,
    pub n: usize,
}

/// Everything that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Paired {
    /// Accuracy, then log loss.
    pub whole: [Difference; 2],
    /// The recall of each class, p-values corrected by Holm.
    pub classes: Vec<Difference>,
    /// Samples that the first has right and the second wrong, and the other way round, over all pairs of runs.
    pub lost: usize,
    pub gained: usize,
    /// Pairs of runs.
    pub pairs: usize,
}

/// The p-value of the difference in accuracy, on the samples that both judged.
///
/// # Errors
/// As [`paired`].
pub(super) fn accuracy_p(first: &Group<'_>, second: &Group<'_>) -> Result<f64, String> {
    let values = values(first, second)?;
    Ok(match values.right.as_slice() {
        [signs] => signs_p(signs),
        rows => crossed(rows, &values.every()).p(),
    })
}

/// Compares two experiments on the samples that both judged.
///
/// # Errors
/// In one line, if they cannot be compared: other data, other samples, no predictions, no common seed.
pub fn paired(first: &Group<'_>, second: &Group<'_>) -> Result<Paired, String> {
    Ok(values(first, second)?.judged())
}

/// Differences of every sample in every pair of runs.
fn values(first: &Group<'_>, second: &Group<'_>) -> Result<Values, String> {
    let (one, other) = (&first.runs[0].file.dataset, &second.runs[0].file.dataset);
    if one.fingerprint != other.fingerprint {
        return Err(format!("they cannot be compared sample by sample: one is on {one}, the other on {other}"));
    }
    let pairs = pairs(first, second)?;
    let mut values = Values::default();
    for (a, b) in &pairs {
        values.add(&decisions(a)?, &decisions(b)?)?;
    }
    Ok(values)
}

/// Runs with the same seed and fold; one and one without regard to them.
fn pairs<'a>(first: &Group<'a>, second: &Group<'a>) -> Result<Vec<(&'a Run, &'a Run)>, String> {
    if let ([a], [b]) = (first.runs.as_slice(), second.runs.as_slice()) {
        return Ok(vec![(a, b)]);
    }
    let twin = |(a, own): (&&'a Run, &[Option<String>; 2])| {
        let at = second.repetitions.iter().position(|other| other == own)?;
        Some((*a, second.runs[at]))
    };
    let pairs: Vec<_> = first.runs.iter().zip(&first.repetitions).filter_map(twin).collect();
    match pairs.is_empty() {
        true => Err("they cannot be compared sample by sample: they have no seed in common".to_string()),
        false => Ok(pairs),
    }
}

fn decisions(run: &Run) -> Result<Decisions, String> {
    let path = run.path(files::PREDICTIONS);
    let bytes = record::whole::read(&path, 1 << 32).map_err(|e| e.to_string())?;
    read(&bytes).map_err(|e| format!("{} is damaged: {e}; run `etalon run` again", path.display()))
}

fn read(bytes: &[u8]) -> Result<Decisions, PolarsError> {
    let frame = ParquetReader::new(std::io::Cursor::new(bytes)).finish()?;
    let text = |name: &str| -> Result<Vec<String>, PolarsError> {
        Ok(frame.column(name)?.str()?.iter().map(|text| text.unwrap_or_default().to_string()).collect())
    };
    let (labels, decided) = (text("label")?, text("prediction")?);
    let samples = frame.column("sample")?.u32()?.iter().map(Option::unwrap_or_default).collect();
    let mut probabilities: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for label in labels.iter().chain(&decided) {
        if !probabilities.contains_key(label.as_str()) {
            let column = frame.column(&format!("probability/{label}"))?.f32()?;
            let values = column.iter().map(|p| f64::from(p.unwrap_or(f32::NAN))).collect();
            probabilities.insert(label, values);
        }
    }
    let probability = labels.iter().enumerate().map(|(at, label)| probabilities[label.as_str()][at]).collect();
    let confidence = |(at, name): (usize, &String)| (name.clone(), probabilities[name.as_str()][at]);
    let confidences = decided.iter().enumerate().map(confidence).collect();
    let right = labels.iter().zip(&decided).map(|(label, decision)| label == decision).collect();
    Ok(Decisions { samples, labels, right, probability, decided: confidences })
}

/// Differences of every sample, summed over pairs of runs.
#[derive(Default)]
struct Values {
    samples: Vec<u32>,
    labels: Vec<String>,
    /// Of each pair of runs.
    right: Vec<Vec<f64>>,
    loss: Vec<Vec<f64>>,
    gained: usize,
    lost: usize,
}

impl Values {
    fn add(&mut self, a: &Decisions, b: &Decisions) -> Result<(), String> {
        let same = a.samples == b.samples && a.labels == b.labels;
        if !same || (!self.samples.is_empty() && self.samples != a.samples) {
            return Err("they cannot be compared sample by sample: they judged other samples".to_string());
        }
        if self.samples.is_empty() {
            (self.samples, self.labels) = (a.samples.clone(), a.labels.clone());
        }
        let loss = |p: f64| -p.max(f64::from(f32::MIN_POSITIVE)).ln();
        let every = 0..a.samples.len();
        let right = |at: usize| f64::from(u8::from(b.right[at])) - f64::from(u8::from(a.right[at]));
        self.right.push(every.clone().map(right).collect());
        self.loss.push(every.clone().map(|at| loss(b.probability[at]) - loss(a.probability[at])).collect());
        for at in every {
            self.gained += usize::from(b.right[at] && !a.right[at]);
            self.lost += usize::from(a.right[at] && !b.right[at]);
        }
        Ok(())
    }

    fn every(&self) -> Vec<usize> {
        (0..self.samples.len()).collect()
    }

    fn judged(&self) -> Paired {
        let every = self.every();
        let mut classes: Vec<&String> = self.labels.iter().collect();
        classes.sort();
        classes.dedup();
        let of_class = |class: &&String| {
            let own: Vec<usize> = every.iter().copied().filter(|at| self.labels[*at] == **class).collect();
            difference(class, &self.right, &own, Exact::Signs)
        };
        let mut classes: Vec<Difference> = classes.iter().map(of_class).collect();
        let corrected = holm(&classes.iter().map(|class| class.p).collect::<Vec<f64>>());
        classes.iter_mut().zip(corrected).for_each(|(class, p)| class.p = p);
        let accuracy = difference("accuracy", &self.right, &every, Exact::Signs);
        let loss = difference("log_loss", &self.loss, &every, Exact::Never);
        let pairs = self.right.len();
        Paired { whole: [accuracy, loss], classes, lost: self.lost, gained: self.gained, pairs }
    }
}

/// Whether the differences of one pair are only signs, so that an exact test is to be had.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exact {
    Signs,
    Never,
}

fn difference(name: &str, rows: &[Vec<f64>], of: &[usize], exact: Exact) -> Difference {
    let (name, n) = (name.to_string(), of.len());
    let [row] = rows else {
        let found = crossed(rows, of);
        let reach = found.reach(CONFIDENCE);
        return Difference {
            name,
            value: found.mean,
            low: found.mean - reach,
            high: found.mean + reach,
            p: found.p(),
            n,
        };
    };
    let values: Vec<f64> = of.iter().map(|at| row[*at]).collect();
    let value = values.iter().sum::<f64>() / n.max(1) as f64;
    let means = resampled(&values);
    let p = if exact == Exact::Signs { signs_p(&values) } else { drawn_p(&means) };
    let interval = percentiles(means, CONFIDENCE);
    Difference { name, value, low: interval.low, high: interval.high, p, n }
}

/// McNemar's p-value of the signs of one pair of runs.
fn signs_p(values: &[f64]) -> f64 {
    let gained = values.iter().filter(|x| **x > 0.0).count() as u64;
    let lost = values.iter().filter(|x| **x < 0.0).count() as u64;
    mcnemar(gained, lost)
}

/// Twice the smaller share of the means of resamples on one side of zero.
fn drawn_p(means: &[f64]) -> f64 {
    let share = |below: fn(&f64) -> bool| means.iter().filter(|mean| below(mean)).count() as f64 + 1.0;
    let smaller = share(|mean| *mean <= 0.0).min(share(|mean| *mean >= 0.0));
    (2.0 * smaller / (means.len() as f64 + 1.0)).min(1.0)
}

/// The means of resamples of the values; the same draws for the same number of samples.
fn resampled(values: &[f64]) -> Vec<f64> {
    let n = values.len() as u64;
    let mean = |resample: usize| {
        let mut draws = Stream::new(0, purpose("paired"), 0, resample as u64).draws();
        (0..n).map(|_| values[draws.below(n) as usize]).sum::<f64>() / n as f64
    };
    (0..RESAMPLES).into_par_iter().map(mean).collect()
}

/// McNemar's exact test: the two-sided p-value of `gained` against `lost` under equal chances.
pub fn mcnemar(gained: u64, lost: u64) -> f64 {
    let (n, fewer) = (gained + lost, gained.min(lost));
    // The logarithm of each binomial coefficient over 2^n from the one before.
    let mut term = -(n as f64) * std::f64::consts::LN_2;
    let mut sum = term.exp();
    for k in 1..=fewer {
        term += ((n - k + 1) as f64 / k as f64).ln();
        sum += term.exp();
    }
    (2.0 * sum).min(1.0)
}

/// Holm's correction (1979): each p-value times the number of those not smaller, made not to fall, at most 1.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut corrected = vec![1.0; p.len()];
    let mut largest: f64 = 0.0;
    for (rank, at) in order.into_iter().enumerate() {
        largest = largest.max(p[at] * (p.len() - rank) as f64).min(1.0);
        corrected[at] = largest;
    }
    corrected
}

impl Paired {
    /// The answer in words and figures, at most 80 columns.
    pub fn describe(&self, first: &str, second: &str) -> String {
        let pairs = if self.pairs == 1 { String::new() } else { format!(", {} pairs of seeds", self.pairs) };
        let mut text = format!("A = {first}\nB = {second}\nB against A on {} samples{pairs}\n", self.whole[0].n);
        for (difference, larger_is_better) in self.whole.iter().zip([true, false]) {
            text += &format!("  {}\n", difference.line(larger_is_better));
        }
        text += &format!("  {} flipped to right, {} to wrong\n", self.gained, self.lost);
        let real: Vec<&Difference> = self.classes.iter().filter(|class| class.is_real()).collect();
        for class in &real {
            text += &format!("  recall of {}\n", class.line(true));
        }
        if real.is_empty() {
            text += "  no class differs for sure (Holm's correction)\n";
        }
        text
    }
}

/// Whether chance alone would hardly make a difference with this p-value.
pub(super) fn is_real(p: f64) -> bool {
    p < 1.0 - CONFIDENCE
}

impl Difference {
    /// Whether chance alone would hardly make it.
    pub fn is_real(&self) -> bool {
        is_real(self.p)
    }

    fn line(&self, larger_is_better: bool) -> String {
        let verdict = match (self.is_real(), (self.value > 0.0) == larger_is_better) {
            (false, _) => "cannot tell",
            (true, true) => "better",
            (true, false) => "worse",
        };
        let Difference { name, value, low, high, p, .. } = self;
        let p = if *p < 0.001 { "p < 0.001".to_string() } else { format!("p = {p:.3}") };
        format!("{name}: {verdict}, {value:+.4} [{low:+.4}, {high:+.4}], {p}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_are_those_of_statsmodels() {
        // statsmodels.stats.contingency_tables.mcnemar(exact=True), statsmodels.stats.multitest.multipletests("holm"),
        // and scipy.stats.binomtest: see tests/references/paired.py.
        for (gained, lost, expected) in
            [(12, 5, 0.143463134765625), (0, 0, 1.0), (30, 10, 0.0022214337732293643), (3, 3, 1.0)]
        {
            let found = mcnemar(gained, lost);
            assert!((found - expected).abs() < 1e-12, "{gained} against {lost}: {found}");
        }
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - expected).abs() < 1e-12, "{corrected:?}");
        }
    }

    #[test]
    fn differences_of_equal_runs_are_none() {
        let same = difference("accuracy", &[vec![0.0; 50]], &(0..50).collect::<Vec<_>>(), Exact::Signs);
        assert_eq!((same.value, same.p, same.is_real()), (0.0, 1.0, false));
    }

    #[test]
    fn the_interval_of_differences_is_that_of_scipy() {
        // scipy.stats.bootstrap with a million resamples, percentile: see tests/references/paired.py.
        let values: Vec<f64> =
            (0..150).map(|i| f64::from(i).sin().powi(3) + if i % 17 == 0 { 2.5 } else { 0.0 }).collect();
        let found = difference("log_loss", &[values], &(0..150).collect::<Vec<_>>(), Exact::Never);
        assert!((found.value - 0.15249183762828844).abs() < 1e-12);
        // An end of 2,000 resamples is off by about 0.004, one standard deviation, in an interval 0.256 wide.
        assert!((found.low - 0.02784).abs() < 0.012 && (found.high - 0.28383).abs() < 0.012, "{found:?}");
    }

    /// The largest distance of the p-values' distribution from the uniform one (Kolmogorov 1933).
    fn distance_from_uniform(mut p: Vec<f64>) -> f64 {
        p.sort_by(f64::total_cmp);
        let n = p.len() as f64;
        p.iter()
            .enumerate()
            .map(|(at, p)| (p - at as f64 / n).abs().max((p - (at + 1) as f64 / n).abs()))
            .fold(0.0, f64::max)
    }

    /// A distance that a thousand uniform values exceed in one of a hundred cases: 1.628 over the root of their number.
    const LARGEST: f64 = 0.0515;

    #[test]
    fn p_values_of_equal_models_are_uniform() {
        let exact = |number: u64| {
            // Of 20,000 samples about half are decided rightly by exactly one of two models that guess.
            let mut draws = Stream::new(3, purpose("equal models"), 0, number).draws();
            let pairs = (0..20_000).map(|_| draws.below(4));
            let counts = pairs.fold([0; 4], |mut counts, pair| {
                counts[pair as usize] += 1;
                counts
            });
            mcnemar(counts[1], counts[2])
        };
        let distance = distance_from_uniform((0..1000).map(exact).collect());
        assert!(distance < LARGEST, "{distance}");

        let every: Vec<usize> = (0..200).collect();
        let drawn = |number: u64| {
            let mut draws = Stream::new(4, purpose("equal models"), 0, number).draws();
            // The difference of two losses of the same distribution.
            let values: Vec<f64> = every.iter().map(|_| draws.uniform().ln() - draws.uniform().ln()).collect();
            difference("log_loss", &[values], &every, Exact::Never)
        };
        let drawn: Vec<Difference> = (0..1000).map(drawn).collect();
        let held = drawn.iter().filter(|difference| difference.low <= 0.0 && 0.0 <= difference.high).count();
        assert!((930..=970).contains(&held), "{held} of 1000");
        let distance = distance_from_uniform(drawn.iter().map(|difference| difference.p).collect());
        assert!(distance < LARGEST, "{distance}");
    }
}
