//! Checks which libraries of an overlay were loaded: those that count by their order.

use std::path::Path;

use super::Check;
use super::runner::Ran;
use super::subject::Subject;
use crate::overlay::Record;

const NAME: &str = "overlay";

/// Returns the check, if the ROCm tree is one that others were laid over.
pub(super) fn check(subject: &Subject, ran: &Ran) -> Option<Check> {
    let (record, rocm) = (subject.overlay.as_ref()?, subject.rocm.as_ref()?);
    let Some(libraries) = &ran.libraries else {
        return Some(Check::not_run(NAME, "the report of the loader is too large"));
    };
    let loaded = libraries.iter().filter_map(|path| real(&rocm.tree.path, &rocm.prefix, path)).collect::<Vec<_>>();
    Some(judge(record, &loaded))
}

/// Returns the real path below the prefix of a loaded library: the loader reports the link that it opened.
fn real(tree: &Path, prefix: &str, loaded: &str) -> Option<String> {
    let inner = loaded.strip_prefix(prefix)?.strip_prefix('/')?;
    let found = tree.join(inner).canonicalize().ok()?;
    found.strip_prefix(tree.canonicalize().ok()?).ok()?.to_str().map(str::to_owned)
}

/// Judges the loaded libraries: none may be one that a later layer has the soname of.
fn judge(record: &Record, loaded: &[String]) -> Check {
    let is_loaded = |path: &str| loaded.iter().any(|one| one == path);
    for one in &record.sonames {
        let hidden = one.over.iter().chain(&one.elsewhere).find(|hidden| is_loaded(&hidden.path));
        if let Some(hidden) = hidden.filter(|_| !is_loaded(&one.path)) {
            let (path, from) = (&hidden.path, &hidden.from);
            return Check::failed(NAME, format!("{} was loaded as {path} of {from}, not {}", one.soname, one.path));
        }
    }
    let mut parts: Vec<String> = Vec::new();
    for path in loaded {
        let layer = record.files.get(path).map(|layer| format!("{path} of {layer}"));
        parts.extend(layer.filter(|part| !parts.contains(part)));
    }
    if parts.is_empty() {
        return Check::not_run(NAME, "no library of the layers was loaded");
    }
    Check::passed(NAME, format!("loaded {}", parts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overlay::{Collision, Hidden};

    #[test]
    fn the_file_that_was_really_loaded_is_told() {
        let hidden = Hidden { path: "lib/libx.so.7.1".to_owned(), from: "output rocm".to_owned() };
        let collision = Collision {
            soname: "libx.so.7".to_owned(),
            path: "lib/libx.so.7.9".to_owned(),
            by: "input mine".to_owned(),
            over: vec![hidden],
            links: Vec::new(),
            elsewhere: Vec::new(),
        };
        let files = [("lib/libx.so.7.9".to_owned(), "input mine".to_owned())].into();
        let record = Record { files, sonames: vec![collision], ..Record::default() };
        let said = |loaded: &[&str]| {
            let loaded: Vec<String> = loaded.iter().map(|path| (*path).to_owned()).collect();
            format!("{:?}", judge(&record, &loaded))
        };
        let good = said(&["lib/libx.so.7.9", "lib/liby.so.1"]);
        assert!(good.contains("loaded lib/libx.so.7.9 of input mine"), "{good}");
        let bad = said(&["lib/libx.so.7.1"]);
        assert!(bad.contains("libx.so.7 was loaded as lib/libx.so.7.1 of output rocm, not lib/libx.so.7.9"), "{bad}");
        assert!(said(&["lib/liby.so.1"]).contains("no library of the layers was loaded"));
    }
}
