//! Where the libraries of a process came from.
//!
//! The loader says itself what it loads (`LD_DEBUG=files,libs`, ld.so(8)): each file that it tries, and that it makes something of the
//! last one. That is the same each time, however short the program lives and whatever it opens for a moment only. Looking at
//! `/proc/PID/maps` while it runs is not: a small program is gone before anybody has looked.

use std::collections::BTreeSet;

/// Where the base system has its libraries.
const BASE: [&str; 4] = ["/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/"];

/// The files that the loader's report says are loaded.
pub(super) fn loaded(report: &str) -> BTreeSet<String> {
    let (mut all, mut tried) = (BTreeSet::new(), None);
    for line in report.lines() {
        if let Some((_, path)) = line.split_once("trying file=") {
            tried = Some(path.trim());
        } else if let Some((_, path)) = line.split_once("calling init: ") {
            all.insert(clean(path.trim()));
        } else if let Some(name) = made(line) {
            // What is asked for by a path is not searched for.
            let path = if name.contains('/') { Some(name) } else { tried };
            all.extend(path.map(clean));
            tried = None;
        }
    }
    all
}

/// The name that was asked for, of a line that says that the file for it was found: `file=NAME [0];  generating link map`.
fn made(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("file=")?;
    let (name, said) = rest.rsplit_once("];")?;
    (said.trim() == "generating link map").then(|| name.rsplit_once(" [").map_or(name, |(name, _)| name))
}

/// The path without the ways up that search paths have in them, such as `/opt/llama/bin/../lib`.
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

/// Those that come from where nothing should: neither from `prefixes` nor from the base system, or from the base system although
/// `has` says that a prefix has a library of that name.
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
