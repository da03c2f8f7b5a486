//! `etalon explain`: the resolved experiment, where each value came from, and the network.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use engine::Program;
use kernels::Isa;
use serde_json::{Value, json};
use spec::{Faults, Node, Sources};

use crate::cli::Common;
use crate::drawing;
use crate::estimate::Estimate;
use crate::experiment::{self, Checked};
use crate::explanation::{self, origin};
use crate::failure::{Failure, Outcome};
use crate::network_table::network_table;
use crate::sweep::Family;
use crate::{pipeline, terminal};

/// Arguments of `etalon explain`.
#[derive(Args)]
pub struct ExplainArguments {
    /// The experiment file
    pub file: PathBuf,
    /// Overrides, key.path=value
    #[arg(value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// How it is written; `mermaid` and `svg` draw the network
    #[arg(long, value_enum, default_value = "text")]
    pub format: ExplainFormat,
    /// Print what the engine does in a training step
    #[arg(long, conflicts_with = "format")]
    pub plan: bool,
}

/// How an experiment is explained.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplainFormat {
    Text,
    Json,
    Mermaid,
    Svg,
}

/// Explains the first run of a file.
pub fn explain(arguments: &ExplainArguments, common: &Common) -> Outcome {
    let (mut sources, mut faults) = (Sources::new(), Faults::new());
    let ExplainArguments { file, overrides, .. } = arguments;
    let checked = experiment::check(file, overrides, &common.data_dirs(), &mut sources, &mut faults)?;
    let Some(checked) = checked else { return Err(Failure::Experiment { faults, sources }) };
    terminal::print(&match (arguments.plan, arguments.format) {
        (true, _) => plan(&checked, common),
        (false, ExplainFormat::Text) => text(&checked, &sources, common),
        (false, ExplainFormat::Json) => json_text(&checked, &sources, common),
        (false, ExplainFormat::Mermaid) => drawing::mermaid(&checked.network),
        (false, ExplainFormat::Svg) => drawing::svg(&checked.network),
    });
    Ok(())
}

fn plan(checked: &Checked, common: &Common) -> String {
    let graph = trainer::step_graph(&checked.network, &checked.training);
    let settings = pipeline::training_settings(checked, &pipeline::settings(common));
    Program::new(&graph, &settings).plan(checked.training.train.batch_size)
}

fn estimate(checked: &Checked, common: &Common) -> Estimate {
    Estimate::new(checked, common.instruction_set.unwrap_or_else(Isa::best), common.n_threads())
}

fn text(checked: &Checked, sources: &Sources, common: &Common) -> String {
    let of_family = |family: &Family| {
        let n = family.n_runs();
        format!(
            "The first of {n} runs, which `etalon sweep FILE --dry-run` lists and which differ in\n{}\n",
            family.described()
        )
    };
    let family = checked.family.as_ref().map(of_family).unwrap_or_default();
    let vars: String = checked.vars.iter().map(|(name, value)| format!("${name} stands for {value}\n")).collect();
    format!(
        "{family}{}\n{vars}{}estimate: {}\n",
        explanation::explain(&checked.tree, sources),
        network_table(&checked.network),
        estimate(checked, common).in_a_line(common.n_threads())
    )
}

fn json_text(checked: &Checked, sources: &Sources, common: &Common) -> String {
    let layer = |layer: &model::LayerRow| {
        json!({
            "path": layer.path,
            "kind": layer.kind,
            "output": layer.output,
            "parameters": layer.parameters,
            "flops": layer.flops,
            "bytes": 4 * layer.output.iter().product::<usize>(),
            "onnx": layer.onnx,
            "opset": layer.opset,
            "reads": layer.reads,
        })
    };
    json!({
        "experiment": annotated(&checked.tree, sources),
        "vars": checked.vars,
        "several_runs": checked.family.is_some(),
        "input": checked.network.input,
        "layers": checked.network.layers.iter().map(layer).collect::<Vec<_>>(),
        "trainable_parameters": checked.network.n_trainable(),
        "estimate": estimate(checked, common).json(),
    })
    .to_string()
}

/// Each value as `{"value", "from"}`, mappings and lists of mappings as they are.
fn annotated(node: &Node, sources: &Sources) -> Value {
    match &node.value {
        spec::Value::Map(map) if !map.entries.is_empty() => {
            map.entries.iter().map(|entry| (entry.key.clone(), annotated(&entry.node, sources))).collect()
        }
        spec::Value::List(items) if items.iter().any(|item| item.map().is_some()) => {
            items.iter().map(|item| annotated(item, sources)).collect()
        }
        spec::Value::Map(_) | spec::Value::List(_) | spec::Value::Scalar(_) | spec::Value::Empty | spec::Value::Bad => {
            json!({ "value": spec::to_flow(node), "from": origin(node, sources) })
        }
    }
}
