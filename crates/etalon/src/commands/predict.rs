//! `etalon predict`: classes of images and of folders of images, by a run or by an ONNX file of ours.

use std::path::{Path, PathBuf};

use clap::Args;
use data::{Pixels, Steps};
use engine::{Feed, Input, Program, Variables};
use exporter::OnnxModel;
use model::names;
use serde_json::json;

use crate::cli::{Common, Format};
use crate::failure::{Failure, Outcome};
use crate::pipeline::{self, FinishedRun};
use crate::{library, terminal};

/// Arguments of `etalon predict`.
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

/// What an image's name may end in.
const EXTENSIONS: [&str; 5] = ["png", "jpg", "jpeg", "bmp", "webp"];

/// Predicts every image; the first that cannot be read ends it.
pub fn predict(arguments: &PredictArguments, common: &Common) -> Outcome {
    let mut judge = Judge::open(&arguments.model, common)?;
    let mut images = Vec::new();
    for path in &arguments.images {
        collect(path, &mut images)?;
    }
    if images.is_empty() {
        return Err(Failure::Work(format!("there are no images ({}) in what was named", EXTENSIONS.join(", "))));
    }
    for path in &images {
        let scores = judge.probabilities(path)?;
        terminal::print(&line(path, judge.classes(), &scores, arguments.format));
    }
    Ok(())
}

/// The images of a path: itself, or of a folder all below it, sorted.
fn collect(path: &Path, images: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let refused = |e: std::io::Error| Failure::Work(format!("cannot read {}: {e}", path.display()));
    if !std::fs::metadata(path).map_err(refused)?.is_dir() {
        images.push(path.to_path_buf());
        return Ok(());
    }
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<std::io::Result<Vec<_>>>).map_err(refused)?;
    let mut entries: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        let extension = entry.extension().map(|e| e.to_string_lossy().to_lowercase());
        if entry.is_dir() || extension.is_some_and(|e| EXTENSIONS.contains(&e.as_str())) {
            collect(&entry, images)?;
        }
    }
    Ok(())
}

fn line(path: &Path, classes: &[String], scores: &[f32], format: Format) -> String {
    let best = scores.iter().enumerate().fold((0, f32::MIN), |best, (i, &p)| if p > best.1 { (i, p) } else { best });
    let label = &classes[best.0];
    match format {
        Format::Json => {
            json!({ "file": path.display().to_string(), "label": label, "score": best.1, "scores": scores }).to_string()
        }
        Format::Text => format!("{}  {label}  {:.1} %", path.display(), best.1 * 100.0),
    }
}

/// Who predicts.
enum Judge {
    Run { run: Box<FinishedRun>, variables: Variables, program: Box<Program>, steps: Steps },
    Onnx { model: Box<OnnxModel>, steps: Steps },
}

impl Judge {
    fn open(model: &Path, common: &Common) -> Result<Judge, Failure> {
        if pipeline::is_onnx(model) {
            let library = library::onnx_runtime().map_err(Failure::Work)?;
            let model = OnnxModel::open(&library, model, common.n_threads()).map_err(Failure::work)?;
            let steps = steps(model.preprocess())?;
            return Ok(Judge::Onnx { model: Box::new(model), steps });
        }
        let mut run = FinishedRun::open(model, &[], common)?;
        let variables = run.variables()?;
        run.checked.network.normalization = run.run.file.dataset.normalization.clone();
        let program = Program::new(&run.checked.network.inference(), &pipeline::settings(common));
        let steps = steps(&run.checked.preprocess)?;
        Ok(Judge::Run { run: Box::new(run), variables, program: Box::new(program), steps })
    }

    fn classes(&self) -> &[String] {
        match self {
            Judge::Run { run, .. } => &run.run.file.dataset.classes,
            Judge::Onnx { model, .. } => model.classes(),
        }
    }

    fn probabilities(&mut self, path: &Path) -> Result<Vec<f32>, Failure> {
        match self {
            Judge::Run { run, variables, program, steps, .. } => {
                let pixels = image(path, steps, run.checked.network.input)?;
                let inputs = [(names::IMAGE, Input::U8(&pixels))];
                let feed = Feed { batch: 1, inputs: &inputs, seed: 0, epoch: 0, samples: &[0] };
                program.run(variables, &feed).map_err(Failure::work)?;
                Ok(program.output(names::PROBABILITIES).to_vec())
            }
            Judge::Onnx { model, steps } => {
                let pixels = image(path, steps, model.input())?;
                model.probabilities(1, &pixels).map_err(Failure::work)
            }
        }
    }
}

/// The preprocessing that was kept as YAML. A file from elsewhere may hold anything.
fn steps(yaml: &str) -> Result<Steps, Failure> {
    let (mut sources, mut faults) = (spec::Sources::new(), spec::Faults::new());
    let indented: String = yaml.lines().map(|line| format!("  {line}\n")).collect();
    let text = format!("preprocess:\n{indented}");
    let ty = spec::Type::Steps(&data::PREPROCESS);
    let steps = spec::parse("preprocess", text.as_bytes(), &mut sources, &mut faults).map(|mut node| {
        let list = node.find("preprocess").map(|list| spec::resolve(list, &ty, &mut faults));
        if let (Some(map), Some(list)) = (node.map_mut(), list) {
            map.set("preprocess", list.place, list);
        }
        Steps::of(&node)
    });
    steps
        .filter(|_| faults.is_empty())
        .ok_or_else(|| Failure::Work("the preprocessing that the model was kept with is damaged".to_string()))
}

/// An image as the network takes it.
fn image(path: &Path, steps: &Steps, [height, width, channels]: [usize; 3]) -> Result<Vec<u8>, Failure> {
    let pixels = Pixels::read(path, channels).and_then(|pixels| steps.evaluate(pixels)).map_err(Failure::work)?;
    if (pixels.height, pixels.width) != (height, width) {
        let found = format!("{}: {} x {} pixels", path.display(), pixels.height, pixels.width);
        return Err(Failure::Work(format!(
            "{found} where the network takes {height} x {width}; resize it, or train with `resize`"
        )));
    }
    Ok(pixels.bytes)
}
