//! Where the libraries of a process came from.
//!
//! Two witnesses are heard. `/proc/PID/maps` has all that is mapped at a moment, but a small program is gone before anybody has
//! looked. The loader says itself whose initialisers it calls (`LD_DEBUG=files`, ld.so(8)), also of what a program opens for a
//! moment only, but a library may have none.

use std::collections::BTreeSet;

/// Where the base system has its libraries.
const BASE: [&str; 4] = ["/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/"];

/// The loader's list of what is where, mapped for a moment while it looks: no library.
const CACHE: &str = "/etc/ld.so.cache";

/// The files that the loader's report names: each one's initialisers are called.
pub(super) fn loaded(report: &str) -> BTreeSet<String> {
    let line = |line: &str| line.split_once("calling init: ").map(|(_, path)| path.trim().to_owned());
    report.lines().filter_map(line).filter(|path| path.starts_with('/')).collect()
}

/// The files in a list of mapped ones, each as often as it has segments.
pub(super) fn mapped(list: &str) -> BTreeSet<String> {
    list.lines().filter(|path| path.starts_with('/') && *path != CACHE).map(str::to_owned).collect()
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
