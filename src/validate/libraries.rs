//! The libraries of a process, from the loader's own report.
//!
//! With `LD_DEBUG=files,libs` (ld.so(8)) the loader reports each file that it tries, and when it maps the last one.
//! The report is complete however short the program runs, including libraries that are open for a moment only.
//! `/proc/PID/maps` may be missed: a small program can end before the first look.

use std::collections::BTreeSet;

/// Library directories of the base system.
const BASE: [&str; 4] = ["/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/"];

/// Returns the files that were loaded according to the loader's report.
pub(super) fn loaded(report: &str) -> BTreeSet<String> {
    let (mut all, mut tried) = (BTreeSet::new(), None);
    for line in report.lines() {
        if let Some((_, path)) = line.split_once("trying file=") {
            tried = Some(path.trim());
        } else if let Some((_, path)) = line.split_once("calling init: ") {
            all.insert(clean(path.trim()));
        } else if let Some(name) = mapped(line) {
            // A name with a slash is a path, which the loader does not search for.
            let path = if name.contains('/') { Some(name) } else { tried };
            all.extend(path.map(clean));
            tried = None;
        }
    }
    all
}

/// Returns the requested name from a line that reports a mapped file: `file=NAME [0];  generating link map`.
fn mapped(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("file=")?;
    let (name, said) = rest.rsplit_once("];")?;
    (said.trim() == "generating link map").then(|| name.rsplit_once(" [").map_or(name, |(name, _)| name))
}

/// Removes `..` from a path, which search paths such as `/opt/llama/bin/../lib` contain.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." && parts.last().is_some_and(|last| *last != "..") {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    let start = if path.starts_with('/') { "/" } else { "" };
    format!("{start}{}", parts.join("/"))
}

/// Returns the libraries from unexpected places: from neither `prefixes` nor the base system, or from the base system
/// although a prefix has a library of that name (`has`).
pub(super) fn strays<'l>(
    libraries: &'l BTreeSet<String>,
    prefixes: &[&str],
    has: impl Fn(&str) -> bool,
) -> Vec<&'l str> {
    let below = |path: &str, prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
    let stray = |path: &&String| {
        if prefixes.iter().any(|prefix| below(path, prefix)) {
            return false;
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        !BASE.iter().any(|base| path.starts_with(base)) || has(name)
    };
    libraries.iter().filter(stray).map(String::as_str).collect()
}
