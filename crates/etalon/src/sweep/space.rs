//! What a sweep varies: paths, and for each a list of values or a range of numbers.

use kernels::random::{Stream, purpose};
use spec::{Entry, Fault, Faults, Node, Override, Place, Value, nearest, number};

use super::words::Method;

/// Most points of a grid.
const MOST_POINTS: usize = 10_000;

/// Significant digits of a drawn number: enough to tell trials apart, few enough to read.
const DIGITS: usize = 5;

/// One path and what is tried there.
#[derive(Clone, Debug)]
pub struct Dimension {
    /// As in `override`.
    pub path: Vec<String>,
    /// Place of the path.
    pub place: Place,
    pub values: Values,
}

/// What is tried at a path.
#[derive(Clone, Debug)]
pub enum Values {
    /// These.
    List(Vec<Node>),
    /// Numbers from `low` to `high`, both of them possible.
    Range { low: f64, high: f64, logarithmic: bool, whole: bool, place: Place },
}

/// What is tried at every path, each as a number in [0, 1).
pub type Point = Vec<f64>;

/// Everything that varies.
#[derive(Clone, Debug, Default)]
pub struct Space {
    pub dimensions: Vec<Dimension>,
}

impl Space {
    /// Reads `sweep.vary`; what is wrong with it joins `faults`.
    pub fn read(vary: &Node, method: Method, faults: &mut Faults) -> Space {
        let Some(map) = vary.map().filter(|map| !map.entries.is_empty()) else {
            let found = if vary.map().is_some() { "an empty one".to_string() } else { vary.describe() };
            let message = format!("expected a mapping from paths to values, found {found}");
            faults.push(
                Fault::new(vary.place, message).help("for example `vary: {optimizer.learning_rate: [0.1, 0.01]}`"),
            );
            return Space::default();
        };
        let dimensions: Vec<Dimension> =
            map.entries.iter().filter_map(|entry| dimension(entry, method, faults)).collect();
        let space = Space { dimensions };
        space.check_order(faults);
        if method == Method::Grid && space.n_grid() > MOST_POINTS {
            let message = format!("the grid has more than {MOST_POINTS} points");
            faults.push(Fault::new(vary.place, message).help("vary less, or write `method: random` with `trials`"));
        }
        space
    }

    /// A value that is put below a path must come after what is put at the path, which replaces all that is below it.
    fn check_order(&self, faults: &mut Faults) {
        for (at, later) in self.dimensions.iter().enumerate() {
            let lost = |earlier: &&Dimension| earlier.path.starts_with(&later.path);
            if let Some(earlier) = self.dimensions[..at].iter().find(lost) {
                let (inner, outer) = (earlier.path.join("."), later.path.join("."));
                let fault = Fault::new(earlier.place, format!("what is varied at `{inner}` is replaced by `{outer}`"));
                faults.push(fault.related(later.place, "which comes later").help("write the outer path first"));
            }
        }
    }

    /// What is tried at each path, a line each: `optimizer.learning_rate: 0.0001 to 0.1, logarithmic`.
    pub fn described(&self) -> String {
        let values = |values: &Values| match values {
            Values::List(nodes) => nodes.iter().map(spec::to_flow).collect::<Vec<_>>().join(", "),
            Values::Range { low, high, logarithmic, .. } => {
                format!("{low} to {high}{}", if *logarithmic { ", logarithmic" } else { "" })
            }
        };
        self.dimensions.iter().map(|one| format!("  {}: {}\n", one.path.join("."), values(&one.values))).collect()
    }

    /// A change by the user that this would undo: what is varied is never what the change says.
    pub fn undoes(&self, change: &Override) -> Option<Fault> {
        let dimension = self.dimensions.iter().find(|dimension| change.path.starts_with(&dimension.path))?;
        let path = dimension.path.join(".");
        let fault = Fault::new(change.place, format!("this is never used: the sweep varies `{path}`"));
        let help = format!("`sweep=none` makes one run of it, `sweep.vary={{{path}: […]}}` tries other values");
        Some(fault.related(dimension.place, "here").help(help))
    }

    /// The number of points of the grid.
    pub fn n_grid(&self) -> usize {
        self.dimensions.iter().map(Dimension::n_values).fold(1, usize::saturating_mul)
    }

    /// A point of the grid; the last path varies fastest.
    pub fn grid(&self, mut index: usize) -> Point {
        let mut point = vec![0.0; self.dimensions.len()];
        for (at, dimension) in self.dimensions.iter().enumerate().rev() {
            let n = dimension.n_values();
            point[at] = dimension.unit_of(index % n);
            index /= n;
        }
        point
    }

    /// A point drawn at random: a function of seed and trial.
    pub fn random(&self, seed: u64, trial: usize) -> Point {
        let mut draws = Stream::new(seed, purpose("sweep"), 0, trial as u64).draws();
        self.dimensions.iter().map(|_| draws.uniform()).collect()
    }

    /// Points among which every value of every path stands once, and both ends of every range.
    pub fn each_value(&self) -> Vec<Point> {
        let first: Point = self.dimensions.iter().map(|dimension| dimension.unit_of(0)).collect();
        let mut points = vec![first.clone()];
        for (at, dimension) in self.dimensions.iter().enumerate() {
            for index in 1..dimension.n_values() {
                let mut point = first.clone();
                point[at] = dimension.unit_of(index);
                points.push(point);
            }
        }
        points
    }

