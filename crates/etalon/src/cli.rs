//! The arguments of the command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// One YAML file is one experiment: checked, trained, evaluated, exported to ONNX and proven.
#[derive(Parser)]
#[command(name = "etalon", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub common: Common,
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// Where datasets are looked for before ETALON_DATA_DIR and datasets/
    #[arg(long, global = true, value_name = "DIR", help_heading = "Common options")]
    pub data_dir: Option<PathBuf>,
    /// Where run directories are made and looked for
    #[arg(long, global = true, value_name = "DIR", default_value = "runs", help_heading = "Common options")]
    pub runs_dir: PathBuf,
    /// Threads to compute with; results are the same for any number [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Common options")]
    pub threads: Option<u16>,
    /// Say more: -v for information, -vv for details
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Common options")]
    pub verbose: u8,
    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Common options")]
    pub quiet: bool,
}

impl Common {
    /// Where data is looked for, in this order.
    pub fn data_dirs(&self) -> Vec<PathBuf> {
        let given = self.data_dir.clone().into_iter();
        let variable = std::env::var_os("ETALON_DATA_DIR").filter(|value| !value.is_empty()).map(PathBuf::from);
        given.chain(variable).chain([PathBuf::from("datasets")]).collect()
    }

    /// Threads to compute with.
    pub fn n_threads(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.map_or_else(all, usize::from)
    }
}

/// For people or for programs.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
}

/// How `compare` writes its table.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    Table,
    Csv,
    Json,
    Markdown,
}

#[derive(Subcommand)]
pub enum Command {
    /// Check, train, evaluate, export and prove an experiment
    #[command(
        after_help = "Examples:\n  etalon run experiments/cifar_cnn.yaml\n  etalon run experiments/cifar_cnn.yaml train.epochs=3 seed=2\n  etalon run --resume runs/cifar_cnn/20260101T120000Z-1-3fa9c1"
    )]
    Run(RunArguments),
    /// Say everything that is wrong with experiment files, without data
    #[command(after_help = "Example:\n  etalon check experiments/*.yaml")]
    Check(CheckArguments),
    /// Measure a finished run again
    #[command(after_help = "Example:\n  etalon evaluate runs/cifar_cnn/20260101T120000Z-1-3fa9c1 --part validation")]
    Evaluate(EvaluateArguments),
    /// Write a run's network as ONNX
    #[command(after_help = "Example:\n  etalon export cifar_cnn -o model.onnx export.onnx.softmax=true")]
    Export(ExportArguments),
    /// Prove a run's ONNX file again with ONNX Runtime
    #[command(after_help = "Example:\n  etalon verify cifar_cnn")]
    Verify(VerifyArguments),
    /// Classify images or folders with a run or an .onnx that etalon wrote
    #[command(
        after_help = "Examples:\n  etalon predict cifar_cnn photo.png folder/\n  etalon predict model.onnx photo.png --format json"
    )]
    Predict(PredictArguments),
    /// Set runs side by side
    #[command(
        after_help = "Examples:\n  etalon compare\n  etalon compare runs/cifar_cnn --sort test/accuracy --format markdown"
    )]
    Compare(CompareArguments),
    /// Show an experiment's data: counts, sizes, and a sheet before and after augmentation
    #[command(after_help = "Example:\n  etalon data experiments/cifar_cnn_augmented.yaml --preview preview.png")]
    Data(DataArguments),
}

#[derive(Args)]
pub struct RunArguments {
    /// The experiment file
    #[arg(required_unless_present = "resume")]
    pub file: Option<PathBuf>,
    /// Overrides, key.path=value
    #[arg(value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Go on with an interrupted run, to the bit as if it had not stopped
    #[arg(long, value_name = "RUN", conflicts_with_all = ["file", "overrides"])]
    pub resume: Option<PathBuf>,
    /// `json` ends with one line for programs
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

#[derive(Args)]
pub struct CheckArguments {
    /// Experiment files; what holds a `=` is an override for all of them
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,
    /// `json` prints {"faults": [...]}
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

#[derive(Args)]
pub struct EvaluateArguments {
    /// A run directory, or the name of an experiment for its latest run
    pub run: PathBuf,
    /// Which part: train, validation or test
    #[arg(long)]
    pub part: Option<String>,
    /// Which checkpoint: last or best
    #[arg(long)]
    pub checkpoint: Option<String>,
    /// `json` ends with one line for programs
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

#[derive(Args)]
pub struct ExportArguments {
    /// A run directory, or the name of an experiment for its latest run
    pub run: PathBuf,
    /// Overrides of the export section, export.onnx.softmax=true
    #[arg(value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Where to write it
    #[arg(short, long, value_name = "FILE", default_value = "model.onnx")]
    pub output: PathBuf,
}

#[derive(Args)]
pub struct VerifyArguments {
    /// A run directory, or the name of an experiment for its latest run
    pub run: PathBuf,
    /// Another ONNX file to prove against the run
    #[arg(long, value_name = "FILE")]
    pub onnx: Option<PathBuf>,
    /// `json` prints the proof for programs
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

#[derive(Args)]
pub struct PredictArguments {
    /// A run directory, the name of an experiment, or an .onnx that etalon wrote
    pub model: PathBuf,
    /// Images, or folders that are searched for images
    #[arg(required = true)]
    pub images: Vec<PathBuf>,
    /// `json` prints one line an image
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

#[derive(Args)]
pub struct CompareArguments {
    /// Run directories, names of experiments, or folders of runs [default: the runs folder]
    pub runs: Vec<PathBuf>,
    /// Column to sort by, `test/accuracy`; what is better comes first
    #[arg(long, value_name = "COLUMN")]
    pub sort: Option<String>,
    /// How to write the table
    #[arg(long, value_enum, default_value = "table")]
    pub format: TableFormat,
}

#[derive(Args)]
pub struct DataArguments {
    /// The experiment file
    pub file: PathBuf,
    /// Overrides, key.path=value
    #[arg(value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Where to write the preview sheet
    #[arg(long, value_name = "FILE", default_value = "preview.png")]
    pub preview: PathBuf,
    /// `json` prints the summary for programs
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}
