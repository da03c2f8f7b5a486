//! ONNX Runtime: its library, loaded once, and sessions.

use std::path::Path;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use ort::environment::Environment;
use ort::session::{Session, SessionInputValue};
use ort::value::TensorRef;

use crate::error::Error;

/// The process has one environment.
static ENVIRONMENT: OnceLock<Mutex<Result<Environment, String>>> = OnceLock::new();

/// A file that ONNX Runtime has taken.
pub(crate) struct Runtime {
    session: Session,
}

impl Runtime {
    /// Loads the bytes of a file.
    pub fn new(library: &Path, bytes: &[u8], threads: usize) -> Result<Runtime, Error> {
        let environment = ENVIRONMENT.get_or_init(|| Mutex::new(load(library)));
        let environment = environment.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let environment = environment.as_ref().map_err(|why| Error::new(why.clone()))?;
        let session = session(environment, bytes, threads);
        let session = session.map_err(|e| Error::new(format!("ONNX Runtime refuses the file: {}", one_line(&e))))?;
        Ok(Runtime { session })
    }

    /// Runs arrays of numbers by name, with their axes; hands each output to `visit`, and says how long the run took.
    pub fn run(
        &mut self,
        inputs: &[(&str, &[usize], &[f32])],
        visit: &mut dyn FnMut(&str, &[f32]),
    ) -> Result<Duration, Error> {
        let failed = |e: &dyn std::fmt::Display| Error::new(format!("ONNX Runtime failed: {}", one_line(e)));
        let mut values: Vec<(&str, SessionInputValue<'_>)> = Vec::new();
        for &(name, dims, numbers) in inputs {
            let view = ndarray::ArrayViewD::from_shape(dims, numbers).map_err(|e| failed(&e))?;
            values.push((name, TensorRef::from_array_view(view).map_err(|e| failed(&e))?.into()));
        }
        let begun = Instant::now();
        let outputs = self.session.run(values).map_err(|e| failed(&e))?;
        let time = begun.elapsed();
        for (name, value) in outputs.iter() {
            let (_, numbers) = value.try_extract_tensor::<f32>().map_err(|e| failed(&e))?;
            visit(name, numbers);
        }
        Ok(time)
    }
}

fn load(library: &Path) -> Result<Environment, String> {
    let failed = |e: &dyn std::fmt::Display| {
        let path = library.display();
        format!("the ONNX Runtime library {path} cannot be used: {}; run ./bootstrap.sh", one_line(e))
    };
    let builder = ort::environment::init_from(library).map_err(|e| failed(&e))?;
    builder.with_telemetry(false).build().map_err(|e| failed(&e))
}

fn session(environment: &Environment, bytes: &[u8], threads: usize) -> ort::Result<Session> {
    let builder = Session::builder(environment)?;
    let mut builder = builder.with_intra_threads(threads)?.with_inter_threads(1)?;
    builder.commit_from_memory(bytes)
}

fn one_line(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}