    /// A point as overrides, with the places of the values in the file.
    pub fn overrides(&self, point: &Point) -> Vec<Override> {
        let change = |(dimension, at): (&Dimension, &f64)| Override {
            path: dimension.path.clone(),
            value: dimension.value(*at),
            place: dimension.place,
        };
        self.dimensions.iter().zip(point).map(change).collect()
    }
}

impl Dimension {
    /// Values of a list; of a range its two ends.
    pub fn n_values(&self) -> usize {
        match &self.values {
            Values::List(items) => items.len(),
            Values::Range { .. } => 2,
        }
    }

    /// The place in [0, 1) of a value of a list, or of an end of a range.
    fn unit_of(&self, index: usize) -> f64 {
        match &self.values {
            Values::List(items) => (index as f64 + 0.5) / items.len() as f64,
            Values::Range { .. } => index as f64 * (1.0 - f64::EPSILON),
        }
    }

    /// The value at a place in [0, 1).
    pub fn value(&self, at: f64) -> Node {
        match &self.values {
            Values::List(items) => items[((at * items.len() as f64) as usize).min(items.len() - 1)].clone(),
            Values::Range { low, high, logarithmic, whole, place } => {
                // Whole numbers each have an equal share of the range, the ends too.
                let (low, high) = if *whole { (low - 0.499, high + 0.499) } else { (*low, *high) };
                let x = match logarithmic {
                    true => (low.ln() + at * (high.ln() - low.ln())).exp(),
                    false => low + at * (high - low),
                };
                let text = if *whole { format!("{:.0}", x.round()) } else { rounded(x.clamp(low, high)) };
                Node::word(text, *place)
            }
        }
    }
}

/// A number with few digits, as people write it.
fn rounded(x: f64) -> String {
    let short: f64 = format!("{x:.*e}", DIGITS - 1).parse().expect("a formatted number is one");
    if short != 0.0 && short.abs() < 1e-3 { format!("{short:e}") } else { short.to_string() }
}

fn dimension(entry: &Entry, method: Method, faults: &mut Faults) -> Option<Dimension> {
    let path = spec::path(&entry.key, entry.key_place, faults)?;
    let values = match &entry.node.value {
        Value::List(items) => list(items, &entry.node, faults),
        Value::Map(map) if map.entries.len() == 1 => described(&map.entries[0], method, faults),
        _ => {
            let message = format!("expected a list of values or a range, found {}", entry.node.describe());
            let help = "write `[a, b]`, or `{uniform: [low, high]}`, `log_uniform`, `int_uniform`";
            faults.push(Fault::new(entry.node.place, message).help(help));
            None
        }
    };
    Some(Dimension { path, place: entry.key_place, values: values? })
}

fn list(items: &[Node], whole: &Node, faults: &mut Faults) -> Option<Values> {
    if items.is_empty() {
        faults.push(Fault::new(whole.place, "a list without values").help("name at least one"));
        return None;
    }
    Some(Values::List(items.to_vec()))
}

fn described(entry: &Entry, method: Method, faults: &mut Faults) -> Option<Values> {
    const WORDS: [&str; 4] = ["uniform", "log_uniform", "int_uniform", "choice"];
    let word = entry.key.as_str();
    if word == "choice" {
        let Some(items) = entry.node.list() else {
            let fault =
                Fault::new(entry.node.place, format!("expected a list of values, found {}", entry.node.describe()));
            faults.push(fault);
            return None;
        };
        return list(items, &entry.node, faults);
    }
    if !WORDS.contains(&word) {
        let fault = Fault::new(entry.key_place, format!("unknown range `{word}`"));
        let help = nearest(word, WORDS)
            .map_or("uniform, log_uniform, int_uniform or choice".into(), |near| format!("did you mean `{near}`?"));
        faults.push(fault.help(help));
        return None;
    }
    let mut fail = |message: String, help: &str| {
        faults.push(Fault::new(entry.node.place, message).help(help));
        None
    };
    let ends: Option<Vec<f64>> = entry.node.list().map(|items| items.iter().filter_map(number).collect());
    let Some([low, high]) = ends.as_deref() else {
        return fail(
            format!("a range is [low, high], found {}", entry.node.describe()),
            "for example `{uniform: [0.0, 0.5]}`",
        );
    };
    if low >= high {
        return fail(format!("the range from {low} to {high} is empty"), "write the smaller number first");
    }
    if word == "log_uniform" && *low <= 0.0 {
        return fail(
            format!("a logarithmic range begins above 0, found {low}"),
            "write `uniform`, or a positive number",
        );
    }
    if word == "int_uniform" && (low.fract() != 0.0 || high.fract() != 0.0) {
        return fail(format!("a range of whole numbers has whole ends, found {low} and {high}"), "write `uniform`");
    }
    if method == Method::Grid {
        return fail(
            "a grid takes lists; a range has no end of values".into(),
            "write `[a, b, c]`, or `method: random` with `trials`",
        );
    }
    let whole = word == "int_uniform";
    Some(Values::Range { low: *low, high: *high, logarithmic: word == "log_uniform", whole, place: entry.node.place })
}
