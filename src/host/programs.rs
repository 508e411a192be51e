//! Programs on PATH.

use std::path::PathBuf;

/// Returns the executable files on PATH with this name, in PATH's order. For a relative directory in PATH the result is
/// a relative path.
pub fn on_path(program: &str) -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates: Vec<PathBuf> = std::env::split_paths(&path).map(|directory| directory.join(program)).collect();
    let executable = |path: &PathBuf| rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    candidates.into_iter().filter(move |path| path.is_file() && executable(path))
}
