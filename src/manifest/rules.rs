//! Rules for names, paths and values in a manifest, and so in a lock.

use crate::recipe::{Edge, Target};

/// Returns true for a valid name of an input or output. Names become file names, arguments and labels.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
    text.len() <= 64 && text.bytes().all(plain) && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
}

/// Returns true for names of other files in a generation.
#[must_use]
pub fn is_reserved(text: &str) -> bool {
    matches!(text, "generation.json" | "strix.lock")
}

/// Returns true for a valid prefix of an output: a clean absolute path that hides no directory that builds need.
#[must_use]
pub fn is_prefix(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    let clean = text.strip_prefix('/').is_some_and(|rest| crate::tree::is_path(rest.as_bytes()));
    let mut parts = text.split('/').skip(1);
    let top = parts.next().unwrap_or_default();
    let taken = ["bin", "build", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "sys", "tmp", "usr"];
    clean && text.bytes().all(plain) && parts.next().is_some() && !taken.contains(&top)
}

/// Returns true for a valid link below a root: a relative path and a target.
#[must_use]
pub fn is_link(path: &str, target: &str) -> bool {
    let plain = |text: &str| !text.is_empty() && text.len() <= 1024 && !text.chars().any(char::is_control);
    plain(path) && plain(target) && crate::tree::is_path(path.as_bytes())
}

/// Returns true for the name of a program.
#[must_use]
pub fn is_program(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
}

/// Returns true for the name of a library, with or without version and directories: `libamdhip64.so`,
/// `plugins/libx.so.1`.
#[must_use]
pub fn is_library(text: &str) -> bool {
    let name = text.rsplit('/').next().unwrap_or_default();
    let (stem, version) = name.split_once(".so").unwrap_or_default();
    let version = version.is_empty() || version.strip_prefix('.').is_some_and(is_program);
    crate::tree::is_path(text.as_bytes()) && !text.chars().any(char::is_control) && is_program(stem) && version
}

/// Returns true for the name of a program, or of a library without a version.
#[must_use]
pub fn is_taker(text: &str) -> bool {
    let stem = text.strip_suffix(".so").unwrap_or(text);
    is_program(stem) && !stem.contains(".so")
}

/// Returns true for a valid edge of a runtime: its target is a name, or a path within the tree.
#[must_use]
pub fn is_edge(edge: &Edge) -> bool {
    let target = match &edge.to {
        Target::Library(name) => is_library(name),
        Target::Path(path) | Target::Kernels(path) => crate::tree::is_path(path.as_bytes()),
    };
    let plain = |text: &String| !text.is_empty() && text.len() <= 1024 && !text.chars().any(char::is_control);
    is_taker(&edge.from) && target && plain(&edge.reason) && edge.seen.iter().chain(&edge.tables).all(plain)
}

/// Returns true for the name of a CMake variable.
#[must_use]
pub fn is_cmake_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Returns true for the directory of a project below a source.
#[must_use]
pub fn is_source_directory(text: &str) -> bool {
    crate::tree::is_path(text.as_bytes()) && text.len() <= 1024 && !text.chars().any(char::is_control)
}

/// Returns true for the name of a target or component of a CMake project.
#[must_use]
pub fn is_cmake_part(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(['-', '.', '/'])
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+/:".contains(&byte))
}

/// Returns true for a user, or user and group, by name or number.
#[must_use]
pub fn is_user(text: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && part.len() <= 32
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
    };
    text.split(':').count() <= 2 && text.split(':').all(plain)
}

/// Returns true for a valid environment variable.
#[must_use]
pub fn is_variable(name: &str, value: &str) -> bool {
    is_cmake_name(name) && !name.starts_with(|c: char| c.is_ascii_digit()) && !value.contains(char::is_control)
}

/// Returns true for a valid label of an image.
#[must_use]
pub fn is_label(name: &str, value: &str) -> bool {
    !name.is_empty()
        && !name.contains(|c: char| c.is_control() || c.is_whitespace())
        && !value.contains(char::is_control)
}
