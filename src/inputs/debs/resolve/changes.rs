//! Describes the differences between two sets of packages.

use std::collections::BTreeMap;

use crate::inputs::debs::{DebsPin, ReleasePin};
use crate::text;
use crate::upstream::debs::DebPackage;

/// Greatest number of changed packages that are shown.
const SHOWN: usize = 40;

/// Warns if a Release file is older than the pinned one: it may be a replay of an old one.
pub(super) fn went_back(old: &DebsPin, new: &DebsPin) -> Vec<String> {
    let older = |(name, release): (&String, &ReleasePin)| {
        let before = old.releases.get(name).filter(|before| before.archives == release.archives)?;
        (release.date? < before.date?).then(|| {
            let (now, then) = (release.made(), before.made());
            format!(
                "the archive went back in time: its Release file for {name} is of {now}, and the locked one of {then}"
            )
        })
    };
    new.releases.iter().filter_map(older).collect()
}

/// Lists the changes, one line each.
pub(super) fn details(old: Option<&DebsPin>, new: &DebsPin) -> Vec<String> {
    let mut lines = vec![format!("size     {}", text::bytes(new.size()))];
    for (name, release) in &new.releases {
        let signed = release.signed_by.as_ref().map_or_else(|| "not signed".to_owned(), |by| format!("signed by {by}"));
        lines.push(format!("release  {name} of {}, {signed}", release.made()));
    }
    lines.extend(old.map(|old| changed_packages(old, new)).unwrap_or_default());
    lines
}

/// Lists the packages that differ between two sets, one line each: `+` for new, `~` for other versions, `-` for gone.
pub fn changed_packages(old: &DebsPin, new: &DebsPin) -> Vec<String> {
    let by_name = |pin: &DebsPin| -> BTreeMap<String, DebPackage> {
        pin.packages.iter().map(|package| (package.name.clone(), package.clone())).collect()
    };
    let (before, after) = (by_name(old), by_name(new));
    let mut changes = Vec::new();
    for (name, package) in &after {
        match before.get(name) {
            None => changes.push(format!("+ {name} {}", package.version)),
            Some(was) if was.version != package.version => {
                changes.push(format!("~ {name} {} -> {}", was.version, package.version));
            }
            Some(was) if was.sha256 != package.sha256 => {
                changes.push(format!("~ {name} {}, the same version with other contents", package.version));
            }
            Some(_) => {}
        }
    }
    let gone = before.iter().filter(|(name, _)| !after.contains_key(*name));
    changes.extend(gone.map(|(name, package)| format!("- {name} {}", package.version)));
    let more = changes.len().saturating_sub(SHOWN);
    changes.truncate(SHOWN);
    if more > 0 {
        changes.push(format!("and {more} more"));
    }
    changes
}
