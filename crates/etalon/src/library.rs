//! Where the ONNX Runtime library and the dataset cards of the project lie.

use std::path::{Path, PathBuf};

/// The ONNX Runtime library: `ORT_DYLIB_PATH`, else what `bootstrap.sh` fetched, above the working folder or where this
/// program was built.
pub fn onnx_runtime() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH") {
        let path = PathBuf::from(path);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(format!("ORT_DYLIB_PATH names no file: {}", path.display()))
        };
    }
    let here = std::env::current_dir().unwrap_or_default();
    let built = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .chain(built.ancestors())
        .find_map(|folder| library_in(&folder.join(".tools/onnxruntime")))
        .ok_or_else(|| "the ONNX Runtime library is missing: run ./bootstrap.sh, or set ORT_DYLIB_PATH".to_string())
}

fn library_in(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let is_library = |p: &PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("libonnxruntime."));
    files.filter(is_library).max()
}
