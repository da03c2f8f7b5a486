//! What was measured, for people and for programs.

use serde_json::{Value, json};

use super::Phase;
use super::profile::Layers;
use super::rates::Rates;
use crate::progress::thousands;

/// What was measured of an experiment.
pub struct Report {
    pub name: String,
    pub phase: Phase,
    pub batch: usize,
    pub threads: usize,
    pub instruction_set: &'static str,
    /// Images a second on images in memory.
    pub rates: Rates,
    /// Where the time goes.
    pub layers: Layers,
    /// Of convolutions and dense layers, counted directly.
    pub flops_per_image: u64,
    /// What all threads together can multiply and add in a second, in billions.
    pub ceiling_gflops: f64,
    /// Where the system says it.
    pub peak_rss_bytes: Option<u64>,
    /// When training.
    pub warmup: Option<Warmup>,
    /// Where the experiment's data was asked for.
    pub with_data: Option<WithData>,
}

/// The first steps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Warmup {
    pub steps: usize,
    /// The mean over these steps.
    pub loss: f64,
}

/// Images a second through the loader.
pub struct WithData {
    /// The dataset as read.
    pub data: String,
    /// Training on images in memory.
    pub computing: f64,
    /// Loading by itself.
    pub loading: f64,
    /// Training on what is loaded.
    pub together: f64,
}

impl WithData {
    /// The slower of the two by itself.
    fn limit(&self) -> &'static str {
        if self.loading < self.computing { "loading" } else { "computing" }
    }
}

impl Report {
    /// The experiment's rate: on its data where that was asked for.
    fn images_per_second(&self) -> f64 {
        self.with_data.as_ref().map_or(self.rates.median(), |with_data| with_data.together)
    }

    fn gflops(&self) -> f64 {
        self.images_per_second() * self.flops_per_image as f64 * 1e-9
    }

    /// A few lines of at most 80 columns.
    pub fn text(&self) -> String {
        let threads = if self.threads == 1 { "1 thread".to_string() } else { format!("{} threads", self.threads) };
        let Report { name, batch, instruction_set, .. } = self;
        let heading = format!("{name}: {}, batch {batch}, {threads}, {instruction_set}\n\n", self.phase.name());
        let line = |[name, value, note]: &[String; 3]| format!("{name:<12}{value:>9} {note}\n");
        let rows: String = self.rows().iter().map(line).collect();
        format!("{heading}{rows}\n{}", self.layers.text(self.ceiling_gflops / self.threads as f64))
    }

    fn rows(&self) -> Vec<[String; 3]> {
        let row = |name: &str, value: String, note: String| [name.to_string(), value, note];
        let rates = &self.rates;
        let (worst, best) = (thousands(rates.worst()), thousands(rates.best()));
        let spread = format!("images/s, median of {} windows; {worst} to {best}", rates.n_windows());
        let mut rows = vec![row("in memory", thousands(rates.median()), spread)];
        if let Some(with_data) = &self.with_data {
            let WithData { data, loading, together, .. } = with_data;
            rows.push(row("loading", thousands(*loading), format!("images/s by itself, {data}")));
            rows.push(row("with data", thousands(*together), format!("images/s; {} is the limit", with_data.limit())));
        }
        let step = self.batch as f64 / self.images_per_second();
        rows.push(row("step", milliseconds(step), "ms a batch".to_string()));
        let share = 100.0 * self.gflops() / self.ceiling_gflops;
        let note = format!("GFLOP/s of direct products, {share:.0} % of this processor's {:.0}", self.ceiling_gflops);
        rows.push(row("arithmetic", format!("{:.0}", self.gflops()), note));
        if let Some(warmup) = &self.warmup {
            let note = format!("mean of the first {} steps on random images", warmup.steps);
            rows.push(row("loss", format!("{:.3}", warmup.loss), note));
        }
        if let Some(bytes) = self.peak_rss_bytes {
            rows.push(row(
                "memory",
                format!("{:.0}", bytes as f64 / 1e6),
                "MB at most, of the whole process".to_string(),
            ));
        }
        rows
    }

    /// One line for programs.
    pub fn json(&self) -> Value {
        let with_data = self.with_data.as_ref();
        json!({
            "name": self.name,
            "phase": self.phase.name(),
            "batch_size": self.batch,
            "threads": self.threads,
            "instruction_set": self.instruction_set,
            "images_per_second": self.images_per_second(),
            "images_per_second_in_memory": self.rates.median(),
            "images_per_second_worst": self.rates.worst(),
            "images_per_second_best": self.rates.best(),
            "images_per_second_loading": with_data.map(|data| data.loading),
            "limit": with_data.map(WithData::limit),
            "flops_per_image": self.flops_per_image,
            "gflops": self.gflops(),
            "ceiling_gflops": self.ceiling_gflops,
            "layers": self.layers.json(),
            "warmup_steps": self.warmup.map(|warmup| warmup.steps),
            "warmup_loss": self.warmup.map(|warmup| warmup.loss),
            "peak_rss_bytes": self.peak_rss_bytes,
        })
    }
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.2}", seconds * 1e3)
}
