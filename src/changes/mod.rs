//! Changes between two locks, or between two generations: inputs by what moved in them, outputs by digest and file.
//!
//! [`between`] compares and returns values; it prints nothing and asks no server. What the store has adds details: the
//! commits between two pins, the changelogs in packages, the files of trees. What is not there is said
//! ([`InputChange::unknown`]); [`fetch_commits`] fetches commits. [`sections()`] puts the values into rows, from which the
//! terminal and [`markdown()`] are printed, and [`title()`] into one line.

mod commits;
mod fields;
mod files;
mod input;
mod markdown;
mod names;
mod output;
mod packages;
mod sections;
#[cfg(test)]
mod tests;
mod title;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::error::Result;
use crate::inputs::LockedInput;
use crate::inputs::git::fetch_history;
use crate::intake::Intake;
use crate::lock::Lock;
use crate::store::{Generation, Store};

pub use input::InputChange;
pub use markdown::markdown;
pub use output::OutputChange;
pub use sections::{Block, Section, sections};
pub use title::{message, title};

/// One of the two sides of a comparison.
#[derive(Debug, Clone, Copy, Default)]
pub struct Side<'a> {
    /// The lock; `None` if there is none, or if it cannot be read.
    pub lock: Option<&'a Lock>,
    /// The generation, whose outputs are compared then; `None` for a lock alone.
    pub generation: Option<&'a Generation>,
}

impl<'a> Side<'a> {
    /// Returns the side of a lock alone.
    #[must_use]
    pub fn of_lock(lock: &'a Lock) -> Self {
        Self { lock: Some(lock), generation: None }
    }

    fn outputs(&self) -> Vec<&'a str> {
        let locked = self.lock.map(Lock::ordered).unwrap_or_default().into_iter().map(String::as_str);
        match self.generation {
            Some(generation) => {
                let has = |name: &&str| generation.outputs.contains_key(*name);
                let known: Vec<&str> = locked.filter(has).collect();
                let others = generation.outputs.keys().map(String::as_str).filter(|name| !known.contains(name));
                known.iter().copied().chain(others).collect()
            }
            None => locked.collect(),
        }
    }
}

/// Everything that differs between two sides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Inputs that differ.
    pub inputs: Vec<InputChange>,
    /// Outputs that differ, or may, and outputs of whose recipe something differs.
    pub outputs: Vec<OutputChange>,
    /// The outputs by whether their trees are equal.
    pub equality: Equality,
}

/// Names of outputs, by whether they are the same on both sides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Equality {
    /// Outputs with the same tree, or made from the same things in the same way.
    pub equal: Vec<String>,
    /// Outputs with another tree, or that only one side has.
    pub different: Vec<String>,
    /// Outputs that are made from other things, of which one tree is not known here.
    pub unknown: Vec<String>,
}

impl Changes {
    /// Returns true if nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty() && self.outputs.is_empty()
    }
}

/// Compares two sides. With a store, its commits, packages and trees are used.
pub fn between(from: &Side, to: &Side, store: Option<&Store>) -> Result<Changes> {
    let mut changes = Changes::default();
    // Without both locks, nothing can be said about inputs; a first lock has only new ones.
    if let Some(new) = to.lock
        && (from.lock.is_some() || from.generation.is_none())
    {
        let old = |name: &str| from.lock.and_then(|lock| lock.inputs.get(name));
        let names: BTreeSet<&String> = from.lock.iter().chain(&to.lock).flat_map(|lock| lock.inputs.keys()).collect();
        let pairs = names.into_iter().map(|name| (name, old(name), new.inputs.get(name)));
        changes.inputs = pairs.filter_map(|(name, old, new)| InputChange::between(name, old, new, store)).collect();
    }
    let mut names = to.outputs();
    names.extend(from.outputs().into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
    for name in names {
        let change = OutputChange::between(name, from, to, store)?;
        let list = match change.equal {
            Some(true) => &mut changes.equality.equal,
            Some(false) => &mut changes.equality.different,
            None => &mut changes.equality.unknown,
        };
        list.push(name.to_owned());
        if change.is_worth_telling() {
            changes.outputs.push(change);
        }
    }
    Ok(changes)
}

/// Fetches the commits of git inputs that differ and that the store lacks, with their history.
pub fn fetch_commits(from: &Lock, to: &Lock, intake: Intake) -> Result<()> {
    for (name, input) in &to.inputs {
        if let (LockedInput::Git(new), Some(LockedInput::Git(old))) = (input, from.inputs.get(name))
            && old.locked.commit != new.locked.commit
        {
            fetch_history(intake, name, &[&new.locked, &old.locked])?;
        }
    }
    Ok(())
}
