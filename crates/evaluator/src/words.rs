//! The words of the section `evaluate`.

use spec::Type;

spec::choice! {
    /// The part of the data that is judged.
    pub enum Part {
        /// The samples that were trained on, in evaluate mode.
        Train = "train",
        /// The samples that choices were made by.
        Validation = "validation",
        /// The samples that nothing was chosen by.
        Test = "test",
    }
}

spec::choice! {
    /// The weights that are judged.
    pub enum Weights {
        /// Those of the last epoch.
        Last = "last",
        /// Those of the epoch with the best monitored value.
        Best = "best",
    }
}

spec::section! {
    /// What is measured, on what, and how sure it has to be.
    pub struct EvaluateSection {
        /// The part of the data whose predictions are kept and judged: `train`, `validation` or `test`.
        pub part: Part = test, synonyms &["split", "subset"];
        /// The weights that are judged and exported: `last` or `best`.
        pub checkpoint: Weights = last, synonyms &["weights"];
        /// Names of metrics, in the order of the tables; they are also computed on validation after every epoch.
        pub metrics: Vec<String> = [accuracy, f1_macro, log_loss, calibration_error], ty Type::List { of: &Type::Text, lone: true }, synonyms &["metric"];
        /// The share of repetitions in which an interval would hold the true value.
        pub interval: f64 = 0.95, above 0.0, below 1.0, synonyms &["confidence", "confidence_level"];
    }
}
