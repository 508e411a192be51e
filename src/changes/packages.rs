//! Distribution packages that differ between two pins, with what their changelogs say.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::deb::changelog_since;
use crate::inputs::debs::DebsPin;
use crate::store::Store;
use crate::upstream::debs::DebPackage;

/// Most changelogs that are read: each is searched for in the whole package.
const MOST_READ: usize = 60;
/// Greatest size of a package whose changelog is read, in bytes.
const MOST_SIZE: u64 = 64 << 20;
/// Most entries of one changelog.
const MOST_ENTRIES: usize = 5;

/// A package that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageChange {
    /// Its name.
    pub name: String,
    /// The kind of change.
    pub change: Direction,
    /// Its version before; absent for a new one.
    pub from: Option<String>,
    /// Its version after; absent for one that is gone.
    pub to: Option<String>,
    /// Entries of its changelog since the version before, the newest first, if the store has the package.
    pub changelog: Vec<Entry>,
    /// The package above that has the same entries.
    pub as_of: Option<String>,
}

/// The kind of change of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The new version is newer.
    Up,
    /// The new version is older.
    Down,
    /// The versions are the same, and the contents are not.
    Rebuilt,
    /// Only the second pin has the package.
    New,
    /// Only the first pin has the package.
    Gone,
}

impl Direction {
    /// Returns the sign for it in lists.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Up | Self::Down | Self::Rebuilt => "~",
            Self::New => "+",
            Self::Gone => "-",
        }
    }
}

/// An entry of a changelog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The version that it describes.
    pub version: String,
    /// Its lines.
    pub lines: Vec<String>,
}

/// The packages that differ between two pins.
pub(super) struct Packages {
    /// They, by name.
    pub changes: Vec<PackageChange>,
    /// Names of packages whose changelogs were not read, because the store lacks them or they are too many or too
    /// large.
    pub unread: Vec<String>,
}

impl Packages {
    /// Compares two pins.
    pub fn between(store: Option<&Store>, from: &DebsPin, to: &DebsPin) -> Self {
        let by_name = |pin: &'_ DebsPin| -> BTreeMap<String, DebPackage> {
            pin.packages.iter().map(|package| (package.name.clone(), package.clone())).collect()
        };
        let (before, after) = (by_name(from), by_name(to));
        let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
        let mut changes: Vec<PackageChange> =
            names.filter_map(|name| change(name, before.get(name), after.get(name))).collect();
        changes.sort_by(|one, other| one.name.cmp(&other.name));
        let mut all = Self { changes, unread: Vec::new() };
        all.read_changelogs(store, &before, &after);
        all
    }

    fn read_changelogs(
        &mut self,
        store: Option<&Store>,
        before: &BTreeMap<String, DebPackage>,
        after: &BTreeMap<String, DebPackage>,
    ) {
        let mut read = 0;
        let mut seen: Vec<(Vec<Entry>, String)> = Vec::new();
        for change in self.changes.iter_mut().filter(|change| change.change == Direction::Up) {
            let (Some(was), Some(is)) = (before.get(&change.name), after.get(&change.name)) else { continue };
            let path = store.and_then(|store| store.download(is.sha256)).filter(|_| is.size <= MOST_SIZE);
            let Some(path) = path.filter(|_| read < MOST_READ) else {
                self.unread.push(change.name.clone());
                continue;
            };
            read += 1;
            // A package without a changelog of its own, or a damaged one, has nothing to say.
            let found = changelog_since(&path, &is.name, &was.version, MOST_ENTRIES).ok().flatten().unwrap_or_default();
            let entries: Vec<Entry> =
                found.into_iter().map(|entry| Entry { version: entry.version, lines: entry.lines }).collect();
            if let Some((_, name)) = seen.iter().find(|(known, _)| *known == entries && !entries.is_empty()) {
                change.as_of = Some(name.clone());
            } else {
                seen.push((entries.clone(), change.name.clone()));
                change.changelog = entries;
            }
        }
    }
}

fn change(name: &str, before: Option<&DebPackage>, after: Option<&DebPackage>) -> Option<PackageChange> {
    let direction = match (before, after) {
        (None, None) => return None,
        (None, Some(_)) => Direction::New,
        (Some(_), None) => Direction::Gone,
        (Some(was), Some(is)) if was.version == is.version && was.sha256 == is.sha256 => return None,
        (Some(was), Some(is)) => match is.version.compare(&was.version) {
            std::cmp::Ordering::Greater => Direction::Up,
            std::cmp::Ordering::Less => Direction::Down,
            std::cmp::Ordering::Equal => Direction::Rebuilt,
        },
    };
    let version = |package: Option<&DebPackage>| package.map(|package| package.version.as_str().to_owned());
    Some(PackageChange {
        name: name.to_owned(),
        change: direction,
        from: version(before),
        to: version(after),
        changelog: Vec::new(),
        as_of: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deb::DebVersion;
    use crate::digest::Sha256Digest;

    fn pin(packages: &[(&str, &str, &str)]) -> DebsPin {
        let package = |(name, version, contents): &(&str, &str, &str)| DebPackage {
            name: (*name).to_owned(),
            version: DebVersion::as_written(version),
            architecture: "amd64".to_owned(),
            release: "r".to_owned(),
            path: format!("pool/{name}.deb"),
            size: 1,
            sha256: Sha256Digest::of(contents.as_bytes()),
        };
        DebsPin { releases: BTreeMap::new(), packages: packages.iter().map(package).collect() }
    }

    #[test]
    fn packages_go_up_and_down_come_and_go() {
        let old = pin(&[("a", "1-1", "a"), ("b", "1:1", "b"), ("c", "2", "c"), ("d", "1", "d"), ("same", "1", "s")]);
        let new = pin(&[("a", "1-2", "A"), ("b", "9", "B"), ("c", "2", "C"), ("e", "1", "e"), ("same", "1", "s")]);
        let found = Packages::between(None, &old, &new);
        let shown: Vec<(&str, Direction)> =
            found.changes.iter().map(|change| (change.name.as_str(), change.change)).collect();
        assert_eq!(
            shown,
            [
                ("a", Direction::Up),
                ("b", Direction::Down),
                ("c", Direction::Rebuilt),
                ("d", Direction::Gone),
                ("e", Direction::New)
            ]
        );
        assert_eq!(found.unread, ["a"]);
        assert!(Packages::between(None, &old, &old).changes.is_empty());
    }
}
