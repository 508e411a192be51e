//! Programs that can be started by their names.

use std::path::PathBuf;

/// The files on PATH with this name that may be executed, in PATH's order. Where PATH names a directory relative to where one
/// happens to be, so is the file.
pub fn on_path(program: &str) -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = std::env::split_paths(&path).map(|directory| directory.join(program)).collect();
    let executable = |path: &PathBuf| rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    places.into_iter().filter(move |path| path.is_file() && executable(path))
}
