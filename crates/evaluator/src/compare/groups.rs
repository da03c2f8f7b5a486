//! Runs that repeat one experiment: they differ in their seed or their fold and in nothing else, and stand in one row.

use std::collections::HashMap;

use rayon::prelude::*;
use record::Run;

use super::Known;
use super::differences::Experiment;

/// Paths in which repetitions may differ.
const REPEATED: [&str; 2] = ["seed", "data.fold"];

/// The repetitions of one experiment on the same data.
#[derive(Debug)]
pub struct Group<'a> {
    pub runs: Vec<&'a Run>,
    /// Seed and fold of each run.
    pub repetitions: Vec<[Option<String>; 2]>,
    /// What its runs have in common, by path.
    pub experiment: Experiment,
}

impl Group<'_> {
    /// `cifar_cnn/20260101T…` of one run, `cifar_cnn (3 runs)` of several.
    pub fn name(&self) -> String {
        let file = &self.runs[0].file;
        match self.runs.len() {
            1 => format!("{}/{}", file.name, file.id),
            n => format!("{} ({n} runs)", file.name),
        }
    }

    /// The fingerprint of the data that all its runs are on.
    pub fn data(&self) -> &str {
        &self.runs[0].file.dataset.fingerprint
    }

    /// The values of a metric, of the runs that have it.
    pub fn values(&self, metric: &str) -> Vec<f64> {
        let value = |run: &&Run| run.file.metrics.get(metric).map(|metric| metric.value).filter(|x| !x.is_nan());
        self.runs.iter().filter_map(value).collect()
    }
}

/// Whether runs that repeat one experiment stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetitions {
    Together,
    Apart,
}

/// The runs in groups, in the order in which their first runs appear.
pub fn groups(runs: &[Known], repetitions: Repetitions) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let key = |(index, known): (usize, &Known)| match repetitions {
        Repetitions::Apart => index.to_string(),
        Repetitions::Together => key(&known.run, &known.settings),
    };
    let keys: Vec<String> = runs.par_iter().enumerate().map(key).collect();
    for (Known { run, settings }, key) in runs.iter().zip(keys) {
        let own = REPEATED.map(|path| settings.get(path).cloned());
        match places.get(&key) {
            Some(place) => {
                groups[*place].runs.push(run);
                groups[*place].repetitions.push(own);
            }
            None => {
                places.insert(key, groups.len());
                let mut experiment = settings.clone();
                if repetitions == Repetitions::Together {
                    experiment.retain(|path, _| says_something(path));
                }
                groups.push(Group { runs: vec![run], repetitions: vec![own], experiment });
            }
        }
    }
    groups
}

fn says_something(path: &str) -> bool {
    !REPEATED.contains(&path) && path != "description"
}

/// Equal for runs that repeat one experiment on the same data.
fn key(run: &Run, settings: &Experiment) -> String {
    let mut key = run.file.dataset.fingerprint.clone();
    for (path, value) in settings.iter().filter(|(path, _)| says_something(path)) {
        key.extend(["\u{2}", path, "\u{1}", value]);
    }
    record::fingerprint(key.as_bytes())
}

/// Mean and, of two and more, standard deviation of a sample.
pub fn mean_and_deviation(values: &[f64]) -> (f64, Option<f64>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    (mean, (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()))
}

/// `0.8312 ± 0.0041 (3)`; `0.8312` of one; a dash of none.
pub fn in_words(values: &[f64]) -> String {
    match mean_and_deviation(values) {
        _ if values.is_empty() => "–".to_string(),
        (mean, Some(deviation)) => format!("{mean:.4} ± {deviation:.4} ({})", values.len()),
        (mean, None) => format!("{mean:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_values_are_a_mean_with_its_deviation() {
        // `statistics.mean` and `statistics.stdev` of Python: 0.66625, 0.0043493…
        assert_eq!(in_words(&[0.667, 0.662, 0.672, 0.664]), "0.6663 ± 0.0043 (4)");
        assert_eq!(in_words(&[0.5]), "0.5000");
        assert_eq!(in_words(&[]), "–");
    }
}
