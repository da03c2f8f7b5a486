//! Runs that repeat one experiment: they differ in their seed or their fold and in nothing else, and stand in one row.

use record::Run;

use super::differences::{self, Experiment, NAMES};

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

/// The runs in groups, in the order in which their first runs appear; or one line why a run cannot be read.
pub fn groups(runs: &[Run], repetitions: Repetitions) -> Result<Vec<Group<'_>>, String> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for run in runs {
        let mut experiment = differences::experiment(run)?;
        if repetitions == Repetitions::Apart {
            groups.push(Group { runs: vec![run], repetitions: vec![repetition(&experiment)], experiment });
            continue;
        }
        let own = repetition(&experiment);
        let name = experiment.get("name").cloned();
        experiment.retain(|path, _| !REPEATED.contains(&path.as_str()) && !NAMES[1..].contains(&path.as_str()));
        let data = &run.file.dataset.fingerprint;
        let same = |group: &&mut Group<'_>| {
            group.runs[0].file.dataset.fingerprint == *data
                && group.experiment.get("name").cloned() == name
                && group.experiment == experiment
        };
        match groups.iter_mut().find(same) {
            Some(group) => {
                group.runs.push(run);
                group.repetitions.push(own);
            }
            None => groups.push(Group { runs: vec![run], repetitions: vec![own], experiment }),
        }
    }
    Ok(groups)
}

fn repetition(experiment: &Experiment) -> [Option<String>; 2] {
    REPEATED.map(|path| experiment.get(path).cloned())
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
