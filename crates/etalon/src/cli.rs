//! What every command takes, and the list of commands; the arguments of each stand in its file in `commands`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kernels::Isa;

use crate::commands::{
    BenchArguments, CheckArguments, CompareArguments, CompletionsArguments, DataArguments, EvaluateArguments,
    ExplainArguments, ExportArguments, ListArguments, PredictArguments, ReportArguments, ReproduceArguments,
    RunArguments, SchemaArguments, SweepArguments, VerifyArguments,
};

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
    /// Instructions to compute with, which decide the last bits of every number [default: the fastest of this processor]
    #[arg(long, global = true, env = "ETALON_INSTRUCTION_SET", hide_env_values = true, value_name = "NAME", value_parser = instruction_set, help_heading = "Common options")]
    pub instruction_set: Option<Isa>,
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

/// The instruction set of this name, if the processor has it; an empty variable counts as none.
fn instruction_set(name: &str) -> Result<Isa, String> {
    if name.is_empty() {
        return Ok(Isa::best());
    }
    let names = || Isa::available().into_iter().map(Isa::name);
    Isa::by_name(name).ok_or_else(|| format!("this processor has {}", names().collect::<Vec<_>>().join(", ")))
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
    /// Run every trial of a file with `sweep` or `seeds`, or list them
    #[command(after_help = "Example:\n  etalon sweep experiments/activations.yaml --dry-run")]
    Sweep(SweepArguments),
    /// Run a run again from what its directory holds, and compare the bytes of weights and predictions
    #[command(after_help = "Example:\n  etalon reproduce cifar_cnn")]
    Reproduce(ReproduceArguments),
    /// Say everything that is wrong with experiment files, without data
    #[command(after_help = "Example:\n  etalon check experiments/*.yaml")]
    Check(CheckArguments),
    /// Show the resolved experiment, where each value came from, and the network
    #[command(
        after_help = "Examples:\n  etalon explain experiments/cifar_cnn.yaml optimizer.learning_rate=0.01\n  etalon explain experiments/cifar_resnet20.yaml --format svg > network.svg"
    )]
    Explain(ExplainArguments),
    /// Print what the language has: layers, losses, optimizers, datasets
    #[command(after_help = "Example:\n  etalon list layers")]
    List(ListArguments),
    /// Print the JSON Schema of experiments, or the reference of every key
    #[command(after_help = "Example:\n  etalon schema > schema.json")]
    Schema(SchemaArguments),
    /// Print the completions of a shell
    #[command(after_help = "Example:\n  etalon completions bash > ~/.local/share/bash-completion/completions/etalon")]
    Completions(CompletionsArguments),
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
    /// Write runs as one page of HTML that opens without a network
    #[command(after_help = "Example:\n  etalon report activations -o report.html")]
    Report(ReportArguments),
    /// Measure how fast an experiment trains here, against the ceiling of this processor
    #[command(
        after_help = "Examples:\n  etalon bench experiments/cifar_cnn.yaml train.batch_size=128\n  etalon bench experiments/cifar_cnn.yaml --with-data --format json"
    )]
    Bench(BenchArguments),
    /// Show an experiment's data: counts, sizes, and a sheet before and after augmentation
    #[command(after_help = "Example:\n  etalon data experiments/cifar_cnn_augmented.yaml --preview preview.png")]
    Data(DataArguments),
}
