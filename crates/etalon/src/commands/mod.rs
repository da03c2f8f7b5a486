//! The commands, one file each: arguments in, results on standard output.

mod bench;
mod check;
mod compare;
mod completions;
mod data;
mod evaluate;
mod explain;
mod export;
mod list;
mod predict;
mod report;
mod reproduce;
mod run;
mod schema;
mod sweep;
mod verify;

pub use bench::BenchArguments;
pub use check::CheckArguments;
pub use compare::CompareArguments;
pub use completions::CompletionsArguments;
pub use data::DataArguments;
pub use evaluate::EvaluateArguments;
pub use explain::ExplainArguments;
pub use export::ExportArguments;
pub use list::ListArguments;
pub use predict::PredictArguments;
pub use report::ReportArguments;
pub use reproduce::ReproduceArguments;
pub use run::RunArguments;
pub use schema::SchemaArguments;
pub use sweep::SweepArguments;
pub use verify::VerifyArguments;

use crate::cli::{Arguments, Command};
use crate::failure::Outcome;

/// Does what the arguments ask for.
pub fn dispatch(arguments: &Arguments) -> Outcome {
    let common = &arguments.common;
    match &arguments.command {
        Command::Run(own) => run::run(own, common),
        Command::Sweep(own) => sweep::sweep(own, common),
        Command::Reproduce(own) => reproduce::reproduce(own, common),
        Command::Check(own) => check::check(own, common),
        Command::Evaluate(own) => evaluate::evaluate(own, common),
        Command::Export(own) => export::export(own, common),
        Command::Verify(own) => verify::verify(own, common),
        Command::Predict(own) => predict::predict(own, common),
        Command::Compare(own) => compare::compare(own, common),
        Command::Bench(own) => bench::bench(own, common),
        Command::Explain(own) => explain::explain(own, common),
        Command::List(own) => list::list(own, common),
        Command::Schema(own) => schema::schema(own),
        Command::Completions(own) => completions::completions(own),
        Command::Report(own) => report::report(own, common),
        Command::Data(own) => data::data(own, common),
    }
}
