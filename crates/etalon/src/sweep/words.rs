//! The words of the section `sweep`, and what must hold between them.

use spec::{Chosen, Fault, Faults, Kind, KindTable, Node, Word};

use super::asha::Asha;

spec::choice! {
    /// How a sweep chooses what to try.
    pub enum Method {
        /// Every combination of the values.
        Grid = "grid",
        /// Drawn at random, each value apart (Bergstra and Bengio 2012).
        Random = "random",
        /// Drawn where trials were good so far: the tree-structured Parzen estimator (Bergstra et al. 2011).
        Tpe = "tpe",
    }
}

spec::section! {
    /// By what trials are judged: a metric of the validation part, never of the test part.
    pub struct ObjectiveSection {
        /// The metric whose largest value wins, `validation/accuracy`.
        pub maximize: Option<String> = none, example "validation/accuracy";
        /// The metric whose smallest value wins, `validation/loss`.
        pub minimize: Option<String> = none, example "validation/loss";
    }
}

spec::section! {
    /// Many runs of one experiment with other values.
    pub struct SweepSection {
        /// How values are chosen: `grid`, `random` or `tpe`.
        pub method: Method = grid;
        /// Paths as in `override`, each with a list of values, or with `{uniform: [low, high]}`, `log_uniform`, `int_uniform` or `choice`.
        pub vary: Node = required, synonyms &["parameters", "search_space", "space"], example "{optimizer.learning_rate: {log_uniform: [1e-4, 0.1]}}";
        /// How many points `random` and `tpe` try.
        pub trials: Option<usize> = none, min 1.0, max 100000.0, unit "trials", synonyms &["n_trials", "num_trials", "num_samples"], example "24";
        /// By what trials are judged; the winner alone is then measured on the test part.
        pub objective: Option<ObjectiveSection> = none, synonyms &["metric", "goal"];
        /// Ends trials early that fall behind the others.
        pub scheduler: Option<Chosen> = none, kinds &SCHEDULERS;
        /// How many runs go at the same time; the threads are divided among them.
        pub parallel: usize = 1, min 1.0, max 64.0, unit "runs", synonyms &["n_jobs", "workers", "max_concurrent"];
        /// Decides what `random` and `tpe` draw.
        pub seed: u64 = 0;
    }
}

/// What may end trials early.
pub static SCHEDULERS: KindTable = KindTable { what: "scheduler", kinds: || vec![&ASHA], common: &[], untyped: None };

static ASHA: Kind = Kind {
    name: "asha",
    synonyms: &["hyperband", "successive_halving"],
    doc: Asha::SECTION.doc,
    main: None,
    fields: Asha::SECTION.fields,
    example: "{type: asha, min_epochs: 1, reduction: 3}",
};

/// By what trials are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objective {
    /// `validation/accuracy`.
    pub metric: String,
    /// Whether the largest value wins.
    pub maximize: bool,
}

impl Objective {
    /// A value such that larger is better.
    pub fn score(&self, value: f64) -> f64 {
        if self.maximize { value } else { -value }
    }
}

/// What is known of the experiment that a sweep varies.
pub struct Facts {
    /// The metrics of `evaluate.metrics`; none where that is at fault.
    pub metrics: Option<Vec<String>>,
    /// Why nothing may be chosen by the validation part, if so.
    pub unjudged: Option<&'static str>,
    /// Whether training is given in epochs.
    pub in_epochs: bool,
}

/// Checks the resolved section; gives the objective, where one is named rightly.
pub fn check(sweep: &Node, facts: &Facts, faults: &mut Faults) -> Option<Objective> {
    let is_set = |key: &str| sweep.find(key).is_some_and(|node| !node.is_word("none"));
    let method = sweep.find("method").filter(|node| node.is_sound()).map(Method::read);
    let mut fail = |key: &str, message: &str, help: &str| {
        faults.push(Fault::new(sweep.place_of(key), message).help(help));
    };
    match method {
        Some(Method::Grid) if is_set("trials") => {
            fail(
                "trials",
                "a grid tries every combination, so `trials` is read by nothing",
                "take it out, or write `method: random`",
            );
        }
        Some(Method::Random | Method::Tpe) if !is_set("trials") => {
            fail("method", "`trials` is missing: how many points are tried", "write for example `trials: 20`");
        }
        _ => {}
    }
    let draws = sweep.find("seed").filter(|seed| seed.is_sound()).map_or(0, u64::read);
    if method == Some(Method::Grid) && draws != 0 {
        fail("seed", "a grid draws nothing, so `seed` is read by nothing", "take it out, or write `method: random`");
    }
    if method == Some(Method::Tpe) && !is_set("objective") {
        fail(
            "method",
            "`tpe` goes where trials were good, and no `objective` says what good is",
            "write for example `objective: {maximize: validation/accuracy}`",
        );
    }
    if is_set("scheduler") && !is_set("objective") {
        fail(
            "scheduler",
            "trials are ended by the `objective`, and there is none",
            "write for example `objective: {maximize: validation/accuracy}`",
        );
    }
    if is_set("scheduler") && !facts.in_epochs {
        fail("scheduler", "trials are ended between epochs, and training is given in steps", "write `train.epochs`");
    }
    objective(sweep.find("objective").filter(|node| node.map().is_some() && node.is_sound())?, facts, faults)
}

fn objective(node: &Node, facts: &Facts, faults: &mut Faults) -> Option<Objective> {
    let ObjectiveSection { maximize, minimize } = ObjectiveSection::read(node);
    let (metric, maximize) = match (maximize, minimize) {
        (Some(metric), None) => (metric, true),
        (None, Some(metric)) => (metric, false),
        _ => {
            let fault = Fault::new(node.place, "an objective is either maximized or minimized");
            faults.push(fault.help("write for example `{maximize: validation/accuracy}`"));
            return None;
        }
    };
    let place = node.place_of(if maximize { "maximize" } else { "minimize" });
    let mut fail = |message: String, help: String| faults.push(Fault::new(place, message).help(help));
    let Some(name) = metric.strip_prefix("validation/") else {
        let meant = metric.rsplit('/').next().unwrap_or_default();
        fail(
            format!("a sweep is judged on the validation part, not by `{metric}`"),
            format!("write `validation/{meant}`"),
        );
        return None;
    };
    if let Some(why) = facts.unjudged {
        fail(
            format!("a sweep cannot choose by `{metric}`: {why}"),
            "give validation samples of its own: `validation: {split: train, fraction: 0.1}`".into(),
        );
        return None;
    }
    if let Some(known) =
        facts.metrics.as_ref().filter(|known| name != "loss" && !known.iter().any(|known| known == name))
    {
        let near = spec::nearest(name, known.iter().map(String::as_str).chain(["loss"]));
        let help =
            near.map_or("add it to `evaluate.metrics`".into(), |near| format!("did you mean `validation/{near}`?"));
        fail(format!("`{name}` is not computed on validation"), help);
        return None;
    }
    Some(Objective { metric, maximize })
}
