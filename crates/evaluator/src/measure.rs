//! Predictions to values: quickly after every epoch, and with intervals and classes when training is done.

use engine::Predictions;

use crate::check::Evaluation;
use crate::intervals::{Interval, bootstrap};
use crate::judged::Judged;
use crate::metrics::{Direction, Form, METRICS, Measure, Metric, MetricRow, Statistic};

/// Metrics that the tables show for every class, whether or not the file asks for an average of them.
const CLASS_METRICS: [&str; 3] = ["precision", "recall", "f1"];

/// A value with its interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// As in the file; for a class the family: `precision`.
    pub metric: String,
    /// The class that this is the value of; none for all of them.
    pub class: Option<String>,
    /// NaN where it is not defined.
    pub value: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
    /// The number of samples that the value rests on.
    pub n: usize,
}

/// Everything that was measured on one part.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// First the metrics in the file's order, then the classes of each family.
    pub rows: Vec<Row>,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// `confusion[label * classes.len() + decision]`: how many samples.
    pub confusion: Vec<u64>,
}

/// A row of the table of metrics with the values that are wanted of it.
struct Family {
    row: &'static MetricRow,
    /// For [`Measure::Top`] the k.
    form: Form,
    statistic: Box<dyn Statistic>,
}

impl Family {
    /// What computes these metrics and those of classes: one statistic a row, one a k.
    fn all(judged: &Judged<'_>, metrics: &[Metric], classes: &[&'static MetricRow]) -> Vec<Family> {
        let mut families: Vec<Family> = Vec::new();
        let wanted = metrics.iter().map(|metric| (metric.row, metric.form));
        for (row, form) in wanted.chain(classes.iter().map(|row| (*row, Form::Class(0)))) {
            if families.iter().any(|family| family.holds(row, form)) {
                continue;
            }
            let forms: Vec<Form> =
                metrics.iter().filter(|metric| metric.row.name == row.name).map(|metric| metric.form).collect();
            let statistic = match (&row.measure, form) {
                (Measure::Alone(prepare), _) => prepare(judged),
                (Measure::Top(prepare), Form::Top(k)) => prepare(judged, k),
                (Measure::Classes(prepare), _) => prepare(judged, &forms),
                (Measure::Top(_), _) => unreachable!("such metrics are named with their k"),
                (Measure::Picture, _) => continue,
            };
            families.push(Family { row, form, statistic });
        }
        families
    }

    fn holds(&self, row: &MetricRow, form: Form) -> bool {
        let one_for_all = !matches!(row.measure, Measure::Top(_));
        self.row.name == row.name && (one_for_all || self.form == form)
    }
}

impl Evaluation {
    /// The metrics that have a value, each with which of its values are better: what may be watched on validation.
    pub fn directions(&self) -> Vec<(String, Direction)> {
        self.valued().map(|metric| (metric.name.clone(), metric.row.direction)).collect()
    }

    /// The values without intervals, for every epoch.
    pub fn quick(&self, predictions: &Predictions) -> Vec<(String, f64)> {
        let judged = Judged::new(predictions);
        let families = Family::all(&judged, &self.metrics, &[]);
        let values = plain_values(&families, judged.len());
        let value = |metric: &Metric| {
            let at = position(&families, metric.row, metric.form);
            (metric.name.clone(), values[at][metric.form.place()])
        };
        self.valued().map(value).collect()
    }

    /// The values with intervals, those of the classes too. `seed` draws the resamples.
    ///
    /// # Panics
    /// If there is not one name a class: a bug.
    pub fn measure(&self, predictions: &Predictions, classes: &[String], seed: u64) -> Measured {
        assert_eq!(classes.len(), predictions.n_classes, "one name a class");
        let judged = Judged::new(predictions);
        let by_class = self.by_class();
        let families = Family::all(&judged, &self.metrics, &by_class);
        let values = plain_values(&families, judged.len());
        let statistics: Vec<&dyn Statistic> = families.iter().map(|family| family.statistic.as_ref()).collect();
        let drawn = bootstrap(&statistics, judged.len(), self.interval, seed);
        let row = |name: &str, row: &MetricRow, form: Form| {
            let (at, place) = (position(&families, row, form), form.place());
            let (statistic, value) = (&families[at].statistic, values[at][place]);
            let n = statistic.n(place);
            let own = statistic.interval(place, self.interval, seed);
            let Interval { low, high } = own.unwrap_or(drawn[at][place]);
            let class = if let Form::Class(class) = form { Some(classes[class].clone()) } else { None };
            Row { metric: name.to_string(), class, value, low, high, n }
        };
        let whole = self.valued().map(|metric| row(&metric.name, metric.row, metric.form));
        let of_classes = by_class
            .iter()
            .flat_map(|family| (0..classes.len()).map(|class| row(family.name, family, Form::Class(class))));
        Measured { rows: whole.chain(of_classes).collect(), classes: classes.to_vec(), confusion: judged.confusion() }
    }

    fn valued(&self) -> impl Iterator<Item = &Metric> {
        self.metrics.iter().filter(|metric| !matches!(metric.row.measure, Measure::Picture))
    }

    /// The families whose classes are shown.
    fn by_class(&self) -> Vec<&'static MetricRow> {
        let is_asked = |row: &MetricRow| self.metrics.iter().any(|metric| metric.row.name == row.name);
        let mut rows: Vec<&'static MetricRow> = CLASS_METRICS
            .iter()
            .map(|name| *METRICS.iter().find(|row| row.name == *name).expect("they are in the table"))
            .collect();
        let others = METRICS.iter().filter(|row| matches!(row.measure, Measure::Classes(_)) && is_asked(row));
        rows.extend(others.filter(|row| !CLASS_METRICS.contains(&row.name)));
        rows
    }
}

impl Measured {
    /// The row of a metric over all classes.
    pub fn find(&self, metric: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.metric == metric && row.class.is_none())
    }

    /// The row of a metric for one class.
    pub fn find_class(&self, metric: &str, class: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.metric == metric && row.class.as_deref() == Some(class))
    }
}

impl From<&Row> for record::Metric {
    fn from(row: &Row) -> record::Metric {
        record::Metric { value: row.value, low: row.low, high: row.high, n: row.n }
    }
}

fn plain_values(families: &[Family], n: usize) -> Vec<Vec<f64>> {
    let ones = vec![1; n];
    let fill = |family: &Family| {
        let mut values = vec![f64::NAN; family.statistic.n_values()];
        family.statistic.values(&ones, &mut values);
        values
    };
    families.iter().map(fill).collect()
}

fn position(families: &[Family], row: &MetricRow, form: Form) -> usize {
    families.iter().position(|family| family.holds(row, form)).expect("a statistic was made for every metric")
}
