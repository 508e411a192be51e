//! The record of an overlay: what its layers replaced and which library counts for each soname. It is kept as part of
//! `about.json` beside the output.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The record of an overlay. Paths are below the prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The layers, the lowest first.
    pub layers: Vec<String>,
    /// The files and links that are not of the lowest layer, each with its layer.
    pub files: BTreeMap<String, String>,
    /// The files and links of lower layers that a later one replaced.
    pub replaced: Vec<Replaced>,
    /// The sonames that more than one library has.
    pub sonames: Vec<Collision>,
}

/// A file or link that a later layer replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// Its path.
    pub path: String,
    /// The layer whose file it was.
    pub from: String,
    /// The layer whose file it is.
    pub by: String,
}

/// Libraries with one soname.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collision {
    /// The soname.
    pub soname: String,
    /// The library that counts in its directory.
    pub path: String,
    /// The layer that it is from.
    pub by: String,
    /// The libraries of lower layers in the same directory.
    pub over: Vec<Hidden>,
    /// The links that led to them, or that are new.
    pub links: Vec<Repointed>,
    /// Libraries of that soname in other directories: search paths decide between those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Hidden>,
}

/// A library beside the one that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hidden {
    /// Its path.
    pub path: String,
    /// The layer that it is from.
    pub from: String,
}

/// A link that leads to another library than in its own layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repointed {
    /// Its path.
    pub path: String,
    /// Its target before; absent for a file that a link took the place of, and for a new link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Its target now.
    pub after: String,
}

impl Record {
    /// Adds the record of the lowest layer, which is an overlay of its own.
    pub fn add_below(&mut self, mut lower: Self) {
        lower.layers.extend(self.layers.drain(..).skip(1));
        lower.files.append(&mut self.files);
        lower.replaced.append(&mut self.replaced);
        // A soname that is decided again is no longer decided as it was.
        let again = |one: &Collision| {
            let decided =
                |ours: &Collision| ours.soname == one.soname && ours.over.iter().any(|hidden| hidden.path == one.path);
            self.sonames.iter().any(decided)
        };
        lower.sonames.retain(|one| !again(one));
        lower.sonames.append(&mut self.sonames);
        *self = lower;
    }

    /// Returns what the overlay decided about a path below the prefix, as the end of a sentence about it, if anything.
    #[must_use]
    pub fn told(&self, path: &str) -> Option<String> {
        let mut parts = Vec::new();
        if let Some(layer) = self.files.get(path) {
            let replaced = self.replaced.iter().filter(|one| one.path == path).map(|one| one.from.as_str());
            let replaced = replaced.collect::<Vec<_>>();
            parts.push(match replaced.as_slice() {
                [] => format!("is from {layer}"),
                all => format!("is from {layer}, in place of that of {}", all.join(" and ")),
            });
        }
        for one in &self.sonames {
            let others = |all: &[Hidden]| {
                all.iter().map(|one| format!("{} of {}", one.path, one.from)).collect::<Vec<_>>().join(", ")
            };
            if one.path == path && !one.over.is_empty() {
                parts.push(format!("counts for the soname {}, and not {}", one.soname, others(&one.over)));
            }
            if one.over.iter().any(|hidden| hidden.path == path) {
                parts.push(format!("does not count for the soname {}: {} of {} does", one.soname, one.path, one.by));
            }
            if let Some(link) = one.links.iter().find(|link| link.path == path) {
                let before = link.before.as_deref().map(|before| format!(", before to {before}")).unwrap_or_default();
                parts.push(format!("leads to {}{before}, for the soname {}", link.after, one.soname));
            }
            if one.path == path && !one.elsewhere.is_empty() {
                parts.push(format!("has a soname that is also in {}", others(&one.elsewhere)));
            }
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}
