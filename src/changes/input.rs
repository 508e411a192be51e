//! An input that differs between two locks.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::commits::Commits;
use super::fields::{FieldChange, changed_fields};
use super::names::therock_page;
use super::packages::{PackageChange, Packages};
use crate::inputs::LockedInput;
use crate::inputs::git::GitPin;
use crate::inputs::rocm::RocmPin;
use crate::store::Store;
use crate::text;

/// An input that differs between two locks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InputChange {
    /// Its name.
    pub input: String,
    /// Its kind, that of the second lock if they differ.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its version before; absent if only the second lock has it.
    pub from: Option<String>,
    /// Its version after; absent if only the first lock has it.
    pub to: Option<String>,
    /// Its versions in the words that people use, before and after.
    #[serde(skip)]
    pub short: (Option<String>, Option<String>),
    /// Its name in titles: that of the repository, for a git input.
    #[serde(skip)]
    pub called: String,
    /// True if the second version is known to be older.
    pub downgrade: bool,
    /// The day on which upstream made the first one.
    pub made_from: Option<String>,
    /// The day on which upstream made the second one.
    pub made_to: Option<String>,
    /// The size of the first one in bytes.
    pub from_size: Option<u64>,
    /// The size of the second one in bytes.
    pub to_size: Option<u64>,
    /// A summary of the changes, one line each.
    pub changes: Vec<String>,
    /// Fields of the request that differ.
    pub requested: Vec<FieldChange>,
    /// Fields of the pin that differ, for kinds of which nothing better is known.
    pub pinned: Vec<FieldChange>,
    /// The commit of TheRock that a tarball was built from.
    pub therock: Option<FieldChange>,
    /// The page that compares the commits of TheRock.
    pub therock_page: Option<String>,
    /// Submodules whose commits differ.
    pub submodules: Vec<FieldChange>,
    /// The commits between two pins of a repository.
    pub commits: Option<Commits>,
    /// Patches that differ, by path, with their digests.
    pub patches: Vec<FieldChange>,
    /// Packages that differ.
    pub packages: Vec<PackageChange>,
    /// Sentences about what is not known here, and what would tell it.
    pub unknown: Vec<String>,
}

impl InputChange {
    /// Compares an input of two locks. `None` if it is the same. The store adds what it has of commits and packages.
    pub(super) fn between(
        name: &str,
        from: Option<&LockedInput>,
        to: Option<&LockedInput>,
        store: Option<&Store>,
    ) -> Option<Self> {
        if from == to {
            return None;
        }
        let day = |input: Option<&LockedInput>| Some(input?.day()?.to_string());
        let mut change = Self {
            input: name.to_owned(),
            kind: to.or(from).map_or("", |input| input.kind().name()),
            from: from.map(|input| input.version()),
            to: to.map(|input| input.version()),
            short: (from.map(|input| input.short_version()), to.map(|input| input.short_version())),
            called: to.or(from).map_or_else(String::new, |input| called(name, input)),
            made_from: day(from),
            made_to: day(to),
            from_size: from.map(|input| input.size()),
            to_size: to.map(|input| input.size()),
            ..Self::default()
        };
        let (Some(from), Some(to)) = (from, to) else { return Some(change) };
        change.changes = to.changes_since(from);
        change.downgrade = from.is_newer_than(&to.version());
        let (before, after) = (fields(from), fields(to));
        change.requested = changed_fields(&before["requested"], &after["requested"]);
        match (from, to) {
            (LockedInput::Rocm(from), LockedInput::Rocm(to)) => change.rocm(&from.locked, &to.locked),
            (LockedInput::Git(from), LockedInput::Git(to)) => change.git(store, &from.locked, &to.locked),
            (LockedInput::Debs(from), LockedInput::Debs(to)) => {
                let packages = Packages::between(store, &from.locked, &to.locked);
                change.packages = packages.changes;
                if !packages.unread.is_empty() {
                    change.unknown.push(format!(
                        "changelogs of {} were not read: the store does not have them, or they are too large or too many",
                        text::counted(packages.unread.len(), "package")
                    ));
                }
            }
            _ => change.pinned = changed_fields(&before["locked"], &after["locked"]),
        }
        Some(change)
    }

    fn rocm(&mut self, from: &RocmPin, to: &RocmPin) {
        if let (Some(before), Some(after)) = (&from.therock, &to.therock) {
            if before.commit != after.commit {
                self.therock = Some(moved("TheRock", Some(&before.commit), Some(&after.commit)));
                self.therock_page = therock_page(&before.commit, &after.commit);
            }
            self.submodules = moves(&before.submodules, &after.submodules);
        } else {
            let which = if from.therock.is_none() { "first" } else { "second" };
            self.unknown.push(format!("the {which} tarball does not say which commits it was built from"));
        }
        if from.version == to.version && from.sha256 != to.sha256 {
            self.pinned.push(moved("sha256", Some(&from.sha256.to_string()), Some(&to.sha256.to_string())));
        }
    }

    fn git(&mut self, store: Option<&Store>, from: &GitPin, to: &GitPin) {
        if from.commit != to.commit {
            let commits = Commits::between(store, from, to);
            if commits.added.is_none() {
                self.unknown.push(
                    "the store does not have both commits with their history: `strixlock diff --fetch` fetches them"
                        .to_owned(),
                );
            }
            self.downgrade |= commits.is_way_back();
            self.commits = Some(commits);
        }
        if from.url != to.url {
            self.pinned.push(moved("url", Some(&from.url), Some(&to.url)));
        }
        let commit = |pin: &GitPin| -> BTreeMap<String, String> {
            pin.submodules.iter().map(|(path, one)| (path.clone(), one.commit.clone())).collect()
        };
        self.submodules = moves(&commit(from), &commit(to));
        let digest = |pin: &GitPin| -> BTreeMap<String, String> {
            pin.patches.iter().map(|patch| (patch.path.clone(), patch.sha256.to_string())).collect()
        };
        self.patches = moves(&digest(from), &digest(to));
    }

    /// Returns the versions for a person: in words that people use, if these differ.
    #[must_use]
    pub fn versions(&self) -> (Option<&str>, Option<&str>) {
        let (from, to) = &self.short;
        if from == to { (self.from.as_deref(), self.to.as_deref()) } else { (from.as_deref(), to.as_deref()) }
    }
}

/// Returns the name of an input in a title: that of its repository, by which people know it.
fn called(name: &str, input: &LockedInput) -> String {
    let LockedInput::Git(block) = input else { return name.to_owned() };
    let last = block.locked.url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    let last = last.strip_suffix(".git").unwrap_or(last);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if last.is_empty() || !last.chars().all(plain) { name.to_owned() } else { last.to_owned() }
}

fn fields(input: &LockedInput) -> Value {
    serde_json::to_value(input).unwrap_or_default()
}

fn moved(field: &str, from: Option<&String>, to: Option<&String>) -> FieldChange {
    FieldChange { field: field.to_owned(), from: from.cloned(), to: to.cloned() }
}

/// Returns the names whose values differ.
fn moves(from: &BTreeMap<String, String>, to: &BTreeMap<String, String>) -> Vec<FieldChange> {
    let names = from.keys().chain(to.keys().filter(|name| !from.contains_key(*name)));
    let mut all: Vec<FieldChange> = names
        .filter(|name| from.get(*name) != to.get(*name))
        .map(|name| moved(name, from.get(name), to.get(name)))
        .collect();
    all.sort_by(|one, other| one.field.cmp(&other.field));
    all
}
