//! From a value for each class to one for all: the three ways of averaging, as scikit-learn names them.

/// How the values of the classes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// Every class counts the same.
    Macro,
    /// A class counts as often as it is a label.
    Weighted,
    /// Decisions of all classes are thrown together before anything is divided.
    Micro,
}

impl Average {
    /// All of them, in the order of their places.
    pub const ALL: [Average; 3] = [Average::Macro, Average::Weighted, Average::Micro];

    /// As it ends the metric's name.
    pub fn name(self) -> &'static str {
        match self {
            Average::Macro => "macro",
            Average::Weighted => "weighted",
            Average::Micro => "micro",
        }
    }
}

/// Which value of a row is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The only one.
    Whole,
    /// Right where the label is among the k most probable classes.
    Top(usize),
    /// An average over the classes.
    Average(Average),
    /// The value of one class.
    Class(usize),
}

impl Form {
    /// Where a statistic keeps it: alone, or averages first and then the classes.
    pub fn place(self) -> usize {
        match self {
            Form::Whole | Form::Top(_) | Form::Average(Average::Macro) => 0,
            Form::Average(Average::Weighted) => 1,
            Form::Average(Average::Micro) => 2,
            Form::Class(class) => Average::ALL.len() + class,
        }
    }
}

/// Fills the places of `macro` and `weighted` from those of the classes; classes whose value is NaN are left out, and
/// a class counts `supports` in the weighted one.
pub fn fill_averages(values: &mut [f64], supports: impl Iterator<Item = f64>) {
    let (averages, classes) = values.split_at_mut(Average::ALL.len());
    let (mut sum, mut count, mut weighted, mut support_sum) = (0.0, 0.0, 0.0, 0.0);
    for (value, support) in classes.iter().zip(supports).filter(|(value, _)| !value.is_nan()) {
        sum += value;
        count += 1.0;
        weighted += value * support;
        support_sum += support;
    }
    averages[Form::Average(Average::Macro).place()] = sum / count;
    averages[Form::Average(Average::Weighted).place()] = weighted / support_sum;
}
