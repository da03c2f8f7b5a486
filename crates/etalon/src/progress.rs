//! What a run shows while it works: a bar in a terminal, one plain line an epoch everywhere; all on standard error.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::terminal;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loudness {
    Quiet,
    /// One line an epoch.
    Lines,
    /// The lines, and a bar inside each epoch.
    Bars,
}

impl Loudness {
    /// What fits the options and the terminal.
    pub fn of(quiet: bool) -> Loudness {
        match (quiet, terminal::is_interactive()) {
            (true, _) => Loudness::Quiet,
            (false, false) => Loudness::Lines,
            (false, true) => Loudness::Bars,
        }
    }
}

/// One value of an epoch's line, in the order shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// `train/loss`, `validation/accuracy`.
    pub name: String,
    pub value: f64,
    /// Whether it is the best so far.
    pub best: bool,
}

/// The display of one training.
pub struct Progress {
    loudness: Loudness,
    n_epochs: usize,
    started: Instant,
    /// Epochs that were done before this process began.
    resumed_at: usize,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// A display for epochs `resumed_at + 1 ..= n_epochs`.
    pub fn new(loudness: Loudness, resumed_at: usize, n_epochs: usize) -> Progress {
        Progress { loudness, n_epochs, started: Instant::now(), resumed_at, bar: None }
    }

    /// An epoch of `n_samples` begins, with `done` of them behind it; epochs are counted from 0.
    pub fn begin_epoch(&mut self, epoch: usize, done: usize, n_samples: usize) {
        if self.loudness != Loudness::Bars {
            return;
        }
        let bar = ProgressBar::new(n_samples as u64);
        let width = self.n_epochs.to_string().len();
        let left = self.left(epoch).map_or(String::new(), |left| format!("  in all {}", duration(left)));
        let style = format!(
            "epoch {:>width$}/{} {{bar:20}} {{percent:>3}} %  {{msg}}  left {{eta}}{left}",
            epoch + 1,
            self.n_epochs
        );
        bar.set_style(
            ProgressStyle::with_template(&style)
                .expect("the template is constant but for numbers")
                .progress_chars("━╸─"),
        );
        bar.set_position(done as u64);
        bar.reset_eta();
        self.bar = Some(bar);
    }

    /// Time that the epochs from this one on will take, as far as those before tell.
    fn left(&self, epoch: usize) -> Option<Duration> {
        let done = epoch - self.resumed_at;
        let left = (self.n_epochs - epoch) as f64;
        (done > 0).then(|| self.started.elapsed().div_f64(done as f64).mul_f64(left))
    }

    /// A step is done: samples of the epoch so far, mean loss so far, images a second.
    pub fn step(&self, done: usize, loss: f64, images_per_second: f64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
            bar.set_message(format!("loss {loss:.4}  {} images/s", thousands(images_per_second)));
        }
    }

    /// An epoch is done.
    pub fn end_epoch(&mut self, epoch: usize, shown: &[Shown], seconds: f64, images_per_second: f64) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if self.loudness == Loudness::Quiet {
            return;
        }
        eprintln!("{}", epoch_line(epoch, self.n_epochs, shown, seconds, images_per_second));
    }

    /// Takes the bar away, so that something else can be said.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// `epoch  3/10 loss 1.0213 validation loss 1.0101* accuracy 0.6498*  4.1 s  12,345/s`: the loss is that of training.
fn epoch_line(epoch: usize, n_epochs: usize, shown: &[Shown], seconds: f64, rate: f64) -> String {
    let width = n_epochs.to_string().len();
    let mut line = format!("epoch {:>width$}/{n_epochs}", epoch + 1);
    let mut part = "train";
    for value in shown {
        let (this, name) = value.name.split_once('/').unwrap_or(("", &value.name));
        if this != part {
            line += &format!(" {this}");
            part = this;
        }
        line += &format!(" {name} {:.4}{}", value.value, if value.best { "*" } else { " " });
    }
    line + &format!(" {seconds:.1} s  {}/s", thousands(rate))
}

/// `1,234,567`.
pub fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.max(0.0));
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `45 s`, `3m20s`, `2h05m`.
pub fn duration(time: Duration) -> String {
    match time.as_secs_f64().round() as u64 {
        s if s < 60 => format!("{s} s"),
        s if s < 3600 => format!("{}m{:02}s", s / 60, s % 60),
        s => format!("{}h{:02}m", s / 3600, s % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_one_line() {
        let value = |name: &str, value, best| Shown { name: name.into(), value, best };
        let shown = [
            value("train/loss", 1.02134, false),
            value("validation/loss", 1.0, true),
            value("validation/accuracy", 0.65, false),
        ];
        let line = epoch_line(2, 10, &shown, 4.08, 12345.6);
        assert_eq!(line, "epoch  3/10 loss 1.0213  validation loss 1.0000* accuracy 0.6500  4.1 s  12,346/s");
    }

    #[test]
    fn numbers_and_times_are_readable() {
        assert_eq!([thousands(7.0), thousands(1234.4), thousands(1234567.0)], ["7", "1,234", "1,234,567"]);
        let time = |s| duration(Duration::from_secs(s));
        assert_eq!([time(59), time(60), time(7500)], ["59 s", "1m00s", "2h05m"]);
    }
}
