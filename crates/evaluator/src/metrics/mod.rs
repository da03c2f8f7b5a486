//! The table of metrics, and a metric by its name in the file.
//!
//! Every metric is computed with weights: how often each sample counts. With ones it is the value, with the counts of a
//! resample it is the value of that resample, so that the bootstrap sorts and compares nothing twice.

mod accuracy;
mod auroc;
mod average;
mod brier;
mod calibration_error;
mod confusion;
mod counts;
mod f1;
mod log_loss;
mod mean;
mod precision;
mod recall;
mod top_k_accuracy;

pub use average::{Average, Form};
pub use calibration_error::{BINS, Bin, bins};

use spec::nearest;

use crate::intervals::Interval;
use crate::judged::Judged;

/// Which values of a metric are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// As of a loss.
    Smaller,
    /// As of an accuracy.
    Larger,
}

/// One metric of the table.
pub struct MetricRow {
    /// Its name; of a family without what comes behind it.
    pub name: &'static str,
    /// Names that others use for it; answered with a suggestion.
    pub synonyms: &'static [&'static str],
    /// What it says, with its formula and source.
    pub doc: &'static str,
    /// Which values are better.
    pub direction: Direction,
    /// How it is computed.
    pub measure: Measure,
}

/// How a metric is computed, and so how it is named.
pub enum Measure {
    /// One value, under the row's name.
    Alone(fn(&Judged<'_>) -> Box<dyn Statistic>),
    /// A value for each k, with the number in place of the name's k.
    Top(fn(&Judged<'_>, usize) -> Box<dyn Statistic>),
    /// A value for each class, and averages over the classes under `name_macro`, `name_weighted` and `name_micro`.
    Classes(fn(&Judged<'_>, &[Form]) -> Box<dyn Statistic>),
    /// No value: a picture that every run has.
    Picture,
}

/// Values of one metric on given samples, which may be weighted anew.
pub trait Statistic: Send + Sync {
    /// How many values there are; for [`Measure::Classes`] see [`Form::place`].
    fn n_values(&self) -> usize;

    /// Fills `values`, where sample i counts `weights[i]` times. A value that is not defined is NaN.
    fn values(&self, weights: &[u32], values: &mut [f64]);

    /// The number of samples that the value at `place` rests on.
    fn n(&self, place: usize) -> usize;

    /// An interval of the value at `place` that is better than the bootstrap's; `seed` is for one that draws.
    fn interval(&self, place: usize, confidence: f64, seed: u64) -> Option<Interval>;
}

/// All metrics, by name.
pub static METRICS: [&MetricRow; 10] = [
    &accuracy::ROW,
    &auroc::ROW,
    &brier::ROW,
    &calibration_error::ROW,
    &confusion::ROW,
    &f1::ROW,
    &log_loss::ROW,
    &precision::ROW,
    &recall::ROW,
    &top_k_accuracy::ROW,
];

/// A metric as the file names it.
#[derive(Clone)]
pub struct Metric {
    /// As in the file: `top_5_accuracy`.
    pub name: String,
    /// The row that it belongs to.
    pub row: &'static MetricRow,
    /// Which value of the row.
    pub form: Form,
}

impl Metric {
    /// The metric of this name.
    pub fn find(name: &str) -> Option<Metric> {
        let form = |row: &&'static MetricRow| row.form(name).map(|form| Metric { name: name.to_string(), row, form });
        METRICS.iter().find_map(form)
    }
}

impl MetricRow {
    /// What of this row is meant by a name.
    fn form(&self, name: &str) -> Option<Form> {
        match self.measure {
            Measure::Alone(_) | Measure::Picture => (name == self.name).then_some(Form::Whole),
            Measure::Top(_) => {
                let (before, behind) = self.name.split_once('k').expect("the row's name holds a k");
                let digits = name.strip_prefix(before)?.strip_suffix(behind)?;
                let plain = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
                digits.parse().ok().filter(|_| plain).map(Form::Top)
            }
            Measure::Classes(_) => {
                let average = name.strip_prefix(self.name)?.strip_prefix('_')?;
                Average::ALL.into_iter().find(|known| known.name() == average).map(Form::Average)
            }
        }
    }

    /// The names under which the file can ask for this row; of a family over k one example.
    pub fn names(&self) -> Vec<String> {
        match self.measure {
            Measure::Alone(_) | Measure::Picture => vec![self.name.to_string()],
            Measure::Top(_) => vec![self.name.replacen('k', "5", 1)],
            Measure::Classes(_) => Average::ALL.map(|average| format!("{}_{}", self.name, average.name())).to_vec(),
        }
    }
}

/// The name that was probably meant by one that is none.
pub fn suggestion(wrong: &str) -> Option<String> {
    let lower = wrong.to_lowercase();
    let meant = |row: &&&MetricRow| row.name == lower || row.synonyms.contains(&lower.as_str());
    if let Some(row) = METRICS.iter().find(meant) {
        return row.names().into_iter().next();
    }
    let names: Vec<String> = METRICS.iter().flat_map(|row| row.names()).collect();
    nearest(wrong, names.iter().map(String::as_str)).map(str::to_string)
}
