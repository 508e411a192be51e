//! Facts that only realized outputs have: their trees, and what came out while they were made. The lock does not hold
//! them. The store's records do, and a page states them: it may have been written where more was realized than here.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::{Describe, HEAD, heading, licences};
use crate::digest::TreeDigest;
use crate::inputs::LockedInput;
use crate::lock::{Lock, LockedOutput};
use crate::page::{codes, values};
use crate::recipe::{BuildRoot, Recipe, each_output};
use crate::store::{Store, StoredTree};
use crate::tree::Listing;

/// Labels of the row with the tree.
const ONCE: &str = "tree, made once";
const TWICE: &str = "tree, made twice";
/// Label of the files with licences, which are in a list of their own.
const LICENCES: &str = "licence files";
/// The beginning of the line with the version of strixlock.
const WRITTEN_BY: &str = "Written by strixlock ";

/// A fact about a realized output: a row of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    /// The label, one of [`Describe::LABELS`].
    pub label: &'static str,
    /// The values; any text.
    pub values: Vec<String>,
}

/// A realized output with what its kind may read about it.
pub(crate) struct Found<'a> {
    /// The output's tree.
    pub tree: &'a StoredTree,
    /// The record of its build, if one was kept.
    pub about: Option<&'a Value>,
    lock: &'a Lock,
    store: &'a Store,
}

impl Found<'_> {
    /// Returns the names of files with licences in the tree of an input, if the store has it.
    pub fn licences_of(&self, input: &str) -> Option<Vec<String>> {
        Some(licences::names(&self.listing_of(input)?))
    }

    /// Returns the listing of the tree of an input, if the store has it.
    pub fn listing_of(&self, input: &str) -> Option<Listing> {
        let tree = self.lock.inputs.get(input).and_then(|input: &LockedInput| input.tree())?;
        self.store.tree(tree.digest)?.listing().ok()
    }
}

/// The facts about one output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Realized {
    pub tree: TreeDigest,
    /// True if it was made a second time, with the same result.
    pub twice: bool,
    facts: Vec<Fact>,
    licences: Vec<String>,
}

impl Realized {
    /// Returns the values of a fact.
    pub fn fact(&self, label: &str) -> Option<&[String]> {
        self.facts.iter().find(|fact| fact.label == label).map(|fact| fact.values.as_slice())
    }

    /// Returns true unless both say something else about the same thing.
    fn agrees(&self, other: &Self) -> bool {
        let same = |fact: &Fact| other.fact(fact.label).is_none_or(|values| values == fact.values);
        self.tree == other.tree && self.licences == other.licences && self.facts.iter().all(same)
    }

    /// Returns true if it says all that the other says.
    fn has_all_of(&self, other: &Self) -> bool {
        let has = |fact: &Fact| self.fact(fact.label).is_some();
        self.agrees(other) && (self.twice || !other.twice) && other.facts.iter().all(has)
    }

    /// Writes the rows of the table.
    pub fn write(&self, page: &mut String) {
        // Writing to a String cannot fail.
        let mut row = |label: &str, cell: &str| {
            let _ = writeln!(page, "| {label} | {cell} |");
        };
        row(if self.twice { TWICE } else { ONCE }, &codes(&[self.tree.to_string()]));
        for fact in &self.facts {
            row(fact.label, &codes(&fact.values));
        }
        if !self.licences.is_empty() {
            row(LICENCES, &format!("{}, in a list at the end", self.licences.len()));
        }
    }

    /// Writes the lists for the end of the page.
    pub fn write_lists(&self, page: &mut String, name: &str) {
        if self.licences.is_empty() {
            return;
        }
        let _ = writeln!(page, "\n{}\n", list_heading(name));
        for path in &self.licences {
            let _ = writeln!(page, "- {}", codes(std::slice::from_ref(path)));
        }
    }

    /// Reads the table and the list of an output on a page. Returns `None` if there is no table, or not one of ours.
    fn stated(page: &str, name: &str, recipe: &Recipe) -> Option<Self> {
        let lines = section(page, heading(name));
        let mut rows = lines.skip_while(|line| !line.starts_with(HEAD)).skip(2).map_while(row);
        let (label, tree) = rows.next().filter(|(label, _)| [ONCE, TWICE].contains(label))?;
        let (twice, tree) = (label == TWICE, values(tree)?.pop()?);
        let labels = each_output!(recipe, recipe => labels_of(recipe));
        let mut facts = Vec::new();
        for (label, cell) in rows {
            if label != LICENCES {
                let label = labels.iter().find(|known| **known == label)?;
                facts.push(Fact { label, values: values(cell)? });
            }
        }
        let listed = section(page, list_heading(name)).filter_map(|line| line.strip_prefix("- "));
        let licences: Option<Vec<Vec<String>>> = listed.map(values).collect();
        Some(Self { tree: tree.parse().ok()?, twice, facts, licences: licences?.concat() })
    }
}

