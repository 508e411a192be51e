//! Programs on PATH.

use std::path::PathBuf;

/// Returns the executable files of this name on PATH, in order. Their paths are relative if PATH has relative
/// directories.
pub fn on_path(program: &str) -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = std::env::split_paths(&path).map(|directory| directory.join(program)).collect();
    let executable = |path: &PathBuf| rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    places.into_iter().filter(move |path| path.is_file() && executable(path))
}
