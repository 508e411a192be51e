//! Directories of configuration files: selects the files that apt reads.

use std::path::{Path, PathBuf};

use crate::error::Result;

/// Suffixes of files that apt ignores silently (`Dir::Ignore-Files-Silently`), besides `.dpkg-*` and `.ucf-*`.
const SILENT: [&str; 6] = ["~", ".disabled", ".bak", ".save", ".orig", ".distUpgrade"];

/// Returns the files of a directory with one of these extensions, or without one if `or_none`, in apt's order. Adds a
/// line to `told` for each file that apt skips because of its name.
pub(super) fn read(
    directory: &Path,
    extensions: &[&str],
    or_none: bool,
    told: &mut Vec<String>,
) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if !directory.is_dir() {
        return Ok(files);
    }
    for entry in fs_err::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || !path.is_file() || is_silent(&name) {
            continue;
        }
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        let known = extension.map_or(or_none, |extension| extensions.contains(&extension));
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte));
        if known && plain {
            files.push(path);
        } else {
            told.push(format!("{} is skipped because of its name, as apt does", path.display()));
        }
    }
    files.sort();
    Ok(files)
}

fn is_silent(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    SILENT.iter().any(|ending| name.ends_with(ending))
        || extension.starts_with("dpkg-")
        || extension.starts_with("ucf-")
}