fn labels_of<Kind: Describe>(_: &Kind) -> &'static [&'static str] {
    Kind::LABELS
}

fn list_heading(name: &str) -> String {
    format!("### Licence files of {}", crate::page::cell(name))
}

/// Returns the lines below a heading, up to the next one.
fn section(page: &str, heading: String) -> impl Iterator<Item = &str> {
    let lines = page.lines().skip_while(move |line| *line != heading).skip(1);
    lines.take_while(|line| !line.starts_with("##"))
}

/// Reads a row of a table with two columns.
fn row(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | ")
}

/// Facts that only realized outputs have, by output, and the version of strixlock that wrote them down.
#[derive(Debug, Default)]
pub struct Known {
    /// The version of strixlock that a page names; this one's without a page.
    version: Option<String>,
    outputs: BTreeMap<String, Realized>,
}

impl Known {
    /// Reads the facts of all outputs that are realized here. A tree that cannot be read is left to `verify`.
    #[must_use]
    pub fn read(lock: &Lock, store: &Store) -> Self {
        let read = |(name, output): (&String, &LockedOutput)| {
            let (_, tree) = store.output(output.derivation).ok()??;
            let about = store.output_about(output.derivation).and_then(|path| fs_err::read(path).ok());
            let about: Option<Value> = about.and_then(|text| serde_json::from_slice(&text).ok());
            let found = Found { tree: &tree, about: about.as_ref(), lock, store };
            let facts = each_output!(&output.recipe, recipe => recipe.facts(&found));
            let licences = licences::names(&tree.listing().ok()?);
            let twice = store.was_made_again(output.derivation, tree.digest);
            Some((name.clone(), Realized { tree: tree.digest, twice, facts, licences }))
        };
        Self { version: None, outputs: lock.outputs.iter().filter_map(read).collect() }
    }

    /// Reads the facts that a page states.
    pub(super) fn stated(page: &str, lock: &Lock) -> Self {
        let of = |(name, output): (&String, &LockedOutput)| {
            Some((name.clone(), Realized::stated(page, name, &output.recipe)?))
        };
        let version = page.lines().find_map(|line| line.strip_prefix(WRITTEN_BY)?.split(' ').next());
        let version = version.filter(|version| semver::Version::parse(version).is_ok()).map(str::to_owned);
        Self { version, outputs: lock.outputs.iter().filter_map(of).collect() }
    }

    /// Returns the first words of the page.
    pub(super) fn written_by(&self) -> String {
        format!("{WRITTEN_BY}{}", self.version.as_deref().unwrap_or(env!("CARGO_PKG_VERSION")))
    }

    /// Returns the facts of an output.
    pub(super) fn of(&self, name: &str) -> Option<&Realized> {
        self.outputs.get(name)
    }

    /// Returns true unless a page states something else than is known here. Nothing is compared of outputs that hold
    /// for one machine only.
    pub(super) fn agrees(&self, stated: &Self, lock: &Lock) -> bool {
        let agrees = |(name, stated): (&String, &Realized)| {
            is_of_one_machine(lock, name) || self.of(name).is_none_or(|known| known.agrees(stated))
        };
        stated.outputs.iter().all(agrees)
    }

    /// Returns true if a page states all that is known here.
    pub(super) fn is_in(&self, stated: &Self) -> bool {
        self.outputs.iter().all(|(name, known)| stated.of(name).is_some_and(|stated| stated.has_all_of(known)))
    }

    /// Returns these facts with those that a page states of other outputs.
    #[must_use]
    pub(super) fn with(mut self, stated: Self) -> Self {
        for (name, stated) in stated.outputs {
            match self.outputs.get_mut(&name) {
                Some(known) => known.twice |= stated.twice && stated.tree == known.tree,
                None => drop(self.outputs.insert(name, stated)),
            }
        }
        self
    }
}

/// Returns true for an output that was made with the host's own root, which no lock pins, or from such an output.
pub(super) fn is_of_one_machine(lock: &Lock, name: &str) -> bool {
    let Some(output) = lock.outputs.get(name) else { return false };
    let with_host = output.recipe.build_root() == BuildRoot::Host;
    with_host || output.recipe.outputs().iter().any(|(_, part)| *part != name && is_of_one_machine(lock, part))
}
